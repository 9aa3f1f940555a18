"""The endpoints of templates, which the API calls checklists: list, one, its steps, its forms."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses as answers
from tallyfy_emulator.api.includes import names_of
from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.responses import json_answer
from tallyfy_emulator.model.catalog import Checklist
from tallyfy_emulator.model.forms import form_json
from tallyfy_emulator.store.organization import World

_CHECKLISTS = "/organizations/{organization}/checklists"
_STATUSES = frozenset({"published", "draft", "archived"})


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [
        Route(_CHECKLISTS, api(world, _list), methods=["GET"]),
        Route(_CHECKLISTS + "/{checklist}", api(world, _one), methods=["GET"]),
        Route(_CHECKLISTS + "/{checklist}/steps", api(world, _steps), methods=["GET"]),
        Route(_CHECKLISTS + "/{checklist}/form-fields", api(world, _forms), methods=["GET"]),
    ]


async def _list(call: Call) -> Response:
    query = call.query
    wanted, status, kind = query.get("q", "").strip().casefold(), query.get("status", ""), query.get("type", "")
    found = [each for each in call.world.catalog.checklists.values() if wanted in each.title.casefold()]
    if (status in _STATUSES and status != "published") or query.get("archived") == "only":
        found = []
    if kind in ("procedure", "form"):
        found = [each for each in found if each.type == kind]
    return paged(call, found, lambda each: _row(call, each))


async def _one(call: Call) -> Response:
    return json_answer({"data": _row(call, _find(call))})


async def _steps(call: Call) -> Response:
    return paged(call, _find(call).step_rows(), lambda row: row, all_at_once=False)


async def _forms(call: Call) -> Response:
    checklist = _find(call)
    fields = [row for step in checklist.steps for row in form_json(step.form_fields)]
    return json_answer({"data": {"form_fields": fields, "ko_form_fields": form_json(checklist.kickoff)}})


def _row(call: Call, checklist: Checklist) -> dict[str, Any]:
    outer = {name.partition(".")[0] for name in names_of(call.query.get("with", ""))}
    row = checklist.to_json()
    return row | {"steps": {"data": checklist.step_rows()}} if "steps" in outer else row


def _find(call: Call) -> Checklist:
    checklist = call.world.catalog.checklists.get(call.parameter("checklist"))
    if checklist is None:
        raise answers.resource_not_found("Checklist")
    return checklist
