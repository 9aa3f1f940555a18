"""The endpoints of templates, which the API calls checklists: list, one, its steps, its forms."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.includes import names_of
from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.model.catalog import Checklist
from tallyfy_emulator.model.forms import form_json
from tallyfy_emulator.store.organization import Organization

_CHECKLISTS = "/organizations/{organization}/checklists"
_STATUSES = frozenset({"published", "draft", "archived"})


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [
        Route(_CHECKLISTS, api(organization, _list), methods=["GET"]),
        Route(_CHECKLISTS + "/{checklist}", api(organization, _one), methods=["GET"]),
        Route(_CHECKLISTS + "/{checklist}/steps", api(organization, _steps), methods=["GET"]),
        Route(_CHECKLISTS + "/{checklist}/form-fields", api(organization, _forms), methods=["GET"]),
    ]


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
