"""The button of a task that leads to the page of its run (process), where people work on it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink, conf

from tallyfy_provider.get_provider_info import RUN_URL

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

log = logging.getLogger(__name__)


def run_url(run_id: str | int) -> str:
    """
    Give the address of a run's page in Tallyfy's web app (docs/tallyfy-api.md, "Links for people").

    The pattern is Airflow's option ``[tallyfy] run_url``. The page asks for a login: the address opens nothing to
    those who may not see the run, which is not so of a guest link.

    :param run_id: The run.
    :return: The address; empty where the option is.
    """
    pattern: str = conf.get("tallyfy", "run_url", fallback=RUN_URL)
    return pattern.strip().replace("{run_id}", quote(str(run_id), safe=""))


class TallyfyRunLink(BaseOperatorLink):
    """
    The page of the run that a task launched, waits for or works on.

    Airflow 3 shows what stands in the XCom :attr:`xcom_key`, and writes it itself only when the task stops running.
    :meth:`persist` writes that XCom as soon as the run is known, so that the button is there while people work; Airflow
    2 reads the same XCom through :meth:`get_link`.
    """

    name = "Tallyfy process"
    xcom_key = "_link_TallyfyRunLink"

    @classmethod
    def persist(cls, context: Context, run_id: str | int) -> None:
        """
        Show the link from now on; to be called as soon as the run is known, before waiting or deferring.

        Never fails: a task goes on without its button.

        :param context: Airflow's task context.
        :param run_id: The run.
        """
        try:
            context["ti"].xcom_push(key=cls.xcom_key, value=run_url(run_id))
        except Exception as error:
            log.warning("The link to the run %s could not be stored, so the task shows none: %r", run_id, error)

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """
        Give the link that was stored.

        :param operator: The task's operator; not needed.
        :param ti_key: The task instance.
        :return: The address, or an empty text where the task has not come to know its run.
        """
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""
