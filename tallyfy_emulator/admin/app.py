"""
The emulator's own endpoints, for a person or another process: order faults, read requests, change runs, do tasks.

They need no token, are neither recorded nor limited nor hit by faults, and are meant for this machine only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tallyfy_emulator.admin.runs import RunAdmin
from tallyfy_emulator.admin.task_endpoints import TaskEndpoints, fields_of, json_of
from tallyfy_emulator.admin.tasks import TaskAdmin
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.middleware.faults import Fault
from tallyfy_emulator.middleware.recorder import RequestRecord
from tallyfy_emulator.store.organization import Organization

PREFIX = "/_emulator"

_HeldResponse = Callable[[Request], Awaitable[Response]]


def build(organization: Organization) -> ASGIApp:
    """Build the application that answers below ``/_emulator``."""
    controls, people = _Controls(organization), TaskEndpoints(TaskAdmin(organization), RunAdmin(organization))

    def route(path: str, method: str, answer: _HeldResponse) -> Route:
        return Route(PREFIX + path, _explain_errors(answer), methods=[method])

    return Starlette(
        routes=[
            route("", "GET", controls.about),
            route("/faults", "GET", controls.list_faults),
            route("/faults", "POST", controls.order_fault),
            route("/faults", "DELETE", controls.clear_faults),
            route("/requests", "GET", controls.list_requests),
            route("/requests", "DELETE", controls.clear_requests),
            route("/runs", "POST", controls.add_run),
            route("/runs/{run}", "PATCH", controls.change_run),
            route("/runs/{run}", "DELETE", controls.delete_run),
            route("/tokens/revoke", "POST", controls.revoke_token),
            route("/runs", "GET", people.list_runs),
            route("/runs/{run}/tasks", "GET", people.list_tasks),
            route("/threads/{run}", "GET", people.list_threads),
            route("/tasks/{task}/fill", "POST", people.fill_task),
            route("/tasks/{task}/complete", "POST", people.complete_task),
            route("/tasks/{task}/reopen", "POST", people.reopen_task),
            route("/checklists", "POST", people.add_checklist),
            route("/fired", "GET", people.list_fired),
            route("/launched", "GET", people.list_launched),
        ]
    )


class _Controls:
    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def about(self, request: Request) -> Response:
        known = self._organization.credentials
        return json_response(
            {
                "organization_id": self._organization.catalog.organization_id,
                "token": known.token,
                "client_id": known.client_id,
                "client_secret": known.client_secret,
                "username": known.username,
                "user_password": known.user_password,
                "now": self._organization.clock.now(),
            }
        )

    async def list_faults(self, request: Request) -> Response:
        return json_response({"data": [_fault_json(each) for each in self._organization.faults.pending()]})

    async def order_fault(self, request: Request) -> Response:
        fault = Fault.from_json(await json_of(request))
        self._organization.faults.order(fault)
        return json_response({"data": _fault_json(fault)}, 201)

    async def clear_faults(self, request: Request) -> Response:
        self._organization.faults.clear()
        return Response(status_code=204)

    async def list_requests(self, request: Request) -> Response:
        return json_response({"data": [_request_json(each) for each in self._organization.log.all()]})

    async def clear_requests(self, request: Request) -> Response:
        self._organization.log.clear()
        return Response(status_code=204)

    async def add_run(self, request: Request) -> Response:
        run = self._organization.add_run(await fields_of(request))
        return json_response({"data": self._organization.read(run)}, 201)

    async def change_run(self, request: Request) -> Response:
        run_id, fields = request.path_params["run"], await fields_of(request)
        after = request.query_params.get("after")
        if after is not None:
            self._organization.runs.schedule(run_id, float(after), fields)
            return Response(status_code=202)
        return json_response({"data": self._organization.read(self._organization.runs.change(run_id, fields))})

    async def delete_run(self, request: Request) -> Response:
        self._organization.runs.remove(request.path_params["run"])
        return Response(status_code=204)

    async def revoke_token(self, request: Request) -> Response:
        fields = await fields_of(request)
        if not self._organization.tokens.revoke(str(fields.get("token", ""))):
            raise ValueError('There is no such token. Send {"token": "…"} with one that is known.')
        return Response(status_code=204)


def _explain_errors(answer: _HeldResponse) -> _HeldResponse:
    """Turn a caller's mistake into an answer that says what it was."""

    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except KeyError:
            [(what, identifier)] = request.path_params.items()
            return json_response({"error": True, "message": f"There is no {what} with the id {identifier!r}."}, 404)
        except (TypeError, ValueError) as error:
            return json_response({"error": True, "message": str(error)}, 422)

    return endpoint


def _fault_json(fault: Fault) -> dict[str, Any]:
    # The instance's own dictionary, not dataclasses.asdict(), which can't copy every kind of mapping.
    return {name: dict(value) if name == "headers" else value for name, value in vars(fault).items()}


def _request_json(record: RequestRecord) -> dict[str, Any]:
    return vars(record) | {"body": record.body.decode("utf-8", "replace")}
