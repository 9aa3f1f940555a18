"""One poller for all waits for tasks that share a connection in a triggerer, beside the one for runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tallyfy_provider.triggers.poller import Looks, RunPoller, Wait
from tallyfy_provider.waiting.run_reader import Look, Report
from tallyfy_provider.waiting.task_reader import UNCHANGED, TaskLooker


class TaskWait(Wait):
    """What one trigger that waits for a task has of the poller: its run, with all tasks of it."""

    def see(self, run_id: str, look: Look) -> None:
        """Take note of a look; of a run whose tasks were not asked for, there is nothing new."""
        if look is UNCHANGED:
            self.seen_at, self.recovered = time.time(), True
            return
        super().see(run_id, look)

    @staticmethod
    def state_of(run: Mapping[str, Any] | None) -> tuple[Any, ...]:
        """Give what makes a run look different to those who wait for its tasks."""
        if run is None:
            return ()
        tasks = ((task["id"], task["status"], task["completed_at"], task["problem"]) for task in run["tasks"])
        return (run.get("status"), run.get("completed_at"), run.get("archived_at"), *tasks)


class TaskPoller(RunPoller):
    """Asks for the tasks of the runs of many waits, in rounds; the waits on one run share what is asked."""

    def _new_looker(self, report: Report) -> Looks:
        self._task_looker = TaskLooker(report)
        return self._task_looker

    def add(self, wait: Wait) -> None:
        """Serve a wait from the next round on, whether its run seems unchanged to the others or not."""
        for run_id in wait.run_ids:
            self._task_looker.expect(run_id)
        super().add(wait)
