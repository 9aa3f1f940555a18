"""Wait for the run of an operator: in place or in the triggerer, with the same end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.runs.status import compact
from tallyfy_provider.exceptions import TallyfyError, TallyfyWaitTimeoutError
from tallyfy_provider.links.tallyfy import pages_of
from tallyfy_provider.waiting.conditions import WaitResult, describe_runs
from tallyfy_provider.waiting.deferral import NEVER_SEEN, defer, read_event, time_limit_of
from tallyfy_provider.waiting.tolerance import FaultTolerance, log_fault, pause_after

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient


class RunWait:
    """One wait for a run."""

    def __init__(self, operator: Any) -> None:
        self._operator = operator
        self._run_id: str | None = None
        self._archiver: TallyfyClient | None = None

    def wait(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """Wait until the run ends, here or in the triggerer."""
        operator = self._operator
        self._run_id = str(run["id"])
        if operator.archive_on_kill:
            # Built now, with connections of its own: a task that is being ended cannot ask Airflow for anything more.
            self._archiver = operator.hook.new_client()
        deadline = time.time() + self._time_limit
        if self._is_over(run):
            return dict(run)
        if operator.deferrable:
            self._defer(self._run_id, deadline)
        return self._wait_in_worker(self._run_id, deadline)

    def _wait_in_worker(self, run_id: str, deadline: float) -> dict[str, Any]:
        operator = self._operator
        tolerance = FaultTolerance(operator.fault_tolerance)
        seen: dict[str, Any] | None = None
        pause = operator.poke_interval
        while (left := deadline - time.time()) > 0:
            time.sleep(min(pause, left))
            pause = operator.poke_interval
            try:
                seen = operator.hook.find_run(run_id)
            except TallyfyError as fault:
                lasted = tolerance.record(fault)
                log_fault(operator.log, fault, lasted)
                pause = max(pause, pause_after(fault, operator.fault_tolerance - lasted))
                continue
            tolerance.clear()
            if self._is_over(seen):
                return seen
        raise self._timeout_error([seen] if seen else [])

    def _defer(self, run_id: str, deadline: float) -> None:
        from tallyfy_provider.triggers.runs import RunStatusTrigger

        operator = self._operator
        trigger = RunStatusTrigger(
            tallyfy_conn_id=operator.tallyfy_conn_id,
            run_ids=[run_id],
            **operator.rule.as_arguments(),
            poke_interval=operator.poke_interval,
            deadline=deadline,
            fault_tolerance=operator.fault_tolerance,
            archive_on_kill=operator.archive_on_kill,
        )
        defer(operator, trigger, self._time_limit)

    def conclude(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """End a wait in the triggerer as it would have ended here."""
        self._run_id = next((str(run_id) for run_id in event.get("run_ids") or []), None)
        seen, is_timeout = read_event(event)
        if is_timeout:
            raise self._timeout_error(seen or [])
        if not self._is_over(seen[0]):
            raise TallyfyError(f"The trigger ended a wait that is not over: {describe_runs(seen)}.")
        return dict(seen[0])

    def archive_when_killed(self) -> bool:
        """Archive the run when the task is ended; never fails, and asks Airflow for nothing."""
        if self._archiver is None or self._run_id is None:
            return False
        try:
            self._archiver.runs.archive(self._run_id)
        except TallyfyError as error:
            self._operator.log.error("The task was ended, but its run could not be archived: %s", error)
            return False
        self._operator.log.info("Archived run %s, since the task was ended.", self._run_id)
        return True

    def _is_over(self, run: Mapping[str, Any]) -> bool:
        result: WaitResult = self._operator.rule.result([compact(run)])
        if result.is_success or result.error is not None:
            # A run that is over is never archived by a task that is ended afterwards.
            self._archiver = None
        if result.error is not None:
            raise result.error
        self._operator.log.info("%s%s", result, "" if result.is_success else pages_of([str(run["id"])]))
        return result.is_success

    def _timeout_error(self, seen: list[dict[str, Any]]) -> TallyfyWaitTimeoutError:
        archived = ""
        if self._operator.archive_on_kill and self._run_id is not None:
            self._archiver = self._archiver or self._operator.hook.new_client()
            archived = (
                " It was archived (archive_on_kill)."
                if self.archive_when_killed()
                else " It could not be archived (archive_on_kill): the task's log says why."
            )
            self._archiver = None
        last_seen = describe_runs(seen) if seen else NEVER_SEEN
        return TallyfyWaitTimeoutError(
            f"The run was not over after {self._time_limit:g} s (timeout or execution_timeout). "
            f"Last seen: {last_seen}.{archived}"
        )

    @property
    def _time_limit(self) -> float:
        return time_limit_of(self._operator.timeout, self._operator.execution_timeout)
