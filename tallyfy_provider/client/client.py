"""TallyfyClient: a method for each endpoint of Tallyfy that is used, nothing else."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date
from itertools import islice
from typing import Any

from tallyfy_provider.client.errors import TallyfyResponseError
from tallyfy_provider.client.filters import LARGEST_PAGE, Query, encode
from tallyfy_provider.client.listing import Page, Walk, read_page
from tallyfy_provider.client.rows import RowCheck
from tallyfy_provider.client.session import TallyfySession

log = logging.getLogger(__name__)

#: Oldest first: what is launched while the list is read lands at its end, and pages that were read do not shift.
STABLE_SORT = "created_at"


class TallyfyClient:
    """
    Tallyfy's API for one organization.

    :param session: The authenticated conversation with Tallyfy.
    :param organization_id: The organization.
    :param page_size: Rows to ask for on each page of a list, at most 100.
    """

    def __init__(self, session: TallyfySession, organization_id: str, *, page_size: int = LARGEST_PAGE) -> None:
        self.session = session
        self.organization_id = organization_id
        self.page_size = page_size

    def get_me(self) -> dict[str, Any]:
        """
        Get the user that the token belongs to (``GET /me``).

        :return: The user: ``id``, ``email``, ``first_name``, ``last_name``, ``timezone`` and more.
        :raises TallyfyAuthError: The token is not accepted, or is an application's own, which is nobody's.
        :raises TallyfyError: Of the kind that fits.
        """
        return _item(self.session.request("GET", ("me",)), "the user")

    def list_my_organizations(self) -> list[dict[str, Any]]:
        """
        List the organizations of the token's user (``GET /me/organizations``), the first 100.

        :return: Organizations with ``id`` and ``name``.
        :raises TallyfyError: Of the kind that fits.
        """
        params = {"page": "1", "per_page": str(LARGEST_PAGE)}
        payload = self.session.request("GET", ("me", "organizations"), params=params)
        return read_page(payload, number=1, what="organizations").rows

    def get_organization(self) -> dict[str, Any]:
        """
        Get the organization (``GET /organizations/{org}``).

        :return: The organization: ``id``, ``name``, ``timezone`` and more.
        :raises TallyfyNotFoundError: There is none with this id, or the user is not in it.
        :raises TallyfyError: Of the kind that fits.
        """
        return _item(self.session.request("GET", self._path()), "the organization")

    def get_run(self, run_id: str | int, include: Iterable[str] = ()) -> dict[str, Any]:
        """
        Get a run (``GET /organizations/{org}/runs/{id}``).

        :param run_id: The run's id.
        :param include: What to get along with it (Tallyfy's ``with``), such as ``tasks`` or ``checklist``.
        :return: The run exactly as the API gave it.
        :raises TallyfyNotFoundError: There is no such run in this organization, or it is archived: what Tallyfy answers
            for an archived run is not documented (docs/tallyfy-api.md, "Run status").
        :raises TallyfyError: Of the kind that fits.
        """
        includes = [include] if isinstance(include, str) else list(include)
        params = {"with": ",".join(includes)} if includes else None
        return _item(self.session.request("GET", self._path("runs", run_id), params=params), f"run {run_id}")

    def list_runs(
        self, filters: Mapping[str, Any] | None = None, *, max_runs: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        List runs page by page (``GET /organizations/{org}/runs``), each once, as they arrive.

        All pages are read, unless ``filters`` names a ``page``. Without a ``sort`` the oldest come first.

        :param filters: The API's own names to values; see :class:`~tallyfy_provider.client.filters.RunFilters`.
        :param max_runs: Stop after so many runs.
        :return: Runs exactly as the API gave them.
        :raises TallyfyInputError: A filter is wrong; raised before anything is asked.
        :raises TallyfyResponseError: A page cannot be read, or the list has no end.
        :raises TallyfyError: Of the kind that fits.
        """
        query = encode(filters)
        for note in query.notes:
            log.info(note)
        return _checked(self.list_encoded_runs(query, max_runs=max_runs), query)

    def list_encoded_runs(self, query: Query, *, max_runs: int | None = None) -> Iterator[dict[str, Any]]:
        """
        List runs for filters that have been checked already; rows are not held against them.

        :param query: What :func:`~tallyfy_provider.client.filters.encode` gave.
        :param max_runs: Stop after so many runs.
        :return: Runs exactly as the API gave them.
        :raises TallyfyError: As :meth:`list_runs`.
        """
        rows = self._one_page(query, query.page) if query.page is not None else self._all_runs(query, max_runs)
        return _first(rows, max_runs)

    def count_runs(self, query: Query, *, strict: bool = False) -> int:
        """
        Count the runs that match, by asking for one row and reading how many Tallyfy says there are.

        :param query: What :func:`~tallyfy_provider.client.filters.encode` gave; its page is not looked at.
        :param strict: Raise, rather than warn, when the row is not what was asked for.
        :return: The number of runs (``meta.pagination.total``).
        :raises TallyfyResponseError: Tallyfy does not say how many there are, or ignored a filter.
        :raises TallyfyError: Of the kind that fits.
        """
        page = self._page_of_runs(query.params, 1, per_page=1)
        if page.total is None:
            raise TallyfyResponseError("Tallyfy does not say how many runs match: meta.pagination.total is missing.")
        check = RowCheck(query.asked)
        for row in page.rows:
            check.look_at(row)
        for mismatch in check.mismatches:
            message = f"The number cannot be trusted: {mismatch} Tallyfy ignores filters that it does not understand."
            if strict:
                raise TallyfyResponseError(message)
            log.warning(message)
        return page.total

    def get_page_of_activities(self, number: int, *, created_after: date | None = None) -> Page:
        """
        Get one page of the activity feed, newest first (``GET /organizations/{org}/activity-feeds``).

        :param number: Which page, from 1.
        :param created_after: The first day to be told of, in UTC.
        :return: The page; its rows are as the API gave them.
        :raises TallyfyPermissionError: The user may not see the feed.
        :raises TallyfyError: Of the kind that fits.
        """
        params = {"page": str(number), "per_page": str(LARGEST_PAGE)}
        if created_after is not None:
            params["created_after"] = created_after.isoformat()
        payload = self.session.request("GET", self._path("activity-feeds"), params=params)
        return read_page(payload, number=number, what="activities")

    def get_page_of_runs(self, filters: Mapping[str, Any], number: int, *, per_page: int) -> Page:
        """
        Get one page of a list of runs, oldest runs first unless ``filters`` sorts them otherwise.

        :param filters: As for :meth:`list_runs`.
        :param number: Which page, from 1.
        :param per_page: Rows to a page, at most 100.
        :return: The page, with what Tallyfy says of the whole list.
        :raises TallyfyInputError: A filter is wrong.
        :raises TallyfyError: Of the kind that fits.
        """
        return self._page_of_runs({"sort": STABLE_SORT, **encode(filters).params}, number, per_page=per_page)

    def _page_of_runs(self, params: Mapping[str, str], number: int, *, per_page: int) -> Page:
        params = {**params, "per_page": str(per_page), "page": str(number)}
        return read_page(self.session.request("GET", self._path("runs"), params=params), number=number, what="runs")

    def _one_page(self, query: Query, number: int) -> Generator[dict[str, Any]]:
        params = {"sort": STABLE_SORT, **query.params}
        yield from self._page_of_runs(params, number, per_page=query.per_page or self.page_size).rows

    def _all_runs(self, query: Query, max_runs: int | None) -> Generator[dict[str, Any]]:
        per_page = query.per_page or min(self.page_size, max_runs or self.page_size)
        params = {"sort": STABLE_SORT, **query.params}
        asks_for_all = query.params.get("without_pagination") == "true"
        walk = Walk("runs", sys.maxsize if asks_for_all else per_page)
        while not walk.over:
            yield from walk.accept(self._page_of_runs(params, walk.number, per_page=per_page))
        for warning in walk.finish():
            log.warning(warning)

    def close(self) -> None:
        """Close every open connection for good; a closed client asks nothing any more."""
        self.session.close()

    def _path(self, *segments: object) -> tuple[object, ...]:
        return ("organizations", self.organization_id, *segments)


def _checked(rows: Iterator[dict[str, Any]], query: Query) -> Iterator[dict[str, Any]]:
    check = RowCheck(query.asked)
    for row in rows:
        check.look_at(row)
        yield row
    for mismatch in check.mismatches:
        log.warning("%s Tallyfy ignores filters that it does not understand.", mismatch)


def _first(rows: Generator[dict[str, Any]], count: int | None) -> Iterator[dict[str, Any]]:
    with closing(rows):
        yield from islice(rows, count)


def _item(payload: Any, what: str) -> dict[str, Any]:
    data = payload.get("data") if isinstance(payload, Mapping) else None
    if not isinstance(data, dict) or not data:
        raise TallyfyResponseError(f"Tallyfy's answer for {what} cannot be read: it holds no object under 'data'.")
    return data
