"""The endpoints of comments and issues on runs and tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.request import Body, Endpoint, RequestContext, body_of
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.api.runs import find_run
from tallyfy_emulator.api.tasks import find_task
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import run_id_of, thread_row
from tallyfy_emulator.model.task import Thread, ThreadLabel, ThreadState
from tallyfy_emulator.model.task_changes import HIDDEN, commented, resolved, with_threads
from tallyfy_emulator.store.organization import Organization
from tallyfy_emulator.store.runs import RunUpdate


@dataclass(frozen=True)
class _Target:
    """The run or the task that a comment is on."""

    context: RequestContext
    run: Run
    task_id: str | None

    @property
    def author(self) -> int:
        return self.context.actor_id

    def apply(self, update: RunUpdate, thread_id: str | None = None, status: int = 201) -> Response:
        """Apply an update, and answer with a thread, the newest one unless it is named."""
        organization = self.context.organization
        if self.task_id is None:
            run, threads = _after_run(organization, self.run, update, self.author)
        else:
            run, task = organization.work.update(self.task_id, update, self.author)
            threads = task.threads
        held_by = None if self.task_id is not None and run_id_of(run, task) is None else run.id
        chosen = [thread for thread in threads if thread_id in (None, thread.id)]
        row = thread_row(run, chosen[-1]) if chosen else {}
        return json_response({"data": row | {"run_id": held_by, "task_id": self.task_id}}, status)


def _after_run(organization: Organization, run: Run, update: RunUpdate, by: int) -> tuple[Run, tuple[Thread, ...]]:
    after = organization.runs.update(run.id, update, by)
    return after, after.threads


async def _comment(context: RequestContext) -> Response:
    place = _target(context)
    body = await body_of(context)
    content, state = body.text("content", required=True), _state(body)
    label = body.text("label") or "comment"
    if label not in get_args(ThreadLabel):
        body.add_error("label", "The selected {} is invalid.")
    body.check()
    return place.apply(lambda run, at: commented(run, place.task_id, at, label, str(content), place.author, state))


async def _problem(context: RequestContext) -> Response:
    place = _target(context)
    body = await body_of(context)
    content, state = body.text("content", required=True), _state(body)
    body.check()
    return place.apply(lambda run, at: commented(run, place.task_id, at, "problem", str(content), place.author, state))


async def _resolve(context: RequestContext) -> Response:
    place = _target(context)
    body = await body_of(context)
    content, state, thread_id = body.text("content") or "", _state(body), body.text("thread_id", required=True)
    body.check()
    return place.apply(lambda run, at: resolved(run, place.task_id, at, str(thread_id), content, place.author, state))


def _state(body: Body) -> str:
    state = body.text("state") or HIDDEN
    if state not in get_args(ThreadState):
        body.add_error("state", "The selected {} is invalid.")
    return state


async def _update(context: RequestContext) -> Response:
    place, thread_id = _target(context), _thread_id(context)
    body = await body_of(context)
    changes: dict[str, Any] = {"content": body.text("content", required=True)}
    changes |= {"state": _state(body)} if "state" in body else {}
    body.check()

    def update(run: Run, at: float) -> Run:
        return with_threads(
            run, place.task_id, at, lambda old: replace(old, updated_at=at, **changes) if old.id == thread_id else old
        )

    return place.apply(update, thread_id, 200)


async def _delete(context: RequestContext) -> Response:
    place, thread_id = _target(context), _thread_id(context)

    def update(run: Run, at: float) -> Run:
        return with_threads(run, place.task_id, at, lambda old: None if old.id == thread_id else old)

    place.apply(update, thread_id)
    return Response(b"", 204)


def _thread_id(context: RequestContext) -> str:
    """Parse the id of a comment, which the task must have."""
    _, task = find_task(context)
    thread_id = context.parameter("thread")
    if not any(thread.id == thread_id for thread in task.threads):
        raise responses.resource_not_found("Thread")
    return thread_id


def _target(context: RequestContext) -> _Target:
    if "task" in context.request.path_params:
        run, task = find_task(context)
        return _Target(context, run, task.id)
    return _Target(context, find_run(context), None)


ENDPOINTS = (
    *(
        Endpoint("POST", f"{subject}/{path}", handler)
        for subject in ("/runs/{run}", "/tasks/{task}")
        for path, handler in (("comment", _comment), ("problem", _problem), ("resolved-threads", _resolve))
    ),
    Endpoint("PUT", "/tasks/{task}/comment/{thread}", _update),
    Endpoint("DELETE", "/tasks/{task}/comment/{thread}", _delete),
)
