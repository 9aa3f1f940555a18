"""The endpoints that complete and reopen tasks."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.body import Body, body_of
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.runs import find_run
from tallyfy_emulator.api.tasks import TaskInRun, find_task, find_task_of, one_task
from tallyfy_emulator.model.task_changes import reopened
from tallyfy_emulator.store.organization import Organization

_HOME = "/organizations/{organization}"


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [
        Route(_HOME + "/runs/{run}/completed-tasks", api(organization, _complete), methods=["POST"]),
        Route(_HOME + "/runs/{run}/completed-tasks/{task}", api(organization, _reopen), methods=["DELETE"]),
        Route(_HOME + "/completed-tasks", api(organization, _complete_one_off), methods=["POST"]),
        Route(_HOME + "/completed-tasks/{task}", api(organization, _reopen), methods=["DELETE"]),
    ]


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
        found_task = context.organization.work.find(str(task_id))
    except KeyError as error:
        raise responses.resource_not_found("Task") from error
    if not found_task[1].is_oneoff:
        raise responses.resource_not_found("Task")
    return _completed(context, body, found_task)


def _completed(context: RequestContext, body: Body, found_task: TaskInRun) -> Response:
    catalog = context.organization.catalog
    decision = body.flag("is_approved")
    by = body.member("override_user", catalog.member_ids) or context.token.person_id or catalog.people[0].id
    body.check()
    again = context.organization.quirks.complete_twice == "fires again"
    done = context.organization.work.complete(found_task[1].id, decision, by, again=again)
    return one_task(context, done, tasks_changed_by_rules=[])


async def _reopen(context: RequestContext) -> Response:
    _, task = find_task(context)
    found_task = context.organization.work.update(
        task.id, lambda run, at: reopened(run, task.id, at), context.token.person_id
    )
    return one_task(context, found_task, tasks_changed_by_rules=[])
