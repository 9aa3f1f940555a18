"""How far a list is covered, and which page continues from there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tallyfy_provider.client.paging.order import Bookmark
from tallyfy_provider.client.paging.page import Page, PageRequest, Row
from tallyfy_provider.client.paging.tiles import following, overlapping


class Frontier:
    """How far a list is covered, and which page to request next."""

    def __init__(self, bookmark: Bookmark, end: int, size: int) -> None:
        self.bookmark = bookmark
        self.end = end
        self.size = size
        self._overlap = 1
        self._distance = 0

    def request(self) -> PageRequest | None:
        """Return the next page that overlaps what is covered; None where no page of these sizes does."""
        return overlapping(self.end, min(self._overlap, self.end), self.size)

    def following(self, request: PageRequest, stop: float) -> Iterator[PageRequest]:
        """Yield the pages behind a page, as they will be requested if all connect."""
        return following(request, self._overlap, self.size, stop)

    def connects(self, request: PageRequest, page: Page, keys: Sequence[int]) -> bool:
        """Tell whether no row can have slipped between what is covered and a page."""
        return bool(page.rows) and (request.number == 1 or self.bookmark.covers(keys[0], page.rows[0]))

    def new_rows(self, page: Page, keys: Sequence[int]) -> list[tuple[int, Row]]:
        """Return the rows of a page that are not covered, each once, with their keys."""
        covers = self.bookmark.covers
        new: dict[str, tuple[int, Row]] = {}
        for key, row in zip(keys, page.rows, strict=True):
            if not covers(key, row):
                new.setdefault(str(row["id"]), (key, row))
        return list(new.values())

    def advance(self, request: PageRequest, page: Page, new: Sequence[tuple[int, Row]]) -> None:
        """Cover a page that connects."""
        for key, row in new:
            self.bookmark.move_to(key, row)
        # A short page in the middle lacks rows that the user may not see: they have places all the same.
        is_short = len(page.rows) < min(request.per_page, self.size) and (page.total or 0) > request.stop
        self.end = request.start + len(page.rows) if new and not is_short else max(request.stop, self.end)
        if self._distance:
            self._overlap = max(1, min(self.size // 2, self._distance))
        else:
            self._overlap = max(1, self._overlap // 2)
        self._distance = 0

    def step_back(self, request: PageRequest, page: Page) -> None:
        """Go further back, since a page does not connect: rows have left, or the answer is older than others."""
        self._distance = max(1, 2 * self._distance)
        start = request.start
        if not page.rows and page.total is not None:
            start = min(start, page.total)
        self.end = max(0, start - self._distance) + self._overlap
