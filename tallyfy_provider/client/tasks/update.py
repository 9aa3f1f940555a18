"""Change a task as a Dag author wrote it, and leave everything else alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tallyfy_provider.client.forms.values import is_blank
from tallyfy_provider.client.redaction import shown
from tallyfy_provider.client.resource import assigned_ids, with_added
from tallyfy_provider.client.tasks.api import TasksResource
from tallyfy_provider.client.tasks.form import describe_losses, encode_task_form, shows_values
from tallyfy_provider.client.tasks.lookup import run_of
from tallyfy_provider.client.tasks.status import is_completed, name_of
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError, TallyfyValidationError
from tallyfy_provider.utils import arguments

#: Longest title that Tallyfy takes, in characters.
LONGEST_TITLE = 600


@dataclass(frozen=True)
class TaskUpdate:
    """A change to a task, checked as far as it can be without the task."""

    plain: Mapping[str, Any]
    owners: Mapping[str, list[Any]]
    added: Mapping[str, list[Any]]
    values: Any = field(default=None, repr=False)

    @classmethod
    def build(
        cls,
        *,
        title: str | None = None,
        summary: str | None = None,
        deadline: datetime | None = None,
        owners: Mapping[str, Any] | None = None,
        added: Mapping[str, Any] | None = None,
        values: Any = None,
    ) -> TaskUpdate:
        """Check what a Dag author wrote; None changes nothing."""
        plain = {name: value for name, value in (("title", title), ("summary", summary)) if value is not None}
        if len(str(plain.get("title", ""))) > LONGEST_TITLE:
            raise TallyfyInputError(
                f"title has {len(str(plain['title']))} characters; Tallyfy takes at most {LONGEST_TITLE}."
            )
        if deadline is not None:
            plain["deadline"] = deadline.strftime("%Y-%m-%d %H:%M:%S")
        replacing = arguments.assignees("owners", owners)
        adding = {
            name: arguments.assignee_ids(f"add_{name}", name, ids)
            for name, ids in (added or {}).items()
            if not is_blank(ids)
        }
        for bucket in set(replacing) & set(adding):
            raise TallyfyInputError(f"owners[{bucket!r}] and add_{bucket} are both given; keep one.")
        update = cls(plain, replacing, adding, None if is_blank(values) else values)
        if not update.named:
            raise TallyfyInputError("There is nothing to change: title, summary, deadline and all others are empty.")
        return update

    @property
    def named(self) -> str:
        """What is changed, for people."""
        owners = ("owners",) if self.owners or self.added else ()
        return ", ".join([*self.plain, *owners, *(("values",) if self.values is not None else ())])

    def apply(self, tasks: TasksResource, task: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Change a task that was read with ``form_fields``; return it as it is then, and what a user should know."""
        if is_completed(task):
            raise TallyfyValidationError(
                f"Task {name_of(task)} is completed, and Tallyfy does not change a completed "
                "task. Reopen it first (ReopenTaskOperator), or change it before it is completed."
            )
        encoded = encode_task_form(task, self.values)
        changes = dict(self.plain)
        if self.owners or self.added:
            changes["owners"] = self._owners(task)
        if encoded.values:
            changes["taskdata"] = dict(encoded.values)
        if not changes:
            raise TallyfyInputError("There is nothing to change: values gives no field a value.")
        updated = tasks.update(run_of(task), str(task["id"]), changes)
        notes = list(encoded.notes)
        if encoded.values:
            notes += describe_losses(encoded.values, _with_values(tasks, updated, task), task)
        return updated, notes

    def _owners(self, task: Mapping[str, Any]) -> dict[str, list[Any]]:
        owners = dict(self.owners)
        current = task.get("owners")
        for bucket, ids in self.added.items():
            assigned = assigned_ids(current.get(bucket), bucket) if isinstance(current, Mapping) else None
            if assigned is None:
                raise TallyfyResponseError(
                    f"Tallyfy does not say which {bucket} task {shown(task.get('id'))} is assigned to; "
                    "nothing was sent."
                )
            owners[bucket] = with_added(assigned, ids)
        return owners


def _with_values(tasks: TasksResource, updated: dict[str, Any], task: Mapping[str, Any]) -> Mapping[str, Any]:
    if shows_values(updated):
        return updated
    return tasks.get(str(task["id"]), run_of(task), include=("form_fields",))
