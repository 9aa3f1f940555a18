"""The trigger that waits for tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from tallyfy_provider.client.tasks.lookup import find_task
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.triggers.base import PolledTrigger
from tallyfy_provider.triggers.executor import ConnectionExecutor, executor_for
from tallyfy_provider.triggers.poller import TaskPoller, shared_poller
from tallyfy_provider.triggers.wait import TaskWait
from tallyfy_provider.waiting.conditions import Outcome, StatusRule, TaskRule, WaitResult
from tallyfy_provider.waiting.task_reader import confirm, read_task


class TaskStatusTrigger(PolledTrigger):
    """
    Poll a task until it is what a rule waits for, sharing one poller with all waits for tasks on the connection.

    Reports one event: ``{"status": "ended" | "timeout", "seen": {"run", "task"}}`` with what was last seen, or
    ``{"status": "error", "error": {…}, …}``. Airflow writes events into its log, so there are no form values in them:
    the sensor reads those.

    :param run_id: The run.
    :param step: The task's id; or its alias or title, where Tallyfy did not list it yet.
    :param on_rejection: ``pass``, ``fail`` or ``skip``.
    :param on_auto_skipped: ``wait``, ``pass``, ``fail`` or ``skip``.
    :param on_problem: ``wait``, ``fail`` or ``skip``.
    :param kwargs: The arguments of :class:`~tallyfy_provider.triggers.base.WaitTrigger`.
    """

    own_arguments: ClassVar[tuple[str, ...]] = ("run_id", "step", "on_rejection", "on_auto_skipped", "on_problem")

    def __init__(
        self,
        *,
        run_id: str,
        step: str,
        on_rejection: str = "pass",
        on_auto_skipped: str = "wait",
        on_problem: str = "wait",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.step = step
        self.on_rejection = on_rejection
        self.on_auto_skipped = on_auto_skipped
        self.on_problem = on_problem
        self._seen: dict[str, Any] | None = None
        #: Whether a list showed an end that the task itself does not show yet.
        self._is_unconfirmed = False

    @property
    def _rule(self) -> TaskRule:
        return TaskRule(self.on_rejection, self.on_auto_skipped, self.on_problem)

    async def _wait(self) -> dict[str, Any]:
        async with (
            executor_for(self.tallyfy_conn_id) as self._executor,
            shared_poller(
                self.tallyfy_conn_id,
                [self.run_id],
                interval=self.poke_interval,
                first_after=self._first_pause(),
                patience=self._patience,
                rule=StatusRule(),  # what ends a run, which is not what is waited for here
                wait_class=TaskWait,
                poller_class=TaskPoller,
            ) as (wait, poller),
        ):
            event = await self._wait_for_poller(wait, poller)
            return {**event, "seen": self._seen}

    _executor: ConnectionExecutor

    @property
    def _waits_for(self) -> Sequence[str]:
        return [self.run_id]

    def _longest_pause(self) -> float:
        return self.poke_interval if self._is_unconfirmed else super()._longest_pause()

    async def _evaluate(self, runs: Sequence[dict[str, Any]]) -> WaitResult:
        """Return what lists show while the wait continues; else ask for the task itself, since a list may be behind."""
        listed = runs[0]
        run = {name: value for name, value in listed.items() if name != "tasks"}
        self._is_unconfirmed = False
        try:
            task = find_task(listed["tasks"], self.step, self.run_id) if listed["tasks"] else None
        except TallyfyInputError:
            task = self._seen["task"] if self._seen else None
        else:
            self._seen = {"run": run, "task": task}
            result = self._rule.result(task, run)
            if result.outcome is Outcome.WAITING:
                return result
        self._is_unconfirmed = True
        if task is None:
            self._seen = await self._executor.call(read_task, self.run_id, self.step)
        else:
            self._seen = await self._executor.call(confirm, run, str(task["id"]))
        result = self._rule.result(self._seen["task"], self._seen["run"])
        self._is_unconfirmed = result.outcome is Outcome.WAITING
        return result
