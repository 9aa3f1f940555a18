"""Changing a task as a Dag author wrote it, without touching anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.forms.problems import is_nothing as is_empty
from tallyfy_provider.client.forms.problems import parsed
from tallyfy_provider.client.resource import ASSIGNEE_KINDS, assigned_ids
from tallyfy_provider.client.tasks.api import TasksResource
from tallyfy_provider.client.tasks.form import encoded_values, fields_of, losses, shows_values
from tallyfy_provider.client.tasks.lookup import run_of
from tallyfy_provider.client.tasks.status import is_completed
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError, TallyfyValidationError
from tallyfy_provider.utils.arguments import is_nothing, moment

#: Longest title that Tallyfy takes, in characters.
LONGEST_TITLE = 600


@dataclass(frozen=True)
class TaskUpdate:
    """
    What is to be changed about a task.

    :param plain: The API's own names to values: ``title``, ``summary``, ``deadline``.
    :param owners: Ids by bucket (users, guests, groups) that replace those who are assigned.
    :param added: Ids by bucket to be assigned beside those who are.
    :param values: Values of the form by alias, label or id; not shown, since they may be personal.
    """

    plain: Mapping[str, Any]
    owners: Mapping[str, list[Any]]
    added: Mapping[str, list[Any]]
    values: Any = field(default=None, repr=False)

    @classmethod
    def build(
        cls,
        *,
        title: Any = None,
        summary: Any = None,
        deadline: Any = None,
        owners: Any = None,
        added: Mapping[str, Any] | None = None,
        values: Any = None,
    ) -> TaskUpdate:
        """
        Check what a Dag author wrote; what is nothing is left as it is.

        :param title: The new title.
        :param summary: The new summary, text or HTML.
        :param deadline: The new deadline, a moment; without a time zone it is UTC.
        :param owners: A dict with some of the keys users, guests and groups.
        :param added: Ids by bucket.
        :param values: Values of the form.
        :return: The update.
        :raises TallyfyInputError: There is nothing to change, or a value cannot be used.
        """
        plain = {name: value for name, value in (("title", title), ("summary", summary)) if not is_nothing(value)}
        if len(str(plain.get("title", ""))) > LONGEST_TITLE:
            raise TallyfyInputError(
                f"title has {len(str(plain['title']))} characters; Tallyfy takes at most {LONGEST_TITLE}."
            )
        if (due := moment("deadline", deadline)) is not None:
            plain["deadline"] = due.strftime("%Y-%m-%d %H:%M:%S")
        replacing = _replacing(parsed(owners))
        adding = {name: _ids(f"add_{name}", name, ids) for name, ids in (added or {}).items() if not is_empty(ids)}
        for bucket in set(replacing) & set(adding):
            raise TallyfyInputError(f"owners[{bucket!r}] and add_{bucket} are both given; keep one.")
        update = cls(plain, replacing, adding, None if is_empty(parsed(values)) else values)
        if not update.named:
            raise TallyfyInputError("There is nothing to change: title, summary, deadline and all others are empty.")
        return update

    @property
    def named(self) -> str:
        """What is changed, for people."""
        owners = ("owners",) if self.owners or self.added else ()
        return ", ".join([*self.plain, *owners, *(("values",) if self.values is not None else ())])

    def apply(self, tasks: TasksResource, task: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """
        Change the task.

        :param tasks: The tasks of the organization.
        :param task: The task as it is, with ``form_fields``.
        :return: The task as it is then, and what a user should know.
        :raises TallyfyInputError: A value of the form cannot be used; nothing was changed.
        :raises TallyfyValidationError: The task is completed, or Tallyfy refused the change.
        :raises TallyfyError: Of the kind that fits.
        """
        if is_completed(task):
            raise TallyfyValidationError(
                f"Task {task.get('title')!r} ({task.get('id')}) is completed, and Tallyfy does not change a completed "
                "task. Reopen it first (ReopenTaskOperator), or change it before it is completed."
            )
        encoded = encoded_values(task, self.values)
        changes = dict(self.plain)
        if self.owners or self.added:
            changes["owners"] = self._owners(task)
        if encoded.values:
            changes["taskdata"] = dict(encoded.values)
        if not changes:
            raise TallyfyInputError("There is nothing to change: values gives no field a value.")
        updated = tasks.update(run_of(dict(task)), str(task["id"]), changes)
        notes = list(encoded.notes)
        if encoded.values:
            notes += losses(encoded.values, _with_values(tasks, updated, task), fields_of(task))
        return updated, notes

    def _owners(self, task: Mapping[str, Any]) -> dict[str, list[Any]]:
        owners = dict(self.owners)
        current = task.get("owners")
        for bucket, ids in self.added.items():
            assigned = assigned_ids(current.get(bucket), bucket) if isinstance(current, Mapping) else None
            if assigned is None:
                raise TallyfyResponseError(
                    f"Tallyfy does not say which {bucket} task {task.get('id')} is assigned to; nothing was sent."
                )
            known = {str(each).casefold() for each in assigned}
            owners[bucket] = [*assigned, *(each for each in ids if str(each).casefold() not in known)]
        return owners


def _with_values(tasks: TasksResource, updated: dict[str, Any], task: Mapping[str, Any]) -> Mapping[str, Any]:
    if shows_values(updated):
        return updated
    return tasks.get(str(task["id"]), run_of(dict(task)), include=("form_fields",))


def _replacing(owners: Any) -> dict[str, list[Any]]:
    if is_nothing(owners):
        return {}
    if not isinstance(owners, Mapping) or set(owners) - set(ASSIGNEE_KINDS):
        raise TallyfyInputError(f"owners takes a dict of lists with some of the keys {', '.join(ASSIGNEE_KINDS)}.")
    return {bucket: _ids(f"owners[{bucket!r}]", bucket, ids) for bucket, ids in owners.items() if ids is not None}


def _ids(argument: str, bucket: str, value: Any) -> list[Any]:
    value = parsed(value)
    if isinstance(value, str):
        value = [part for part in value.split(",")]
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, (list, tuple, set)):
        raise TallyfyInputError(f"{argument} takes a list of ids, not a {type(value).__name__}.")
    ids = [str(each).strip() for each in value if not is_nothing(each)]
    if bucket != "users":
        return ids
    if wrong := next((each for each in ids if not (each.isascii() and each.isdigit())), None):
        hint = "; a guest's email address belongs to guests" if "@" in wrong else ""
        raise TallyfyInputError(f"{argument} takes numbers of users, not {wrong!r}{hint}.")
    return [int(each) for each in ids]
