"""Runs, the processes of Tallyfy."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from threading import Event
from typing import Any

from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.paging.base import Extent, PageAfterPage, Walk
from tallyfy_provider.client.paging.newest_first import NewestFirst
from tallyfy_provider.client.paging.oldest_first import OldestFirst
from tallyfy_provider.client.paging.page import Page, no_page, read_page
from tallyfy_provider.client.paging.prefetch import PageRequest, read_ahead
from tallyfy_provider.client.paging.progress import Progress
from tallyfy_provider.client.resource import Endpoints, item_of
from tallyfy_provider.client.runs.filter_check import RowCheck
from tallyfy_provider.client.runs.filters import Query, encode
from tallyfy_provider.exceptions import TallyfyNotFoundError, TallyfyResponseError, TallyfyValidationError

log = logging.getLogger(__name__)

#: Oldest first: what is launched while the list is read lands at its end, and pages that were read do not shift.
STABLE_SORT = "created_at"
_BY_CREATION = (STABLE_SORT, f"-{STABLE_SORT}")


class RunEndpoints(Endpoints):
    """Runs: get them, list them, count them."""

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
        return item_of(self.session.request("GET", self._path("runs", run_id), params=params), f"run {run_id}")

    def list_runs(
        self,
        filters: Mapping[str, Any] | None = None,
        *,
        max_runs: int | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Generator[dict[str, Any]]:
        """
        List runs page by page (``GET /organizations/{org}/runs``), each once, as they arrive.

        All pages are read, unless ``filters`` names a ``page``. Without a ``sort`` the oldest come first. Sorted by
        ``created_at``, either way, no run is missed that matches from the beginning of the walk to its end, whatever
        happens to others meanwhile (:mod:`tallyfy_provider.client.paging.oldest_first` has the proof and its limits).

        :param filters: The API's own names to values; see :class:`~tallyfy_provider.client.runs.filters.RunFilters`.
        :param max_runs: Stop after so many runs.
        :param created_after: Only runs created at this moment or later; one without a time zone is in UTC.
        :param created_before: Only runs created before this moment; one without a time zone is in UTC.
        :return: Runs exactly as the API gave them. Closing the iterator ends the walk and what it has under way.
        :raises TallyfyInputError: A filter is wrong; raised before anything is asked.
        :raises TallyfyResponseError: A page cannot be read, or the list has no end.
        :raises TallyfyError: Of the kind that fits.
        """
        query = encode(filters)
        for note in query.notes:
            log.info(note)
        rows = self.list_encoded_runs(
            query, max_runs=max_runs, created_after=created_after, created_before=created_before
        )
        return _checked(rows, query)

    def list_encoded_runs(
        self,
        query: Query,
        *,
        max_runs: int | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Generator[dict[str, Any]]:
        """
        List runs for filters that have been checked already; rows are not held against them.

        :param query: What :func:`~tallyfy_provider.client.runs.filters.encode` gave.
        :param max_runs: As for :meth:`list_runs`.
        :param created_after: As for :meth:`list_runs`.
        :param created_before: As for :meth:`list_runs`.
        :return: Runs exactly as the API gave them.
        :raises TallyfyError: As :meth:`list_runs`.
        """
        extent = Extent(max_runs, _seconds(created_after), _seconds(created_before))
        return self._one_page(query, query.page, extent) if query.page is not None else self._all_runs(query, extent)

    def count_runs(self, query: Query, *, strict: bool = False) -> int:
        """
        Count the runs that match, by asking for one row and reading how many Tallyfy says there are.

        :param query: What :func:`~tallyfy_provider.client.runs.filters.encode` gave; its page is not looked at.
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

    def _page_of_runs(
        self, params: Mapping[str, str], number: int, *, per_page: int, given_up: Event | None = None
    ) -> Page:
        params = {**params, "per_page": str(per_page), "page": str(number)}
        payload = self.session.request("GET", self._path("runs"), params=params, given_up=given_up)
        return read_page(payload, number=number, what="runs")

    def _one_page(self, query: Query, number: int, extent: Extent) -> Generator[dict[str, Any]]:
        params = {"sort": STABLE_SORT, **query.params}
        page = self._page_of_runs(params, number, per_page=query.per_page or self.page_size)
        yield from islice(filter(extent.holds, page.rows), extent.count)

    def _all_runs(self, query: Query, extent: Extent) -> Generator[dict[str, Any]]:
        # Few rows are asked for where few are wanted, unless where they begin has to be found first.
        fitting = self.page_size if extent.is_bounded else min(self.page_size, extent.count or self.page_size)
        per_page = query.per_page or fitting
        walk = _walk(query.params, per_page, extent)
        for note in walk.warnings:
            log.info(note)
        walk.warnings.clear()

        def read(request: PageRequest) -> Page:
            sort = query.params.get("sort", STABLE_SORT)
            if sort in _BY_CREATION:
                sort = f"-{STABLE_SORT}" if request.newest_first else STABLE_SORT
            params = {**query.params, "sort": sort}
            try:
                return self._page_of_runs(params, request.number, per_page=per_page, given_up=request.given_up)
            except (TallyfyNotFoundError, TallyfyValidationError) as refusal:
                if request.number == 1 or refusal.code == ENDPOINT_NOT_FOUND:
                    raise
                return no_page(request.number, refusal)

        progress = Progress("runs", wanted=extent.count)
        yield from read_ahead(walk.steps(), read, concurrency=self.concurrency, progress=progress)
        for warning in walk.warnings:
            log.warning(warning)


def _walk(params: Mapping[str, str], per_page: int, extent: Extent) -> Walk:
    """Choose the walk that loses nothing, where the order allows it."""
    sort = params.get("sort", STABLE_SORT)
    if params.get("without_pagination") == "true":
        return PageAfterPage("runs", per_page=sys.maxsize, extent=extent)
    if sort not in _BY_CREATION:
        walk = PageAfterPage("runs", per_page=per_page, extent=extent)
        walk.warnings.append(
            f"Sorted by {sort.lstrip('-')!r}, runs are read page after page: for each one that leaves the list "
            "meanwhile, another may slip past between two pages. Sort by 'created_at' or '-created_at' to miss none."
        )
        return walk
    if sort.startswith("-"):
        return NewestFirst("runs", per_page=per_page, extent=extent)
    return OldestFirst("runs", per_page=per_page, extent=extent)


def _seconds(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _checked(rows: Generator[dict[str, Any]], query: Query) -> Generator[dict[str, Any]]:
    check = RowCheck(query.asked)
    with closing(rows):
        for row in rows:
            check.look_at(row)
            yield row
    for mismatch in check.mismatches:
        log.warning("%s Tallyfy ignores filters that it does not understand.", mismatch)
