"""Triggers on runs: they poll and report, and decide nothing; the sensor does."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tallyfy_provider.client.runs.status import Outcome, StatusRule
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.executor import executor_for
from tallyfy_provider.triggers.poller import Wait, waiting
from tallyfy_provider.waiting.tolerance import DEFAULT_TOLERANCE, FaultTolerance
from tallyfy_provider.waiting.verdicts import states_of

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient

#: Seconds that the last look before a timeout may take, with what is under way before it; less than the sensor's grace.
_LAST_LOOK = 240.0
#: Longest silence of a wait in its log, in seconds.
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 1200.0
_SECONDS_BETWEEN_WARNINGS = 600.0


class RunStatusTrigger(BaseTrigger):
    """
    Ask for runs until they are what a rule waits for, sharing one poller with all waits on the same connection.

    Reports one event: ``{"status": "ended", "seen": […]}``, ``{"status": "timeout", "seen": […]}`` with what was last
    seen, or ``{"status": "error", "error": {…}, "seen": […]}``; each with its ``run_ids``. It holds no secret: a
    connection id, never a token.

    :param tallyfy_conn_id: The Airflow connection.
    :param run_ids: Ids of the runs.
    :param allowed_statuses: Statuses that are a success.
    :param failed_statuses: Statuses that are a failure.
    :param skipped_statuses: Statuses that skip the task.
    :param wait_for: ``all`` or ``any``.
    :param poke_interval: Seconds between two looks.
    :param deadline: When to stop, in seconds since the epoch: a restarted triggerer must not begin anew.
    :param fault_tolerance: Seconds that transient faults may last.
    :param silent_fail: Bear with every error until the deadline.
    :param not_before: When Tallyfy wants to be asked again, in seconds since the epoch, if it said so.
    :param archive_on_kill: Archive the runs when a user clears or marks the task meanwhile (Airflow 3.3 or later).
    """

    def __init__(
        self,
        *,
        tallyfy_conn_id: str,
        run_ids: list[str],
        allowed_statuses: list[str],
        failed_statuses: list[str],
        skipped_statuses: list[str],
        wait_for: str,
        poke_interval: float,
        deadline: float,
        fault_tolerance: float = DEFAULT_TOLERANCE,
        silent_fail: bool = False,
        not_before: float = 0.0,
        archive_on_kill: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own lacks types
        self.tallyfy_conn_id = tallyfy_conn_id
        self.run_ids = run_ids
        self.allowed_statuses = allowed_statuses
        self.failed_statuses = failed_statuses
        self.skipped_statuses = skipped_statuses
        self.wait_for = wait_for
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.fault_tolerance = fault_tolerance
        self.silent_fail = silent_fail
        self.not_before = not_before
        self.archive_on_kill = archive_on_kill
        self._last_warning = float("-inf")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """
        Describe the trigger for another process.

        :return: Its class path and its arguments, JSON primitives all.
        """
        return (
            "tallyfy_provider.triggers.runs.RunStatusTrigger",
            {
                "tallyfy_conn_id": self.tallyfy_conn_id,
                "run_ids": self.run_ids,
                "allowed_statuses": self.allowed_statuses,
                "failed_statuses": self.failed_statuses,
                "skipped_statuses": self.skipped_statuses,
                "wait_for": self.wait_for,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                "fault_tolerance": self.fault_tolerance,
                "silent_fail": self.silent_fail,
                "not_before": self.not_before,
                "archive_on_kill": self.archive_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Poll until the wait is over.

        :return: One event.
        """
        yield TriggerEvent({**await self._wait(), "run_ids": self.run_ids})  # type: ignore[no-untyped-call]  # as above

    async def on_kill(self) -> None:
        """Archive the runs, if that was asked for; Airflow calls this when a user ends the task, and only then."""
        if not self.archive_on_kill:
            return
        async with executor_for(self.tallyfy_conn_id) as thread:
            for run_id in self.run_ids:
                try:
                    await thread.call(_archive, run_id)
                    self.log.info("Archived run %s, since the task was ended.", run_id)
                except TallyfyError as error:
                    self.log.error("The task was ended, but its run %s could not be archived: %s", run_id, error)

    async def _wait(self) -> dict[str, Any]:
        rule = StatusRule(
            tuple(self.allowed_statuses), tuple(self.failed_statuses), tuple(self.skipped_statuses), self.wait_for
        )
        tolerance = FaultTolerance(self.fault_tolerance, everything=self.silent_fail)
        # The worker, or the triggerer before a restart, has just looked: the first look may take its time.
        first_after = min(max(self.poke_interval, self.not_before - time.time()), max(0.0, self._time_left()))
        async with waiting(
            self.tallyfy_conn_id, self.run_ids, interval=self.poke_interval, first_after=first_after, rule=rule
        ) as (wait, poller):
            self.log.info("Asking every %g s, together with %d other waits.", self.poke_interval, poller.size - 1)
            while self._time_left() > 0:
                await wait.news(min(self._time_left(), _heartbeat()))
                if event := self._event(wait, rule, tolerance):
                    return event
            poller.hurry(wait)
            await wait.look(_LAST_LOOK)
            return self._event(wait, rule, tolerance) or {"status": "timeout", "seen": list(wait.runs.values())}

    def _event(self, wait: Wait, rule: StatusRule, tolerance: FaultTolerance) -> dict[str, Any] | None:
        """Say what the news mean: an event to report, or None to go on."""
        runs, fault = wait.seen, wait.take_fault()
        if runs is not None and rule.judge_all(runs) is not Outcome.WAITING:
            return {"status": "ended", "seen": runs}
        if fault is not None:
            return self._bear(fault, wait, tolerance)
        if runs is not None:
            seen_at = time.strftime("%H:%M:%S", time.gmtime(wait.seen_at))
            self.log.info("Waiting for %s of: %s (seen at %s UTC).", self.wait_for, states_of(runs), seen_at)
        return None

    def _bear(self, fault: TallyfyError, wait: Wait, tolerance: FaultTolerance) -> dict[str, Any] | None:
        if wait.recovered:
            tolerance.clear()
            wait.recovered = False
        try:
            lasted = tolerance.bear(fault)
        except TallyfyError as lasting:
            return {"status": "error", "error": lasting.to_dict(), "seen": list(wait.runs.values())}
        if time.monotonic() - self._last_warning > _SECONDS_BETWEEN_WARNINGS:
            self._last_warning = time.monotonic()
            self.log.warning("Tallyfy cannot be asked (for %.0f s now): %s", lasted, fault)
        return None

    def _time_left(self) -> float:
        return self.deadline - time.time()


def _heartbeat() -> float:
    """Seconds until a wait says again that it waits; spread out, so that thousands do not all speak at once."""
    return random.uniform(_SECONDS_BETWEEN_SIGNS_OF_LIFE / 2, _SECONDS_BETWEEN_SIGNS_OF_LIFE)  # noqa: S311 - no secret


def _archive(client: TallyfyClient, run_id: str) -> None:
    client.runs.archive(run_id)
