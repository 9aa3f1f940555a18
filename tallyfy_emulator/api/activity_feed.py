"""
The endpoint of the activity feed: what happened in the organization, newest first.

Parameters, paging and who may see what follow the same pages as the rows, see :mod:`activity_row`: 20 rows on a page,
100 at most, days in UTC, administrators see everything and others what they take part in. ``source``, ``actor_*``,
``search``, ``field`` and ``origin_*`` of those pages are ignored here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.activity_row import MODELS, TYPES, VERBS, category_of, entities_of, row_of
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.model.activity import Activity
from tallyfy_emulator.model.catalog import Person
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_filters import pagination, window_of
from tallyfy_emulator.store.organization import Organization

DEFAULT_PER_PAGE = 20
_DAY = 86400.0

_Test = Callable[[Activity], bool]


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [Route("/organizations/{organization}/activity-feeds", api(organization, _feed), methods=["GET"])]


async def _feed(context: RequestContext) -> Response:
    query, quirks = context.query, context.organization.quirks
    if not quirks.feed:
        raise responses.forbidden("You are not allowed to see the activity feed.")
    if quirks.feed_strict:
        _check_values(query)
    chosen = _chosen(context, query)
    window = replace(window_of(query, quirks, DEFAULT_PER_PAGE), everything=False)
    delivered = _repeat_at_page_ends(chosen, window.per_page) if quirks.feed_duplicates else chosen
    start = (window.page - 1) * window.per_page
    page = delivered[start : start + window.per_page]
    payload: dict[str, Any] = {"data": [row_of(each, context.organization) for each in page]}
    if quirks.meta:
        finite = replace(quirks, endless=False)  # that one is about lists of runs
        payload["meta"] = {"pagination": pagination(len(delivered), len(page), window, finite, context.address, query)}
    return json_response(payload)


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
    """Look for an entity. With an id, what happened to its parts counts too: the feed of a run tells of its tasks."""

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


def _check_values(query: Mapping[str, str]) -> None:
    known = {"entity_type": MODELS, "verb": VERBS, "type": TYPES}
    wrong = {name: "The selected {} is invalid." for name, values in known.items() if query.get(name, "") not in values}
    days = ("created_after", "created_before")
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
