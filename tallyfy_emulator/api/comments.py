"""The endpoints in which people talk about runs and tasks: comments, issues, and the end of an issue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api.body import body_of
from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.responses import json_answer
from tallyfy_emulator.api.runs import find_run
from tallyfy_emulator.api.tasks import find_task
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import run_id_of, thread_row, threads_of
from tallyfy_emulator.model.task import Thread, ThreadLabel, ThreadState
from tallyfy_emulator.model.task_changes import resolved, talked
from tallyfy_emulator.store.organization import World
from tallyfy_emulator.store.runs import Revision

_HOME = "/organizations/{organization}"


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [
        Route(f"{_HOME}/{thing}/{path}", api(world, answer), methods=["POST"])
        for thing in ("runs/{run}", "tasks/{task}")
        for path, answer in (("comment", _comment), ("problem", _problem), ("resolved-threads", _resolve))
    ]


@dataclass(frozen=True)
class _Place:
    """Where something is said: in a run, or on a task."""

    call: Call
    run: Run
    task_id: str | None

    @property
    def author(self) -> int:
        return self.call.token.person_id or self.call.world.catalog.people[0].id

    def say(self, revision: Revision) -> Response:
        """Change what is said here, and answer with the newest thread."""
        world = self.call.world
        if self.task_id is None:
            run, threads = _after_run(world, self.run, revision, self.author)
        else:
            run, task = world.work.revise(self.task_id, revision, self.author)
            threads = task.threads
        held_by = None if self.task_id is not None and run_id_of(run, task) is None else run.id
        row = thread_row(run, threads[-1]) | {"run_id": held_by, "task_id": self.task_id}
        return json_answer({"data": row}, 201)


def _after_run(world: World, run: Run, revision: Revision, by: int) -> tuple[Run, tuple[Thread, ...]]:
    after = world.runs.revise(run.id, revision, by)
    return after, threads_of(after)


async def _comment(call: Call) -> Response:
    place = _place(call)
    body = await body_of(call)
    content, state = body.text("content", required=True), body.text("state") or "open"
    label = body.text("label") or "comment"
    if state not in get_args(ThreadState):
        body.refuse("state", "The selected {} is invalid.")
    if label not in get_args(ThreadLabel):
        body.refuse("label", "The selected {} is invalid.")
    body.check()
    return place.say(lambda run, at: talked(run, place.task_id, at, label, str(content), place.author, state))


async def _problem(call: Call) -> Response:
    place = _place(call)
    body = await body_of(call)
    content = body.text("content", required=True)
    body.check()
    return place.say(lambda run, at: talked(run, place.task_id, at, "problem", str(content), place.author, "open"))


async def _resolve(call: Call) -> Response:
    place = _place(call)
    body = await body_of(call)
    content, thread_id = body.text("content") or "", body.number("thread_id")
    if thread_id is None:
        body.refuse("thread_id", "The {} field is required.")
    body.check()
    return place.say(lambda run, at: resolved(run, place.task_id, at, thread_id or 0, content, place.author))


def _place(call: Call) -> _Place:
    if "task" in call.request.path_params:
        run, task = find_task(call)
        return _Place(call, run, task.id)
    return _Place(call, find_run(call), None)
