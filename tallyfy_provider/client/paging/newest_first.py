"""
The walk from the newest run to the oldest. Pure.

Its first page is Tallyfy's newest runs as they are. From there on the list is read that is sorted the other way
round, from its last page to its first: in that list runs only ever move towards the front, so whoever reads it
backwards misses none (see :mod:`tallyfy_provider.client.paging.oldest_first`, also for the limits). Several pages are
read at once where two looks at the last of them show that nothing moved in between.
"""

from __future__ import annotations

import math
from collections.abc import Generator

from tallyfy_provider.client.paging.base import LARGEST_WINDOW, Extent, Pages, Step, Steps, Walk, shows_no_movement
from tallyfy_provider.client.paging.order import Order, Place
from tallyfy_provider.client.paging.page import Page

#: Pages in the first window; whoever wants the newest runs rarely wants many.
_FIRST_WINDOW = 2
#: How often the end of a list is followed that goes on growing.
_HOPS = 100


class NewestFirst(Walk):
    """
    The walk from the newest run to the oldest.

    :param what: What is being listed, for messages.
    :param per_page: Rows to a page that are asked for.
    :param extent: Which runs are wanted.
    """

    def __init__(self, what: str, *, per_page: int, extent: Extent | None = None) -> None:
        super().__init__(what, per_page=per_page, extent=extent, newest_first=True)
        self._window_size = _FIRST_WINDOW
        if self._extent.before is not None:
            self._place = Place(self._order.key(self._extent.before) - 1)
        if self._extent.after is not None:
            self._limit = self._order.key(self._extent.after)

    def steps(self) -> Steps:
        """
        Walk.

        :return: The steps.
        :raises TallyfyResponseError: The list has no end.
        """
        first = yield from self._first_page()
        in_order = self._order.holds_for(first.rows)
        if first.more and not in_order:
            self._warn_of_disorder()
        if first.more and first.last is None and in_order:
            self._warn_of_unknown_length()
        if not first.more or first.last is None or not in_order:
            yield from self._page_after_page(first)
            return
        yield Step(rows=self._take(first.rows, first))
        if not self._is_over():
            yield from self._rest(first, first.last)
            self._compare_with_total()

    def _rest(self, first: Page, last: int) -> Steps:
        stop, end_of_list = yield from self._find_end(last)
        before = (yield from self._page(stop - 1)).rows if len(end_of_list.rows) == 1 and stop > 1 else []
        # Does the server give the newest first, whatever it is asked for?
        if not (Order().holds_for(end_of_list.rows) and Order().holds_for(before)):
            self._warn_of_disorder()
            yield from self._page_after_page(first)
            return
        yield from self._backwards(stop, end_of_list)

    def _backwards(self, stop: int, end_of_list: Page) -> Steps:
        looks = {stop: end_of_list}
        if self._extent.before is not None and not self._is_wanted(end_of_list):
            stop = yield from self._bisect(0, stop, self._is_wanted)
        has_rows = bool(end_of_list.rows)
        while stop >= 1 and not self._is_over():
            look = (looks.pop(stop, None) or (yield from self._page(stop))).counted(self._rows_per_page)
            if not look.rows:
                self._moved = True
                if look.refusal is not None and has_rows:
                    raise look.refusal  # There are pages behind it, so this one is no end.
                if look.more or has_rows:
                    self._warn_of_emptiness(stop)
                stop = min(stop - 1, look.end or stop - 1)
                continue
            has_rows = True
            start = max(1, stop - self._pages_in_window + 1)
            pages = yield Step(read=range(start, stop))
            before = [pages[number] for number in range(start, stop)]
            # The next window begins with a page of this one: a run that comes back pushes others to it from before it.
            following = [start] if 1 < start < stop else []
            again = yield Step(read=[stop, *following])
            if shows_no_movement(look, again[stop]) and all(page.rows for page in before):
                rows = [row for page in (*before, look) for row in page.rows]
                oldest = before[0] if before else look
                self._window_size = min(LARGEST_WINDOW, self._window_size * 2)
                looks = {number: again[number] for number in following}
                stop = start if 1 < start < stop else start - 1
            else:
                # A page alone needs no second look.
                self._moved, self._window_size = True, _FIRST_WINDOW
                rows = again[stop].rows
                oldest = again[stop]
                stop -= 1
            yield Step(rows=self._take(reversed(rows), oldest))

    def _find_end(self, stop: int) -> Generator[Step, Pages, tuple[int, Page]]:
        """Find a page with a run that was handed on, behind which nothing is left."""
        for _ in range(_HOPS):
            page = yield from self._page(stop)
            if not page.rows and stop > 1:
                stop = yield from self._bisect(0, stop, lambda page: bool(page.rows))
                return stop, (yield from self._page(max(1, stop)))
            if not page.more or page.last is None or any(self._covered(page.rows)):
                return stop, page
            stop = page.last
        raise self._endless(stop)

    def _is_wanted(self, page: Page) -> bool:
        """Tell whether a page holds anything that is not too new, or handed on."""
        return not all(self._covered(page.rows))

    @property
    def _pages_in_window(self) -> int:
        if self._left == math.inf:
            return self._window_size
        return min(self._window_size, max(1, math.ceil(self._left / self._rows_per_page)))
