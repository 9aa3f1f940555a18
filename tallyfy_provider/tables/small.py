"""The tables that have endpoints of their own: people, checklists and their steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallyfy_provider.tables.persons import id_of, ids_of
from tallyfy_provider.tables.schema import Row, Table, columns
from tallyfy_provider.utils.html import as_plain_text


def _people(person: Mapping[str, Any]) -> Iterator[Row]:
    kind = person["kind"]
    person_id = id_of(person, "guests" if kind == "guest" else "users")
    names = [person.get("full_name"), person.get("name")]
    whole = " ".join(str(person[part]) for part in ("first_name", "last_name") if person.get(part))
    yield {
        **person,
        "id": f"{kind}:{person_id}",
        "person_id": person_id,
        "name": next((name for name in names if name), whole or None),
        "members": ids_of(person.get("members"), "users"),
        "guests": ids_of(person.get("guests"), "guests"),
    }


def _checklists(checklist: Mapping[str, Any]) -> Iterator[Row]:
    yield {**checklist, "summary_text": as_plain_text(checklist.get("summary"))}


def _steps(step: Mapping[str, Any]) -> Iterator[Row]:
    yield {
        **step,
        "summary_text": as_plain_text(step.get("summary")),
        "assignees": ids_of(step.get("assignees"), "users"),
        "groups": ids_of(step.get("groups"), "groups"),
    }


PEOPLE = Table(
    name="people",
    description="Users, guests and groups, a row each.",
    columns=columns(
        ("id", "text", "The kind and the person: one row each.", False),
        ("kind", "text", "`user`, `guest` or `group`.", False),
        ("person_id", "text", "The user's id, the guest's address or the group's id.", False),
        ("name", "text", "The whole name."),
        ("first_name", "text", "The first name."),
        ("last_name", "text", "The last name."),
        ("email", "text", "The address of a user or a guest."),
        ("role", "text", "A user's role: `admin`, `standard` or `light`."),
        ("status", "text", "A user's or a guest's status."),
        ("timezone", "text", "A user's time zone."),
        ("description", "text", "What a group is for."),
        ("members", "list", "A group's users: `person_id` of users."),
        ("guests", "list", "A group's guests: `person_id` of guests."),
    ),
    rows=_people,
    is_small=True,
    own_fields=frozenset({"full_name", "link", "details", "guest_code"}),
)
CHECKLISTS = Table(
    name="checklists",
    description="Checklists (templates), a row each.",
    columns=columns(
        ("id", "text", "The checklist's id.", False),
        ("title", "text", "Its title."),
        ("alias", "text", "Its machine-readable name."),
        ("type", "text", "`procedure`, `form` or `document`."),
        ("status", "text", "Such as `published`."),
        ("owner_id", "text", "Who owns it: `people.person_id` of a user."),
        ("steps_count", "integer", "How many steps it has."),
        ("summary", "text", "Its summary, HTML as given."),
        ("summary_text", "text", "Its summary as plain text."),
        ("prerun", "json", "The fields of its kick-off form as given."),
        ("starred", "boolean", "Whether it is starred."),
        ("is_public", "boolean", "Whether it is public."),
        ("created_at", "timestamp", "When it was made."),
        ("last_updated", "timestamp", "When it changed last."),
        ("archived_at", "timestamp", "When it was archived."),
    ),
    rows=_checklists,
    is_small=True,
    own_fields=frozenset({"steps"}),
)
STEPS = Table(
    name="steps",
    description="Steps of checklists as they are now, a row each.",
    columns=columns(
        ("id", "text", "The step's id, the same in all runs of its checklist.", False),
        ("checklist_id", "text", "The checklist: `checklists.id`.", False),
        ("alias", "text", "Its machine-readable name."),
        ("title", "text", "Its title."),
        ("position", "integer", "Its place in the checklist, from 1."),
        ("step_type", "text", "`task`, `approval`, `expiring`, `email` or `expiring_email`."),
        ("summary", "text", "Its summary, HTML as given."),
        ("summary_text", "text", "Its summary as plain text."),
        ("deadline", "json", "When it is due, relative to something, as given."),
        ("captures", "json", "The fields of its form as given."),
        ("assignees", "list", "Ids of the users who are assigned to it."),
        ("groups", "list", "Ids of the groups that are assigned to it."),
        ("everyone_must_complete", "boolean", "Whether each assignee has to complete it."),
        ("archived_at", "timestamp", "When it was archived."),
    ),
    rows=_steps,
    is_small=True,
    own_fields=frozenset({"webhook", "guests"}),
)
