"""The endpoints that change a run: its own fields, and its kick-off form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api.body import Body, body_of
from tallyfy_emulator.api.includes import forms_of
from tallyfy_emulator.api.launches import NAME_LIMIT, as_stored
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.api.runs import find_run, one_run
from tallyfy_emulator.model import form_values
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import tasks_of, threads_of
from tallyfy_emulator.model.task_changes import recalculated
from tallyfy_emulator.store.organization import Organization

_RUN = "/organizations/{organization}/runs/{run}"


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [
        Route(_RUN, api(organization, _update), methods=["PUT"]),
        Route(_RUN + "/complete-prerun", api(organization, _complete_kickoff), methods=["POST"]),
        Route(_RUN + "/complete-prerun", api(organization, _reopen_kickoff), methods=["DELETE"]),
        Route(_RUN + "/form-fields", api(organization, _forms), methods=["GET"]),
    ]


async def _update(context: RequestContext) -> Response:
    run = find_run(context)
    body = await body_of(context)
    changes = _changes(context, body)
    prerun = body.parse(lambda: _values(context, run, body.values["prerun"])) if "prerun" in body else None
    body.check()

    def update(before: Run, at: float) -> Run:
        # The tasks keep their owners, whatever becomes of those of the run.
        after = replace(before, tasks=tasks_of(before), threads=threads_of(before), last_updated=at, **changes)
        return after if prerun is None else _with_kickoff(context.organization, after, prerun)

    return one_run(context, context.organization.runs.update(run.id, update, context.token.person_id))


async def _complete_kickoff(context: RequestContext) -> Response:
    run = find_run(context)
    body = await body_of(context)
    prerun = _values(context, run, body.values["prerun"]) if "prerun" in body else {}

    def update(before: Run, at: float) -> Run:
        return _with_kickoff_open(_with_kickoff(context.organization, before, prerun), at, kickoff_is_open=False)

    return one_run(context, context.organization.runs.update(run.id, update, context.token.person_id))


async def _reopen_kickoff(context: RequestContext) -> Response:
    run = find_run(context)
    changed = context.organization.runs.update(
        run.id, lambda before, at: _with_kickoff_open(before, at, kickoff_is_open=True), context.token.person_id
    )
    return one_run(context, changed)


async def _forms(context: RequestContext) -> Response:
    return json_response({"data": forms_of(find_run(context), context.organization)})


def _changes(context: RequestContext, body: Body) -> dict[str, Any]:
    catalog, wipes = context.organization.catalog, context.organization.quirks.run_put_wipes
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


def _values(context: RequestContext, run: Run, sent: object) -> dict[str, Any]:
    values = form_values.parse_values("prerun", run.checklist.kickoff, sent, context.organization.catalog.member_ids)
    return as_stored(context.organization, run.checklist.kickoff, values)


def _with_kickoff(organization: Organization, run: Run, values: dict[str, Any]) -> Run:
    kept = {} if organization.quirks.taskdata_replaces and values else run.prerun
    prerun = {**kept, **values}
    form_values.check_required("prerun", run.checklist.kickoff, prerun)
    return replace(run, prerun=prerun)


def _with_kickoff_open(run: Run, at: float, *, kickoff_is_open: bool) -> Run:
    own = replace(run, tasks=tasks_of(run), threads=threads_of(run), kickoff_is_open=kickoff_is_open)
    return recalculated(own, at)
