"""The endpoints that change a run: its own fields, and its kick-off form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api.body import Body, body_of
from tallyfy_emulator.api.includes import forms_of
from tallyfy_emulator.api.launches import NAME_LIMIT, as_stored
from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.responses import json_answer
from tallyfy_emulator.api.runs import find_run, one_run
from tallyfy_emulator.model import form_values
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import tasks_of, threads_of
from tallyfy_emulator.model.task_changes import settled
from tallyfy_emulator.store.organization import World

_RUN = "/organizations/{organization}/runs/{run}"


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [
        Route(_RUN, api(world, _update), methods=["PUT"]),
        Route(_RUN + "/complete-prerun", api(world, _complete_kickoff), methods=["POST"]),
        Route(_RUN + "/complete-prerun", api(world, _reopen_kickoff), methods=["DELETE"]),
        Route(_RUN + "/form-fields", api(world, _forms), methods=["GET"]),
    ]


async def _update(call: Call) -> Response:
    run = find_run(call)
    body = await body_of(call)
    changes = _changes(call, body)
    prerun = body.take(lambda: _values(call, run, body.values["prerun"])) if "prerun" in body else None
    body.check()

    def revision(before: Run, at: float) -> Run:
        # The tasks keep their owners, whatever becomes of those of the run.
        after = replace(before, tasks=tasks_of(before), threads=threads_of(before), last_updated=at, **changes)
        return after if prerun is None else _with_kickoff(call.world, after, prerun)

    return one_run(call, call.world.runs.revise(run.id, revision, call.token.person_id))


async def _complete_kickoff(call: Call) -> Response:
    run = find_run(call)
    body = await body_of(call)
    prerun = _values(call, run, body.values["prerun"]) if "prerun" in body else {}

    def revision(before: Run, at: float) -> Run:
        return _settled(_with_kickoff(call.world, before, prerun), at, kickoff_is_open=False)

    return one_run(call, call.world.runs.revise(run.id, revision, call.token.person_id))


async def _reopen_kickoff(call: Call) -> Response:
    run = find_run(call)
    changed = call.world.runs.revise(
        run.id, lambda before, at: _settled(before, at, kickoff_is_open=True), call.token.person_id
    )
    return one_run(call, changed)


async def _forms(call: Call) -> Response:
    return json_answer({"data": forms_of(find_run(call), call.world)})


def _changes(call: Call, body: Body) -> dict[str, Any]:
    catalog, wipes = call.world.catalog, call.world.quirks.run_put_wipes
    changes = {
        "name": body.text("name", NAME_LIMIT, required="name" in body),
        "summary": body.text("summary"),
        "owner_id": body.member("owner_id", catalog.member_ids),
        "starred": body.flag("starred"),
        "is_public": body.flag("is_public"),
        "users": body.members("users", catalog.member_ids),
        "groups": body.ids("groups", catalog.groups),
    }
    found = {name: value for name, value in changes.items() if value is not None}
    return ({"users": (), "groups": ()} if wipes else {}) | found


def _values(call: Call, run: Run, sent: object) -> dict[str, Any]:
    values = form_values.take("prerun", run.checklist.kickoff, sent, call.world.catalog.member_ids)
    return as_stored(call.world, run.checklist.kickoff, values)


def _with_kickoff(world: World, run: Run, values: dict[str, Any]) -> Run:
    kept = {} if world.quirks.taskdata_replaces and values else run.prerun
    prerun = {**kept, **values}
    form_values.insist("prerun", run.checklist.kickoff, prerun)
    return replace(run, prerun=prerun)


def _settled(run: Run, at: float, *, kickoff_is_open: bool) -> Run:
    own = replace(run, tasks=tasks_of(run), threads=threads_of(run), kickoff_is_open=kickoff_is_open)
    return settled(own, at)
