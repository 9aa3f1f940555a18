"""Everything in an organization but its runs: people, groups, templates ("checklists"), tags and folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tallyfy_emulator.model.forms import FormField, form_json, slug
from tallyfy_emulator.model.step import Step

Role = Literal["admin", "standard", "light"]


def stable_id(*parts: object) -> str:
    """Derive an id that is the same in every run of the emulator."""
    return hashlib.sha256("/".join(map(str, ("tallyfy-emulator", *parts))).encode()).hexdigest()[:32]


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
