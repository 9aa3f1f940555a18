"""A step of a template, and what a person does about it in each run, if anybody does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tallyfy_emulator.model.forms import FormField, form_json, slug

TaskType = Literal["task", "approval", "expiring", "email", "expiring_email"]
TASK_TYPES: frozenset[str] = frozenset(get_args(TaskType))


@dataclass(frozen=True)
class AutoCompletion:
    """
    A person who does a step by the emulator's clock.

    ``after`` is how many seconds after the launch, ``values`` what the person fills in, by alias, label or id,
    ``is_approved`` the verdict.
    """

    after: float
    values: Mapping[str, Any] = field(default_factory=dict)
    is_approved: bool | None = None


@dataclass(frozen=True)
class Step:
    """A step. Its id is the timeline id, by which a launch can change the task that comes of it."""

    id: str
    title: str
    task_type: TaskType = "task"
    form_fields: tuple[FormField, ...] = ()
    own_alias: str = ""
    auto_skipped: bool = False
    auto_completion: AutoCompletion | None = None

    @property
    def alias(self) -> str:
        """The step's machine-readable name, made of its title unless it was given one."""
        return self.own_alias or slug(self.title)

    def to_json(self, checklist_id: str, position: int) -> dict[str, Any]:
        """Return the step as ``GET /checklists/{id}/steps`` does."""
        return {
            "id": self.id,
            "checklist_id": checklist_id,
            "alias": self.alias,
            "title": self.title,
            "summary": "",
            "task_type": self.task_type,
            "position": position,
            "everyone_must_complete": False,
            "max_assignable": 0,
            "form_fields": {"data": form_json(self.form_fields)},
        }
