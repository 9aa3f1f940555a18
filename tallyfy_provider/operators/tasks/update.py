"""UpdateTaskOperator and ReopenTaskOperator: change a task, fill its form, open it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from tallyfy_provider.client.tasks.status import is_completed, name_of
from tallyfy_provider.operators.tasks.base import TaskOperator
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class UpdateTaskOperator(TaskOperator):
    """
    Change a task that is not completed, and fill its form. What is not named stays as it is.

    Only ``owners`` unassigns anybody: it replaces those of the kinds that it names.

    :param title: A new title, at most 600 characters; templated.
    :param summary: A new summary, text or HTML; templated.
    :param deadline: A new deadline, such as ``2026-10-31T17:00:00Z``, templated; without a time zone it is
        UTC, a date is its first second.
    :param values: Values of the task's form by field alias, label or id, templated; the others stay.
    :param add_users: Ids of users to assign in addition to those who are; templated.
    :param add_guests: Email addresses of guests to assign in addition to those who are; templated.
    :param add_groups: Ids of groups to assign in addition to those that are; templated.
    :param owners: A dict of lists with some of the keys ``users``, ``guests`` and ``groups``, templated: whom the task
        is assigned to instead; an empty list unassigns all of that kind, a kind that is not named stays.
    :raises TallyfyInputError: There is nothing to change, or a value cannot be used; nothing was changed.
    :raises TallyfyValidationError: The task is completed, or Tallyfy refused the change.
    """

    template_fields: Sequence[str] = (
        *TaskOperator.template_fields,
        "title",
        "summary",
        "deadline",
        "values",
        "add_users",
        "add_guests",
        "add_groups",
        "owners",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"values": "json", "owners": "json"}
    include = ("form_fields",)

    def __init__(
        self,
        *,
        title: str | None = None,
        summary: str | None = None,
        deadline: str | date | None = None,
        values: Mapping[str, Any] | str | None = None,
        add_users: Sequence[int | str] | str | None = None,
        add_guests: Sequence[str] | str | None = None,
        add_groups: Sequence[str] | str | None = None,
        owners: Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.title = title
        self.summary = summary
        self.deadline = deadline
        self.values = values
        self.add_users = add_users
        self.add_guests = add_guests
        self.add_groups = add_groups
        self.owners = owners

    def _check(self) -> None:
        self._update()

    def _update(self) -> Any:
        from tallyfy_provider.client.tasks.update import TaskUpdate

        return TaskUpdate.build(
            title=arguments.text("title", self.title),
            summary=arguments.text("summary", self.summary),
            deadline=arguments.timestamp("deadline", self.deadline),
            owners=arguments.parse_json(arguments.optional(self.owners)),
            added={"users": self.add_users, "guests": self.add_guests, "groups": self.add_groups},
            values=arguments.parse_json(self.values),
        )

    def _act(self, context: Context, task: dict[str, Any]) -> dict[str, Any]:
        update = self._update()
        updated: dict[str, Any]
        updated, notes = update.apply(self.hook.client.tasks, task)
        for note in notes:
            self.log.warning(note)
        self.log.info("Changed %s of task %s.", update.named, name_of(updated))
        return updated


class ReopenTaskOperator(TaskOperator):
    """Open a completed task again, and with it a run that was complete; succeed if the task is open."""

    def _act(self, context: Context, task: dict[str, Any]) -> dict[str, Any]:
        from tallyfy_provider.client.tasks.lookup import run_of

        if not is_completed(task):
            self.log.info("Not reopened: task %s is not completed.", name_of(task))
            return task
        reopened = self.hook.client.tasks.reopen(run_of(task), str(task["id"]))
        self.log.info("Reopened task %s.", name_of(task))
        return reopened
