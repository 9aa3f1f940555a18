"""The base of all resources: send a request for an organization, and read what the response holds."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from threading import Event
from typing import Any

from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND, indeterminate
from tallyfy_provider.client.http.retry import IDEMPOTENT_METHODS
from tallyfy_provider.client.http.session import TallyfySession
from tallyfy_provider.client.http.urls import build_path
from tallyfy_provider.client.paging.page import Page, PageRequest, is_id, page_behind_the_end, read_page
from tallyfy_provider.client.paging.prefetch import read_rows
from tallyfy_provider.client.paging.progress import Progress
from tallyfy_provider.client.paging.sequential import SequentialPaginator
from tallyfy_provider.client.payload import json_body
from tallyfy_provider.client.redaction import redact_values, shown
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyResponseError,
    TallyfyValidationError,
)
from tallyfy_provider.utils.arguments import as_written

log = logging.getLogger(__name__)

#: Segments of the path of a list: ``organizations``, the id, and the name of what is listed.
_LENGTH_OF_A_LIST = 3


class Resource:
    """A resource of Tallyfy's API, for one organization."""

    def __init__(self, session: TallyfySession, organization_id: str, *, page_size: int, concurrency: int) -> None:
        self.session = session
        self.organization_id = organization_id
        self.page_size = page_size
        self.concurrency = concurrency

    def _path(self, *segments: object) -> tuple[object, ...]:
        return ("organizations", self.organization_id, *segments)

    def _send(
        self, method: str, path: Iterable[object], *, params: Mapping[str, str] | None = None, json: Any = None
    ) -> Any:
        """Send a request and return the response's JSON; an unreadable response to a change is indeterminate."""
        body = None if json is None else json_body(json)
        try:
            return self._request(method, tuple(path), params=params, json=body)
        except TallyfyError as error:
            redact_values(error, body)
            if not _may_hide_a_change(method, error):
                raise
            unreadable = error
        raise indeterminate(unreadable, f"{method} {build_path(path)}")

    def _create(self, *segments: object, body: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Send a POST and return the created object, which has an id; an unreadable response is indeterminate."""
        path = self._path(*segments)
        payload = self._send("POST", path, json=body)
        try:
            item = item_of(payload, what)
            if not is_id(item.get("id")):
                raise TallyfyResponseError(f"Tallyfy's response for {what} holds no id.")
        except TallyfyResponseError as error:
            unreadable = error
        else:
            return item
        raise indeterminate(unreadable, f"POST {build_path(path)}")

    def _item_or(self, payload: Any, get: Callable[[], dict[str, Any]], wanted: object | None = None) -> dict[str, Any]:
        """Return the changed object from a response, or get it where the response is empty or about another one."""
        data = payload.get("data") if isinstance(payload, Mapping) else None
        if not isinstance(data, dict) or not data or (wanted is not None and not _has_id(data, wanted)):
            return get()
        return data

    def _ensure(
        self,
        method: str,
        path: tuple[object, ...],
        wanted: object,
        get: Callable[[], dict[str, Any]],
        is_done: Callable[[Mapping[str, Any]], bool],
    ) -> dict[str, Any]:
        """
        Send a change; succeed if the resource already has that state.

        Tallyfy's response in that case is not documented, and a change whose response was lost is found done when it is
        sent again: so after a refusal the object's state decides.
        """
        try:
            payload = self._send(method, path)
        except (TallyfyNotFoundError, TallyfyValidationError, TallyfyIndeterminateError) as error:
            if error.code == ENDPOINT_NOT_FOUND:
                raise
            refusal = error
        else:
            return self._item_or(payload, get, wanted)
        try:
            found = get()
        except TallyfyError as error:
            # After a lost response, a failure to look says nothing more; else it says what is wrong.
            reason = refusal if isinstance(refusal, TallyfyIndeterminateError) else error
        else:
            if is_done(found):
                return found
            reason = refusal
        raise reason

    def _walk(self, path: Iterable[object], params: Mapping[str, str], what: str) -> Generator[dict[str, Any]]:
        """
        List all rows page by page, each once; of one page only where ``params`` names a ``page``.

        A list that changes while it is read can lose rows between two pages: a warning is logged.
        """
        segments = tuple(path)
        if "page" in params:
            yield from self._page(segments, params, int(params["page"]), what).rows
            return
        per_page = (
            sys.maxsize if params.get("without_pagination") == "true" else int(params.get("per_page", self.page_size))
        )

        def read(request: PageRequest, cancelled: Event) -> Page:
            return page_behind_the_end(request, lambda: self._page(segments, params, request.number, what))

        yield from read_rows(SequentialPaginator(what, per_page=per_page), read, progress=Progress(what))

    def _page(self, path: Iterable[object], params: Mapping[str, str], number: int, what: str) -> Page:
        query = {"per_page": str(self.page_size), **params, "page": str(number)}
        return read_page(self._request("GET", tuple(path), params=query), number=number, what=what)

    def _request(self, method: str, path: tuple[object, ...], **options: Any) -> Any:
        """Send a request; an error that may mean a wrong organization says which ones the user has."""
        return self._request_sized(method, path, **options)[0]

    def _request_sized(self, method: str, path: tuple[object, ...], **options: Any) -> tuple[Any, int]:
        """Send a request as :meth:`_request` does, and return the bytes of the response beside its JSON."""
        is_of_organization = path[:1] == ("organizations",)
        try:
            payload, size = self.session.request_sized(method, path, **options)
        except TallyfyNotFoundError as error:
            if is_of_organization and _is_about_organization(error, path):
                error.message += self._organizations_hint()
            raise
        self.session.organization_found |= is_of_organization
        return payload, size

    def _organizations_hint(self) -> str:
        """Name the user's organizations, unless the one of the connection is among them; asked once for a session."""
        if self.session.organization_found or not self.session.tokens.acts_as_person:
            return ""
        try:
            found = self._page(("me", "organizations"), {"per_page": str(MAX_PAGE_SIZE)}, 1, "organizations").rows
        except TallyfyError:
            return ""
        ids = [str(organization["id"]) for organization in found]
        self.session.organization_found = self.organization_id in ids
        if self.session.organization_found:
            return ""
        names = ", ".join(f"{shown(each['id'])} ({shown(each.get('name'))})" for each in found)
        return f" The user's organizations are: {names}." if names else " The user is in no organization."


def _is_about_organization(error: TallyfyNotFoundError, path: tuple[object, ...]) -> bool:
    """Whether a 404 is not about an object: it says so, or it answers a list."""
    words = error.message.partition(".")[0].lower()
    return error.code != ENDPOINT_NOT_FOUND and (len(path) <= _LENGTH_OF_A_LIST or "organization" in words)


def _may_hide_a_change(method: str, error: TallyfyError) -> bool:
    """Whether something may have changed although the response is none of Tallyfy's; a redirect did nothing."""
    is_redirect = 300 <= (error.status or 0) < 400
    return isinstance(error, TallyfyResponseError) and method not in IDEMPOTENT_METHODS and not is_redirect


def included(include: Iterable[str]) -> dict[str, str]:
    """Build the query's ``with`` from one include or several, such as ``form_fields``; nothing where there is none."""
    names = [include] if isinstance(include, str) else include
    if not isinstance(names, Iterable) or isinstance(names, (bytes, Mapping)):
        raise TallyfyInputError(f"include takes names such as 'tasks', not {as_written(include)}.")
    names = list(names)
    for name in names:
        if not isinstance(name, str):
            raise TallyfyInputError(f"include takes names such as 'tasks', not {as_written(name)}.")
    return {"with": ",".join(names)} if names else {}


def item_of(payload: Any, what: str, wanted: object | None = None) -> dict[str, Any]:
    """Return the object under ``data`` of a response's JSON, and see to it that it has the id that was asked for."""
    data = payload.get("data") if isinstance(payload, Mapping) else None
    if not isinstance(data, dict) or not data:
        raise TallyfyResponseError(f"Tallyfy's response for {what} cannot be read: it holds no object under 'data'.")
    if wanted is not None and not _has_id(data, wanted):
        raise TallyfyResponseError(f"Tallyfy was asked for {shown(what)} and answered for another one.")
    return data


def _has_id(item: Mapping[str, Any], wanted: object) -> bool:
    return str(item.get("id")).lower() == str(wanted).strip().lower()


def assigned_ids(assigned: Any, kind: str) -> list[Any] | None:
    """
    Return the ids of assignees as they are sent; None where they cannot be read.

    A user is a number or an object with an ``id``, a guest an email address or an object with an ``email``, a group an
    id or an object (docs/tallyfy-api.md, "Endpoints").
    """
    if isinstance(assigned, Mapping) and "data" in assigned:
        assigned = assigned["data"]
    if isinstance(assigned, Mapping) and all(str(key).isdigit() for key in assigned):
        assigned = list(assigned.values())
    if not isinstance(assigned, list):
        return None
    ids = [_assigned_id(each, kind) for each in assigned]
    return None if any(each is None for each in ids) else ids


def assigned_to_keep(assigned: Any, kind: str, what: str, argument: str) -> list[Any]:
    """Return the ids to send along with a change, since Tallyfy unassigns all whom it does not name."""
    ids = assigned_ids(assigned, kind)
    if ids is None:
        raise TallyfyResponseError(
            f"Tallyfy does not say which {kind} are assigned to {what}, and changing it without them would unassign "
            f"them all. Nothing was sent; give {argument} to set them."
        )
    return ids


def with_added(assigned: list[Any], added: list[Any]) -> list[Any]:
    """Return assignees, and those to add who are not among them; case does not tell two apart."""
    known = {str(each).casefold() for each in assigned}
    return [*assigned, *(each for each in added if str(each).casefold() not in known)]


def _assigned_id(assignee: Any, kind: str) -> Any:
    if isinstance(assignee, Mapping):
        # A guest is sent by the address, whatever id the object has.
        assignee = assignee.get("email" if kind == "guests" else "id")
    is_id = isinstance(assignee, (int, str)) and not isinstance(assignee, bool) and assignee != ""
    return assignee if is_id else None
