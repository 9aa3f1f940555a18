"""Assemble the application: the API behind the middleware, the admin endpoints, and the pages for people."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tallyfy_emulator.admin import app as admin
from tallyfy_emulator.api import activity_feed, catalog, comments, labels, oauth, runs, search, tasks
from tallyfy_emulator.api.responses import ApiError, endpoint_not_found, error_response, unprocessable
from tallyfy_emulator.middleware.connections import Connections
from tallyfy_emulator.middleware.faults import FaultMiddleware
from tallyfy_emulator.middleware.rate_limit import RateLimitMiddleware
from tallyfy_emulator.middleware.recorder import RecorderMiddleware
from tallyfy_emulator.middleware.traffic import Traffic
from tallyfy_emulator.model.wire import ValidationError
from tallyfy_emulator.store.generated import GeneratedRunsError
from tallyfy_emulator.store.organization import Organization
from tallyfy_emulator.web import app as web

_ENDPOINTS = (
    *oauth.ENDPOINTS,
    *runs.ENDPOINTS,
    *tasks.ENDPOINTS,
    *comments.ENDPOINTS,
    *catalog.ENDPOINTS,
    *labels.ENDPOINTS,
    *search.ENDPOINTS,
    *activity_feed.ENDPOINTS,
)

# Tallyfy documents both https://api.tallyfy.com/… and https://go.tallyfy.com/api/…
_BASES = ("", "/api")

# Built once: tests start thousands of emulators.
_ROUTES = [
    *(endpoint.route(base) for base in _BASES for endpoint in _ENDPOINTS),
    *(Route(base + "/oauth/token", oauth.issue_token, methods=["POST"]) for base in _BASES),
]


def build(organization: Organization, traffic: Traffic, connections: Connections, stopping: asyncio.Event) -> ASGIApp:
    """Build the emulator's application."""
    limited = RateLimitMiddleware(_api(organization), traffic.limiter, traffic.comment_limiter)
    faulty = FaultMiddleware(limited, traffic.faults, organization.tokens, connections, stopping)
    api = RecorderMiddleware(faulty, traffic.log)
    return _Router(api, admin.build(organization, traffic), web.build(organization))


class _Router:
    """Route admin requests and pages past the recorder, the faults and the rate limit."""

    def __init__(self, api: ASGIApp, admin_app: ASGIApp, web_app: ASGIApp) -> None:
        self._api = api
        self._admin = admin_app
        self._web = web_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app_for(scope)(scope, receive, send)

    def _app_for(self, scope: Scope) -> ASGIApp:
        path = scope.get("path", "")
        if path == admin.PREFIX or path.startswith(admin.PREFIX + "/"):
            return self._admin
        accept = Headers(scope=scope).get("accept", "") if scope["type"] == "http" else ""
        return self._web if web.answers(scope.get("method", ""), path, accept) else self._api


def _api(organization: Organization) -> ASGIApp:
    application = Starlette(
        routes=_ROUTES,
        exception_handlers={
            ApiError: _api_error,
            ValidationError: _validation_error,
            GeneratedRunsError: _generated_runs_error,
            HTTPException: _unknown_endpoint,
        },
    )
    application.router.redirect_slashes = False
    application.state.organization = organization
    return application


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
