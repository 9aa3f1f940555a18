"""
Read a long list that does not move in as few requests as it has pages. Pure: it requests nothing by itself.

A list of more than ten pages is read in pages of one size as long as it shows no sign of movement: each answer has the
same total, each page is as long as it has to be and begins behind the page before it. Pages are requested out of order
(3, 5, 2, 7, 4 …), so that a shift shows at some boundary as a row that comes twice, and at the end a page across the
middle boundary is read. At the first sign all boundaries so far are read again with pages that cross them, what is
found late is given then, out of order, and the rest is read in overlapping pages. What leaves no sign is missed: as
many runs leaving as coming back between two requests, on both sides of the place that is read, while nothing else moves
and the middle stays as it was. No way of reading each page once could see that, since the answers are those of a list
that does not move. Whoever needs the proof uses :class:`~tallyfy_provider.client.paging.lossless.LosslessPaginator`
itself, as exports do.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.paging.base import Step
from tallyfy_provider.client.paging.frontier import Frontier
from tallyfy_provider.client.paging.lossless import FRUITLESS_REQUESTS, LosslessPaginator
from tallyfy_provider.client.paging.order import Bookmark
from tallyfy_provider.client.paging.page import Page, PageRequest, Row
from tallyfy_provider.client.paging.tiles import overlapping
from tallyfy_provider.utils.plurals import counted

#: Pages up to which overlapping pages cost at most one request more.
_SHORT_LIST = 10


@dataclass(frozen=True)
class _Boundary:
    """A boundary between two pages that were taken for neighbours without proof."""

    end: int
    left: Bookmark
    left_id: str
    right_key: int
    right_id: str


class CalmPaginator(LosslessPaginator):
    """
    Read a list that is sorted by ``created_at``, in overlapping pages as soon as there is a sign that it moves.

    The arguments are those of :class:`~tallyfy_provider.client.paging.lossless.LosslessPaginator`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._boundaries: list[_Boundary] = []
        self._last_id = ""
        self._furthest = 0

    def _read_from(self, request: PageRequest, page: Page) -> Generator[Step, Any, None]:
        if self._is_calm_so_far(page):
            yield from self._read_calm_list(request, page)
        else:
            yield from self._read(request, page)

    def _is_calm_so_far(self, first: Page) -> bool:
        if self._wanted.is_bounded or self.total is None or not first.rows:
            return False
        wanted = min(self.total, self._left)
        pages = math.ceil(self.total / self._frontier.size)
        return wanted > _SHORT_LIST * self._frontier.size and first.last in (None, pages)

    def _read_calm_list(self, request: PageRequest, page: Page) -> Generator[Step, Any, None]:
        """Read pages of one size, until there is a sign that the list moves."""
        size = self._frontier.size
        last = math.ceil(min(self.total or 0, self._left) / size)
        middle = overlapping(last // 2 * size, max(1, size // 4), size)
        for number in range(1, last + 1):
            request = PageRequest(number, size)
            if number > 1:
                page = yield from self._fetch_in(request, self._out_of_order(number, last, size, middle))
            keys = self._order.keys(page.rows)
            is_calm = keys is not None and self._is_as_expected(request, page, keys)
            if is_calm and number == last and middle is not None:
                is_calm = yield from self._is_unmoved(middle, self._boundaries[last // 2 - 1])
            if keys is None or not is_calm:
                yield from self._check_all_boundaries()
                if self._left > 0 and self._is_disordered(page, keys):
                    yield from self._read_in_sequence()
                elif self._left > 0:
                    yield from self._read(request, page)
                return
            self._remember_boundary(page, keys)
            yield from self._take(request, page, keys)

    def _out_of_order(self, number: int, last: int, size: int, middle: PageRequest | None) -> list[PageRequest]:
        """Return the pages to request, in such an order that a shift shows as a row that comes twice."""
        self._furthest = max(self._furthest, _position(number) + self._read_ahead)
        numbers = (_number_at(place) for place in range(max(0, number - 4), self._furthest))
        order = [PageRequest(each, size) for each in numbers if number <= each <= last]
        if middle is not None and self._furthest > last:
            order.append(middle)
        return order

    def _is_as_expected(self, request: PageRequest, page: Page, keys: Sequence[int]) -> bool:
        if page.total != self.total or self.total is None:
            return False
        if len(page.rows) != min(request.per_page, self.total - request.start):
            return False
        return request.number == 1 or not self._frontier.bookmark.covers(keys[0], page.rows[0])

    def _is_disordered(self, page: Page, keys: Sequence[int] | None) -> bool:
        """Tell whether a page lies before what was given by its moments, and none of its rows was given."""
        if not keys or self._frontier.new_rows(page, keys):
            return False
        given = set(self._given)
        return not any(hash(str(row["id"])) in given for row in page.rows)

    def _remember_boundary(self, page: Page, keys: Sequence[int]) -> None:
        if self._given:
            right = page.rows[0]
            boundary = _Boundary(
                self._frontier.end, self._frontier.bookmark.copy(), self._last_id, keys[0], str(right["id"])
            )
            self._boundaries.append(boundary)
        self._last_id = str(page.rows[-1]["id"])

    def _is_unmoved(self, crossing: PageRequest, boundary: _Boundary) -> Generator[Step, Any, bool]:
        """Read a page across a boundary; tell whether its neighbours are still there, and still neighbours."""
        page = yield from self._fetch(crossing)
        ids = [str(row["id"]) for row in page.rows]
        place = boundary.end - crossing.start
        return ids[place - 1 : place + 1] == [boundary.left_id, boundary.right_id]

    def _check_all_boundaries(self) -> Generator[Step, Any, None]:
        """Read pages across all boundaries that were not proven, and give what slipped past there."""
        boundaries, self._boundaries = self._boundaries, []
        if not boundaries:
            return
        given = set(self._given)
        late = 0
        for number, boundary in enumerate(boundaries):
            ahead = [_crossing(each, self._frontier.size) for each in boundaries[number + 1 :][: self._read_ahead]]
            rows = yield from self._find_between(boundary, given, [each for each in ahead if each is not None])
            late += len(rows)
            yield from self._give(rows)
            if self._left <= 0:
                break
        if late:
            self._warn(
                f"The list of {self._what} moved while it was read: {counted(late, 'row')} that came to light "
                "when it was read again, given late, out of order."
            )

    def _find_between(
        self, boundary: _Boundary, given: set[int], ahead: Iterable[PageRequest]
    ) -> Generator[Step, Any, list[Row]]:
        """Return the rows between the two sides of a boundary that were not given."""
        frontier = Frontier(boundary.left.copy(), boundary.end, self._frontier.size)
        late: list[Row] = []
        for _ in range(FRUITLESS_REQUESTS):
            request = None if self._has_one_size else frontier.request()
            if request is None:
                break
            page = yield from self._fetch(request, ahead)
            if self._as_answered(request, page) != request:
                break
            keys = self._order.keys(page.rows)
            if keys is None or not frontier.connects(request, page, keys):
                frontier.step_back(request, page)
                continue
            new = frontier.new_rows(page, keys)
            frontier.advance(request, page, new)
            for key, row in new:
                digest = hash(str(row["id"]))
                if key > boundary.right_key or (key == boundary.right_key and digest in given):
                    return late
                if digest not in given:
                    given.add(digest)
                    self._given.append(digest)
                    late.append(row)
            if not new and not any(page.announcements(request).values()):
                return late
        self.doubts += 1
        return late


def _number_at(place: int) -> int:
    """Return the page that is requested as number ``place`` behind the first one: 3, 5, 2, 7, 4, 9, 6 and so on."""
    if place == 0:
        return 3
    return place + 4 if place % 2 else place


def _position(number: int) -> int:
    """Return when a page is requested; see :func:`_number_at`."""
    if number == 3:
        return 0
    return number - 4 if number % 2 else number


def _crossing(boundary: _Boundary, size: int) -> PageRequest | None:
    return overlapping(boundary.end, 1, size)
