"""
Launching a run once. Blocking.

A ``POST`` is sent once. If its answer is lost, the run is looked for by its reference, more than once, since Tallyfy's
lists may be some seconds behind (docs/tallyfy-api.md, "Launching once"); whoever launches again looks first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.runs.launch_marker import LaunchMarker
from tallyfy_provider.exceptions import TallyfyError, TallyfyIndeterminateError, TallyfyNotFoundError

log = logging.getLogger(__name__)

#: Seconds for which a run that may have been launched is looked for before it counts as not launched.
DEFAULT_PATIENCE = 30.0
#: By how much the clocks of Airflow and Tallyfy may differ, in seconds.
_CLOCK_SKEW = 600.0
#: Runs that are looked at most where it is not known since when to look.
_MOST_WITHOUT_A_BEGINNING = 1000


@dataclass(frozen=True)
class Launched:
    """
    A run that is there now.

    :param run: The run as the API gave it.
    :param is_new: Whether it was launched just now, rather than found.
    """

    run: dict[str, Any]
    is_new: bool


class Launcher:
    """
    Launches a run, or finds the one that was launched already.

    :param client: The client.
    :param checklist_id: The checklist.
    :param reference: What tells the run apart.
    :param since: When it may have been launched at the earliest, in seconds since the epoch; None if not known.
    :param patience: Seconds for which a run that may be there is looked for.
    :param sleep: Waits so many seconds.
    :param clock: A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        client: TallyfyClient,
        checklist_id: str,
        reference: LaunchMarker,
        *,
        since: float | None,
        patience: float = DEFAULT_PATIENCE,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._checklist_id = checklist_id
        self._reference = reference
        self._since = since
        self._patience = patience
        self._sleep = sleep
        self._clock = clock
        #: Runs that were asked for by themselves and are others: what they carry does not change by waiting.
        self._others: set[str] = set()

    def find(self) -> dict[str, Any] | None:
        """
        Look for the run once: among the checklist's runs since then, the newest first, and among archived ones.

        :return: The run as the API gave it, or None.
        :raises TallyfyError: Of the kind that fits.
        """
        for archived in (None, "only"):
            with closing(self._candidates(archived)) as candidates:
                for run in candidates:
                    if self._is_it(run):
                        return run
        return None

    def find_patiently(self) -> dict[str, Any] | None:
        """
        Look for the run again and again until it can no longer be that a list is behind.

        :return: The run as the API gave it, or None.
        :raises TallyfyError: Of the kind that fits.
        """
        until = self._clock() + self._patience
        pause = 1.0
        while True:
            if (run := self.find()) is not None:
                return run
            left = until - self._clock()
            if left <= 0:
                return None
            self._sleep(min(pause, left))
            pause = min(pause * 2, 8.0)

    def launch(self, body: Mapping[str, Any]) -> Launched:
        """
        Launch the run; sent once, and looked for when the answer is lost.

        :param body: What is launched; its ``summary`` gets the reference.
        :return: The run.
        :raises TallyfyIndeterminateError: The answer was lost and the run is not to be found: it may appear yet. Look
            before launching it again.
        :raises TallyfyError: Of the kind that fits; then nothing was launched.
        """
        body = {**body, "summary": self._reference.written_into(body.get("summary"))}
        try:
            run = self._client.runs.launch(body)
        except TallyfyIndeterminateError as error:
            log.warning("The answer to a launch was lost; the run is looked for by %s.", self._reference.token)
            lost = error
        else:
            self._warn_unless_kept(run)
            return Launched(run, is_new=True)
        return Launched(self._found_after(lost), is_new=True)

    def _warn_unless_kept(self, run: Mapping[str, Any]) -> None:
        if run.get("summary") and not self._reference.is_in(run):
            log.warning(
                "Tallyfy did not keep %s in the summary of run %s: a retry cannot find this run, and may launch "
                "another one.",
                self._reference.token,
                run.get("id"),
            )

    def _found_after(self, lost: TallyfyIndeterminateError) -> dict[str, Any]:
        try:
            run = self.find_patiently()
        except TallyfyError as error:
            raise self._in_doubt(lost, f"it cannot be looked for now ({error})") from error
        if run is None:
            raise self._in_doubt(lost, f"it was not found within {self._patience:.0f} s") from lost
        log.info("The run %s was launched all the same.", run.get("id"))
        return run

    def _in_doubt(self, lost: TallyfyIndeterminateError, why: str) -> TallyfyIndeterminateError:
        return TallyfyIndeterminateError(
            f"It is not known whether the run was launched: {lost.message} It carries {self._reference.token} in its "
            f"summary, and {why}. A retry of the task looks for it before launching another one.",
            status=lost.status,
            request_id=lost.request_id,
        )

    def _candidates(self, archived: str | None) -> Generator[dict[str, Any]]:
        filters = {"checklist_id": self._checklist_id, "sort": "-created_at"}
        if archived is not None:
            filters["archived"] = archived
        if self._since is None:
            return self._client.runs.list(filters, max_runs=_MOST_WITHOUT_A_BEGINNING)
        since = datetime.fromtimestamp(self._since - _CLOCK_SKEW, UTC)
        return self._client.runs.list(filters, created_after=since)

    def _is_it(self, run: dict[str, Any]) -> bool:
        """Tell whether a listed run is the one; a list may leave out the summary, or leave it empty."""
        if run.get("summary"):
            return self._reference.is_in(run)
        run_id = str(run["id"])
        if run_id in self._others:
            return False
        try:
            whole = self._client.runs.get(run_id)
        except TallyfyNotFoundError:
            # Tallyfy may list archived runs without giving them one by one: then there is no more than the row.
            return False
        if self._reference.is_in(whole):
            return True
        self._others.add(run_id)
        return False
