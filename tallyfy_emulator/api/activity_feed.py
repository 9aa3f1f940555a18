"""
The endpoint of the activity feed, newest first, and how its rows look.

The keys follow Tallyfy's documentation, page "Get activity feed for a process" of the API's code samples (repository
tallyfy/documentation, as of 2026-03-01): its sample answer, its table of fields and its list of verbs. That most
values are lists of one, and the SQL form of ``created_at``, are confirmed by the tool for the automation history in
the repository tallyfy/mcp-public, measured there on 2026-09-29. There is no ``entity_type`` in a row: the parameter of
that name looks at ``auditable_type`` and ``auditable_id``, or at the parent's.

Not documented, and chosen here: that a launch has the verb ``created`` (no other verb of the list fits); that a run's
parent is its template; on what an issue is recorded (see the quirk ``feed_issue_entity``); the words of
``description``; what is in ``audit``, ``audit_state`` and their like.

Each evaluation of a rule makes a row as well, of the type ``execution``, for which ``verb`` and ``type`` cannot ask:
they take the documented values only (422 otherwise).

Parameters, paging and visibility follow the same pages: 20 rows on a page, 100 at most, days in UTC, administrators see
everything and others what they take part in. ``source``, ``actor_*``, ``search``, ``field`` and ``origin_*`` of those
pages are ignored here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.lists import paged, window_of
from tallyfy_emulator.api.request import Endpoint, RequestContext
from tallyfy_emulator.model.activity import Activity, Verb
from tallyfy_emulator.model.catalog import Person, RuleCheck
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.wire import format_date, stable_id
from tallyfy_emulator.store.organization import Organization

DEFAULT_PER_PAGE = 20
_DAY = 86400.0

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
_EXECUTION = "execution"
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
    "executed": "Evaluated a rule of",
    "commented": "Commented on",
    "comment-deleted": "Deleted a comment on",
    "updated": "Updated",
    "owners-updated": "Changed the assignees of",
}


@dataclass(frozen=True)
class Entity:
    """An entity of an activity: one of the names in :data:`MODELS`, and its id."""

    kind: str
    id: str | int


def category_of(activity: Activity, quirks: Quirks) -> str:
    """Return a row's ``type``."""
    return _EXECUTION if activity.check is not None else _CATEGORY[entities_of(activity, quirks)[0].kind]


def entities_of(activity: Activity, quirks: Quirks) -> tuple[Entity, Entity]:
    """Return the entity of an activity, and its parent."""
    run = activity.run
    kind = quirks.feed_issue_entity if activity.subject == "issue" else activity.subject
    if kind in ("run", "rule"):
        return Entity("run", run.id), Entity("checklist", run.checklist.id)
    if kind in ("task", "answer"):
        return Entity("task", _task_summary(run, activity)["id"]), Entity("run", run.id)
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
        "type": [category_of(activity, organization.quirks)],
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
        "audit_state": _rule_state(activity.check) or _state(entity, activity, activity.run),
        "parent_state": _state(parent, activity, activity.run),
    }


def _task_summary(run: Run, activity: Activity) -> dict[str, Any]:
    tasks = run.tasks
    if activity.task >= len(tasks):
        return {"id": stable_id("task", run.id, activity.task), "title": ""}
    return {"id": tasks[activity.task].id, "title": tasks[activity.task].title}


def _description(activity: Activity, kind: str) -> str:
    if kind == "run":
        return f"{_WORDS[activity.verb]} process: {activity.run.name}"
    return f"{_WORDS[activity.verb]} task: {_task_summary(activity.run, activity)['title']}"


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
    task = _task_summary(activity.run, activity) | {"run_id": run.id}
    if entity.kind == "task":
        return task
    label = "comment" if activity.subject == "comment" else "problem"
    return {"id": entity.id, "label": label, "run_id": run.id, "task_id": task["id"], "run_name": run.name}


