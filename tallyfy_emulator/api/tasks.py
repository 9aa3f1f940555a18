"""The endpoints that read tasks: those of a run, of the organization, of the caller, and a single one."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.includes import names_of, task_includes
from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.api.runs import find_run
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import task_row, tasks_of
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.task_filters import chosen
from tallyfy_emulator.store.organization import Organization

_HOME = "/organizations/{organization}"

TaskInRun = tuple[Run, Task]


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [
        Route(_HOME + "/runs/{run}/tasks", api(organization, _of_run), methods=["GET"]),
        Route(_HOME + "/runs/{run}/tasks/{task}", api(organization, _one_of_run), methods=["GET"]),
        Route(_HOME + "/tasks", api(organization, _of_organization), methods=["GET"]),
        Route(_HOME + "/tasks/{task}", api(organization, _one), methods=["GET"]),
        Route(_HOME + "/me/tasks", api(organization, _of_caller), methods=["GET"]),
    ]


def find_task(context: RequestContext) -> TaskInRun:
    """Find the task that the path names, in the run that it names, if it does."""
    task_id = context.parameter("task")
    if "run" not in context.request.path_params:
        try:
            return context.organization.work.find(task_id)
        except KeyError as error:
            raise responses.resource_not_found("Task") from error
    return find_task_of(find_run(context), task_id)


def find_task_of(run: Run, task_id: str) -> TaskInRun:
    """Find a task of a run."""
    for task in tasks_of(run):
        if task.id == task_id:
            return run, task
    raise responses.resource_not_found("Task")


def one_task(context: RequestContext, found_task: TaskInRun, status: int = 200, **more: Any) -> Response:
    """Answer with a task, and with what the request wants beside it."""
    row = _row(context, found_task) | {"summary": found_task[1].summary} | more
    return json_response({"data": row}, status)


async def _of_run(context: RequestContext) -> Response:
    run, lag = find_run(context), context.organization.quirks.list_lag
    if lag:
        seen = context.organization.runs.get_as_of(run.id, context.organization.clock.now() - lag)
        found_task = [(seen, task) for task in tasks_of(seen)] if seen else []
    else:
        found_task = [(run, task) for task in tasks_of(run)]
    return _list(context, found_task, context.query, "position")


async def _of_organization(context: RequestContext) -> Response:
    return _list(context, _all(context), context.query, "deadline")


async def _of_caller(context: RequestContext) -> Response:
    person = context.require_person()
    query = {"status": "active"} | context.query | {"owners": str(person.id)}
    return _list(context, _all(context), query, "deadline")


async def _one_of_run(context: RequestContext) -> Response:
    return one_task(context, find_task(context))


async def _one(context: RequestContext) -> Response:
    return one_task(context, find_task(context))


def _all(context: RequestContext) -> list[TaskInRun]:
    organization = context.organization
    lag = organization.quirks.list_lag
    runs = organization.runs.as_of(organization.clock.now() - lag) if lag else organization.runs.snapshot()[1]
    holders = [*runs, *organization.work.one_offs()]
    if context.query.get("archived") not in ("true", "only"):
        holders = [run for run in holders if run.archived_at is None]
    return [(run, task) for run in holders for task in tasks_of(run) if not task.auto_skipped]


def _list(context: RequestContext, found_task: list[TaskInRun], query: dict[str, str], default_sort: str) -> Response:
    found = chosen(found_task, query, context.organization.clock.now(), context.organization.quirks, default_sort)
    return paged(context, found, lambda each: _row(context, each))


def _row(context: RequestContext, found_task: TaskInRun) -> dict[str, Any]:
    run, task = found_task
    row = task_row(run, task, context.organization.quirks)
    wanted = context.query.get("with", "")
    return row | task_includes(run, task, context.organization, names_of(wanted)) if wanted else row
