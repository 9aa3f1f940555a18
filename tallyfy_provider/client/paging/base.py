"""What all paginators share: steps out, pages in. Pure: a paginator requests nothing by itself."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.paging.order import Range
from tallyfy_provider.client.paging.page import Page, PageRequest, Row
from tallyfy_provider.exceptions import TallyfyResponseError
from tallyfy_provider.utils.plurals import counted

#: Pages that are read at most where Tallyfy gives no total.
_MOST_PAGES = 10_000
#: How far a list may grow while it is read, beyond twice its first size, before it counts as endless (pages).
_GROWTH = 50


@dataclass(frozen=True)
class Fetch:
    """
    The page that a paginator needs next, answered by sending it the page.

    :param request: The page.
    :param order: Pages to read in this order, ``request`` among them: those behind it may be read ahead of time.
    """

    request: PageRequest
    order: Sequence[PageRequest]


#: A paginator yields either the page that it needs, or rows to give to the caller.
Step = Fetch | list[Row]


class Paginator(ABC):
    """
    Read one list.

    :param what: What is being listed, for messages.
    :param per_page: Rows to a page.
    :param wanted: The part of the list that is wanted.
    """

    def __init__(self, what: str, *, per_page: int, wanted: Range | None = None) -> None:
        #: What a user should know, complete when the list has been read.
        self.warnings: list[str] = []
        #: Places of the list at which a row may have been missed.
        self.doubts = 0
        #: Rows in the list as the first page announced them.
        self.total: int | None = None
        self._what = what
        self._per_page = per_page
        self._wanted = wanted or Range()
        self._left: float = math.inf if self._wanted.count is None else self._wanted.count

    @abstractmethod
    def steps(self) -> Generator[Step, Any, None]:
        """
        Read the list.

        :return: Steps; each :class:`Fetch` is answered by sending the page.
        :raises TallyfyResponseError: The list has no end, or every page is the same.
        """

    def _fetch(self, request: PageRequest, ahead: Iterable[PageRequest] = ()) -> Generator[Step, Any, Page]:
        page: Page = yield Fetch(request, (request, *ahead))
        return page

    def _fetch_in(self, request: PageRequest, order: Sequence[PageRequest]) -> Generator[Step, Any, Page]:
        page: Page = yield Fetch(request, order)
        return page

    def _give(self, rows: Iterable[Row]) -> Generator[Step, Any, None]:
        """Give those of the rows that are wanted, as many as are left to give."""
        given = [row for row in rows if self._wanted.holds(row)]
        if self._left < len(given):
            given = given[: int(self._left)]
        self._left -= len(given)
        if given:
            yield given

    def _refuse_endlessness(self, request: PageRequest) -> None:
        """Raise where Tallyfy still announces more, far beyond what its first page announced."""
        limit = _MOST_PAGES if self.total is None else 2 * math.ceil(self.total / self._per_page) + _GROWTH
        if request.start < limit * self._per_page:
            return
        announced = "nothing" if self.total is None else counted(self.total, "row")
        raise TallyfyResponseError(
            f"The list of {self._what} has no end: on page {request.number} of {request.per_page} rows Tallyfy still "
            f"announces more, although its first page announced {announced}. It cannot be told what is missing."
        )

    def _stuck(self, request: PageRequest) -> TallyfyResponseError:
        return TallyfyResponseError(
            f"The list of {self._what} does not move on: page {request.number} repeats rows of earlier pages, as the "
            "pages before it did, and more are announced. It cannot be told what is missing."
        )

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _warn_of_contradiction(self, page: Page, request: PageRequest) -> None:
        """Warn that Tallyfy announced more rows behind the last one; rows decide."""
        sources = [name for name, more in page.announcements(request).items() if more]
        if sources:
            self._warn(
                f"Tallyfy's list of {self._what} contradicts itself: meta.pagination ({', '.join(sources)}) announces "
                f"more after page {request.number}, and no further row came. It was taken for the last page."
            )
