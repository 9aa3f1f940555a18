"""The link of an Airflow task to the page of its run (process), where people work on it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink, conf

from tallyfy_provider.get_provider_info import RUN_URL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

log = logging.getLogger(__name__)

#: As many as a message names runs.
_PAGES_IN_A_LINE = 5


def run_url(run_id: str | int) -> str:
    """
    Return the URL of a run's page in Tallyfy's web app (docs/tallyfy-api.md, "Links for people").

    The pattern is Airflow's option ``[tallyfy] run_url``; the URL is empty where that is, and for an id that is a web
    address. Unlike a guest link, it gives no access: the page requires a login.
    """
    if "://" in str(run_id):
        return ""
    pattern: str = conf.get("tallyfy", "run_url", fallback=RUN_URL)
    return pattern.strip().replace("{run_id}", quote(str(run_id), safe=""))


def pages_of(run_ids: Sequence[str | int]) -> str:
    """Return the URLs of runs' pages to end a line of the log with; those of the first runs, if there are many."""
    return "".join(f" {url}" for run_id in run_ids[:_PAGES_IN_A_LINE] if (url := run_url(run_id)))


class TallyfyRunLink(BaseOperatorLink):
    """
    The page of the run that a task launched, waits for or works on.

    Airflow 3 shows what the XCom :attr:`xcom_key` holds, and writes it itself only when the task stops running.
    :meth:`persist` writes that XCom as soon as the run is known, so that the link is there while people work. Airflow 2
    reads the same XCom through :meth:`get_link`.
    """

    name = "Tallyfy process"
    xcom_key = "_link_TallyfyRunLink"

    @classmethod
    def persist(cls, context: Context, run_id: str | int) -> None:
        """Store the link, before waiting or deferring. Never fails: a task works without its link."""
        try:
            context["ti"].xcom_push(key=cls.xcom_key, value=run_url(run_id))
        except Exception as error:
            log.warning("The task shows no link to run %s, which could not be stored: %r", run_id, error)

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the stored link."""
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""
