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
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.tasks import find_task, one_task
from tallyfy_emulator.model import form_values
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.task_changes import check_changeable, filled, with_task
from tallyfy_emulator.model.task_changes import find_task as task_in
from tallyfy_emulator.model.wire import ValidationError
from tallyfy_emulator.store.organization import Organization

TITLE_LIMIT = 600
_HOME = "/organizations/{organization}"


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [
        Route(_HOME + "/runs/{run}/tasks/{task}", api(organization, _update), methods=["PUT"]),
        Route(_HOME + "/tasks/{task}", api(organization, _update_one_off), methods=["PUT"]),
    ]


async def _update(context: RequestContext) -> Response:
    return _updated(context, await body_of(context))


async def _update_one_off(context: RequestContext) -> Response:
    """Change a one-off task, which takes title, deadline and owners each time."""
    _, task = find_task(context)
    if not task.is_oneoff:
        raise ValidationError.of("task", "The task is not a one-off task.")
    body = await body_of(context)
    for name in ("title", "deadline", "owners"):
        if not body.values.get(name):
            body.add_error(name, "The {} field is required.")
    return _updated(context, body)


def _updated(context: RequestContext, body: Body) -> Response:
    _, task = find_task(context)
    changes = _changes(context, body)
    values = body.parse(partial(_values, context, task, body.values["taskdata"])) if "taskdata" in body else None
    body.check()
    replaces = context.organization.quirks.taskdata_replaces

    def update(before: Run, at: float) -> Run:
        check_changeable(before, task_in(before, task.id))
        after = with_task(before, task.id, at, lambda old: replace(old, **changes))
        return after if values is None else filled(after, task.id, at, values, replaces=replaces)

    return one_task(context, context.organization.work.update(task.id, update, context.token.person_id))


def _changes(context: RequestContext, body: Body) -> dict[str, Any]:
    catalog = context.organization.catalog
    changes = {
        "title": body.text("title", TITLE_LIMIT, required="title" in body),
        "summary": body.text("summary"),
        "deadline": body.date("deadline"),
        "started_at": body.date("started_at"),
        "position": body.number("position"),
        "max_assignable": body.number("max_assignable"),
        "webhook": body.text("webhook"),
    }
    if "owners" in body:
        changes["owners"] = body.parse(partial(read_owners, catalog, body.values["owners"]))
    return {name: value for name, value in changes.items() if value is not None}


def _values(context: RequestContext, task: Task, sent: object) -> dict[str, Any]:
    values = form_values.parse_values("taskdata", task.form_fields, sent, context.organization.catalog.member_ids)
    return as_stored(context.organization, task.form_fields, values)
