"""The endpoints of runs: list, get, archive, activate, delete."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses as answers
from tallyfy_emulator.api.includes import form_values_of, with_includes
from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.responses import encode, json_answer, list_answer
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_filters import page_of, pagination, selection_of, window_of
from tallyfy_emulator.store.organization import World

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
    rows = (
        [encode(_with(call, run.row, run, wanted)).decode() for run in page] if wanted else [run.text for run in page]
    )
    if not quirks.meta or window.everything:
        return list_answer(rows, {})
    meta = pagination(len(chosen), len(page), window, quirks, call.address, query)
    return list_answer(rows, {"meta": {"pagination": meta}})


async def _get(call: Call) -> Response:
    run = find_run(call)
    if run.archived_at is not None and call.world.quirks.archived_run_status == 404:
        raise answers.resource_not_found("Run")
    return one_run(call, run)


async def _archive(call: Call) -> Response:
    run = find_run(call)
    if run.archived_at is None:
        run = call.world.runs.change(run.id, {"archived_at": call.world.clock.now()}, call.token.person_id)
    return json_answer({"data": call.world.read(run) | {"status": "archived"}})


async def _activate(call: Call) -> Response:
    run = find_run(call)
    if run.archived_at is not None:
        run = call.world.runs.change(run.id, {"archived_at": None}, call.token.person_id)
    return one_run(call, run)


async def _delete(call: Call) -> Response:
    person = call.person
    if person is None or person.role != "admin":
        raise answers.forbidden("Only an administrator may delete a process for good.")
    run = find_run(call)
    if run.archived_at is None:
        raise answers.unprocessable({"run": ["Archive the process before you delete it for good."]})
    call.world.runs.remove(run.id, call.token.person_id)
    return Response(b"", 200)


def find_run(call: Call) -> Run:
    """
    Find the run that the path names.

    :param call: the request.
    :return: the run.
    :raises ApiError: 404, if there is no such run.
    """
    run = call.world.runs.get(call.parameter("run"))
    if run is None:
        raise answers.resource_not_found("Run")
    return run


def one_run(call: Call, run: Run, status: int = 200) -> Response:
    """
    Answer with a run, and with what the request wants beside it.

    :param call: the request.
    :param run: the run.
    :param status: HTTP status.
    :return: the answer.
    """
    row = _with(call, call.world.read(run), run, call.query.get("with", ""))
    if call.query.get("form_fields_values") == "true":
        row["form_fields_values"] = form_values_of(run)
    return json_answer({"data": row}, status)


def _with(call: Call, row: dict[str, Any], run: Run, wanted: str) -> dict[str, Any]:
    return with_includes(row, run, call.world, wanted) if wanted else row
