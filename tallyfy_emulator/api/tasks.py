"""The endpoints of tasks: list, get, change, complete, reopen, and create one-off tasks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.includes import names_of, task_includes
from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import Body, Endpoint, RequestContext, body_of
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.api.runs import as_stored, find_run
from tallyfy_emulator.model import forms
from tallyfy_emulator.model.catalog import TASK_TYPES, Checklist, guest_id
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import task_row
from tallyfy_emulator.model.task import Owners, Task
from tallyfy_emulator.model.task_changes import check_changeable, filled, reopened, with_task
from tallyfy_emulator.model.task_changes import find_task as task_in
from tallyfy_emulator.model.task_filters import TaskInRun, chosen
from tallyfy_emulator.model.wire import ValidationError, slug, stable_id

TITLE_LIMIT = 600


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
    for task in run.tasks:
        if task.id == task_id:
            return run, task
    raise responses.resource_not_found("Task")


def one_task(context: RequestContext, found: TaskInRun, status: int = 200, **more: Any) -> Response:
    """Answer with a task, and with what the request wants beside it."""
    row = _row(context, found) | {"summary": found[1].summary} | more
    return json_response({"data": row}, status)


async def _of_run(context: RequestContext) -> Response:
    run, lag = find_run(context), context.organization.quirks.list_lag
    if lag:
        seen = context.organization.runs.get_as_of(run.id, context.organization.clock.now() - lag)
        found = [(seen, task) for task in seen.tasks] if seen else []
    else:
        found = [(run, task) for task in run.tasks]
    return _page_of_tasks(context, found, context.query, "position")


async def _of_organization(context: RequestContext) -> Response:
    query = context.query
    if query.get("assignee") == "me":
        query = query | {"owners": str(context.require_person().id)}
    return _page_of_tasks(context, _with_tag(context, query.get("tag", "")), query, "deadline")


def _with_tag(context: RequestContext, name: str) -> list[TaskInRun]:
    """Return the tasks of runs with a tag, which is given by its name."""
    ids = {each.id for each in context.organization.catalog.tags.values() if each.name == name}
    return [each for each in _all(context) if not name or not ids.isdisjoint(each[0].tags)]


async def _of_caller(context: RequestContext) -> Response:
    person = context.require_person()
    query = {"status": "active"} | context.query | {"owners": str(person.id)}
    return _page_of_tasks(context, _all(context), query, "deadline")


async def _of_user(context: RequestContext) -> Response:
    query = {"status": "active"} | context.query | {"owners": context.parameter("user")}
    return _page_of_tasks(context, _all(context), query, "deadline")


async def _of_guest(context: RequestContext) -> Response:
    catalog, wanted = context.organization.catalog, context.parameter("guest")
    emails = [email for email in catalog.guests if wanted in (email, guest_id(email))]
    query = {"status": "active"} | context.query | {"guests": ",".join(emails) or wanted}
    return _page_of_tasks(context, _all(context), query, "deadline")


async def _archive_one_off(context: RequestContext) -> Response:
    _, task = find_task(context)
    if not task.is_oneoff:
        raise ValidationError.of("task", "The task is not a one-off task.")

    def update(run: Run, at: float) -> Run:
        return with_task(run, task.id, at, lambda old: replace(old, archived_at=at))

    context.organization.work.update(task.id, update, context.token.person_id)
    return Response(b"", 204)


async def _get(context: RequestContext) -> Response:
    return one_task(context, find_task(context))


def _all(context: RequestContext) -> list[TaskInRun]:
    organization = context.organization
    lag = organization.quirks.list_lag
    runs = organization.runs.as_of(organization.clock.now() - lag) if lag else organization.runs.snapshot()[1]
    holders = [*runs, *organization.work.one_offs()]
    if context.query.get("archived") not in ("true", "only"):
        holders = [run for run in holders if run.archived_at is None]
    found = [(run, task) for run in holders for task in run.tasks if not task.auto_skipped]
    with_archived = context.query.get("archived") in ("true", "only")
    return [(run, task) for run, task in found if with_archived or task.archived_at is None]


def _page_of_tasks(
    context: RequestContext, found: list[TaskInRun], query: dict[str, str], default_sort: str
) -> Response:
    listed = chosen(found, query, context.organization.clock.now(), context.organization.quirks, default_sort)
    return paged(context, listed, lambda each: _row(context, each))


def _row(context: RequestContext, found: TaskInRun) -> dict[str, Any]:
    run, task = found
    row = task_row(run, task, context.organization.quirks)
    wanted = context.query.get("with", "")
    return row | task_includes(run, task, context.organization, names_of(wanted)) if wanted else row


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
        "owners": body.owners(catalog),
    }
    return {name: value for name, value in changes.items() if value is not None}


def _values(context: RequestContext, task: Task, sent: object) -> dict[str, Any]:
    values = forms.parse_values("taskdata", task.form_fields, sent, context.organization.catalog.member_ids)
    return as_stored(context.organization, task.form_fields, values)


async def _complete(context: RequestContext) -> Response:
    run, body = find_run(context), await body_of(context)
    task_id = body.text("task_id", required=True)
    body.check()
    return _completed(context, body, find_task_of(run, str(task_id)))


async def _complete_one_off(context: RequestContext) -> Response:
    body = await body_of(context)
    task_id = body.text("task_id", required=True)
    body.check()
    try:
        found = context.organization.work.find(str(task_id))
    except KeyError as error:
        raise responses.resource_not_found("Task") from error
    if not found[1].is_oneoff:
        raise responses.resource_not_found("Task")
    return _completed(context, body, found)


def _completed(context: RequestContext, body: Body, found: TaskInRun) -> Response:
    catalog = context.organization.catalog
    decision = body.flag("is_approved")
    by = body.member("override_user", catalog.member_ids) or context.actor_id
    body.check()
    again = context.organization.quirks.complete_twice == "fires again"
    done = context.organization.work.complete(found[1].id, decision, by, again=again)
    return one_task(context, done, tasks_changed_by_rules=[])


async def _reopen(context: RequestContext) -> Response:
    _, task = find_task(context)
    found = context.organization.work.update(
        task.id, lambda run, at: reopened(run, task.id, at), context.token.person_id
    )
    return one_task(context, found, tasks_changed_by_rules=[])


async def _create(context: RequestContext) -> Response:
    organization, body = context.organization, await body_of(context)
    given = _one_off_fields(context, body)
    run_id = body.text("run_id")
    body.check()
    by = context.token.person_id
    if run_id:
        if organization.runs.get(run_id) is None:
            raise responses.resource_not_found("Run")
        return one_task(context, organization.work.add_to_run(run_id, partial(_build_one_off, given), by), 201)
    container = _container(context, given)
    organization.work.add_one_off(container)
    return one_task(context, (container, container.tasks[0]), 201)


def _one_off_fields(context: RequestContext, body: Body) -> dict[str, Any]:
    catalog = context.organization.catalog
    title = body.text("title", TITLE_LIMIT, required=True)
    task_type = body.text("task_type") or "task"
    if task_type not in TASK_TYPES:
        body.add_error("task_type", "The selected {} is invalid.")
    return {
        "title": title or "",
        "task_type": task_type,
        "summary": body.text("summary") or "",
        "owners": body.owners(catalog) or Owners(),
        "deadline": body.date("deadline"),
        "webhook": body.text("webhook"),
    }


def _build_one_off(given: dict[str, Any], run: Run, at: float) -> Task:
    number = len(run.tasks)
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
    author = context.actor_id
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
    return replace(empty, tasks=(_build_one_off(given, empty, now),), tasks_total=1)


ENDPOINTS = (
    Endpoint("GET", "/tasks", _of_organization),
    Endpoint("GET", "/me/tasks", _of_caller),
    Endpoint("GET", "/users/{user}/tasks", _of_user),
    Endpoint("GET", "/guests/{guest}/tasks", _of_guest),
    Endpoint("GET", "/runs/{run}/tasks", _of_run),
    Endpoint("GET", "/tasks/{task}", _get),
    Endpoint("GET", "/runs/{run}/tasks/{task}", _get),
    Endpoint("POST", "/tasks", _create),
    Endpoint("PUT", "/tasks/{task}", _update_one_off),
    Endpoint("DELETE", "/tasks/{task}", _archive_one_off),
    Endpoint("PUT", "/runs/{run}/tasks/{task}", _update),
    Endpoint("POST", "/completed-tasks", _complete_one_off),
    Endpoint("DELETE", "/completed-tasks/{task}", _reopen),
    Endpoint("POST", "/runs/{run}/completed-tasks", _complete),
    Endpoint("DELETE", "/runs/{run}/completed-tasks/{task}", _reopen),
)
