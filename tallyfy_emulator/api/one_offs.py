"""The endpoint that makes a one-off task, in a run or by itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses as answers
from tallyfy_emulator.api.assignment import read_owners
from tallyfy_emulator.api.body import Body, body_of
from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.task_updates import TITLE_LIMIT
from tallyfy_emulator.api.tasks import one_task
from tallyfy_emulator.model.catalog import Checklist, stable_id
from tallyfy_emulator.model.forms import slug
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import tasks_of
from tallyfy_emulator.model.step import TASK_TYPES
from tallyfy_emulator.model.task import Owners, Task
from tallyfy_emulator.store.organization import World


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [Route("/organizations/{organization}/tasks", api(world, _create), methods=["POST"])]


async def _create(call: Call) -> Response:
    world, body = call.world, await body_of(call)
    given = _given(call, body)
    run_id = body.text("run_id")
    body.check()
    by = call.token.person_id
    if run_id:
        if world.runs.get(run_id) is None:
            raise answers.resource_not_found("Run")
        return one_task(call, world.work.add_to_run(run_id, partial(_made, given), by), 201)
    container = _container(call, given)
    world.work.add_one_off(container)
    return one_task(call, (container, tasks_of(container)[0]), 201)


def _given(call: Call, body: Body) -> dict[str, Any]:
    catalog = call.world.catalog
    title = body.text("title", TITLE_LIMIT, required=True)
    task_type = body.text("task_type") or "task"
    if task_type not in TASK_TYPES:
        body.refuse("task_type", "The selected {} is invalid.")
    owners = body.take(partial(read_owners, catalog, body.values["owners"])) if "owners" in body else Owners()
    given = {
        "title": title or "",
        "task_type": task_type,
        "summary": body.text("summary") or "",
        "owners": owners,
        "deadline": body.moment("deadline"),
        "webhook": body.text("webhook"),
    }
    return given


def _made(given: dict[str, Any], run: Run, at: float) -> Task:
    number = len(tasks_of(run))
    return Task(
        id=stable_id("task", run.id, number),
        increment_id=run.increment_id * 100 + number,
        alias=slug(given["title"]),
        original_title=given["title"],
        position=number + 1,
        created_at=at,
        is_oneoff=True,
        **given,
    )


def _container(call: Call, given: dict[str, Any]) -> Run:
    world = call.world
    now, number = world.clock.now(), world.next_number()
    author = call.token.person_id or world.catalog.people[0].id
    empty = Run(
        id=stable_id("one-off", number),
        increment_id=number,
        checklist=Checklist("", ""),
        name=given["title"],
        status="active",
        owner_id=author,
        started_by=author,
        created_at=now,
        last_updated=now,
        tasks_total=0,
        tasks=(),
    )
    return replace(empty, tasks=(_made(given, empty, now),), tasks_total=1)
