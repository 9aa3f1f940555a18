"""
The walk over the pages of a list from the first to the last, for lists that cannot be read in a better way. Pure.

It ends because Tallyfy says so; a server that never says so is an error, not an endless loop. Rows that come twice are
given once; rows that slip past between two pages because others left the list are warned of, not found. The walk that
finds them is in :mod:`tallyfy_provider.client.paging.oldest_first`.
"""

from __future__ import annotations

from typing import Any

from tallyfy_provider.client.paging.page import Page
from tallyfy_provider.exceptions import TallyfyResponseError

#: Pages that are read at most where Tallyfy gives no total at all.
MOST_PAGES_UNANNOUNCED = 10_000
#: How far a list may grow while it is read, beyond twice its first size, before it counts as endless (pages).
_GROWTH = 100


class ForwardWalk:
    """
    One walk from the first page to the last.

    :param what: What is being listed, for messages.
    :param per_page: Rows to a page that are asked for.
    """

    def __init__(self, what: str, per_page: int) -> None:
        #: The page to be asked for next.
        self.number = 1
        #: Whether the last page has been read.
        self.over = False
        self.warnings: list[str] = []
        self._what = what
        self._per_page = per_page
        self._seen: set[str] = set()
        self._repeated = 0
        self._size = 0
        self._limit: int | None = None
        self._largest_total = 0

    def accept(self, page: Page) -> list[dict[str, Any]]:
        """
        Take the page that was asked for and decide what comes next.

        :param page: The page with the number :attr:`number`.
        :return: Its rows that no earlier page had. Rows move between pages when a list changes while it is read.
        :raises TallyfyResponseError: The list has no end.
        """
        if page.refusal is not None:
            raise page.refusal
        self._size = self._size or len(page.rows)
        page = page.counted(self._size)
        new = [row for row in page.rows if str(row["id"]) not in self._seen]
        self._seen.update(str(row["id"]) for row in new)
        self._largest_total = max(self._largest_total, page.total or 0)
        self._refuse_endlessness(page, new)
        self.over = not page.more or not page.rows
        if page.more and not page.rows:
            self.warnings.append(
                f"Page {self.number} of {self._what} is empty although Tallyfy announced more pages: "
                "the list changed while it was read."
            )
        if page.unannounced and len(page.rows) >= self._per_page:
            self.warnings.append(
                f"Page {self.number} of {self._what} is full and Tallyfy does not say whether there are more: "
                "it is taken for the last one."
            )
        if not self.over:
            self.number += 1
        return new

    def finish(self) -> list[str]:
        """
        Say what a user should know about the whole walk.

        :return: Warnings, none when all went as announced.
        """
        if len(self._seen) < self._largest_total:
            self.warnings.append(
                f"Tallyfy announced {self._largest_total} {self._what} and gave {len(self._seen)} different ones. The "
                "list changed while it was read: for each row that left it, another may have slipped past between two "
                "pages."
            )
        return self.warnings

    def _refuse_endlessness(self, page: Page, new: list[dict[str, Any]]) -> None:
        if self._limit is None:
            self._limit = MOST_PAGES_UNANNOUNCED if page.last is None else 2 * page.last + _GROWTH
        self._repeated = 0 if new or not page.rows else self._repeated + 1
        if page.more and self.number >= self._limit:
            raise TallyfyResponseError(
                f"The list of {self._what} has no end: after {self.number} pages Tallyfy still announces more, "
                "far beyond what its first page announced. It cannot be told what is missing."
            )
        if page.more and self._repeated >= 3:
            raise TallyfyResponseError(
                f"The list of {self._what} does not move on: page {self.number} repeats rows of earlier pages, "
                "as the pages before it did. It cannot be told what is missing."
            )
