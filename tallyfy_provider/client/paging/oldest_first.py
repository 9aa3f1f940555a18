"""
The walk over a list of runs that loses none, though runs come and go while it is read. Pure: it asks for nothing.

Tallyfy gives lists by page number only (docs/tallyfy-api.md, "Pagination"). When a run leaves the list, every later one
moves up by one place, and one of them slips from the next page onto a page that was read already: the loop that reads
page after page never sees it. So the walk reads in another way.

**What it rests on.** Sorted by ``created_at``, oldest first, a run that leaves lets later ones move towards the front,
and a run that is launched arrives at the end. So a run that stays only ever moves towards the front.

**Backwards nothing is lost.** Whoever reads page after page from a later one to an earlier one can meet a run twice,
when it moves to a page that is still to be read, but cannot miss one.

**Forwards, in windows.** To hand rows on in order, and to read several pages at once, the pages are taken in windows.
The last page of a window is looked at first, then the others are read, in any order, then the last page is looked at
again. If it begins with the same ids, no row before it has left in between: it would have moved this page. So all pages
that were read between the two looks are parts of one and the same list, and fit together. The last page of the window
before is read between the two looks as well, and must still hold a row that was handed on: then nothing slipped past
between the windows. (The second look at a window's last page is that reading, since the first look at the next
window's last page comes before it.) If the looks differ, the window is read once more, backwards, as far down as a row
that was handed on. Only rows up to the newest of the window's last page are handed on; of what was handed on only the
place in the order is remembered: the second of its creation, and the ids of that one second.

**Where it ends.** With the newest run that the list held when the walk began: what is launched meanwhile is for the
next walk.

**Its limits.** A run that comes back into the middle of the list (reopened, taken out of the archive, or given back the
status that is listed) lets later ones move back. Two looks that differ show that, and the window is read again; but
when as many runs leave as come back between two looks, or one comes back and another leaves just while a window is read
backwards, a run can be missed. Totals would prove no more: one run leaving and one arriving keep them equal. A run that
itself leaves and comes back meanwhile may be given or not. And should Tallyfy order runs of the same second differently
from one request to the next, pages that meet within such a second need not fit together.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

from tallyfy_provider.client.paging.base import (
    LARGEST_WINDOW,
    Extent,
    Pages,
    Step,
    Steps,
    Walk,
    ids_of,
    shows_no_movement,
)
from tallyfy_provider.client.paging.order import Place, Row
from tallyfy_provider.client.paging.page import Page
from tallyfy_provider.exceptions import TallyfyResponseError

#: Pages in the first window: more, since most lists are over after one or two windows.
_FIRST_WINDOW = 24
#: By how much a window may be longer if the list ends with it.
_LONGER = 2.1
#: Pages in a window where the list moves while it is read, or its length is not known.
_SMALL_WINDOW = 8
#: How often the end of a list is followed that goes on growing, before it counts as endless.
_HOPS = 100
#: How often a window is read backwards while runs come back into it.
_PASSES = 3


@dataclass(frozen=True)
class _Window:
    """
    Pages that are being read: those between page ``end`` and page ``stop``, at which a first ``look`` was had.

    Page ``end`` is among them (``has_overlap``) unless it is read again anyway, as the last page of the window before.
    """

    end: int
    stop: int
    look: Page
    pages: Pages
    has_overlap: bool
    ahead: int | None


class OldestFirst(Walk):
    """
    The walk from the oldest run to the newest.

    :param what: What is being listed, for messages.
    :param per_page: Rows to a page that are asked for.
    :param extent: Which runs are wanted.
    """

    def __init__(self, what: str, *, per_page: int, extent: Extent | None = None) -> None:
        super().__init__(what, per_page=per_page, extent=extent)
        self._window_size = _FIRST_WINDOW
        self._is_calm = True
        self._looks: dict[int, Page] = {}
        #: The newest run that there was when the walk began.
        self._newest: float = math.inf
        if self._extent.after is not None:
            self._place = Place(self._order.key(self._extent.after) - 1)
        if self._extent.before is not None:
            self._limit = self._order.key(self._extent.before)

    def steps(self) -> Steps:
        """
        Walk.

        :return: The steps.
        :raises TallyfyResponseError: The list has no end, or every page is the same.
        """
        first = yield from self._first_page()
        if first.more and not self._order.holds_for(first.rows):
            self._warn_of_disorder()
        if not first.more or not self._order.holds_for(first.rows):
            yield from self._page_after_page(first)
            return
        yield Step(rows=self._take(first.rows, first))
        if not self._is_over():
            yield from self._rest(first)

    def _rest(self, first: Page) -> Steps:
        if self._extent.count is not None and not self._is_before_the_edge(first):
            yield from self._windows(1, first.last)
            return
        last, end_of_list = yield from self._find_end(first)
        end = 1
        if last is not None and end_of_list is not None and end_of_list.rows:
            if not self._follows(first, end_of_list):
                self._warn_of_disorder()
                yield from self._page_after_page(first)
                return
            self._looks[last] = end_of_list
            if self._is_before_the_edge(end_of_list):
                return
            if self._is_before_the_edge(first):
                end = yield from self._bisect(1, last, self._is_before_the_edge)
        if last == 1:  # The list has shrunk to a page that may hold more than it did.
            yield from self._hand_on_backwards(1)
        yield from self._windows(end, last)
        self._compare_with_total()

    def _follows(self, first: Page, page: Page) -> bool:
        oldest, newest = self._order.keys([first.rows[0], page.rows[-1]])
        return oldest is None or newest is None or oldest <= newest

    def _find_end(self, first: Page) -> Generator[Step, Pages, tuple[int | None, Page | None]]:
        """Look at the last page, and so at the newest run that there is as the walk begins."""
        number = first.last
        if number is None:
            return None, None
        # The end of the first window is looked at in the same breath; it is read ahead of time anyway.
        end_of_window = self._end_of_window(1, number)
        pages = yield Step(read=sorted({number, end_of_window}))
        self._looks[end_of_window] = pages[end_of_window]
        page = pages[number].counted(self._rows_per_page)
        for _ in range(_HOPS):
            if page.rows and ids_of(page) == ids_of(first) and (page.last is None or page.last >= number):
                raise TallyfyResponseError(
                    f"The list of {self._what} does not move on: page {number} is the same as page 1. "
                    "It cannot be told what is missing."
                )
            if not page.more or page.last is None or not page.rows:
                break
            number = page.last
            page = yield from self._page(number)
        else:
            raise self._endless(number)
        if not page.rows:
            if page.more or (page.last or 0) >= number:
                self._warn_of_emptiness(number)
            number = yield from self._bisect(1, number, lambda page: bool(page.rows))
            page = yield from self._page(number)
        if page.more and page.last is None:
            return None, None
        self._newest = max((key for key in self._order.keys(page.rows) if key is not None), default=math.inf)
        return number, page

    def _is_before_the_edge(self, page: Page) -> bool:
        """Tell whether all runs of a page were created before the moment that is asked for."""
        if self._extent.after is None or self._handed_on or not page.rows:
            return False
        return all(self._covered(page.rows))

    def _windows(self, end: int, last: int | None) -> Steps:
        """Hand on window after window of the pages behind page ``end``."""
        window: _Window | None = None
        overlap: Page | None = None
        is_last = False
        while not self._is_over() and not is_last and (last is None or end < last):
            if not self._is_calm:
                end, window = self._end_of_window(end, last), None
                is_last = yield from self._hand_on_backwards(end)
                continue
            window = window or (yield from self._open(end, last))
            # The next one is read already while this one is looked at and handed on.
            following = (yield from self._open(window.stop, last, window)) if window.ahead else None
            fits, overlap = yield from self._hand_on(window, overlap)
            end = window.stop
            if fits:
                is_last = last is None and not window.look.more
                window = following
            else:
                window = following = None
                is_last = yield from self._read_again(end)

    def _open(self, end: int, last: int | None, previous: _Window | None = None) -> Generator[Step, Pages, _Window]:
        """Begin to read the window behind page ``end``; the first look at its last page comes before all else."""
        stop = previous.ahead if previous and previous.ahead else self._end_of_window(end, last)
        if previous is not None and stop not in self._looks:
            self._looks[stop] = previous.pages[stop]
        look = self._looks.pop(stop, None) or (yield from self._page(stop))
        self._window_size = min(LARGEST_WINDOW, self._window_size * 2)
        ahead = self._end_of_window(stop, last) if self._goes_on_behind(end, stop, last) else None
        numbers = [*range(end if previous is None else end + 1, stop)]
        if ahead is not None and ahead not in self._looks:
            numbers.insert(0, ahead)
        pages = yield Step(read=numbers)
        return _Window(end, stop, look, pages, previous is None, ahead)

    def _hand_on(self, window: _Window, overlap: Page | None) -> Generator[Step, Pages, tuple[bool, Page]]:
        """Hand on the rows of a window unless it moved; tell whether, and give the second look at its last page."""
        if window.has_overlap:
            overlap = window.pages[window.end]
        before = [window.pages[number] for number in range(window.end + 1, window.stop)]
        again = yield from self._page(window.stop)
        fits = (
            shows_no_movement(window.look, again)
            and all(page.rows for page in before)
            and (window.end == 1 or (overlap is not None and any(self._covered(overlap.rows))))
        )
        if not fits:
            return False, again
        pages = [*([overlap] if overlap is not None else []), *before, window.look]
        rows = [row for page in pages for row in page.rows]
        if window.ahead is None:
            rows = self._not_newer(rows, self._newest)
        yield Step(rows=self._take(rows, window.look))
        return True, again

    def _not_newer(self, rows: list[Row], newest: float) -> list[Row]:
        """Leave out what was launched since, which is at the end."""
        keys = self._order.keys(rows)
        while keys and (key := keys[-1]) is not None and key > newest:
            keys.pop()
        return rows[: len(keys)]

    def _goes_on_behind(self, end: int, stop: int, last: int | None) -> bool:
        """Tell whether another window is sure to follow, so that its last page may be looked at ahead of time."""
        return last is not None and stop < last and (stop - end) * self._rows_per_page < self._left

    def _end_of_window(self, end: int, last: int | None) -> int:
        size = self._window_size
        if self._left < math.inf:
            size = min(size, max(1, math.ceil(self._left / self._rows_per_page)))
        if last is None:
            return end + min(size, _SMALL_WINDOW)
        rest = last - end
        if rest <= _LONGER * size:
            return last
        return end + (size if rest >= 2 * size else math.ceil(rest / 2))

    def _read_again(self, stop: int) -> Generator[Step, Pages, bool]:
        """Read a window again since it moved; what was looked at ahead is worth nothing any more."""
        self._looks.clear()
        self._window_size = _SMALL_WINDOW
        yield Step(gives_up=True)
        return (yield from self._hand_on_backwards(stop))

    def _hand_on_backwards(self, stop: int) -> Generator[Step, Pages, bool]:
        """
        Read backwards from a page as far down as a row that was handed on, and hand on what is new.

        :return: Whether the list ends with that page.
        """
        self._moved = True
        found: dict[str, Row] = {}
        for _ in range(_PASSES):
            top = yield from self._collect_backwards(stop, found)
            again = yield from self._page(stop)
            self._is_calm = shows_no_movement(top, again)
            if not _was_pushed_back(top, again):
                break
        rows = self._in_order(found.values())
        if top.rows:
            newest = max((key for key in self._order.keys(top.rows) if key is not None), default=math.inf)
            rows = self._not_newer(rows, min(newest, self._newest))
        yield Step(rows=self._take(rows, top))
        return not top.more and (top.last is None or not top.rows)

    def _collect_backwards(self, stop: int, found: dict[str, Row]) -> Generator[Step, Pages, Page]:
        """Collect rows that were not handed on; give the page ``stop``."""
        top = page = yield from self._page(stop)
        number, collected = stop, [page]
        has_rows = bool(page.rows)
        while not (any(self._covered(page.rows)) or number == 1):
            number = min(number - 1, page.end or number)
            page = yield from self._page(number)
            collected.insert(0, page)
            if page.refusal is not None and has_rows:
                raise page.refusal  # There are pages behind it, so this one is no end.
            if not page.rows and (page.more or has_rows):
                self._warn_of_emptiness(number)
            has_rows = has_rows or bool(page.rows)
        if not top.rows and top.more:
            self._warn_of_emptiness(stop)
        rows = [row for page in collected for row in page.rows]
        covered = self._covered(rows)
        found.update((str(row["id"]), row) for row, is_covered in zip(rows, covered, strict=True) if not is_covered)
        return top


def _was_pushed_back(top: Page, again: Page) -> bool:
    """Tell whether a page's first row has moved towards the end, since a run came back into the list before it."""
    return bool(top.rows) and ids_of(top)[0] in ids_of(again)[1:]
