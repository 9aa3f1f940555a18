"""Parse requests: headers, token and organization before a handler runs, and the body field by field."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses
from tallyfy_emulator.model.catalog import Catalog, Person
from tallyfy_emulator.model.task import Owners
from tallyfy_emulator.model.wire import ValidationError, parse_date, parse_query
from tallyfy_emulator.store.organization import Organization
from tallyfy_emulator.store.tokens import Token, bearer_token


@dataclass(frozen=True)
class RequestContext:
    """A checked request, the organization and the token."""

    request: Request
    organization: Organization
    token: Token

    @property
    def person(self) -> Person | None:
        """The person who asks; None for the application."""
        return self.organization.catalog.person_by_id(self.token.person_id)

    @property
    def actor_id(self) -> int:
        """The id of the person who asks; for the application, that of the first member."""
        return self.token.person_id or self.organization.catalog.people[0].id

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's parameters; not to be changed."""
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


def organization_of(request: Request) -> Organization:
    """Return the organization of the application that answers: routes are built once and serve all applications."""
    organization: Organization = request.app.state.organization
    return organization


@dataclass(frozen=True)
class Endpoint:
    """
    A method and a path of the API, and the function that answers.

    The path is relative to the organization's, unless ``base`` is another. ``wrong_organization`` is the answer to a
    path with another organization's id, a 404 unless given.
    """

    method: str
    path: str
    handler: Handler
    base: str = "/organizations/{organization}"
    wrong_organization: responses.ApiError | None = None

    def route(self, prefix: str) -> Route:
        """Build the route, with the checks in front of the handler."""

        async def endpoint(request: Request) -> Response:
            return await self.handler(await self._checked(organization_of(request), request))

        return Route(prefix + self.base + self.path, endpoint, methods=[self.method])

    async def _checked(self, organization: Organization, request: Request) -> RequestContext:
        if not request.headers.get("x-tallyfy-client"):
            raise responses.endpoint_not_found()
        token = organization.tokens.find(bearer_token(request.headers.get("authorization", "")))
        if token is None:
            raise responses.unauthenticated()
        asked = request.path_params.get("organization")
        if asked is not None and asked != organization.catalog.organization_id:
            raise self.wrong_organization or responses.resource_not_found("Organization")
        await _check_body(request)
        return RequestContext(request, organization, token)


async def _check_body(request: Request) -> None:
    """Require a JSON Content-Type if the request has a body."""
    if not await request.body():
        return
    if "json" not in request.headers.get("content-type", "").lower():
        message = "A request with a body needs the header Content-Type: application/json."
        raise responses.ApiError(415, {"error": True, "message": message})


class Body:
    """A body's fields. What is missing is None; an invalid value is None too, and :meth:`check` raises its error."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self._errors: dict[str, Any] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def check(self) -> None:
        """Raise the errors found so far, if any."""
        if self._errors:
            raise ValidationError(self._errors)

    def add_error(self, name: str, message: str) -> None:
        """Add an error; ``{}`` in the message stands for the field's name in words."""
        self._errors.setdefault(name, []).append(message.format(name.replace("_", " ")))

    def parse(self, read: Callable[[], Any]) -> Any:
        """Call a parser; keep the errors that it raises."""
        try:
            return read()
        except ValidationError as error:
            self._errors.update(error.errors)
            return None

    def text(self, name: str, limit: int | None = None, *, required: bool = False) -> str | None:
        """Parse a text."""
        value = self.values.get(name)
        if value is None or value == "":
            if required:
                self.add_error(name, "The {} field is required.")
            return value
        if not isinstance(value, str):
            self.add_error(name, "The {} must be a string.")
            return None
        if limit is not None and len(value) > limit:
            self.add_error(name, f"The {{}} may not be greater than {limit} characters.")
            return None
        return value

    def flag(self, name: str) -> bool | None:
        """Parse a boolean."""
        value = self.values.get(name)
        if value is None or value in (True, False):  # Laravel takes 1 and 0 too
            return None if value is None else bool(value)
        self.add_error(name, "The {} field must be true or false.")
        return None

    def date(self, name: str, *, required: bool = False) -> float | None:
        """Parse a time."""
        text = self.text(name, required=required)
        if not text:
            return None
        try:
            return parse_date(text)
        except ValueError:
            self.add_error(name, "The {} is not a valid date.")
            return None

    def number(self, name: str) -> int | None:
        """Parse a whole number, which may be written as text."""
        value = self.values.get(name)
        found = _number(value)
        if value is not None and found is None:
            self.add_error(name, "The {} must be an integer.")
        return found

    def member(self, name: str, members: Collection[int]) -> int | None:
        """Parse the id of a member, as a number or as text."""
        value = self.values.get(name)
        if value is None:
            return None
        found = _number(value)
        if found not in members:
            self.add_error(name, "The selected {} is invalid.")
            return None
        return found

    def members(self, name: str, members: Collection[int]) -> tuple[int, ...] | None:
        """Parse a list of ids of members."""
        found = [_number(value) for value in self._list(name)]
        if not all(each in members for each in found):
            self.add_error(name, "The selected {} is invalid.")
            return None
        return tuple(each for each in found if each is not None) if self.values.get(name) is not None else None

    def ids(self, name: str, known: Collection[str]) -> tuple[str, ...] | None:
        """Parse a list of ids, as texts or as numbers."""
        found = tuple(str(value) for value in self._list(name))
        if not set(found) <= set(known):
            self.add_error(name, "The selected {} is invalid.")
            return None
        return found if self.values.get(name) is not None else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Parse a list of texts."""
        found = self._list(name)
        if all(isinstance(each, str) for each in found):
            return tuple(found)
        self.add_error(name, "The {} must be strings.")
        return ()

    def mapping(self, name: str) -> dict[str, Any]:
        """Parse an object; PHP takes an empty list for one."""
        value = self.values.get(name)
        if value is None or value == []:
            return {}
        if isinstance(value, dict):
            return value
        self.add_error(name, "The {} must be an object.")
        return {}

    def owners(self, catalog: Catalog) -> Owners | None:
        """Parse the owners of a task. They replace the former ones: a list that is not there is an empty one."""
        if "owners" not in self:
            return None
        sent = self.values["owners"]
        if not isinstance(sent, dict):
            self.add_error("owners", "The {} must be an object.")
            return None
        body = Body(sent)
        owners = Owners(
            users=body.members("users", catalog.member_ids) or (),
            guests=body.texts("guests"),
            groups=body.ids("groups", catalog.groups) or (),
        )
        self._errors.update({f"owners.{name}": messages for name, messages in body._errors.items()})
        return owners

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self.add_error(name, "The {} must be an array.")
        return []


async def body_of(context: RequestContext) -> Body:
    """Parse a request's body; none is an empty one."""
    raw = await context.request.body()
    if not raw:
        return Body({})
    try:
        values = json.loads(raw)
    except ValueError as error:
        raise ValidationError.of("body", "The body must be JSON.") from error
    if values == []:
        return Body({})
    if not isinstance(values, dict):
        raise ValidationError.of("body", "The body must be a JSON object.")
    return Body(values)


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
