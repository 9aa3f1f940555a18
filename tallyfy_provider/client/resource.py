"""What every endpoint has in common: the session and the organization that it asks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

from tallyfy_provider.client.discretion import hide_values
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND, indeterminate
from tallyfy_provider.client.http.retry import IDEMPOTENT_METHODS
from tallyfy_provider.client.http.session import TallyfySession
from tallyfy_provider.client.http.urls import build_path
from tallyfy_provider.client.paging.page import Page, read_page
from tallyfy_provider.client.paging.sequential import ForwardWalk
from tallyfy_provider.client.payload import json_body
from tallyfy_provider.client.runs.filters import LARGEST_PAGE
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyNotFoundError,
    TallyfyResponseError,
    TallyfyValidationError,
)

log = logging.getLogger(__name__)

#: Pages that are read at the same time, unless the connection says otherwise.
DEFAULT_CONCURRENCY = 4


class Resource:
    """
    Resource of Tallyfy's API for one organization.

    :param session: The authenticated conversation with Tallyfy.
    :param organization_id: The organization.
    :param page_size: Rows to ask for on each page of a list, at most 100.
    :param concurrency: Requests that may be under way at the same time, at least 1.
    """

    def __init__(
        self,
        session: TallyfySession,
        organization_id: str,
        *,
        page_size: int = LARGEST_PAGE,
        concurrency: int = DEFAULT_CONCURRENCY,
    ) -> None:
        self.session = session
        self.organization_id = organization_id
        self.page_size = page_size
        self.concurrency = concurrency

    def _path(self, *segments: object) -> tuple[object, ...]:
        return ("organizations", self.organization_id, *segments)

    def _send(
        self, method: str, path: Iterable[object], *, params: Mapping[str, str] | None = None, json: Any = None
    ) -> Any:
        """
        Ask for something or change it.

        :raises TallyfyInputError: The body cannot be written as JSON; nothing was sent.
        :raises TallyfyIndeterminateError: A change that must not be sent twice may or may not have happened.
        """
        body = None if json is None else json_body(json)
        try:
            return self.session.request(method, path, params=params, json=body)
        except TallyfyError as error:
            hide_values(error, body)
            if not _hides_a_change(method, error):
                raise
            unreadable = error
        raise indeterminate(unreadable, f"{method} {build_path(path)}")

    def _created(self, *segments: object, body: Mapping[str, Any], what: str) -> dict[str, Any]:
        """
        Make something by a POST.

        :raises TallyfyIndeterminateError: It may have been made: the answer was lost or cannot be read.
        """
        path = self._path(*segments)
        payload = self._send("POST", path, json=body)
        try:
            return item_of(payload, what)
        except TallyfyResponseError as error:
            unreadable = error
        raise indeterminate(unreadable, f"POST {build_path(path)}")

    def _item_or(self, payload: Any, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Take the changed thing out of an answer, or read it where the answer is empty."""
        data = payload.get("data") if isinstance(payload, Mapping) else None
        return data if isinstance(data, dict) and data else read()

    def _unless_done(
        self,
        method: str,
        path: tuple[object, ...],
        look: Callable[[], dict[str, Any]],
        is_done: Callable[[Mapping[str, Any]], bool],
    ) -> Any:
        """
        Change something, and take no offence where it is so already.

        What Tallyfy answers then is not documented, and a change whose answer was lost finds itself done when it is
        sent again: so a refusal is held against the thing as it is.
        """
        try:
            return self._send(method, path)
        except (TallyfyNotFoundError, TallyfyValidationError, TallyfyIndeterminateError) as error:
            if error.code == ENDPOINT_NOT_FOUND:
                raise
            refusal = error
        try:
            found = look()
        except TallyfyError as error:
            # In doubt, that it cannot be looked at either says nothing more; else it says what is wrong.
            reason = refusal if isinstance(refusal, TallyfyIndeterminateError) else error
        else:
            if is_done(found):
                return {"data": found}
            reason = refusal
        raise reason

    def _walk(self, path: Iterable[object], params: Mapping[str, str], what: str) -> Generator[dict[str, Any]]:
        """
        List all rows page by page, each once; of one page only where ``params`` names a ``page``.

        A list that changes while it is read can lose rows between two pages: that is warned of, not repaired.
        """
        segments = tuple(path)
        if "page" in params:
            yield from self._page(segments, params, int(params["page"]), what).rows
            return
        per_page = int(params.get("per_page", self.page_size))
        walk = ForwardWalk(what, sys.maxsize if params.get("without_pagination") == "true" else per_page)
        while not walk.over:
            yield from walk.accept(self._page(segments, params, walk.number, what))
        for warning in walk.finish():
            log.warning(warning)

    def _page(self, path: Iterable[object], params: Mapping[str, str], number: int, what: str) -> Page:
        query = {"per_page": str(self.page_size), **params, "page": str(number)}
        return read_page(self.session.request("GET", path, params=query), number=number, what=what)


def _hides_a_change(method: str, error: TallyfyError) -> bool:
    """Whether something may have happened behind an answer that is no answer of Tallyfy's; a redirect did nothing."""
    redirected = 300 <= (error.status or 0) < 400
    return isinstance(error, TallyfyResponseError) and method not in IDEMPOTENT_METHODS and not redirected


def included(include: Iterable[str]) -> dict[str, str]:
    """
    Ask for something to come along.

    :param include: Tallyfy's words for it, such as ``form_fields``; one of them, or several.
    :return: The query's ``with``; nothing where nothing is asked for.
    """
    names = [include] if isinstance(include, str) else list(include)
    return {"with": ",".join(names)} if names else {}


def item_of(payload: Any, what: str) -> dict[str, Any]:
    """
    Take the one thing that an answer holds.

    :param payload: The answer's JSON.
    :param what: What it is, for messages.
    :return: The object under ``data``.
    :raises TallyfyResponseError: There is none.
    """
    data = payload.get("data") if isinstance(payload, Mapping) else None
    if not isinstance(data, dict) or not data:
        raise TallyfyResponseError(f"Tallyfy's answer for {what} cannot be read: it holds no object under 'data'.")
    return data
