"""The endpoints of what runs refer to: the organization, its members and guests, templates, tags and folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.includes import names_of
from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import Endpoint, RequestContext
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.model.catalog import Checklist, Named
from tallyfy_emulator.model.forms import form_json

_STATUSES = frozenset({"published", "draft", "archived"})
_ALL_MEMBERS = 9999


async def _me(context: RequestContext) -> Response:
    return json_response({"data": context.require_person().to_json()})


async def _my_organizations(context: RequestContext) -> Response:
    context.require_person()
    return paged(context, [context.organization.catalog.organization()], lambda row: row)


async def _organization(context: RequestContext) -> Response:
    return json_response({"data": context.organization.catalog.organization()})


async def _list(context: RequestContext) -> Response:
    query = context.query
    wanted, status, kind = query.get("q", "").strip().casefold(), query.get("status", ""), query.get("type", "")
    found = [each for each in context.organization.catalog.checklists.values() if wanted in each.title.casefold()]
    if (status in _STATUSES and status != "published") or query.get("archived") == "only":
        found = []
    if kind in ("procedure", "form"):
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


async def _guests(context: RequestContext) -> Response:
    catalog = context.organization.catalog
    guests = [{"email": email, "first_name": "", "last_name": "", "status": "active"} for email in catalog.guests]
    return _page(context, guests, "email")


async def _groups(context: RequestContext) -> Response:
    rows = [{"id": each.id, "name": each.name, "description": "", "members": []} for each in _all(context, "groups")]
    return _page(context, rows, "name")


async def _tags(context: RequestContext) -> Response:
    rows = [{"id": each.id, "title": each.name, "color": "#3fb65b"} for each in _all(context, "tags")]
    return _page(context, rows, "title")


async def _folders(context: RequestContext) -> Response:
    rows = [{"id": each.id, "name": each.name, "folder_type": "run"} for each in _all(context, "folders")]
    return _page(context, rows if context.query.get("folder_type", "run") == "run" else [], "name")


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
    Endpoint("GET", "", _organization),
    Endpoint("GET", "/checklists", _list),
    Endpoint("GET", "/checklists/{checklist}", _one),
    Endpoint("GET", "/checklists/{checklist}/steps", _steps),
    Endpoint("GET", "/checklists/{checklist}/form-fields", _forms),
    Endpoint("GET", "/users", _users),
    Endpoint("GET", "/users-list", _users),
    Endpoint("GET", "/guests", _guests),
    Endpoint("GET", "/groups", _groups),
    Endpoint("GET", "/tags", _tags),
    Endpoint("GET", "/folders", _folders),
)
