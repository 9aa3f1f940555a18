"""
How the activity feed writes down what happened.

The keys follow Tallyfy's documentation, page "Get activity feed for a process" of the API's code samples (repository
tallyfy/documentation, as of 2026-03-01): its sample answer, its table of fields and its list of verbs. That most
values are lists of one, and the SQL form of ``created_at``, are confirmed by the tool for the automation history in
the repository tallyfy/mcp-public, measured there on 2026-09-29. There is no ``entity_type`` in a row: the parameter of
that name looks at ``auditable_type`` and ``auditable_id``, or at the parent's.

Not documented, and chosen here: that a launch has the verb ``created`` (no other verb of the list fits); that a run's
parent is its template; on what an issue is recorded (see the quirk ``feed_issue_entity``); the words of
``description``; what is in ``audit``, ``audit_state`` and their like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tallyfy_emulator.model.activity import Activity, Verb
from tallyfy_emulator.model.catalog import stable_id
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.model.run import Run, format_date
from tallyfy_emulator.model.run_tasks import tasks_of
from tallyfy_emulator.store.organization import Organization

MODELS = {
    "checklist": "App\\Models\\Checklist",
    "run": "App\\Models\\Run",
    "step": "App\\Models\\Step",
    "task": "App\\Models\\Task",
    "thread": "App\\Models\\Thread",
}
VERBS = frozenset(
    {
        "created",
        "updated",
        "owners-updated",
        "uploaded",
        "completed",
        "uncompleted",
        "deleted",
        "re-ordered",
        "commented",
        "issue-reported",
        "issue-resolved",
        "archived",
        "unarchived",
        "re-opened",
        "emitted",
        "enabled",
        "disabled",
        "comment-deleted",
        "invited",
        "invite-accepted",
        "linked",
        "unlinked",
    }
)
TYPES = frozenset({"Comment", "Task", "Step", "Process", "Blueprint", "User", "Organization", "Tag", "Group"})
_CATEGORY = {"run": "Process", "task": "Task", "thread": "Comment"}
_WORDS: dict[Verb, str] = {
    "created": "Launched",
    "completed": "Completed",
    "re-opened": "Reopened",
    "archived": "Archived",
    "unarchived": "Unarchived",
    "deleted": "Deleted",
    "issue-reported": "Reported an issue on",
    "issue-resolved": "Resolved the issue on",
}


@dataclass(frozen=True)
class Entity:
    """A thing that something happened to, by one of the names in :data:`MODELS` and its id."""

    kind: str
    id: str | int


def category_of(activity: Activity, quirks: Quirks) -> str:
    """Return a row's ``type``."""
    return _CATEGORY[entities_of(activity, quirks)[0].kind]


def entities_of(activity: Activity, quirks: Quirks) -> tuple[Entity, Entity]:
    """Return the entity of an activity, and its parent."""
    run = activity.run
    kind = quirks.feed_issue_entity if activity.subject == "issue" else activity.subject
    if kind == "run":
        return Entity("run", run.id), Entity("checklist", run.checklist.id)
    if kind == "task":
        return Entity("task", _task(run, activity)["id"]), Entity("run", run.id)
    return Entity("thread", activity.thread), Entity("run", run.id)


def row_of(activity: Activity, organization: Organization) -> dict[str, Any]:
    """Render an activity as a row of the feed."""
    entity, parent = entities_of(activity, organization.quirks)
    actor = organization.catalog.person_by_id(activity.actor_id)
    now = organization.runs.get(activity.run.id)
    return {
        "id": activity.id,
        "organization_id": organization.catalog.organization_id,
        "verb": [activity.verb],
        "source": ["Member"],
        "actor_type": ["App\\Models\\User"],
        "actor_id": [activity.actor_id],
        "auditable_type": MODELS[entity.kind],
        "auditable_id": entity.id,
        "parentable_type": MODELS[parent.kind],
        "parentable_id": parent.id,
        "type": [_CATEGORY[entity.kind]],
        "description": [_description(activity, entity.kind)],
        "field": None,
        "old_value": None,
        "created_at": format_date(activity.at, organization.quirks.feed_dates),
        "text": None if activity.subject != "issue" else [f"There is a problem with {activity.run.name}."],
        "references": None,
        "actor": [] if actor is None else [_actor(actor.to_json())],
        "undoable": False,
        # As they are by now; PHP writes an object that is gone as an empty list.
        "audit": {"data": _state(entity, activity, now)},
        "parent": {"data": _state(parent, activity, now)},
        "origin": None,
        # As they were then.
        "audit_state": _state(entity, activity, activity.run),
        "parent_state": _state(parent, activity, activity.run),
    }


def _task(run: Run, activity: Activity) -> dict[str, Any]:
    tasks = tasks_of(run)
    if activity.task >= len(tasks):
        return {"id": stable_id("task", run.id, activity.task), "title": ""}
    return {"id": tasks[activity.task].id, "title": tasks[activity.task].title}


def _description(activity: Activity, kind: str) -> str:
    if kind == "run":
        return f"{_WORDS[activity.verb]} process: {activity.run.name}"
    return f"{_WORDS[activity.verb]} task: {_task(activity.run, activity)['title']}"


def _actor(person: dict[str, Any]) -> dict[str, Any]:
    names = {key: person[key] for key in ("email", "username", "first_name", "last_name", "full_name")}
    return names | {"profile_pic": None, "resize_profile_pic": None}


def _state(entity: Entity, activity: Activity, run: Run | None) -> Any:
    if entity.kind == "checklist":
        return {"id": entity.id, "title": activity.run.checklist.title}
    if run is None:
        return []
    if entity.kind == "run":
        return {"id": run.id, "name": run.name, "status": run.status}
    task = _task(activity.run, activity) | {"run_id": run.id}
    if entity.kind == "task":
        return task
    return {"id": entity.id, "label": "problem", "run_id": run.id, "task_id": task["id"], "run_name": run.name}
