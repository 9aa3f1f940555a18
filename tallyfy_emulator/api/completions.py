"""The endpoints that complete and reopen tasks."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses as answers
from tallyfy_emulator.api.body import Body, body_of
from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.runs import find_run
from tallyfy_emulator.api.tasks import Held, find_task, find_task_of, one_task
from tallyfy_emulator.model.task_changes import reopened
from tallyfy_emulator.store.organization import World

_HOME = "/organizations/{organization}"


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [
        Route(_HOME + "/runs/{run}/completed-tasks", api(world, _complete), methods=["POST"]),
        Route(_HOME + "/runs/{run}/completed-tasks/{task}", api(world, _reopen), methods=["DELETE"]),
        Route(_HOME + "/completed-tasks", api(world, _complete_one_off), methods=["POST"]),
        Route(_HOME + "/completed-tasks/{task}", api(world, _reopen), methods=["DELETE"]),
    ]


async def _complete(call: Call) -> Response:
    run, body = find_run(call), await body_of(call)
    task_id = body.text("task_id", required=True)
    body.check()
    return _completed(call, body, find_task_of(run, str(task_id)))


async def _complete_one_off(call: Call) -> Response:
    body = await body_of(call)
    task_id = body.text("task_id", required=True)
    body.check()
    try:
        held = call.world.work.find(str(task_id))
    except KeyError as error:
        raise answers.resource_not_found("Task") from error
    if not held[1].is_oneoff:
        raise answers.resource_not_found("Task")
    return _completed(call, body, held)


def _completed(call: Call, body: Body, held: Held) -> Response:
    catalog = call.world.catalog
    verdict = body.flag("is_approved")
    by = body.member("override_user", catalog.member_ids) or call.token.person_id or catalog.people[0].id
    body.check()
    again = call.world.quirks.complete_twice == "fires again"
    done = call.world.work.complete(held[1].id, verdict, by, again=again)
    return one_task(call, done, tasks_changed_by_rules=[])


async def _reopen(call: Call) -> Response:
    _, task = find_task(call)
    held = call.world.work.revise(task.id, lambda run, at: reopened(run, task.id, at), call.token.person_id)
    return one_task(call, held, tasks_changed_by_rules=[])
