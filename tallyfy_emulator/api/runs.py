"""The endpoints of runs: list, get, archive, activate, delete."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.includes import form_values_of, with_includes
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.responses import encode, json_response, list_response
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_filters import page_of, pagination, selection_of, window_of
from tallyfy_emulator.store.organization import Organization

_RUNS = "/organizations/{organization}/runs"


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [
        Route(_RUNS, api(organization, _list), methods=["GET"]),
        Route(_RUNS + "/{run}", api(organization, _get), methods=["GET"]),
        Route(_RUNS + "/{run}", api(organization, _archive), methods=["DELETE"]),
        Route(_RUNS + "/{run}/activate", api(organization, _activate), methods=["PUT"]),
        Route(_RUNS + "/{run}/delete", api(organization, _delete), methods=["DELETE"]),
    ]


async def _list(context: RequestContext) -> Response:
    query, quirks = context.query, context.organization.quirks
    chosen = context.organization.list_of(selection_of(query))
    window = window_of(query, quirks)
    page = page_of(chosen, window, quirks)
    wanted = query.get("with", "")
    rows = (
        [encode(_with(context, run.row, run, wanted)).decode() for run in page]
        if wanted
        else [run.text for run in page]
    )
    if not quirks.meta or window.everything:
        return list_response(rows, {})
    meta = pagination(len(chosen), len(page), window, quirks, context.address, query)
    return list_response(rows, {"meta": {"pagination": meta}})


async def _get(context: RequestContext) -> Response:
    run = find_run(context)
    if run.archived_at is not None and context.organization.quirks.archived_run_status == 404:
        raise responses.resource_not_found("Run")
    return one_run(context, run)


async def _archive(context: RequestContext) -> Response:
    run = find_run(context)
    if run.archived_at is None:
        run = context.organization.runs.change(
            run.id, {"archived_at": context.organization.clock.now()}, context.token.person_id
        )
    return json_response({"data": context.organization.read(run) | {"status": "archived"}})


async def _activate(context: RequestContext) -> Response:
    run = find_run(context)
    if run.archived_at is not None:
        run = context.organization.runs.change(run.id, {"archived_at": None}, context.token.person_id)
    return one_run(context, run)


async def _delete(context: RequestContext) -> Response:
    person = context.person
    if person is None or person.role != "admin":
        raise responses.forbidden("Only an administrator may delete a process for good.")
    run = find_run(context)
    if run.archived_at is None:
        raise responses.unprocessable({"run": ["Archive the process before you delete it for good."]})
    context.organization.runs.remove(run.id, context.token.person_id)
    return Response(b"", 200)


def find_run(context: RequestContext) -> Run:
    """Find the run that the path names."""
    run = context.organization.runs.get(context.parameter("run"))
    if run is None:
        raise responses.resource_not_found("Run")
    return run


def one_run(context: RequestContext, run: Run, status: int = 200) -> Response:
    """Answer with a run, and with what the request wants beside it."""
    row = _with(context, context.organization.read(run), run, context.query.get("with", ""))
    if context.query.get("form_fields_values") == "true":
        row["form_fields_values"] = form_values_of(run)
    return json_response({"data": row}, status)


def _with(context: RequestContext, row: dict[str, Any], run: Run, wanted: str) -> dict[str, Any]:
    return with_includes(row, run, context.organization, wanted) if wanted else row
