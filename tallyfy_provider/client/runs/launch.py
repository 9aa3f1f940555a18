"""
Launch a run once. Blocking.

A ``POST`` is sent once. If its response is lost, the run is looked for by its marker, more than once, since Tallyfy's
lists may be some seconds behind (docs/tallyfy-api.md, "Launching once"); whoever launches again looks first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from tallyfy_provider.client.redaction import shown
from tallyfy_provider.client.runs.api import RunsResource
from tallyfy_provider.client.runs.launch_marker import LaunchMarker
from tallyfy_provider.exceptions import TallyfyError, TallyfyIndeterminateError, TallyfyNotFoundError

log = logging.getLogger(__name__)

#: By how much the clocks of Airflow and Tallyfy may differ, in seconds.
_CLOCK_SKEW = 600.0
#: Runs that are searched at most where the earliest time of the launch is not known.
_MOST_WITHOUT_A_BEGINNING = 1000


class Launcher:
    """Launches a run, or finds the one that was launched already."""

    def __init__(
        self,
        runs: RunsResource,
        checklist_id: str,
        marker: LaunchMarker,
        *,
        since: float | None,
        lookup_timeout: float,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runs = runs
        self._checklist_id = checklist_id
        self._marker = marker
        self._since = since
        self._lookup_timeout = lookup_timeout
        self._sleep = sleep
        self._clock = clock
        #: Runs that were requested by id and carry another marker: waiting does not change that.
        self._others: set[str] = set()

    def find(self) -> dict[str, Any] | None:
        """Look for the run once: among the checklist's runs since then, the newest first, and among archived ones."""
        for archived in (None, "only"):
            with closing(self._candidates(archived)) as candidates:
                for run in candidates:
                    if self._is_it(run):
                        return run
        return None

    def find_until_timeout(self) -> dict[str, Any] | None:
        """Look for the run repeatedly until the lookup times out; lists are no longer behind then."""
        until = self._clock() + self._lookup_timeout
        pause = 1.0
        while True:
            if (run := self.find()) is not None:
                return run
            left = until - self._clock()
            if left <= 0:
                return None
            self._sleep(min(pause, left))
            pause = min(pause * 2, 8.0)

    def launch(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Launch the run with its marker, and look for it where the response is lost."""
        body = {**body, "summary": self._marker.written_into(body.get("summary"))}
        try:
            run = self._runs.launch(body)
        except TallyfyIndeterminateError as error:
            log.warning("The response to a launch was lost; looking for the run by %s.", self._marker.token)
            lost = error
        else:
            self._warn_unless_kept(run)
            return run
        return self._found_after(lost)

    def _carries_it(self, run: Mapping[str, Any]) -> bool:
        """Tell whether a launched run carries the marker although the response to its launch has cut or dropped it."""
        if not self._marker.may_be_in(run):
            return False
        try:
            return self._marker.is_in(self._runs.get(str(run["id"])))
        except TallyfyError:
            return False

    def _warn_unless_kept(self, run: Mapping[str, Any]) -> None:
        if not (self._marker.is_in(run) or self._carries_it(run)):
            log.warning(
                "A retry cannot find run %s, and may launch another one: Tallyfy did not keep %s in its summary.",
                shown(run.get("id")),
                self._marker.token,
            )

    def _found_after(self, lost: TallyfyIndeterminateError) -> dict[str, Any]:
        try:
            run = self.find_until_timeout()
        except TallyfyError as error:
            raise self._in_doubt(lost, f"it cannot be looked for now ({error})") from error
        if run is None:
            raise self._in_doubt(lost, f"it was not found within {self._lookup_timeout:.0f} s") from lost
        log.info("Found run %s: it was launched although the response was lost.", shown(run.get("id")))
        return run

    def _in_doubt(self, lost: TallyfyIndeterminateError, why: str) -> TallyfyIndeterminateError:
        return TallyfyIndeterminateError(
            f"It is not known whether the run was launched: it would carry {self._marker.token} in its summary, and "
            f"{why}. A retry of the task looks for it before launching another one. {lost.message}",
            status=lost.status,
            request_id=lost.request_id,
        )

    def _candidates(self, archived: str | None) -> Generator[dict[str, Any]]:
        filters = {"checklist_id": self._checklist_id, "sort": "-created_at"}
        if archived is not None:
            filters["archived"] = archived
        if self._since is None:
            return self._runs.list(filters, max_runs=_MOST_WITHOUT_A_BEGINNING)
        since = datetime.fromtimestamp(self._since - _CLOCK_SKEW, UTC)
        return self._runs.list(filters, created_after=since)

    def _is_it(self, run: dict[str, Any]) -> bool:
        """Tell whether a listed run carries the marker; a list may leave out the summary, leave it empty, or cut it."""
        if self._marker.is_in(run):
            return True
        run_id = str(run["id"])
        if run_id in self._others or not self._marker.may_be_in(run):
            return False
        try:
            whole = self._runs.get(run_id)
        except TallyfyNotFoundError:
            # Tallyfy may list archived runs without giving them one by one: then there is no more than the row.
            return False
        if self._marker.is_in(whole):
            return True
        self._others.add(run_id)
        return False
