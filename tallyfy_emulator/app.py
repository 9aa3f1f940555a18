"""The emulator's parts put together: API at both bases, faults around it, controls beside it."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tallyfy_emulator.admin import app as control
from tallyfy_emulator.api import (
    account,
    activity_feed,
    completions,
    directory,
    launches,
    oauth,
    one_offs,
    run_updates,
    runs,
    task_updates,
)
from tallyfy_emulator.api import catalog as templates
from tallyfy_emulator.api import comments as discussions
from tallyfy_emulator.api import tasks as task_lists
from tallyfy_emulator.api.responses import ApiError, endpoint_not_found, error_response, unprocessable
from tallyfy_emulator.middleware.connections import Connections
from tallyfy_emulator.middleware.fault_middleware import FaultMiddleware
from tallyfy_emulator.middleware.rate_limit import RateLimitMiddleware
from tallyfy_emulator.middleware.recorder import RecorderMiddleware
from tallyfy_emulator.model.wire import ValidationError
from tallyfy_emulator.store.generated import GeneratedRunsError
from tallyfy_emulator.store.organization import Organization

# A new subject is a module with a function ``routes(world)``, named here.
_SUBJECTS = (
    oauth,
    account,
    runs,
    launches,
    run_updates,
    task_lists,
    task_updates,
    completions,
    one_offs,
    discussions,
    templates,
    directory,
    activity_feed,
)

# Tallyfy documents both https://api.tallyfy.com/… and https://go.tallyfy.com/api/…
_BASES = ("", "/api")


def build(organization: Organization, connections: Connections, stopping: asyncio.Event) -> ASGIApp:
    """Build the emulator's application."""
    limited = RateLimitMiddleware(_api(organization), organization.limiter)
    faulty = FaultMiddleware(limited, organization.faults, organization.tokens, connections, stopping)
    return _Router(RecorderMiddleware(faulty, organization.log), control.build(organization))


class _Router:
    """Sends the emulator's own controls past the recorder, the faults and the rate limit."""

    def __init__(self, api: ASGIApp, controls: ASGIApp) -> None:
        self._api = api
        self._controls = controls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_control = path == control.PREFIX or path.startswith(control.PREFIX + "/")
        await (self._controls if is_control else self._api)(scope, receive, send)


def _api(organization: Organization) -> ASGIApp:
    found = [route for subject in _SUBJECTS for route in subject.routes(organization)]
    application = Starlette(
        routes=[_at(base, route) for base in _BASES for route in found],
        exception_handlers={
            ApiError: _api_error,
            ValidationError: _validation_error,
            GeneratedRunsError: _generated_runs_error,
            HTTPException: _unknown_endpoint,
        },
    )
    application.router.redirect_slashes = False
    return application


def _at(base: str, route: Route) -> Route:
    return Route(base + route.path, route.endpoint, methods=sorted(route.methods or ()))


async def _api_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return error_response(error, request.headers.get("accept", ""))


async def _validation_error(request: Request, error: Exception) -> Response:
    errors = error.errors if isinstance(error, ValidationError) else {}
    return error_response(unprocessable(errors), request.headers.get("accept", ""))


async def _generated_runs_error(request: Request, error: Exception) -> Response:
    """Answer what Tallyfy could do, and generated runs can't."""
    return error_response(ApiError(422, {"error": True, "message": str(error)}), request.headers.get("accept", ""))


async def _unknown_endpoint(request: Request, error: Exception) -> Response:
    """Answer a path, or a method on a path, that is no endpoint."""
    return error_response(endpoint_not_found(), request.headers.get("accept", ""))
