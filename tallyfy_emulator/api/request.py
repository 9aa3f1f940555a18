"""What every endpoint of the API has in common: headers, token and organization are checked first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.middleware.recorder import parse_query
from tallyfy_emulator.model.catalog import Person
from tallyfy_emulator.store.organization import Organization
from tallyfy_emulator.store.tokens import Token, bearer_token

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class RequestContext:
    """A request that passed the checks, and whose it is."""

    request: Request
    organization: Organization
    token: Token

    @property
    def person(self) -> Person | None:
        """The person who asks; None for the application."""
        return self.organization.catalog.person_by_id(self.token.person_id)

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return parse_query(self.request.scope["query_string"], self.organization.quirks.plus_is_space)

    @property
    def address(self) -> str:
        """The request's address without its query, on the host that ``links`` are to point to."""
        base = self.organization.quirks.link_base
        url = self.request.url
        return (base.rstrip("/") if base else f"{url.scheme}://{url.netloc}") + url.path

    def require_person(self) -> Person:
        """Return the person who asks; raise a 401 if it is the application."""
        person = self.person
        if person is None:
            raise responses.unauthenticated()
        return person

    def parameter(self, name: str) -> str:
        """Parse a part of the path."""
        return str(self.request.path_params[name])


Handler = Callable[[RequestContext], Awaitable[Response]]


def api(
    organization: Organization, handler: Handler, *, wrong_organization: responses.ApiError | None = None
) -> Endpoint:
    """Put the checks in front of a handler."""

    async def endpoint(request: Request) -> Response:
        if not request.headers.get("x-tallyfy-client"):
            raise responses.endpoint_not_found()
        token = organization.tokens.find(bearer_token(request.headers.get("authorization", "")))
        if token is None:
            raise responses.unauthenticated()
        asked = request.path_params.get("organization")
        if asked is not None and asked != organization.catalog.organization_id:
            raise wrong_organization or responses.resource_not_found("Organization")
        await _check_body(request)
        return await handler(RequestContext(request, organization, token))

    return endpoint


async def _check_body(request: Request) -> None:
    """Only a request with a body needs a Content-Type, and then it must be JSON."""
    if not await request.body():
        return
    if "json" not in request.headers.get("content-type", "").lower():
        message = "A request with a body needs the header Content-Type: application/json."
        raise responses.ApiError(415, {"error": True, "message": message})
