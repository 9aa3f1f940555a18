"""What an organization has besides runs: people, groups, templates ("checklists") with their steps, tags, folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tallyfy_emulator.model.forms import FormField, form_json
from tallyfy_emulator.model.wire import slug, stable_id

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


Role = Literal["admin", "standard", "light"]


@dataclass(frozen=True)
class Person:
    """A member of the organization."""

    id: int
    email: str
    first_name: str
    last_name: str
    role: Role = "standard"

    def to_json(self) -> dict[str, Any]:
        """Return the person as ``GET /me`` does."""
        return {
            "id": self.id,
            "email": self.email,
            "username": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "full_name": f"{self.first_name} {self.last_name}",
            "role": self.role,
            "timezone": "Europe/London",
            "active": True,
        }


@dataclass(frozen=True)
class Named:
    """A group, a tag or a folder: an id and a name."""

    id: str
    name: str


@dataclass(frozen=True)
class Checklist:
    """A template that runs are launched from."""

    id: str
    title: str
    type: Literal["procedure", "form"] = "procedure"
    steps: tuple[Step, ...] = ()
    kickoff: tuple[FormField, ...] = ()

    def run_name(self, label: object) -> str:
        """Name a run of this template."""
        return f"{self.title} \u2013 {label}"

    def to_json(self) -> dict[str, Any]:
        """Return the template as ``GET /checklists/{id}`` does without ``with``."""
        return {
            "id": self.id,
            "title": self.title,
            "alias": slug(self.title),
            "type": self.type,
            "status": "published",
            "steps_count": len(self.steps),
            "prerun": form_json(self.kickoff),
        }

    def step_rows(self) -> list[dict[str, Any]]:
        """Return the steps as the API does, in order."""
        return [step.to_json(self.id, position) for position, step in enumerate(self.steps, 1)]


def plain_steps(checklist_id: str, titles: Iterable[str]) -> tuple[Step, ...]:
    """Build steps that hold nothing but a title."""
    return tuple(Step(step_id(checklist_id, index), title) for index, title in enumerate(titles))


def step_id(checklist_id: str, index: int) -> str:
    """Return the id of a template's step."""
    return stable_id("step", checklist_id, index)


@dataclass(frozen=True)
class Catalog:
    """One organization and what is in it."""

    organization_id: str
    organization_name: str
    people: tuple[Person, ...]
    checklists: dict[str, Checklist]
    groups: Mapping[str, Named] = field(default_factory=dict)
    tags: Mapping[str, Named] = field(default_factory=dict)
    folders: Mapping[str, Named] = field(default_factory=dict)
    guests: tuple[str, ...] = ()

    def person(self, email: str) -> Person | None:
        """Find a member by e-mail address."""
        return next((each for each in self.people if each.email.lower() == email.lower()), None)

    def person_by_id(self, person_id: int | None) -> Person | None:
        """Find a member by number."""
        return next((each for each in self.people if each.id == person_id), None)

    @property
    def member_ids(self) -> frozenset[int]:
        """The ids of all members."""
        return frozenset(person.id for person in self.people)

    def organization(self) -> dict[str, Any]:
        """Return the organization as ``GET /organizations/{org}`` does."""
        return {
            "id": self.organization_id,
            "name": self.organization_name,
            "slug": self.organization_name.lower().replace(" ", "-"),
            "timezone": "Europe/London",
            "webhook_date_field_format": "Y-m-d",
            "auto_archive": True,
            "auto_archive_processes_after": 52,
            "live_support_enabled": True,
        }
