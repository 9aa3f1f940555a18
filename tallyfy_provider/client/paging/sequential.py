"""
Read a list from the first page to the last, for lists that cannot be read in a better way. Pure.

Rows decide where the list ends; what ``meta`` announces only tells whether a further page is worth a request. A row
that comes twice is given once. A row that slips from a page that is still to be read onto one that was read already,
because another left the list, is warned of, not found: :mod:`tallyfy_provider.client.paging.lossless` finds those.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tallyfy_provider.client.paging.base import Paginator, Step
from tallyfy_provider.client.paging.order import Range
from tallyfy_provider.client.paging.page import Page, PageRequest, Row

#: Pages without a new row, one after the other, after which a list that announces more does not move on.
_MOST_REPEATED = 3


class SequentialPaginator(Paginator):
    """
    Read a list page after page.

    :param what: What is being listed, for messages.
    :param per_page: Rows to a page.
    :param wanted: The part of the list that is wanted.
    :param given: Hashes of ids of rows that were given before.
    """

    def __init__(self, what: str, *, per_page: int, wanted: Range | None = None, given: set[int] | None = None) -> None:
        super().__init__(what, per_page=per_page, wanted=wanted)
        self._seen: set[int] = given if given is not None else set()
        self._rows = self._given_before = len(self._seen)
        self._largest_total = 0
        self._without_new = 0

    def steps(self) -> Generator[Step, Any, None]:
        """
        Read the list.

        :return: Steps.
        :raises TallyfyResponseError: The list has no end, or every page is the same.
        """
        request = PageRequest(1, self._per_page)
        previous = None
        while True:
            page = yield from self._fetch(request)
            if previous is None:
                self.total = page.total
            if page.refusal is not None and (previous is None or (yield from self._is_in_the_middle(previous))):
                raise page.refusal
            new = self._new_rows(page)
            yield from self._give(new)
            if self._left <= 0:
                return
            if self._is_last(page, request, new):
                break
            self._refuse_endlessness(request)
            previous, request = request, PageRequest(request.number + 1, self._per_page)
        self._compare_with_total()

    def _new_rows(self, page: Page) -> list[Row]:
        new: list[Row] = []
        for row in page.rows:
            digest = hash(str(row["id"]))
            if digest not in self._seen:
                self._seen.add(digest)
                new.append(row)
        self._rows += len(new)
        self._largest_total = max(self._largest_total, page.total or 0)
        return new

    def _is_in_the_middle(self, previous: PageRequest) -> Generator[Step, Any, bool]:
        """Read the page before a refused one again: it tells whether the list really ended there."""
        page = yield from self._fetch(previous)
        return bool(page.rows) and page.announcements(previous).get("total", False)

    def _is_last(self, page: Page, request: PageRequest, new: list[Row]) -> bool:
        announced = page.announcements(request)
        more = any(announced.values())
        if new or (page.rows and request.stop <= self._given_before):
            self._without_new = 0
            is_full = len(page.rows) >= request.per_page
            return not more and (not is_full or "total" in announced)
        self._without_new += 1
        if page.rows and more and announced.get("total") and self._without_new >= _MOST_REPEATED:
            raise self._stuck(request)
        if not page.rows and more:
            self._warn(
                f"Page {request.number} of {self._what} is empty although Tallyfy announced more rows: "
                "the list changed while it was read."
            )
        if page.has_more_by_totals(request) and self._without_new < _MOST_REPEATED:
            return False
        if page.rows:
            self._warn_of_contradiction(page, request)
        return True

    def _compare_with_total(self) -> None:
        if self._rows >= self._largest_total or self._wanted.is_bounded:
            return
        self.doubts += 1
        self._warn(
            f"Tallyfy announced {self._largest_total} {self._what} and gave {self._rows} different ones. The list "
            "changed while it was read: for each row that left it, another may have slipped past between two pages."
        )
