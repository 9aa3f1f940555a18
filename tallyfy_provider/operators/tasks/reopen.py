"""ReopenTaskOperator: opens a completed task again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.tasks.status import is_completed
from tallyfy_provider.operators.tasks.base import TaskOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class ReopenTaskOperator(TaskOperator):
    """Open a completed task again, and with it a run that was complete; one that is open stays as it is."""

    def _act(self, context: Context, task: dict[str, Any]) -> dict[str, Any]:
        from tallyfy_provider.client.tasks.lookup import run_of

        if not is_completed(task):
            self.log.info("Task %r (%s) is not completed: there is nothing to reopen.", task.get("title"), task["id"])
            return task
        reopened = self.hook.client.tasks.reopen(run_of(task), str(task["id"]))
        self.log.info("Reopened task %r (%s).", task.get("title"), task["id"])
        return reopened
