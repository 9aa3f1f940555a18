"""Tallyfy's API for one organization."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from copy import copy
from itertools import islice
from typing import Any

from tallyfy_provider.client.checklists import ChecklistsResource
from tallyfy_provider.client.comments import CommentsResource
from tallyfy_provider.client.http.session import TallyfySession
from tallyfy_provider.client.http.urls import encode_query, split_path
from tallyfy_provider.client.organization import ActivityFeedResource, OrganizationResource, PeopleResource
from tallyfy_provider.client.resource import Resource
from tallyfy_provider.client.runs.api import RunsResource
from tallyfy_provider.client.tasks.api import TasksResource
from tallyfy_provider.utils import arguments


class TallyfyClient(Resource):
    """
    Tallyfy's API for one organization.

    ``runs``, ``tasks``, ``comments``, ``checklists``, ``people``, ``organization`` and ``activity_feed`` have a method
    for each endpoint; :meth:`request` and :meth:`paginate` reach every other one with the same credentials, retries,
    paging and errors.

    :param session: The authenticated session.
    :param organization_id: The organization.
    :param page_size: Rows to ask for on each page of a list, at most 100.
    :param concurrency: Requests that may be under way at the same time, at least 1.
    """

    def __init__(self, session: TallyfySession, organization_id: str, *, page_size: int, concurrency: int) -> None:
        super().__init__(session, organization_id, page_size=page_size, concurrency=concurrency)
        options = {"page_size": page_size, "concurrency": concurrency}
        self.activity_feed = ActivityFeedResource(session, organization_id, **options)
        self.checklists = ChecklistsResource(session, organization_id, **options)
        self.comments = CommentsResource(session, organization_id, **options)
        self.organization = OrganizationResource(session, organization_id, **options)
        self.people = PeopleResource(session, organization_id, **options)
        self.runs = RunsResource(session, organization_id, **options)
        self.tasks = TasksResource(session, organization_id, **options)

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """
        Send a request to any endpoint.

        A GET, PUT or DELETE whose response is lost is sent again, a POST or PATCH is not.

        :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
        :param path: Relative to the organization (``runs/ID/export``), or from the API's root with a slash before it
            (``/me``). Its parts are percent-encoded here.
        :param params: The query: text, numbers, dates, booleans, or lists, which become comma-separated. None is not
            sent.
        :param json: A body to be sent as JSON.
        :return: The response's JSON, mostly with the object itself under ``data``; None for an empty response.
        :raises TallyfyInputError: The method, the path, a parameter or the body cannot be used; nothing was sent.
        :raises TallyfyIndeterminateError: A change may or may not have happened: its response was lost.
        :raises TallyfyResponseError: The response is no JSON.
        """
        return self._send(
            arguments.http_method(method), self._segments(path), params=encode_query(params) or None, json=json
        )

    def paginate(
        self, path: str, params: Mapping[str, Any] | None = None, *, max_rows: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        List the rows of any paginated endpoint, each once, as they arrive (``GET``).

        All pages are read, unless ``params`` names a ``page``. Each row must have an ``id``. A row that leaves the list
        while it is read can let another slip past between two pages; a warning is logged. ``runs.list`` loses none.

        :param path: As for :meth:`request`.
        :param params: As for :meth:`request`; 100 rows to a page are asked for, unless it names ``per_page``.
        :param max_rows: Stop after so many rows.
        :return: Rows exactly as the API gave them.
        :raises TallyfyInputError: The path or a parameter cannot be used; nothing was sent.
        :raises TallyfyResponseError: A page cannot be read, or the list has no end.
        """
        query = encode_query(params)
        for name in ("page", "per_page"):
            arguments.whole_number(f"params[{name!r}]", query.get(name))
        most = arguments.whole_number("max_rows", max_rows, least=0)
        return self._rows(self._segments(path), query, f"rows of {path}", most)

    def _rows(
        self, path: tuple[object, ...], query: Mapping[str, str], what: str, max_rows: int | None
    ) -> Iterator[dict[str, Any]]:
        with closing(self._walk(path, query, what)) as rows:
            yield from islice(rows, max_rows)

    def _segments(self, path: str) -> tuple[object, ...]:
        segments = split_path(path)
        return segments if path.startswith("/") else self._path(*segments)

    def reading_numbers_with(self, parse_float: Callable[[str], float]) -> TallyfyClient:
        """Return a client with the same connections, whose responses have their numbers with a point read so."""
        session = copy(self.session)
        session.parse_float = parse_float
        return TallyfyClient(session, self.organization_id, page_size=self.page_size, concurrency=self.concurrency)

    def on_tallyfys_clock(self, moment: float) -> float:
        """Return a moment of this machine's clock, in seconds since the epoch, by Tallyfy's where that is behind."""
        return moment - self.session.transport.clock_ahead

    def close(self) -> None:
        """Close all connections for good; a closed client sends no more requests."""
        self.session.close()
