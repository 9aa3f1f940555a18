"""Triggers on tasks: they poll and report, and decide nothing; the sensor does."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tallyfy_provider.client.runs.status import Outcome, StatusRule
from tallyfy_provider.client.tasks.lookup import find_task
from tallyfy_provider.client.tasks.status import TaskRule
from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError
from tallyfy_provider.triggers.executor import ConnectionExecutor, executor_for
from tallyfy_provider.triggers.poller import Wait, waiting
from tallyfy_provider.triggers.task_poller import TaskPoller, TaskWait
from tallyfy_provider.waiting.task_reader import confirm, look_at_task
from tallyfy_provider.waiting.tolerance import DEFAULT_TOLERANCE, FaultTolerance

#: Seconds that the last look before a timeout may take, with what is under way before it; less than the sensor's grace.
_LAST_LOOK = 240.0
#: Longest silence of a wait in its log, in seconds.
_SECONDS_BETWEEN_SIGNS_OF_LIFE = 1200.0
_SECONDS_BETWEEN_WARNINGS = 600.0


class TaskStatusTrigger(BaseTrigger):
    """
    Ask for a task until it is what a rule waits for, sharing one poller with all waits for tasks on the connection.

    Reports one event: ``{"status": "ended", "seen": {"run", "task"}}``, ``{"status": "timeout", …}`` with what was last
    seen, or ``{"status": "error", "error": {…}, …}``. Airflow writes events into its log, so there are no form values
    in them: the sensor reads those. It holds no secret: a connection id, never a token.

    :param tallyfy_conn_id: The Airflow connection.
    :param run_id: The run.
    :param step: The task's id; or its alias or title, where Tallyfy did not list it yet.
    :param on_rejection: ``pass``, ``fail`` or ``skip``.
    :param on_auto_skipped: ``wait``, ``pass``, ``fail`` or ``skip``.
    :param on_problem: ``wait``, ``fail`` or ``skip``.
    :param poke_interval: Seconds between two looks.
    :param deadline: When to stop, in seconds since the epoch: a restarted triggerer must not begin anew.
    :param fault_tolerance: Seconds that transient faults may last.
    :param silent_fail: Bear with every error until the deadline.
    :param not_before: When Tallyfy wants to be asked again, in seconds since the epoch, if it said so.
    """

    def __init__(
        self,
        *,
        tallyfy_conn_id: str,
        run_id: str,
        step: str,
        poke_interval: float,
        deadline: float,
        on_rejection: str = "pass",
        on_auto_skipped: str = "wait",
        on_problem: str = "wait",
        fault_tolerance: float = DEFAULT_TOLERANCE,
        silent_fail: bool = False,
        not_before: float = 0.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own lacks types
        self.tallyfy_conn_id = tallyfy_conn_id
        self.run_id = run_id
        self.step = step
        self.on_rejection = on_rejection
        self.on_auto_skipped = on_auto_skipped
        self.on_problem = on_problem
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.fault_tolerance = fault_tolerance
        self.silent_fail = silent_fail
        self.not_before = not_before
        self._last_warning = float("-inf")
        self._seen: dict[str, Any] | None = None
        #: Whether a list showed an end that the task itself does not show yet.
        self._is_unconfirmed = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """
        Describe the trigger for another process.

        :return: Its class path and its arguments, JSON primitives all.
        """
        names = (
            "tallyfy_conn_id",
            "run_id",
            "step",
            "on_rejection",
            "on_auto_skipped",
            "on_problem",
            "poke_interval",
            "deadline",
            "fault_tolerance",
            "silent_fail",
            "not_before",
        )
        return "tallyfy_provider.triggers.tasks.TaskStatusTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Poll until the wait is over.

        :return: One event.
        """
        event = await self._wait()
        yield TriggerEvent({**event, "seen": self._seen})  # type: ignore[no-untyped-call]  # as above

    async def _wait(self) -> dict[str, Any]:
        tolerance = FaultTolerance(self.fault_tolerance, everything=self.silent_fail)
        # The worker, or the triggerer before a restart, has just looked: the first look may take its time.
        first_after = min(max(self.poke_interval, self.not_before - time.time()), max(0.0, self._time_left()))
        async with (
            executor_for(self.tallyfy_conn_id) as thread,
            waiting(
                self.tallyfy_conn_id,
                [self.run_id],
                interval=self.poke_interval,
                first_after=first_after,
                rule=StatusRule(),  # what ends a run, which is not what is waited for here
                wait_class=TaskWait,
                poller_class=TaskPoller,
            ) as (wait, poller),
        ):
            self.log.info("Asking every %g s, together with %d other waits.", self.poke_interval, poller.size - 1)
            while self._time_left() > 0:
                patience = self.poke_interval if self._is_unconfirmed else _heartbeat()
                await wait.news(min(self._time_left(), patience))
                if event := await self._event(wait, thread, tolerance):
                    return event
            poller.hurry(wait)
            await wait.look(_LAST_LOOK)
            return await self._event(wait, thread, tolerance) or {"status": "timeout"}

    async def _event(self, wait: Wait, thread: ConnectionExecutor, tolerance: FaultTolerance) -> dict[str, Any] | None:
        """Say what the news mean: an event to report, or None to go on."""
        runs, fault = wait.seen, wait.take_fault()
        if runs is not None and self._may_be_over(runs[0]):
            try:
                if await self._is_over(thread, runs[0]):
                    return {"status": "ended"}
            except TallyfyError as unconfirmed:
                fault = unconfirmed
        if fault is not None:
            return self._bear(fault, wait, tolerance)
        if self._seen is not None:
            why = self._rule.judge(self._seen["task"], self._seen["run"]).why
            self.log.info("Waiting for %s (seen at %s UTC).", why, time.strftime("%H:%M:%S", time.gmtime(wait.seen_at)))
        return None

    def _may_be_over(self, run: dict[str, Any]) -> bool:
        """Tell whether a list shows something that may end the wait."""
        self._is_unconfirmed = False
        try:
            task = find_task(run["tasks"], self.step, self.run_id) if run["tasks"] else None
        except TallyfyInputError:
            return True
        self._seen = {"run": {name: value for name, value in run.items() if name != "tasks"}, "task": task}
        return self._rule.judge(task, run).outcome is not Outcome.WAITING

    async def _is_over(self, thread: ConnectionExecutor, run: dict[str, Any]) -> bool:
        """Ask for the task itself: a list may be behind."""
        self._is_unconfirmed = True
        task = self._seen["task"] if self._seen else None
        if task is None:
            seen = await thread.call(look_at_task, self.run_id, self.step)
        else:
            known = {name: value for name, value in run.items() if name != "tasks"}
            seen = await thread.call(confirm, known, str(task["id"]))
        self._seen = seen
        self._is_unconfirmed = self._rule.judge(seen["task"], seen["run"]).outcome is Outcome.WAITING
        return not self._is_unconfirmed

    @property
    def _rule(self) -> TaskRule:
        return TaskRule(self.on_rejection, self.on_auto_skipped, self.on_problem)

    def _bear(self, fault: TallyfyError, wait: Wait, tolerance: FaultTolerance) -> dict[str, Any] | None:
        if wait.recovered:
            tolerance.clear()
            wait.recovered = False
        try:
            lasted = tolerance.bear(fault)
        except TallyfyError as lasting:
            return {"status": "error", "error": lasting.to_dict()}
        if time.monotonic() - self._last_warning > _SECONDS_BETWEEN_WARNINGS:
            self._last_warning = time.monotonic()
            self.log.warning("Tallyfy cannot be asked (for %.0f s now): %s", lasted, fault)
        return None

    def _time_left(self) -> float:
        return self.deadline - time.time()


def _heartbeat() -> float:
    """Seconds until a wait says again that it waits; spread out, so that thousands do not all speak at once."""
    return random.uniform(_SECONDS_BETWEEN_SIGNS_OF_LIFE / 2, _SECONDS_BETWEEN_SIGNS_OF_LIFE)  # noqa: S311 - no secret
