"""The endpoint that makes a one-off task, in a run or by itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.assignment import read_owners
from tallyfy_emulator.api.body import Body, body_of
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.task_updates import TITLE_LIMIT
from tallyfy_emulator.api.tasks import one_task
from tallyfy_emulator.model.catalog import Checklist, stable_id
from tallyfy_emulator.model.forms import slug
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import tasks_of
from tallyfy_emulator.model.step import TASK_TYPES
from tallyfy_emulator.model.task import Owners, Task
from tallyfy_emulator.store.organization import Organization


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [Route("/organizations/{organization}/tasks", api(organization, _create), methods=["POST"])]


async def _create(context: RequestContext) -> Response:
    organization, body = context.organization, await body_of(context)
    given = _given(context, body)
    run_id = body.text("run_id")
    body.check()
    by = context.token.person_id
    if run_id:
        if organization.runs.get(run_id) is None:
            raise responses.resource_not_found("Run")
        return one_task(context, organization.work.add_to_run(run_id, partial(_build_task, given), by), 201)
    container = _container(context, given)
    organization.work.add_one_off(container)
    return one_task(context, (container, tasks_of(container)[0]), 201)


def _given(context: RequestContext, body: Body) -> dict[str, Any]:
    catalog = context.organization.catalog
    title = body.text("title", TITLE_LIMIT, required=True)
    task_type = body.text("task_type") or "task"
    if task_type not in TASK_TYPES:
        body.add_error("task_type", "The selected {} is invalid.")
    owners = body.parse(partial(read_owners, catalog, body.values["owners"])) if "owners" in body else Owners()
    given = {
        "title": title or "",
        "task_type": task_type,
        "summary": body.text("summary") or "",
        "owners": owners,
        "deadline": body.date("deadline"),
        "webhook": body.text("webhook"),
    }
    return given


def _build_task(given: dict[str, Any], run: Run, at: float) -> Task:
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


def _container(context: RequestContext, given: dict[str, Any]) -> Run:
    organization = context.organization
    now, number = organization.clock.now(), organization.next_number()
    author = context.token.person_id or organization.catalog.people[0].id
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
    return replace(empty, tasks=(_build_task(given, empty, now),), tasks_total=1)
