"""How an operator waits for a run: in place or in the triggerer, with the same end."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from tallyfy_provider.client.runs.status import StatusRule, compact
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyInputError,
    TallyfyWaitTimeoutError,
    error_from_dict,
)
from tallyfy_provider.waiting.tolerance import FaultTolerance
from tallyfy_provider.waiting.verdicts import states_of, verdict_on

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient
    from tallyfy_provider.hooks.tallyfy import TallyfyHook

#: Seconds after the deadline until Airflow's own clock ends a wait whose triggerer does not.
_GRACE = timedelta(minutes=5)


class WaitingOperator(Protocol):
    """What an operator that waits for a run has."""

    rule: StatusRule
    poke_interval: float
    timeout: float | timedelta
    fault_tolerance: float | timedelta
    deferrable: bool
    archive_on_kill: bool
    tallyfy_conn_id: str
    execution_timeout: timedelta | None

    @property
    def hook(self) -> TallyfyHook:
        """The hook."""

    @property
    def log(self) -> Any:
        """The task's log."""

    def defer(self, *, trigger: Any, method_name: str, timeout: timedelta | None = None) -> None:
        """Hand over to the triggerer."""


class RunWait:
    """
    One wait for a run.

    :param operator: The operator that waits.
    """

    def __init__(self, operator: WaitingOperator) -> None:
        self._operator = operator
        self._run_id: str | None = None
        self._archiver: TallyfyClient | None = None

    def wait(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """
        Wait until the run ends, here or in the triggerer.

        :param run: The run as it is now.
        :return: The run as it is at the end.
        :raises TallyfyRunFailedError: It ended in one of the failed statuses.
        :raises AirflowSkipException: It ended in one of the skipped statuses.
        :raises TallyfyWaitTimeoutError: It took too long.
        :raises TallyfyError: Tallyfy could not be asked for longer than the fault tolerance.
        """
        operator = self._operator
        self._run_id = str(run["id"])
        if operator.archive_on_kill:
            # Made now, with connections of its own: a task that is being ended cannot ask Airflow for anything more.
            self._archiver = operator.hook.new_client()
        deadline = time.time() + self._limit
        if self._is_over(run):
            return dict(run)
        if operator.deferrable:
            self._defer(deadline)
        return self._wait_here(deadline)

    def _wait_here(self, deadline: float) -> dict[str, Any]:
        operator, run_id = self._operator, str(self._run_id)
        tolerance = FaultTolerance(seconds_of("fault_tolerance", operator.fault_tolerance))
        seen: dict[str, Any] | None = None
        pause = operator.poke_interval
        while (left := deadline - time.time()) > 0:
            time.sleep(min(pause, left))
            pause = operator.poke_interval
            try:
                seen = operator.hook.find_run(run_id)
            except TallyfyError as fault:
                lasted = tolerance.bear(fault)
                operator.log.warning("Tallyfy cannot be asked (for %.0f s now): %s", lasted, fault)
                pause = max(pause, fault.retry_after or 0.0)
                continue
            tolerance.clear()
            if self._is_over(seen):
                return seen
        raise self._too_late([seen] if seen else [])

    def _defer(self, deadline: float) -> None:
        from tallyfy_provider.triggers.runs import RunStatusTrigger

        operator = self._operator
        operator.log.info(
            "Deferring: the triggerer goes on asking every %g s. (If nothing follows, is a triggerer running?)",
            operator.poke_interval,
        )
        operator.defer(
            trigger=RunStatusTrigger(
                tallyfy_conn_id=operator.tallyfy_conn_id,
                run_ids=[str(self._run_id)],
                allowed_statuses=list(operator.rule.allowed),
                failed_statuses=list(operator.rule.failed),
                skipped_statuses=list(operator.rule.skipped),
                wait_for=operator.rule.wait_for,
                poke_interval=operator.poke_interval,
                deadline=deadline,
                fault_tolerance=seconds_of("fault_tolerance", operator.fault_tolerance),
                archive_on_kill=operator.archive_on_kill,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self._limit) + _GRACE,
        )

    def conclude(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """
        End a wait that went on in the triggerer.

        :param event: What the trigger reports.
        :return: The run, in a compact form.
        :raises TallyfyError: As :meth:`wait`.
        """
        status, seen = event.get("status"), event.get("seen") or []
        self._run_id = next((str(run_id) for run_id in event.get("run_ids") or []), None)
        if status == "error":
            raise error_from_dict(event.get("error") or {})
        if status == "timeout":
            raise self._too_late(seen)
        if status != "ended" or not seen or not self._is_over(seen[0]):
            raise TallyfyError(f"The trigger reported nothing that can be read: {dict(event)!r}.")
        return dict(seen[0])

    def archive_when_killed(self) -> bool:
        """
        Archive the run when the task is ended; never fails, and asks Airflow for nothing.

        :return: Whether it was archived: not when nothing waits for it any more, nor when Tallyfy cannot be asked.
        """
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
        verdict = verdict_on(self._operator.rule, [compact(run)])
        if verdict.is_over or verdict.error is not None:
            # What is over is never archived by a task that is ended afterwards.
            self._archiver = None
        if verdict.error is not None:
            raise verdict.error
        self._operator.log.info("%s", verdict)
        return verdict.is_over

    def _too_late(self, seen: list[dict[str, Any]]) -> TallyfyWaitTimeoutError:
        archived = ""
        if self._operator.archive_on_kill and self._run_id is not None:
            self._archiver = self._archiver or self._operator.hook.new_client()
            archived = (
                " It was archived (archive_on_kill)."
                if self.archive_when_killed()
                else " It could not be archived (archive_on_kill): the task's log says why."
            )
            self._archiver = None
        last_seen = states_of(seen) if seen else "nothing, Tallyfy could not be asked"
        return TallyfyWaitTimeoutError(
            f"The run was not over after {self._limit:g} s (timeout or execution_timeout). "
            f"Last seen: {last_seen}.{archived}"
        )

    @property
    def _limit(self) -> float:
        """Seconds that the wait may take; Airflow does not enforce execution_timeout while a task is deferred."""
        limit = seconds_of("timeout", self._operator.timeout)
        timeout = self._operator.execution_timeout
        return limit if timeout is None else min(limit, timeout.total_seconds())


def seconds_of(argument: str, duration: float | timedelta) -> float:
    """
    Read a duration.

    :param argument: The argument's name, for messages.
    :param duration: Seconds or a timedelta.
    :return: Seconds.
    :raises TallyfyInputError: It is neither, negative, or without end.
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not math.isfinite(seconds) or seconds < 0:
        raise TallyfyInputError(f"{argument} takes seconds or a timedelta, not {duration!r}.")
    return float(seconds)
