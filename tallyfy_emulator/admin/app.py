"""
The admin endpoints, for a person or another process: order faults, read requests, change runs, do tasks.

They need no token, are neither recorded nor limited nor hit by faults, and are meant for this machine only.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tallyfy_emulator.admin.runs import RunAdmin
from tallyfy_emulator.admin.tasks import TaskAdmin
from tallyfy_emulator.api.request import organization_of
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.middleware.faults import Fault
from tallyfy_emulator.middleware.recorder import RequestRecord
from tallyfy_emulator.middleware.traffic import Traffic
from tallyfy_emulator.store.organization import Organization

PREFIX = "/_emulator"
#: In the place of a run's id: the run that was launched last.
LATEST = "latest"


@dataclass(frozen=True)
class _Context:
    """What the endpoints work on, and the request's path parameters, query and body."""

    organization: Organization
    traffic: Traffic
    ids: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]

    @property
    def runs(self) -> RunAdmin:
        return RunAdmin(self.organization)

    @property
    def tasks(self) -> TaskAdmin:
        return TaskAdmin(self.organization)


_Handler = Callable[[_Context], Any]


def build(organization: Organization, traffic: Traffic) -> ASGIApp:
    """Build the application that answers below ``/_emulator``."""
    application = Starlette(routes=_ROUTES)
    application.state.organization = organization
    application.state.traffic = traffic
    return application


def _route(
    method: str, path: str, handler: _Handler, status: int = 200, needed: tuple[str, ...] | None = None
) -> Route:
    async def endpoint(request: Request) -> Response:
        organization = organization_of(request)
        try:
            context = _Context(
                organization,
                request.app.state.traffic,
                _with_latest(organization, request.path_params),
                dict(request.query_params),
                {} if method in ("GET", "DELETE") else await _body_of(request, needed),
            )
            return _response(handler(context), status)
        except KeyError:
            [(what, identifier)] = request.path_params.items()
            message = f"There is no {what} with the id {identifier!r}."
            return json_response({"error": True, "message": message}, 404)
        except (TypeError, ValueError) as error:
            return json_response({"error": True, "message": str(error)}, 422)

    return Route(PREFIX + path, endpoint, methods=[method])


def _with_latest(organization: Organization, ids: dict[str, str]) -> dict[str, str]:
    """Put the id of the run that was launched last in the place of ``latest``."""
    if ids.get("run") != LATEST:
        return ids
    launched = organization.work.launched
    if not launched:
        raise ValueError("No run has been launched yet: trigger a Dag that launches one.")
    return {**ids, "run": launched[-1].id}


def _response(data: Any, status: int) -> Response:
    if isinstance(data, Response):
        return data
    return Response(status_code=204) if status == 204 else json_response({"data": data}, status)


async def _body_of(request: Request, needed: tuple[str, ...] | None) -> dict[str, Any]:
    """Parse a request's body, an object that must have some keys; where no keys are named, it may be left out."""
    body = await request.body()
    if needed is None and not body:
        return {}
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise ValueError(f"The body must be JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ValueError('The body must be a JSON object such as {"status": "complete"}.')
    missing = [name for name in needed or () if name not in fields]
    if missing:
        raise ValueError(f"The body must have {', '.join(map(repr, missing))}.")
    return fields


def _about(context: _Context) -> Response:
    organization = context.organization
    known = {"organization_id": organization.catalog.organization_id, "now": organization.clock.now()}
    return json_response(known | asdict(organization.credentials))


def _order_fault(context: _Context) -> dict[str, Any]:
    fault = Fault.from_json(context.body)
    context.traffic.faults.order(fault)
    return _fault_json(fault)


def _change_run(context: _Context) -> Any:
    run_id, after = context.ids["run"], context.query.get("after")
    if after is None:
        return context.runs.update_run(run_id, **context.body)
    context.runs.update_run_later(run_id, float(after), **context.body)
    return Response(status_code=202)


def _revoke_token(context: _Context) -> None:
    if not context.organization.tokens.revoke(str(context.body.get("token", ""))):
        raise ValueError('There is no such token. Send {"token": "…"} with one that is known.')


def _complete_task(context: _Context) -> dict[str, Any]:
    given = context.body
    return context.tasks.complete_task(
        context.ids["task"], given.get("is_approved"), given.get("values"), given.get("by")
    )


def _fault_json(fault: Fault) -> dict[str, Any]:
    # The instance's own dictionary, not dataclasses.asdict(), which can't copy every kind of mapping.
    return {name: dict(value) if name == "headers" else value for name, value in vars(fault).items()}


def _request_json(record: RequestRecord) -> dict[str, Any]:
    return vars(record) | {"body": record.body.decode("utf-8", "replace")}


# Method, path, handler, and where they differ from 200 and an optional body: status, and the keys that the body needs.
_ENDPOINTS: tuple[tuple[Any, ...], ...] = (
    ("GET", "", _about),
    ("GET", "/faults", lambda context: [_fault_json(each) for each in context.traffic.faults.pending()]),
    ("POST", "/faults", _order_fault, 201, ()),
    ("DELETE", "/faults", lambda context: context.traffic.faults.clear(), 204),
    ("GET", "/requests", lambda context: [_request_json(each) for each in context.traffic.log.all()]),
    ("DELETE", "/requests", lambda context: context.traffic.log.clear(), 204),
    ("GET", "/runs", lambda context: context.runs.runs(context.query.get("checklist_id"))),
    ("POST", "/runs", lambda context: context.runs.add_run(**context.body), 201, ()),
    ("PATCH", "/runs/{run}", _change_run, 200, ()),
    ("DELETE", "/runs/{run}", lambda context: context.runs.delete_run(context.ids["run"]), 204),
    ("GET", "/runs/{run}/tasks", lambda context: context.tasks.tasks(context.ids["run"])),
    ("GET", "/threads/{run}", lambda context: context.tasks.threads(context.ids["run"])),
    ("POST", "/tasks/{task}/fill", lambda context: context.tasks.fill_task(context.ids["task"], context.body), 200, ()),
    ("POST", "/tasks/{task}/complete", _complete_task),
    ("POST", "/tasks/{task}/reopen", lambda context: context.tasks.reopen_task(context.ids["task"])),
    ("POST", "/checklists", lambda context: context.tasks.add_checklist(**context.body), 201, ("title",)),
    ("POST", "/tokens/revoke", _revoke_token, 204, ()),
    ("GET", "/fired", lambda context: context.tasks.fired),
    ("GET", "/launched", lambda context: context.runs.launched),
)
# Built once, as those of the API.
_ROUTES = [_route(*endpoint) for endpoint in _ENDPOINTS]
