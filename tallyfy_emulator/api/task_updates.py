"""The endpoints that change a task's own fields and fill its form."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api.assignment import read_owners
from tallyfy_emulator.api.body import Body, body_of
from tallyfy_emulator.api.launches import as_stored
from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.tasks import find_task, one_task
from tallyfy_emulator.model import form_values
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.task_changes import filled, insist_on_change, with_task
from tallyfy_emulator.model.task_changes import find_task as task_in
from tallyfy_emulator.model.wire import Refusal
from tallyfy_emulator.store.organization import World

TITLE_LIMIT = 600
_HOME = "/organizations/{organization}"


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [
        Route(_HOME + "/runs/{run}/tasks/{task}", api(world, _update), methods=["PUT"]),
        Route(_HOME + "/tasks/{task}", api(world, _update_one_off), methods=["PUT"]),
    ]


async def _update(call: Call) -> Response:
    return _updated(call, await body_of(call))


async def _update_one_off(call: Call) -> Response:
    """Change a one-off task, which takes title, deadline and owners each time."""
    _, task = find_task(call)
    if not task.is_oneoff:
        raise Refusal.of("task", "The task is not a one-off task.")
    body = await body_of(call)
    for name in ("title", "deadline", "owners"):
        if not body.values.get(name):
            body.refuse(name, "The {} field is required.")
    return _updated(call, body)


def _updated(call: Call, body: Body) -> Response:
    _, task = find_task(call)
    changes = _changes(call, body)
    values = body.take(partial(_values, call, task, body.values["taskdata"])) if "taskdata" in body else None
    body.check()
    replaces = call.world.quirks.taskdata_replaces

    def revision(before: Run, at: float) -> Run:
        insist_on_change(before, task_in(before, task.id))
        after = with_task(before, task.id, at, lambda old: replace(old, **changes))
        return after if values is None else filled(after, task.id, at, values, replaces=replaces)

    return one_task(call, call.world.work.revise(task.id, revision, call.token.person_id))


def _changes(call: Call, body: Body) -> dict[str, Any]:
    catalog = call.world.catalog
    changes = {
        "title": body.text("title", TITLE_LIMIT, required="title" in body),
        "summary": body.text("summary"),
        "deadline": body.moment("deadline"),
        "started_at": body.moment("started_at"),
        "position": body.number("position"),
        "max_assignable": body.number("max_assignable"),
        "webhook": body.text("webhook"),
    }
    if "owners" in body:
        changes["owners"] = body.take(partial(read_owners, catalog, body.values["owners"]))
    return {name: value for name, value in changes.items() if value is not None}


def _values(call: Call, task: Task, sent: object) -> dict[str, Any]:
    values = form_values.take("taskdata", task.form_fields, sent, call.world.catalog.member_ids)
    return as_stored(call.world, task.form_fields, values)
