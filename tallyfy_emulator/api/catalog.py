"""The endpoints of what runs refer to: the organization, its members, guests and groups, and templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.includes import names_of
from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import Endpoint, RequestContext
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.model.catalog import Checklist, Named, guest_id
from tallyfy_emulator.model.forms import form_json
from tallyfy_emulator.model.run_filters import TYPES

_STATUSES = frozenset({"published", "draft", "archived"})
_ALL_MEMBERS = 9999


async def _me(context: RequestContext) -> Response:
    return json_response({"data": context.require_person().to_json()})


async def _my_organizations(context: RequestContext) -> Response:
    context.require_person()
    return paged(context, [_organization_row(context)], lambda row: row)


async def _organization(context: RequestContext) -> Response:
    return json_response({"data": _organization_row(context)})


def _organization_row(context: RequestContext) -> dict[str, Any]:
    organization = context.organization
    return organization.catalog.organization(as_number=organization.quirks.numbers_for_objects)


async def _list(context: RequestContext) -> Response:
    query = context.query
    wanted, status, kind = query.get("q", "").strip().casefold(), query.get("status", ""), query.get("type", "")
    found = [each for each in context.organization.catalog.checklists.values() if wanted in each.title.casefold()]
    if (status in _STATUSES and status != "published") or query.get("archived") == "only":
        found = []
    if kind in TYPES:
        found = [each for each in found if each.type == kind]
    return paged(context, found, lambda each: _row(context, each))


async def _one(context: RequestContext) -> Response:
    return json_response({"data": _row(context, _find(context))})


async def _steps(context: RequestContext) -> Response:
    return paged(context, _find(context).step_rows(), lambda row: row, all_at_once=False)


async def _forms(context: RequestContext) -> Response:
    checklist = _find(context)
    fields = [row for step in checklist.steps for row in form_json(step.form_fields)]
    return json_response({"data": {"form_fields": fields, "ko_form_fields": form_json(checklist.kickoff)}})


def _row(context: RequestContext, checklist: Checklist) -> dict[str, Any]:
    outer = {name.partition(".")[0] for name in names_of(context.query.get("with", ""))}
    row = checklist.to_json()
    return row | {"steps": {"data": checklist.step_rows()}} if "steps" in outer else row


def _find(context: RequestContext) -> Checklist:
    checklist = context.organization.catalog.checklists.get(context.parameter("checklist"))
    if checklist is None:
        raise responses.resource_not_found("Checklist")
    return checklist


async def _users(context: RequestContext) -> Response:
    people = [each.to_json() for each in context.organization.catalog.people]
    return _page(context, people, "full_name", _ALL_MEMBERS)


async def _user(context: RequestContext) -> Response:
    wanted = context.parameter("user")
    for person in context.organization.catalog.people:
        if str(person.id) == wanted:
            return json_response({"data": person.to_json()})
    raise responses.resource_not_found("User")


async def _guests(context: RequestContext) -> Response:
    return _page(context, [_guest_row(context, email) for email in context.organization.catalog.guests], "email")


async def _guest(context: RequestContext) -> Response:
    email = context.parameter("guest")
    if email not in context.organization.catalog.guests:
        raise responses.resource_not_found("Guest")
    return json_response({"data": _guest_row(context, email)})


def _guest_row(context: RequestContext, email: str) -> dict[str, Any]:
    organization_id = context.organization.catalog.organization_id
    return {
        "email": email,
        "first_name": "",
        "last_name": "",
        "status": "active",
        "link": f"https://go.tallyfy.com/{organization_id}/guest/{guest_id(email)}",
        "details": {"first_name": "", "last_name": "", "status": "active"},
    }


async def _groups(context: RequestContext) -> Response:
    return _page(context, [_group_row(each) for each in _all(context, "groups")], "name")


async def _group(context: RequestContext) -> Response:
    group = context.organization.catalog.groups.get(context.parameter("group"))
    if group is None:
        raise responses.resource_not_found("Group")
    return json_response({"data": _group_row(group)})


def _group_row(group: Named) -> dict[str, Any]:
    return {"id": group.id, "name": group.name, "description": "", "members": [], "guests": []}


async def _step(context: RequestContext) -> Response:
    for row in _find(context).step_rows():
        if row["id"] == context.parameter("step"):
            return json_response({"data": row})
    raise responses.resource_not_found("Step")


def _page(context: RequestContext, rows: list[dict[str, Any]], searched: str, per_page: int = 10) -> Response:
    wanted = context.query.get("q", "").strip().casefold()
    found = [row for row in rows if wanted in str(row[searched]).casefold()]
    return paged(context, found, lambda row: row, per_page=per_page)


def _all(context: RequestContext, kind: str) -> list[Named]:
    named: Mapping[str, Named] = getattr(context.organization.catalog, kind)
    return list(named.values())


ENDPOINTS = (
    Endpoint("GET", "/me", _me, base=""),
    Endpoint("GET", "/me/organizations", _my_organizations, base=""),
    Endpoint("GET", "/me", _me),
    Endpoint("GET", "", _organization),
    Endpoint("GET", "/checklists", _list),
    Endpoint("GET", "/checklists/{checklist}", _one),
    Endpoint("GET", "/checklists/{checklist}/steps", _steps),
    Endpoint("GET", "/checklists/{checklist}/steps/{step}", _step),
    Endpoint("GET", "/checklists/{checklist}/form-fields", _forms),
    Endpoint("GET", "/users", _users),
    Endpoint("GET", "/users-list", _users),
    Endpoint("GET", "/users/{user}", _user),
    Endpoint("GET", "/guests", _guests),
    Endpoint("GET", "/guests-list", _guests),
    Endpoint("GET", "/guests/{guest}", _guest),
    Endpoint("GET", "/groups", _groups),
    Endpoint("GET", "/groups/{group}", _group),
)
