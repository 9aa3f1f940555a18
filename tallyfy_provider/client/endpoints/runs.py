"""Runs, the processes of Tallyfy."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

from tallyfy_provider.client.endpoints.base import Endpoints, item_of
from tallyfy_provider.client.errors import TallyfyResponseError
from tallyfy_provider.client.filters import Query, encode
from tallyfy_provider.client.listing import Page, Walk, read_page
from tallyfy_provider.client.rows import RowCheck

log = logging.getLogger(__name__)

#: Oldest first: what is launched while the list is read lands at its end, and pages that were read do not shift.
STABLE_SORT = "created_at"


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
