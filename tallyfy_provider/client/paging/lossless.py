"""
Read a list of runs that changes while it is read, and miss none. Pure: it requests nothing by itself.

Tallyfy gives lists by page number only (docs/tallyfy-api.md, "Pagination"). When a run leaves the list, every later one
moves up by one place, and one of them slips from the next page onto a page that was read already: a loop over page
numbers never sees it. When a run comes back, later ones move the other way, and the last one is pushed onto a page that
was not there before. And where answers come from replicas, two pages may show the list at different moments.

**What it rests on.** Each page is a contiguous part of the list as it was at one moment, sorted by ``created_at``,
which never changes. So a page whose first row is A and whose last row is B shows every run between A and B that is in
the list all the time, whichever moment the page shows.

**The proof.** If the first row of a page is one that was given already, or lies before it, then all runs between that
row and the page's last row are on the page: nothing can have slipped between what was given and this page. Such a page
*connects*. Its new rows are given, in order, and what was given is remembered as a place in the order: the second of
the last row, and the ids of that second. This holds whatever leaves, arrives or comes back, at any place and in any
number, and however old an answer is, for every run that is in the list in each of the answers.

**Pages that overlap.** Pages of one size never share a row, so each page is requested in a slightly smaller size than
would fit exactly, and begins with the last row of the page before it (:mod:`tallyfy_provider.client.paging.tiles`).
Where it does not connect, since more rows have left than it overlaps, an earlier page is read, twice as far back each
time. That needs one request more for lists of up to ten pages, and 14 % more for long ones.

**The end** is the end of the list as the last page shows it. What ``meta`` announces only tells whether another page is
worth a request; rows decide (:meth:`~tallyfy_provider.client.paging.page.Page.announcements`).

**Its limits.** A server that orders runs of one second differently from one request to the next gives no order to rest
on. A server that gives pages of a fixed size, or of very few rows, leaves boundaries that no page crosses: there the
page before is read again, and accepted if it ends as it did. And a list that changes faster than it is read may need
more requests than are allowed (60, and two for each page with a new row): then it says at how many places a run may be
missing.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Generator, Sequence
from itertools import islice
from typing import Any

from tallyfy_provider.client.paging.base import Paginator, Step
from tallyfy_provider.client.paging.frontier import Frontier
from tallyfy_provider.client.paging.order import Bookmark, Order, Range
from tallyfy_provider.client.paging.page import Page, PageRequest
from tallyfy_provider.client.paging.sequential import SequentialPaginator
from tallyfy_provider.client.paging.tiles import overlapping

#: Requests without a new row that are allowed: so many, and so many for each one with a new row.
FRUITLESS_REQUESTS, _FRUITLESS_PER_PAGE = 60, 2
#: How many times as many requests without a new row end the reading with an error.
_MOST_FRUITLESS = 4
#: Requests for the same empty page before it counts as a hole in the list.
_MOST_EMPTY = 3
#: Answers with the same first row, for pages that begin elsewhere, that show that a page cannot begin elsewhere.
_MOST_REPEATED = 6
#: How often a boundary that no page crosses is read again.
_MOST_REREADINGS = 5
#: Largest page, whatever size is asked for (docs/tallyfy-api.md, "Pagination").
LARGEST_PAGE = 100


class LosslessPaginator(Paginator):
    """
    Read a list that is sorted by ``created_at``, and miss no run that is in it all the time.

    :param what: What is being listed, for messages.
    :param per_page: Rows to a page.
    :param wanted: The part of the list that is wanted.
    :param newest_first: Whether the list begins with the newest run.
    :param read_ahead: Pages that are requested ahead of the one that is needed.
    """

    def __init__(
        self,
        what: str,
        *,
        per_page: int,
        wanted: Range | None = None,
        newest_first: bool = False,
        read_ahead: int = 8,
    ) -> None:
        super().__init__(what, per_page=per_page, wanted=wanted)
        self._order = Order(newest_first=newest_first)
        self._read_ahead = read_ahead
        self._limit = math.inf
        bookmark = Bookmark()
        after, before = self._wanted.after, self._wanted.before
        first, last = (before, after) if newest_first else (after, before)
        if first is not None:
            bookmark = Bookmark(self._order.key(first) - 1)
        if last is not None:
            self._limit = self._order.key(last)
            self._read_ahead = max(1, read_ahead // 3)  # where the list has to be left is not known
        self._covered_before = bookmark.key
        self._frontier = Frontier(bookmark, 0, per_page)
        #: 8 bytes a row: what was given, for the cases in which its order says too little.
        self._given = array("q")
        self._fruitful = self._fruitless = 0
        self._empty: dict[int, int] = {}
        self._repeated: tuple[tuple[str, int | None], int] = (("", None), 0)
        #: Whether the next page is taken without proof: nothing can be proven at this boundary.
        self._takes_next_page = False
        self._followed: tuple[tuple[int, str], int] = ((0, ""), 0)
        #: Whether the server gives pages of one size, whatever is asked for.
        self._has_one_size = False
        #: Whether the last page held nothing new, so that it is hardly worth reading ahead.
        self._seems_over = False
        self._has_moved = False

    def steps(self) -> Generator[Step, Any, None]:
        """
        Read the list.

        :return: Steps.
        :raises TallyfyResponseError: The list has no end, or every page is the same.
        """
        request, page = yield from self._first_page()
        self.total = page.total
        if page.rows and self._order.keys(page.rows) is not None:
            self._frontier.size = self._size_of(page, request)
            request, page = yield from self._seek(request, page)
            yield from self._read_from(request, page)
        elif page.rows or any(page.announcements(request).values()):
            yield from self._read_in_sequence(is_in_disorder=bool(page.rows))
        self._warn_of_doubts()

    def _first_page(self) -> Generator[Step, Any, tuple[PageRequest, Page]]:
        request = PageRequest(1, self._per_page)
        return request, (yield from self._fetch(request))

    def _read_from(self, request: PageRequest, page: Page) -> Generator[Step, Any, None]:
        """Read the list from its first page that holds anything wanted."""
        yield from self._read(request, page)

    def _size_of(self, first: Page, request: PageRequest) -> int:
        """Return the size of full pages: a server may cap it without saying so."""
        is_short = len(first.rows) < request.per_page
        announced = first.announcements(request)
        has_more = announced.get("total", any(announced.values()))
        return len(first.rows) if is_short and has_more else request.per_page

    def _read(self, request: PageRequest, page: Page) -> Generator[Step, Any, None]:
        """Read on from a page in pages that overlap."""
        while True:
            self._has_moved = self._has_moved or page.total != self.total
            keys = self._order.keys(page.rows)
            if keys is None:
                yield from self._read_in_sequence()
                return
            if self._accepts(request, page, keys):
                new = yield from self._take(request, page, keys)
                self._seems_over = not new
                if self._left <= 0 or self._is_past_the_limit(keys) or self._is_last(request, page, new):
                    break
                self._refuse_endlessness(request)
            else:
                self._has_moved = True
                self._seems_over = True
                self._fruitless += 1
                if self._is_empty_list(request, page):
                    break
                yield from self._go_back(request, page)
                if self._is_end_in_spite_of_meta(request, page):
                    self._warn_of_contradiction(page, request)
                    break
                if self._fruitless > _MOST_FRUITLESS * (FRUITLESS_REQUESTS + _FRUITLESS_PER_PAGE * self._fruitful):
                    raise self._stuck(request)
            request, page = yield from self._next_page()
        self._compare_with_total(page)

    def _accepts(self, request: PageRequest, page: Page, keys: Sequence[int]) -> bool:
        takes_it_anyway, self._takes_next_page = self._takes_next_page, False
        if self._frontier.connects(request, page, keys):
            return True
        if not page.rows:
            return False
        if takes_it_anyway:
            return True
        if self._is_always_behind(page):
            self.doubts += 1
            return True
        if self._fruitless <= FRUITLESS_REQUESTS + _FRUITLESS_PER_PAGE * self._fruitful:
            return False
        self.doubts += 1
        return True

    def _is_always_behind(self, page: Page) -> bool:
        """Tell whether the same row has followed the same place again and again, although pages ought to overlap."""
        seen = (len(self._given), str(page.rows[0]["id"]))
        count = self._followed[1] + 1 if seen == self._followed[0] else 1
        self._followed = (seen, count)
        return count >= _MOST_REPEATED

    def _take(self, request: PageRequest, page: Page, keys: Sequence[int]) -> Generator[Step, Any, bool]:
        """Give the new rows of a page; tell whether there were any."""
        new = self._frontier.new_rows(page, keys)
        self._frontier.advance(request, page, new)
        if new:
            self._fruitful += 1
            rows = [row for _, row in new]
            self._given.extend(hash(str(row["id"])) for row in rows)
            yield from self._give(rows)
        else:
            self._fruitless += 1
            self._refuse_repetition(request, page)
        return bool(new)

    def _next_page(self) -> Generator[Step, Any, tuple[PageRequest, Page]]:
        request = None if self._has_one_size else self._frontier.request()
        if request is None:
            return (yield from self._next_page_without_overlap())
        read_ahead = 0 if self._seems_over else self._read_ahead
        ahead = islice(self._frontier.following(request, self._stop()), read_ahead)
        page = yield from self._fetch(request, ahead)
        return self._as_answered(request, page), page

    def _stop(self) -> float:
        """Return the index behind the last row that is worth reading ahead."""
        if self.total is None:
            return 0
        return min(self.total, self._frontier.end + self._left)

    def _as_answered(self, request: PageRequest, page: Page) -> PageRequest:
        """Return the page that a server gave which has pages of one size only."""
        if len(page.rows) <= request.per_page:
            return request
        self._has_one_size = True
        self._warn(
            f"Tallyfy gives pages of {len(page.rows)} {self._what}, although {request.per_page} were asked for: pages "
            "cannot be made to overlap, so a run may slip past between two of them while others leave the list."
        )
        self._frontier.size = len(page.rows)
        return PageRequest(request.number, len(page.rows))

    def _next_page_without_overlap(self) -> Generator[Step, Any, tuple[PageRequest, Page]]:
        """Cross a boundary that no page crosses: read the page behind it, and the page before it once more."""
        frontier = self._frontier
        if self._may_be_larger and not self._has_one_size:
            larger = overlapping(frontier.end, 1, min(LARGEST_PAGE, 2 * frontier.size + 1))
            if larger is not None:
                page = yield from self._fetch(larger)
                keys = self._order.keys(page.rows)
                if keys and frontier.connects(larger, page, keys) and frontier.new_rows(page, keys):
                    return larger, page
        behind = PageRequest(frontier.end // frontier.size + 1, frontier.size)
        before = PageRequest(max(1, behind.number - 1), frontier.size)
        for _ in range(_MOST_REREADINGS):
            page = yield from self._fetch(behind)
            again = yield from self._fetch(before)
            keys = self._order.keys(again.rows)
            if keys and frontier.new_rows(again, keys):
                return before, again
            if keys and frontier.connects(before, again, keys) and (self._has_one_size or not self._has_moved):
                self.doubts += self._has_moved
                break
        else:
            self.doubts += 1
        self._takes_next_page = True
        return behind, page

    @property
    def _may_be_larger(self) -> bool:
        """Whether larger pages than those that are read may be asked for."""
        return self._frontier.size == self._per_page

    def _go_back(self, request: PageRequest, page: Page) -> Generator[Step, Any, None]:
        """Request an earlier page next, or take an empty page for a hole where the list goes on behind it."""
        if not page.rows:
            self._empty[request.start] = self._empty.get(request.start, 0) + 1
            if page.refusal is not None and self._empty[request.start] >= _MOST_EMPTY:
                yield from self._insist(request, page)
            if self._empty[request.start] >= _MOST_EMPTY and page.has_more_by_totals(request):
                self._refuse_endlessness(request)
                self._warn(f"Page {request.number} of {self._what} is empty although Tallyfy announced more rows.")
                self.doubts += 1
                self._frontier.end = request.stop
                self._takes_next_page = True
                return
        self._frontier.step_back(request, page)

    def _is_empty_list(self, request: PageRequest, page: Page) -> bool:
        """Tell whether all runs have left the list."""
        if page.rows or request.start > 0:
            return False
        return not any(page.announcements(request).values()) or self._empty.get(0, 0) >= _MOST_EMPTY

    def _is_end_in_spite_of_meta(self, request: PageRequest, page: Page) -> bool:
        """Tell whether a page is empty again and again, and only a part of ``meta`` still announces more."""
        announced = page.announcements(request)
        is_empty = not page.rows and sum(self._empty.values()) >= 2 * _MOST_EMPTY
        return is_empty and any(announced.values()) and not page.has_more_by_totals(request)

    def _insist(self, request: PageRequest, page: Page) -> Generator[Step, Any, None]:
        """Raise a refusal that is no end: the list still has rows there."""
        first = yield from self._fetch(PageRequest(1, request.per_page))
        if page.refusal is not None and first.total is not None and first.total > request.start:
            raise page.refusal

    def _is_past_the_limit(self, keys: Sequence[int]) -> bool:
        return bool(keys) and keys[-1] > self._limit

    def _is_last(self, request: PageRequest, page: Page, has_new: bool) -> bool:
        announced = page.announcements(request)
        is_full = len(page.rows) >= request.per_page
        if not any(announced.values()):
            return not is_full or "total" in announced  # a full page may be followed by more, unless they are counted
        if has_new or is_full:
            return False
        # The page is short and had nothing new: the list ends here unless totals agree that it does not.
        self._empty[request.start] = self._empty.get(request.start, 0) + 1
        has_more = page.has_more_by_totals(request)
        if has_more and sum(self._empty.values()) < 2 * _MOST_EMPTY:
            return False
        self.doubts += has_more
        self._warn_of_contradiction(page, request)
        return True

    def _refuse_repetition(self, request: PageRequest, page: Page) -> None:
        shown = (str(page.rows[0]["id"]) if page.rows else "", page.total)
        repeated = self._repeated[1] + 1 if shown == self._repeated[0] else 1
        self._repeated = (shown, repeated)
        if repeated >= _MOST_REPEATED and any(page.announcements(request).values()):
            raise self._stuck(request)

    def _seek(self, request: PageRequest, first: Page) -> Generator[Step, Any, tuple[PageRequest, Page]]:
        """Find the page with the first row that is wanted."""
        if self._covered_before == -math.inf or self.total is None or not self._is_before(first):
            return request, first
        size = self._frontier.size
        low, high = 1, math.ceil(self.total / size) + 1
        stride, narrowing = 1, False
        found = request, first
        while high - low > 1:
            near = high - stride
            middle = (low + high) // 2 if narrowing or near <= low else near
            page = yield from self._fetch(PageRequest(middle, size))
            if self._is_before(page):
                low, narrowing, found = middle, True, (PageRequest(middle, size), page)
            else:
                high, stride = middle, stride * 2
        return found

    def _is_before(self, page: Page) -> bool:
        """Tell whether a page begins before what is wanted."""
        keys = self._order.keys(page.rows)
        return bool(keys) and keys is not None and keys[0] <= self._covered_before

    def _read_in_sequence(self, *, is_in_disorder: bool = True) -> Generator[Step, Any, None]:
        """Read the list from its first page to its last, since there is no order to rest on."""
        if is_in_disorder:
            self._warn(
                f"Tallyfy does not give {self._what} in the order of created_at that was asked for: for each one that "
                "leaves the list while it is read, another may slip past between two pages."
            )
        count = None if self._left == math.inf else int(self._left)
        wanted = Range(count, self._wanted.after, self._wanted.before)
        rest = SequentialPaginator(self._what, per_page=self._per_page, wanted=wanted, given=set(self._given))
        yield from rest.steps()
        self.doubts += rest.doubts
        for warning in rest.warnings:
            self._warn(warning)

    def _warn_of_doubts(self) -> None:
        if self.doubts:
            places = "1 place" if self.doubts == 1 else f"{self.doubts} places"
            self._warn(
                f"The list of {self._what} changed while it was read in a way that could not be followed: at {places} "
                "it cannot be proven that no row was missed."
            )

    def _compare_with_total(self, last: Page) -> None:
        if self._left <= 0 or self._wanted.is_bounded or last.total is None or last.total != self.total:
            return
        if len(self._given) < last.total:
            self._warn(f"Tallyfy announced {last.total} {self._what} and gave {len(self._given)} different ones.")
