"""The endpoints of comments and issues on runs and tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from starlette.responses import Response

from tallyfy_emulator.api.request import Endpoint, RequestContext, body_of
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.api.runs import find_run
from tallyfy_emulator.api.tasks import find_task
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import run_id_of, thread_row
from tallyfy_emulator.model.task import Thread, ThreadLabel, ThreadState
from tallyfy_emulator.model.task_changes import commented, resolved
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

    def apply(self, update: RunUpdate) -> Response:
        """Apply an update, and answer with the newest thread."""
        organization = self.context.organization
        if self.task_id is None:
            run, threads = _after_run(organization, self.run, update, self.author)
        else:
            run, task = organization.work.update(self.task_id, update, self.author)
            threads = task.threads
        held_by = None if self.task_id is not None and run_id_of(run, task) is None else run.id
        row = thread_row(run, threads[-1]) | {"run_id": held_by, "task_id": self.task_id}
        return json_response({"data": row}, 201)


def _after_run(organization: Organization, run: Run, update: RunUpdate, by: int) -> tuple[Run, tuple[Thread, ...]]:
    after = organization.runs.update(run.id, update, by)
    return after, after.threads


async def _comment(context: RequestContext) -> Response:
    place = _target(context)
    body = await body_of(context)
    content, state = body.text("content", required=True), body.text("state") or "open"
    label = body.text("label") or "comment"
    if state not in get_args(ThreadState):
        body.add_error("state", "The selected {} is invalid.")
    if label not in get_args(ThreadLabel):
        body.add_error("label", "The selected {} is invalid.")
    body.check()
    return place.apply(lambda run, at: commented(run, place.task_id, at, label, str(content), place.author, state))


async def _problem(context: RequestContext) -> Response:
    place = _target(context)
    body = await body_of(context)
    content = body.text("content", required=True)
    body.check()
    return place.apply(lambda run, at: commented(run, place.task_id, at, "problem", str(content), place.author, "open"))


async def _resolve(context: RequestContext) -> Response:
    place = _target(context)
    body = await body_of(context)
    content, thread_id = body.text("content") or "", body.number("thread_id")
    if thread_id is None:
        body.add_error("thread_id", "The {} field is required.")
    body.check()
    return place.apply(lambda run, at: resolved(run, place.task_id, at, thread_id or 0, content, place.author))


def _target(context: RequestContext) -> _Target:
    if "task" in context.request.path_params:
        run, task = find_task(context)
        return _Target(context, run, task.id)
    return _Target(context, find_run(context), None)


ENDPOINTS = tuple(
    Endpoint("POST", f"{subject}/{path}", handler)
    for subject in ("/runs/{run}", "/tasks/{task}")
    for path, handler in (("comment", _comment), ("problem", _problem), ("resolved-threads", _resolve))
)