def _rule_state(check: RuleCheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {
        "automation_id": check.rule.id,
        "automation_alias": check.rule.alias,
        "conditions": [check.rule.condition() | {"isMet": check.is_met}],
        "actions": {task_id: [check.rule.verb] for task_id in check.task_ids} or [],
    }


_Test = Callable[[Activity], bool]


async def _feed(context: RequestContext) -> Response:
    query, quirks = context.query, context.organization.quirks
    if not quirks.feed:
        raise responses.forbidden("You are not allowed to see the activity feed.")
    _check_values(query, everything=quirks.feed_strict)
    chosen = _chosen(context, query)
    if quirks.feed_duplicates:
        chosen = _repeat_at_page_ends(chosen, window_of(query, quirks, DEFAULT_PER_PAGE).per_page)
    return paged(
        context,
        chosen,
        partial(row_of, organization=context.organization),
        per_page=DEFAULT_PER_PAGE,
        all_at_once=False,
    )


def _chosen(context: RequestContext, query: Mapping[str, str]) -> list[Activity]:
    quirks, person = context.organization.quirks, context.person
    tests = _tests(query, quirks)
    if quirks.feed_lag:
        known_until = context.organization.clock.now() - quirks.feed_lag
        tests.append(lambda activity: activity.since <= known_until)
    if person is not None and person.role != "admin":
        tests.append(lambda activity: _participates(person, activity.run))
    chosen = [each for each in context.organization.history() if all(test(each) for test in tests)]
    if query.get("sort", "").strip() not in ("created_at", "+created_at"):
        chosen.reverse()
    return chosen


def _participates(person: Person, run: Run) -> bool:
    return person.id in (run.owner_id, run.started_by, *run.users, *run.assignees)


def _tests(query: Mapping[str, str], quirks: Quirks) -> list[_Test]:
    """Parse the filters. Values that can't be read are ignored."""
    tests: list[_Test] = []
    kind, entity_id = query.get("entity_type", ""), query.get("entity_id", "")
    if kind in MODELS or entity_id:
        tests.append(_by_entity(kind if kind in MODELS else "", entity_id, quirks))
    verb, category = query.get("verb", ""), query.get("type", "")
    if verb in VERBS:
        tests.append(lambda activity: activity.verb == verb)
    if category in TYPES:
        tests.append(lambda activity: category_of(activity, quirks) == category)
    after, before = _day(query.get("created_after", "")), _day(query.get("created_before", ""))
    if after is not None:
        tests.append(lambda activity: activity.at >= after)
    if before is not None:
        tests.append(lambda activity: activity.at < before + _DAY)
    return tests


def _by_entity(kind: str, entity_id: str, quirks: Quirks) -> _Test:
    """Test for an entity. With an id, its parts match too: the feed of a run includes its tasks."""

    def test(activity: Activity) -> bool:
        entities = entities_of(activity, quirks)
        if not entity_id:
            return entities[0].kind == kind
        return any(str(each.id) == entity_id and kind in ("", each.kind) for each in entities)

    return test


def _day(text: str) -> float | None:
    """Return the beginning of a day in UTC, in seconds since 1970-01-01 UTC; None if the text is no day."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _check_values(query: Mapping[str, str], *, everything: bool) -> None:
    known = {"verb": VERBS, "type": TYPES} | ({"entity_type": frozenset(MODELS)} if everything else {})
    wrong = {name: "The selected {} is invalid." for name, values in known.items() if query.get(name, "") not in values}
    days = ("created_after", "created_before") if everything else ()
    wrong |= {name: "The {} does not match the format Y-m-d." for name in days if _day(query.get(name, "")) is None}
    errors = {name: [message.format(name)] for name, message in wrong.items() if query.get(name)}
    if errors:
        raise responses.unprocessable(errors)


def _repeat_at_page_ends(chosen: list[Activity], per_page: int) -> list[Activity]:
    """Let each page begin with the last row of the page before, as when something happens between two requests."""
    delivered: list[Activity] = []
    for activity in chosen:
        if delivered and len(delivered) % per_page == 0:
            delivered.append(delivered[-1])
        delivered.append(activity)
    return delivered


ENDPOINTS = (Endpoint("GET", "/activity-feeds", _feed),)
