"""
The walk over the pages of a list: which page comes next, and when it is over. Pure: it asks for nothing itself.

What Tallyfy's ``meta`` and ``links`` look like, and how they disagree, is in docs/tallyfy-api.md, "Pagination".
The walk asks by page number and never follows a link, which may point to another host or lose the filters. It ends
because Tallyfy says so; a server that never says so is an error, not an endless loop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.errors import TallyfyResponseError

#: Pages that are read at most where Tallyfy gives no total at all.
MOST_PAGES_UNANNOUNCED = 10_000
#: How far a list may grow while it is read, beyond twice its first size, before it counts as endless (pages).
_GROWTH = 100


@dataclass(frozen=True)
class Page:
    """
    One page as Tallyfy gave it.

    :param rows: Its rows, exactly as given.
    :param total: Rows in the whole list, where Tallyfy says so.
    :param last: Number of the last page as far as this page tells; None where only a link tells that there is more.
    :param more: Whether Tallyfy says that there is more after this page.
    :param unannounced: Whether Tallyfy says nothing at all about pages.
    """

    rows: list[dict[str, Any]]
    total: int | None
    last: int | None
    more: bool
    unannounced: bool


def read_page(payload: Any, *, number: int, what: str) -> Page:
    """
    Read an answer as a page.

    :param payload: The answer's JSON.
    :param number: Which page was asked for.
    :param what: What is being listed, for messages.
    :return: The page.
    :raises TallyfyResponseError: It is no page. An answer that cannot be read is never taken for an empty list.
    """
    rows = payload.get("data") if isinstance(payload, Mapping) else None
    if not isinstance(rows, list):
        raise TallyfyResponseError(f"Page {number} of {what} cannot be read: it holds no list under 'data'.")
    for row in rows:
        if not isinstance(row, dict) or row.get("id") in (None, ""):
            raise TallyfyResponseError(f"Page {number} of {what} cannot be read: one of its rows has no id.")
    pagination = _mapping(_mapping(payload.get("meta")).get("pagination"))
    total = _count(pagination.get("total"))
    last = _last_page(pagination, total)
    more = last > number if last is not None else bool(_mapping(pagination.get("links")).get("next"))
    return Page(rows=rows, total=total, last=last, more=more, unannounced=not pagination)


def _last_page(pagination: Mapping[str, Any], total: int | None) -> int | None:
    """Take the larger of what is said and what can be counted: ``total_pages`` may not know the size of a page."""
    said = _count(pagination.get("total_pages"))
    per_page = _count(pagination.get("per_page"))
    counted = math.ceil(total / per_page) if total is not None and per_page else None
    return max((number for number in (said, counted) if number is not None), default=None)


def _mapping(value: Any) -> Mapping[str, Any]:
    """Take an object; an empty one arrives as ``[]``."""
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    try:
        return max(0, int(value))
    except ValueError:
        return None


class Walk:
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
        self._limit: int | None = None
        self._largest_total = 0

    def accept(self, page: Page) -> list[dict[str, Any]]:
        """
        Take the page that was asked for and decide what comes next.

        :param page: The page with the number :attr:`number`.
        :return: Its rows that no earlier page had. Rows move between pages when a list changes while it is read.
        :raises TallyfyResponseError: The list has no end.
        """
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
