"""The endpoints of runs: list, get, archive, activate, delete."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from . import answers
from .answers import json_answer
from .call import Call, api
from .includes import with_includes
from .listing import page_of, pagination, selection_of, window_of
from .run import Run
from .world import World

_RUNS = "/organizations/{organization}/runs"


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [
        Route(_RUNS, api(world, _list), methods=["GET"]),
        Route(_RUNS + "/{run}", api(world, _get), methods=["GET"]),
        Route(_RUNS + "/{run}", api(world, _archive), methods=["DELETE"]),
        Route(_RUNS + "/{run}/activate", api(world, _activate), methods=["PUT"]),
        Route(_RUNS + "/{run}/delete", api(world, _delete), methods=["DELETE"]),
    ]


async def _list(call: Call) -> Response:
    query, quirks = call.query, call.world.quirks
    chosen = call.world.list_of(selection_of(query))
    window = window_of(query, quirks)
    page = page_of(chosen, window, quirks)
    wanted = query.get("with", "")
    payload: dict[str, Any] = {"data": [_with(call, run.row, run, wanted) for run in page]}
    if quirks.meta and not window.everything:
        meta = pagination(len(chosen), len(page), window, quirks, call.address, query)
        payload["meta"] = {"pagination": meta}
    return json_answer(payload)


async def _get(call: Call) -> Response:
    run = _find(call)
    if run.archived_at is not None and call.world.quirks.archived_run_status == 404:
        raise answers.resource_not_found("Run")
    return _one(call, run)


async def _archive(call: Call) -> Response:
    run = _find(call)
    if run.archived_at is None:
        run = call.world.runs.change(run.id, {"archived_at": call.world.clock.now()}, call.token.person_id)
    return json_answer({"data": call.world.read(run) | {"status": "archived"}})


async def _activate(call: Call) -> Response:
    run = _find(call)
    if run.archived_at is not None:
        run = call.world.runs.change(run.id, {"archived_at": None}, call.token.person_id)
    return _one(call, run)


async def _delete(call: Call) -> Response:
    person = call.person
    if person is None or person.role != "admin":
        raise answers.forbidden("Only an administrator may delete a process for good.")
    run = _find(call)
    if run.archived_at is None:
        raise answers.unprocessable({"run": ["Archive the process before you delete it for good."]})
    call.world.runs.remove(run.id, call.token.person_id)
    return Response(b"", 200)


def _find(call: Call) -> Run:
    run = call.world.runs.get(call.parameter("run"))
    if run is None:
        raise answers.resource_not_found("Run")
    return run


def _one(call: Call, run: Run) -> Response:
    return json_answer({"data": _with(call, call.world.read(run), run, call.query.get("with", ""))})


def _with(call: Call, row: dict[str, Any], run: Run, wanted: str) -> dict[str, Any]:
    return with_includes(row, run, call.world.catalog, wanted) if wanted else row
