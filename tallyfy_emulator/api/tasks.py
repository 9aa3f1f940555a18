"""The endpoints that read tasks: those of a run, of the organization, of the caller, and a single one."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses as answers
from tallyfy_emulator.api.includes import names_of, task_includes
from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.responses import json_answer
from tallyfy_emulator.api.runs import find_run
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import task_row, tasks_of
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.task_filters import chosen
from tallyfy_emulator.store.organization import World

_HOME = "/organizations/{organization}"

Held = tuple[Run, Task]


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [
        Route(_HOME + "/runs/{run}/tasks", api(world, _of_run), methods=["GET"]),
        Route(_HOME + "/runs/{run}/tasks/{task}", api(world, _one_of_run), methods=["GET"]),
        Route(_HOME + "/tasks", api(world, _of_organization), methods=["GET"]),
        Route(_HOME + "/tasks/{task}", api(world, _one), methods=["GET"]),
        Route(_HOME + "/me/tasks", api(world, _of_caller), methods=["GET"]),
    ]


def find_task(call: Call) -> Held:
    """
    Find the task that the path names, in the run that it names, if it does.

    :param call: the request.
    :return: the run that holds the task, and the task.
    :raises ApiError: 404, if there is no such task.
    """
    task_id = call.parameter("task")
    if "run" not in call.request.path_params:
        try:
            return call.world.work.find(task_id)
        except KeyError as error:
            raise answers.resource_not_found("Task") from error
    return find_task_of(find_run(call), task_id)


def find_task_of(run: Run, task_id: str) -> Held:
    """
    Find a task of a run.

    :param run: the run.
    :param task_id: the task's id.
    :return: the run and the task.
    :raises ApiError: 404, if the run has no such task.
    """
    for task in tasks_of(run):
        if task.id == task_id:
            return run, task
    raise answers.resource_not_found("Task")


def one_task(call: Call, held: Held, status: int = 200, **more: Any) -> Response:
    """
    Answer with a task, and with what the request wants beside it.

    :param call: the request.
    :param held: the run and the task.
    :param status: HTTP status.
    :param more: more keys of the answer's object.
    :return: the answer.
    """
    row = _row(call, held) | {"summary": held[1].summary} | more
    return json_answer({"data": row}, status)


async def _of_run(call: Call) -> Response:
    run, lag = find_run(call), call.world.quirks.list_lag
    if lag:
        seen = call.world.runs.get_as_of(run.id, call.world.clock.now() - lag)
        held = [(seen, task) for task in tasks_of(seen)] if seen else []
    else:
        held = [(run, task) for task in tasks_of(run)]
    return _list(call, held, call.query, "position")


async def _of_organization(call: Call) -> Response:
    return _list(call, _all(call), call.query, "deadline")


async def _of_caller(call: Call) -> Response:
    person = call.require_person()
    query = {"status": "active"} | call.query | {"owners": str(person.id)}
    return _list(call, _all(call), query, "deadline")


async def _one_of_run(call: Call) -> Response:
    return one_task(call, find_task(call))


async def _one(call: Call) -> Response:
    return one_task(call, find_task(call))


def _all(call: Call) -> list[Held]:
    world = call.world
    lag = world.quirks.list_lag
    runs = world.runs.as_of(world.clock.now() - lag) if lag else world.runs.snapshot()[1]
    holders = [*runs, *world.work.one_offs()]
    if call.query.get("archived") not in ("true", "only"):
        holders = [run for run in holders if run.archived_at is None]
    return [(run, task) for run in holders for task in tasks_of(run) if not task.auto_skipped]


def _list(call: Call, held: list[Held], query: dict[str, str], default_sort: str) -> Response:
    found = chosen(held, query, call.world.clock.now(), call.world.quirks, default_sort)
    return paged(call, found, lambda each: _row(call, each))


def _row(call: Call, held: Held) -> dict[str, Any]:
    run, task = held
    row = task_row(run, task, call.world.quirks)
    wanted = call.query.get("with", "")
    return row | task_includes(run, task, call.world, names_of(wanted)) if wanted else row
