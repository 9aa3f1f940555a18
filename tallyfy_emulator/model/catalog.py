"""What an organization has besides runs: people, groups, templates ("checklists") with their steps, tags, folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tallyfy_emulator.model.forms import FormField, form_json
from tallyfy_emulator.model.wire import slug, stable_id

#: What every secret in a guest's link begins with: it opens the task without a password, so it must never leak.
GUEST_SECRET = "guest-secret-"
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
class Rule:
    """
    An automation: what happens to a step if a field of the kick-off form has some value.

    The step is shown, or it is due ``deadline_days`` after the rule was evaluated. A step that a rule shows is hidden
    at launch.
    """

    id: str
    field_id: str
    equals: str
    step_id: str
    deadline_days: float | None = None

    @property
    def alias(self) -> str:
        """The rule's machine-readable name."""
        return f"rule-{self.id[:4]}"

    @property
    def verb(self) -> str:
        """What is done to the step."""
        return "show" if self.deadline_days is None else "deadline"

    def condition(self) -> dict[str, Any]:
        """Return the condition as the API does."""
        return {
            "id": stable_id("condition", self.id),
            "conditionable_id": self.field_id,
            "conditionable_type": "Prerun",
            "operation": "equals",
            "statement": self.equals,
            "logic": "and",
            "position": 1,
            "column_contains_name": None,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the rule as ``automated_actions`` of a template does."""
        days = self.deadline_days
        action = {
            "id": stable_id("action", self.id),
            "action_type": "visibility" if days is None else "deadline",
            "action_verb": self.verb,
            "target_step_id": self.step_id,
            "position": 1,
            "deadline": None if days is None else {"value": days, "unit": "days"},
        }
        return {
            "id": self.id,
            "automated_alias": self.alias,
            "conditions": [self.condition()],
            "then_actions": [action],
        }


@dataclass(frozen=True)
class RuleCheck:
    """One evaluation of a rule: when, whether its condition was met, and the tasks that it changed."""

    rule: Rule
    at: float
    is_met: bool
    task_ids: tuple[str, ...] = ()


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
            "step_type": self.task_type,
            "position": position,
            "deadline": {"value": position, "unit": "days", "option": "from", "step": "start_run"},
            "start_date": {"value": 0, "unit": "days"},
            "is_soft_start_date": False,
            "assignees": [],
            "guests": [],
            "groups": [],
            "roles": [],
            "role_changes_every_time": False,
            "assign_run_starter": False,
            "allow_guest_owners": False,
            "can_complete_only_assignees": False,
            "everyone_must_complete": False,
            "prevent_guest_comment": False,
            "skip_start_process": False,
            "max_assignable": 0,
            "webhook": None,
            "bp_to_launch": None,
            "captures": [row | {"step_id": self.id} for row in form_json(self.form_fields)],
            "archived_at": None,
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
            "is_suspended": False,
            "status": "active",
            "locale": "en-GB",
            "country": {"id": 1, "name": "United Kingdom", "phone_code": "44", "iso2": "GB"},
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
    type: Literal["procedure", "form", "document"] = "procedure"
    steps: tuple[Step, ...] = ()
    kickoff: tuple[FormField, ...] = ()
    rules: tuple[Rule, ...] = ()

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
            "prerun": [row | {"checklist_id": self.id} for row in form_json(self.kickoff)],
            "automated_actions": [rule.to_json() for rule in self.rules],
            "users": [],
            "groups": [],
            "starred": False,
            "is_public": False,
            "archived_at": None,
        }

    def step_rows(self) -> list[dict[str, Any]]:
        """Return the steps as the API does, in order."""
        return [step.to_json(self.id, position) for position, step in enumerate(self.steps, 1)]


def guest_id(email: str) -> str:
    """Return the id in a guest's link: whoever has it can act as the guest, so it must never leak."""
    return GUEST_SECRET + stable_id("guest", email)


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

    def organization(self, *, as_number: bool = False) -> dict[str, Any]:
        """Return the organization as ``GET /organizations/{org}`` does, or with a number where an object belongs."""
        return {
            "id": self.organization_id,
            "name": self.organization_name,
            "slug": self.organization_name.lower().replace(" ", "-"),
            "timezone": "Europe/London",
            "webhook_date_field_format": "Y-m-d",
            "auto_archive": True,
            "auto_archive_processes_after": 52 if as_number else {"unit": "weeks", "value": 52},
            "default_deadline": {"type": "days", "value": 5},
            "working_days": [],
            "users_count": len(self.people),
            "live_support_enabled": True,
        }
