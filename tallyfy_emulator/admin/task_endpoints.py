"""The emulator's own endpoints about templates, tasks and threads: :class:`TaskAdmin` over HTTP."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tallyfy_emulator.admin.runs import RunAdmin
from tallyfy_emulator.admin.tasks import TaskAdmin
from tallyfy_emulator.api.responses import json_response


class TaskEndpoints:
    """Answers requests to see or do what people see and do."""

    def __init__(self, people: TaskAdmin, runs: RunAdmin) -> None:
        self._people = people
        self._runs = runs

    async def list_runs(self, request: Request) -> Response:
        """List the runs of a template, or all."""
        return json_response({"data": self._runs.runs(request.query_params.get("checklist_id"))})

    async def list_launched(self, request: Request) -> Response:
        """List the runs that were launched over the API."""
        return json_response({"data": self._runs.launched})

    async def list_fired(self, request: Request) -> Response:
        """List the messages that went out."""
        return json_response({"data": self._people.fired})

    async def list_tasks(self, request: Request) -> Response:
        """List the tasks of a run."""
        return json_response({"data": self._people.tasks(request.path_params["run"])})

    async def list_threads(self, request: Request) -> Response:
        """List what was said in a run and on its tasks."""
        return json_response({"data": self._people.threads(request.path_params["run"])})

    async def fill_task(self, request: Request) -> Response:
        """Fill fields of a task."""
        return json_response({"data": self._people.fill_task(request.path_params["task"], await fields_of(request))})

    async def complete_task(self, request: Request) -> Response:
        """Fill and complete a task."""
        given = await fields_of(request) if await request.body() else {}
        done = self._people.complete_task(
            request.path_params["task"], given.get("is_approved"), given.get("values"), given.get("by")
        )
        return json_response({"data": done})

    async def reopen_task(self, request: Request) -> Response:
        """Reopen a task."""
        return json_response({"data": self._people.reopen_task(request.path_params["task"])})

    async def add_checklist(self, request: Request) -> Response:
        """Add a template."""
        return json_response({"data": self._people.add_checklist(**await fields_of(request, "title"))}, 201)


async def json_of(request: Request) -> object:
    """Parse a request's body."""
    body = await request.body()
    try:
        return json.loads(body)
    except ValueError as error:
        raise ValueError(f"The body must be JSON: {error}") from error


async def fields_of(request: Request, *needed: str) -> dict[str, Any]:
    """Parse a request's body, an object."""
    fields = await json_of(request)
    if not isinstance(fields, dict):
        raise ValueError('The body must be a JSON object such as {"status": "complete"}.')
    missing = [name for name in needed if name not in fields]
    if missing:
        raise ValueError(f"The body must have {', '.join(map(repr, missing))}.")
    return fields
