"""
Read a list whose rows differ in weight in pages of about the same weight. Pure: it requests nothing by itself.

A run with its tasks, forms and comments has a few kilobytes or a few megabytes. Pages of a hundred would not fit into
memory, or into the time that Tallyfy takes for an answer; pages of one would be a request a run. So the size of the
next page follows from the bytes of those that were read. Pages overlap whatever their sizes, so the proof of
:mod:`tallyfy_provider.client.paging.lossless` holds.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tallyfy_provider.client.paging.base import Step
from tallyfy_provider.client.paging.lossless import LARGEST_PAGE, LosslessPaginator
from tallyfy_provider.client.paging.page import Page, PageRequest

#: Bytes of JSON that a page is meant to have: as Python objects it takes several times as much.
PAGE_BYTES = 1_750_000
#: Rows on the first page, while nothing is known of their weight.
_FIRST = 10
#: Rows below which a page that is too heavy is an error.
FEWEST = 3
#: A page may be so many times heavier or lighter than meant before the size changes: with each change, pages that are
#: under way are of no use.
_TOLERANCE = 1.6
#: How many times as many rows as the page before a page has at most.
_GROWTH = 4


class PageSize:
    """How many rows the next page may have, by the weight of those that were read."""

    def __init__(self, largest: int, first: int) -> None:
        self.rows = min(first, largest)
        #: Rows that a page has at most.
        self.largest = largest
        #: Rows that a page had at most: the server gives so many.
        self.proven = 0
        self._bytes_per_row = 0.0

    def note(self, request: PageRequest, page: Page) -> None:
        """Take in the weight of a page that was read."""
        if page.is_too_heavy:
            self.largest = self.rows = max(FEWEST, min(self.rows, request.per_page) // 2)
            return
        self.prove(len(page.rows))
        if page.rows and page.weight:
            self._fit(page)

    def prove(self, rows: int) -> None:
        """Take in that the server gave a page of so many rows."""
        self.proven = max(self.proven, rows)

    def cap(self, rows: int) -> None:
        """Ask for no more than so many rows."""
        self.largest = min(self.largest, rows)
        self.rows = min(self.rows, self.largest)

    def _fit(self, page: Page) -> None:
        weight = page.weight / len(page.rows)
        # The heaviest rows seen of late: a page that is too heavy costs more than one that is too light.
        self._bytes_per_row = max(weight, 0.7 * self._bytes_per_row + 0.3 * weight)
        fitting = max(FEWEST, int(PAGE_BYTES / self._bytes_per_row))
        if not self.rows / _TOLERANCE < fitting < self.rows * _TOLERANCE:
            self.rows = min(self.largest, fitting, _GROWTH * self.rows)


class WeighedPaginator(LosslessPaginator):
    """
    Read a list that is sorted by ``created_at`` in pages of about the same weight, and miss no run.

    The arguments are those of :class:`~tallyfy_provider.client.paging.lossless.LosslessPaginator`; ``per_page`` is the
    most rows that a page has, ``is_light`` tells that rows have nothing along with them, so that pages may begin large.
    """

    def __init__(self, what: str, *, per_page: int, is_light: bool = False, **arguments: Any) -> None:
        size = PageSize(per_page, per_page if is_light else _FIRST)
        super().__init__(what, per_page=size.rows, **arguments)
        self._size = size

    def _first_page(self) -> Generator[Step, Any, tuple[PageRequest, Page]]:
        while True:
            request = PageRequest(1, self._size.rows)
            page = yield from self._fetch(request)
            if (yield from self._fits(request, page)):
                return request, page

    def _next_page(self) -> Generator[Step, Any, tuple[PageRequest, Page]]:
        while True:
            if not self._has_one_size:
                self._frontier.size = self._overlapping_size()
            request, page = yield from super()._next_page()
            if (yield from self._fits(request, page)):
                return request, page

    def _fits(self, request: PageRequest, page: Page) -> Generator[Step, Any, bool]:
        """
        Tell whether a page is the one that was asked for, and take in its weight.

        A page that is shorter than any before may lack rows that the user may not see; or the server caps pages, and
        this one begins elsewhere. The first page, in a larger size, begins at the same place whatever the cap is.
        """
        self._size.note(request, page)
        if page.is_too_heavy:
            return False
        is_short = 0 < len(page.rows) < request.per_page and any(page.announcements(request).values())
        if not is_short or request.per_page <= self._size.proven:
            return True
        first = yield from self._fetch(PageRequest(1, min(LARGEST_PAGE, 2 * request.per_page)))
        self._size.prove(len(first.rows))
        if request.per_page <= self._size.proven:
            return True
        self._size.cap(self._size.proven)
        return False

    @property
    def _may_be_larger(self) -> bool:
        return False

    def _overlapping_size(self) -> int:
        """Return the size to ask for, a little more where no page of that size crosses the end of what is covered."""
        frontier, wanted = self._frontier, self._size.rows
        for size in range(wanted, min(wanted + FEWEST, self._size.largest) + 1):
            frontier.size = size
            if frontier.request() is not None:
                return size
        return wanted
