"""What every walk over a list of runs has in common: steps out, pages in, and what is handed on. Pure."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tallyfy_provider.client.paging.order import Order, Place, Row
from tallyfy_provider.client.paging.page import Page
from tallyfy_provider.client.paging.sequential import ForwardWalk
from tallyfy_provider.exceptions import TallyfyResponseError
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Pages in a window at most. Two windows are in memory at a time: one is handed on while the next one is read.
LARGEST_WINDOW = 12


@dataclass(frozen=True)
class Step:
    """
    What a walk wants next.

    :param rows: Rows to hand on, in order.
    :param read: Pages to read, in any order or all at once.
    :param newest_first: Whether pages are counted from the newest run instead of the oldest.
    :param gives_up: Whether pages that earlier steps wanted, and that were not looked at yet, are wanted no more.
    """

    rows: Sequence[Row] = ()
    read: Sequence[int] = ()
    newest_first: bool = False
    gives_up: bool = False


Pages = Mapping[int, Page]
#: Steps go out; what comes back for the pages that a step wants is a mapping that may wait until a page is there.
Steps = Generator[Step, Pages, None]


@dataclass(frozen=True)
class Extent:
    """
    Which runs of a list are wanted.

    :param count: So many at most; None means all.
    :param after: Only runs created at this moment or later, in seconds since the epoch.
    :param before: Only runs created before this moment, in seconds since the epoch.
    """

    count: int | None = None
    after: float | None = None
    before: float | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether it has an edge in time."""
        return self.after is not None or self.before is not None

    def holds(self, row: Row) -> bool:
        """
        Tell whether a run lies between the edges.

        :param row: The run as the API gave it; one without a readable ``created_at`` is not lost for that.
        :return: Whether it does.
        """
        if not self.is_bounded:
            return True
        moment = parse_timestamp(row.get("created_at"))
        if moment is None:
            return True
        return (self.after is None or moment >= self.after) and (self.before is None or moment < self.before)


