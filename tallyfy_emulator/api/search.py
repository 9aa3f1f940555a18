"""The endpoint of the search over processes, templates and tasks; of anything else there is nothing to find."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tallyfy_emulator.api.includes import names_of
from tallyfy_emulator.api.lists import window_of
from tallyfy_emulator.api.request import Endpoint, RequestContext
from tallyfy_emulator.api.responses import json_response, unprocessable
from tallyfy_emulator.model.run_tasks import task_row

_KINDS = ("process", "blueprint", "task", "snippet", "capture", "step")
_PER_PAGE = 20


async def _search(context: RequestContext) -> Response:
    kinds = names_of(context.query.get("on", "process"))
    if not kinds or not set(kinds) <= set(_KINDS):
        raise unprocessable({"on": ["The selected on is invalid."]})
    wanted = context.query.get("search", "").strip().casefold()
    return json_response({kind: _page(context, _found(context, kind, wanted)) for kind in kinds})


def _found(context: RequestContext, kind: str, wanted: str) -> list[dict[str, Any]]:
    organization = context.organization
    runs = organization.runs.snapshot()[1]
    if kind == "process":
        return [organization.read(run) for run in runs if wanted in run.name.casefold()]
    if kind == "blueprint":
        return [each.to_json() for each in organization.catalog.checklists.values() if wanted in each.title.casefold()]
    if kind == "task":
        tasks = [(run, task) for run in runs for task in run.tasks if wanted in task.title.casefold()]
        return [task_row(run, task, organization.quirks) for run, task in tasks]
    return []


def _page(context: RequestContext, rows: list[dict[str, Any]]) -> dict[str, Any]:
    window = window_of(context.query, context.organization.quirks, _PER_PAGE)
    page = window.rows(rows)
    pages = max(1, -(-len(rows) // window.per_page))
    pagination = {"total": len(rows), "count": len(page), "per_page": window.per_page, "current_page": window.page}
    return {"data": page, "meta": {"pagination": pagination | {"total_pages": pages, "links": []}}}


ENDPOINTS = (Endpoint("GET", "/search", _search),)
