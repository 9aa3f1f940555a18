"""
One page of a list, as Tallyfy gave it. Pure.

What Tallyfy's ``meta`` and ``links`` look like, and how they disagree, is in docs/tallyfy-api.md, "Pagination". A link
is never followed: it may point to another host or lose the filters. Pages are asked for by number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tallyfy_provider.exceptions import TallyfyError, TallyfyResponseError


@dataclass(frozen=True)
class Page:
    """
    One page as Tallyfy gave it.

    :param rows: Its rows, exactly as given.
    :param total: Rows in the whole list, where Tallyfy says so.
    :param last: Number of the last page as far as this page tells; None where only a link tells that there is more.
    :param more: Whether Tallyfy says that there is more after this page.
    :param unannounced: Whether Tallyfy says nothing at all about pages.
    :param number: Which page it is.
    :param refusal: What Tallyfy said instead of giving the page, where that may mean that there is none.
    """

    rows: list[dict[str, Any]]
    total: int | None
    last: int | None
    more: bool
    unannounced: bool
    number: int = 1
    refusal: TallyfyError | None = None

    @property
    def is_behind_the_end(self) -> bool:
        """Whether the list ends before this page, which may be empty then, or another page once more."""
        return self.total is not None and self.last is not None and self.last < self.number

    @property
    def end(self) -> int | None:
        """Where the list ends, told by a page without rows; None where it does not tell, or only a number of pages."""
        return self.last if not self.rows and self.total is not None else None

    def counted(self, size: int) -> Page:
        """
        Count the pages again, now that it is known how many rows are on one.

        :param size: Rows on a full page.
        :return: The page, with what it tells of those after it.
        """
        counted = math.ceil(self.total / size) if self.total is not None and size else 0
        if counted <= (self.number if self.last is None else self.last):
            return self  # Where a link has contradicted the numbers, only more pages are believed.
        return replace(self, last=counted, more=self.more or counted > self.number)


def no_page(number: int, refusal: TallyfyError) -> Page:
    """
    Take a refusal for a page behind the end of a list; what Tallyfy answers there is not documented.

    :param number: Which page was asked for.
    :param refusal: What Tallyfy said.
    :return: A page without rows.
    """
    return Page([], total=None, last=None, more=False, unannounced=False, number=number, refusal=refusal)


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
    last = _last_page(pagination, total, len(rows) if number == 1 else 0)
    if last is not None and last <= number and _mapping(pagination.get("links")).get("next"):
        last = None  # A number that a link contradicts is none to rely on.
    more = last > number if last is not None else bool(_mapping(pagination.get("links")).get("next"))
    return Page(rows=rows, total=total, last=last, more=more, unannounced=not pagination, number=number)


def _last_page(pagination: Mapping[str, Any], total: int | None, rows_on_first: int) -> int | None:
    """Take the largest of what is said and what can be counted: ``total_pages`` may not know the size of a page."""
    numbers = [_count(pagination.get("total_pages"))]
    if total is not None:
        # A server may cap the size without saying so; then only the first page shows it.
        sizes = (_count(pagination.get("per_page")), rows_on_first)
        numbers += [math.ceil(total / size) for size in sizes if size]
    return max((number for number in numbers if number is not None), default=None)


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