class Walk(ABC):
    """
    One walk over a list of runs.

    :param what: What is being listed, for messages.
    :param per_page: Rows to a page that are asked for.
    :param extent: Which runs are wanted.
    :param newest_first: Whether the newest run is wanted first.
    """

    def __init__(self, what: str, *, per_page: int, extent: Extent | None = None, newest_first: bool = False) -> None:
        #: What a user should know, complete when the walk is over.
        self.warnings: list[str] = []
        #: Rows in the list when the walk began, where Tallyfy says so.
        self.total: int | None = None
        self._what = what
        self._per_page = per_page
        self._extent = extent or Extent()
        self._newest_first = newest_first
        self._order = Order(newest_first=newest_first)
        self._left: float = math.inf if self._extent.count is None else self._extent.count
        self._place: Place | None = None
        self._limit: float = math.inf
        self._passed_the_limit = False
        self._handed_on = 0
        self._recent: set[str] = set()
        self._moved = False
        self._rows_per_page = per_page

    @abstractmethod
    def steps(self) -> Steps:
        """
        Walk.

        :return: The steps.
        :raises TallyfyResponseError: The list has no end, or does not move on.
        """

    def _first_page(self) -> Generator[Step, Pages, Page]:
        first = (yield Step(read=(1,), newest_first=self._newest_first))[1]
        self.total = first.total
        self._rows_per_page = max(1, len(first.rows))
        return first

    def _page(self, number: int) -> Generator[Step, Pages, Page]:
        return (yield Step(read=(number,)))[number].counted(self._rows_per_page)

    def _bisect(self, low: int, high: int, is_low: Callable[[Page], bool]) -> Generator[Step, Pages, int]:
        """Find the last page that ``is_low``, between one that is and one that is not: near the latter, as a rule."""
        stride, narrowing = 1, False
        while high - low > 1:
            near = high - stride
            middle = (low + high) // 2 if narrowing or near <= low else near
            page = yield from self._page(middle)
            if is_low(page):
                low, narrowing = middle, True
            else:
                high, stride = middle, stride * 2
        return low

    def _page_after_page(self, first: Page) -> Steps:
        """Read from the first page to the last: because one page is all, or since the order allows no better."""
        walk = ForwardWalk(self._what, self._per_page)
        rows = walk.accept(first)
        if self._handed_on:
            rows = []
        while True:
            yield Step(rows=self._wanted(rows))
            if walk.over or self._left <= 0:
                break
            page = (yield Step(read=(walk.number,), newest_first=self._newest_first))[walk.number]
            rows = walk.accept(page)
        for warning in walk.finish() if walk.over else walk.warnings:
            self._warn(warning)

    def _is_over(self) -> bool:
        return self._left <= 0 or self._passed_the_limit

    def _take(self, rows: Iterable[Row], end: Page) -> list[Row]:
        """
        Give those rows that are to be handed on, and remember how far that is.

        :param rows: Rows that fit together; those that were handed on before are among them.
        :param end: The last of their pages; when all of it is beyond what is wanted, the walk is over.
        :return: The rows.
        """
        keyed = self._keyed({str(row["id"]): row for row in rows}.values())
        keys = [key for key, _ in keyed if key is not None]
        in_order = len(keys) < len(keyed) or keys == sorted(keys)
        if in_order:
            new = [row for key, row in keyed if self._place is None or not self._place.covers(key, row)]
        else:
            # The order says nothing of what was handed on; what was handed on last does.
            self._warn_of_disorder()
            new = [row for _, row in keyed if str(row["id"]) not in self._recent]
        taken = self._wanted(new)
        self._move_on(keyed)
        if not in_order:  # one row had run ahead of all others
            self._place = Place(keys[-1], self._recent)
        keys_of_end = [key for key in self._order.keys(end.rows) if key is not None]
        self._passed_the_limit = bool(keys_of_end) and min(keys_of_end) > self._limit
        return taken

    def _wanted(self, rows: Iterable[Row]) -> list[Row]:
        """Give those rows that are wanted, as many as are still left to be handed on, and count them."""
        wanted = [row for row in rows if self._extent.holds(row)]
        taken = wanted if self._left == math.inf else wanted[: int(self._left)]
        self._left -= len(taken)
        self._handed_on += len(taken)
        return taken

    def _keyed(self, rows: Iterable[Row]) -> list[tuple[int | None, Row]]:
        """Give rows with their places in the order, which take some time to find out."""
        rows = list(rows)
        return list(zip(self._order.keys(rows), rows, strict=True))

    def _move_on(self, keyed: Sequence[tuple[int | None, Row]]) -> None:
        if not keyed:
            return
        self._recent = {str(row["id"]) for _, row in keyed}
        if self._place is None:
            self._place = Place(keyed[0][0] or 0, ())
        for key, row in keyed:
            if not self._place.covers(key, row):
                self._place.move_to(key, row)

    def _covered(self, rows: Sequence[Row]) -> list[bool]:
        """Tell of each row whether it was handed on, or lies before what is wanted."""
        if self._place is None:
            return [False] * len(rows)
        return [self._place.covers(key, row) for key, row in self._keyed(rows)]

    def _in_order(self, rows: Iterable[Row]) -> list[Row]:
        keyed = [(math.inf if key is None else key, row) for key, row in self._keyed(rows)]
        return [row for _, row in sorted(keyed, key=lambda pair: pair[0])]

    def _compare_with_total(self) -> None:
        if self._moved or self._is_over() or self._extent.is_bounded or self.total is None:
            return
        if self._handed_on < self.total:
            self._warn(
                f"Tallyfy announced {self.total} {self._what} and gave {self._handed_on} different ones, although "
                "nothing moved while the list was read."
            )

    def _endless(self, number: int) -> TallyfyResponseError:
        return TallyfyResponseError(
            f"The list of {self._what} has no end: on page {number} Tallyfy still announces more, "
            "far beyond what its first page announced. It cannot be told what is missing."
        )

    def _warn_of_emptiness(self, number: int) -> None:
        self._warn(f"Page {number} of {self._what} is empty although Tallyfy announced more pages.")

    def _warn_of_unknown_length(self) -> None:
        self._warn(
            f"Tallyfy does not say how many {self._what} there are, so they are read page after page: for each one "
            "that leaves the list while it is read, another may slip past between two pages."
        )

    def _warn_of_disorder(self) -> None:
        self._warn(
            f"Tallyfy does not give {self._what} in the order of created_at that was asked for: for each one that "
            "leaves the list while it is read, another may slip past between two pages."
        )

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)


class PageAfterPage(Walk):
    """
    The walk from the first page to the last, for an order in which nothing better is possible.

    :param what: What is being listed, for messages.
    :param per_page: Rows to a page that are asked for.
    :param extent: Which runs are wanted.
    """

    def steps(self) -> Steps:
        """
        Walk.

        :return: The steps.
        :raises TallyfyResponseError: The list has no end, or does not move on.
        """
        first = yield from self._first_page()
        yield from self._page_after_page(first)


def ids_of(page: Page) -> list[str]:
    """
    Give the ids of a page's rows.

    :param page: The page.
    :return: The ids as text, in order.
    """
    return [str(row["id"]) for row in page.rows]


def shows_no_movement(look: Page, again: Page) -> bool:
    """
    Tell whether two looks at a page prove that nothing before it left in between: it would have moved its first row.

    :param look: The first look.
    :param again: The second one; rows that arrived behind those of the first are no movement.
    :return: Whether they do. A page without rows proves nothing.
    """
    seen = ids_of(look)
    return bool(seen) and ids_of(again)[: len(seen)] == seen and not again.is_behind_the_end
