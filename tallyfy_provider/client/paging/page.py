"""
One page of a list, as Tallyfy gave it. Pure.

What Tallyfy's ``meta`` and ``links`` look like, and how they disagree, is in docs/tallyfy-api.md, "Pagination". Each of
them may be wrong, missing or of another type, so none is trusted alone: rows decide. A link is never followed, since it
may point to another host or lose the filters. Pages are requested by number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyNotFoundError,
    TallyfyResponseError,
    TallyfyValidationError,
)

Row = dict[str, Any]

#: Numbers beyond this are nonsense: no list has so many rows.
_LARGEST_COUNT = 10**12


@dataclass(frozen=True)
class PageRequest:
    """
    A page to request: the rows from ``start`` up to, but not including, ``stop``.

    :param number: Which page, from 1.
    :param per_page: Rows to a page.
    """

    number: int
    per_page: int

    @property
    def start(self) -> int:
        """Index of its first row in the list."""
        return (self.number - 1) * self.per_page

    @property
    def stop(self) -> int:
        """Index behind its last row in the list."""
        return self.number * self.per_page


@dataclass(frozen=True)
class Page:
    """
    One page as Tallyfy gave it.

    :param rows: Its rows, exactly as given.
    :param total: Rows in the whole list, where Tallyfy says so.
    :param last: Number of the last page, where Tallyfy says so (``total_pages``).
    :param has_next: Whether ``links`` names a next page; None where there are no links.
    :param weight: Bytes of the answer, where they are known.
    :param is_too_heavy: Whether no answer came since it would have been too long: fewer rows are to be asked for.
    :param refusal: The error that Tallyfy gave instead of the page, where that may mean that there is none.
    """

    rows: list[Row]
    total: int | None = None
    last: int | None = None
    has_next: bool | None = None
    refusal: TallyfyError | None = None
    weight: int = 0
    is_too_heavy: bool = False

    def page_count(self, per_page: int) -> int | None:
        """Return the number of pages of this size; the larger one where Tallyfy says two. None where it says none."""
        counted = None if self.total is None else -(-self.total // per_page)
        return max((count for count in (self.last, counted) if count is not None), default=None)

    def announcements(self, request: PageRequest) -> dict[str, bool]:
        """
        Compare what each part of ``meta`` announces: whether rows follow this page.

        :param request: The page that was requested.
        :return: Names of those parts that say anything, each with whether it announces more.
        """
        found: dict[str, bool] = {}
        end = request.start + len(self.rows)
        # A number that these very rows contradict says nothing.
        if self.total is not None and (self.total >= end or not self.rows):
            found["total"] = self.total > end
        if self.last is not None and (self.last >= request.number or not self.rows):
            found["total_pages"] = self.last > request.number
        if self.has_next is not None:
            found["links.next"] = self.has_next
        return found

    def has_more_by_totals(self, request: PageRequest) -> bool:
        """Tell whether the number of rows announces more after this page, and that of pages, where given, agrees."""
        announced = self.announcements(request)
        return announced.get("total", False) and announced.get("total_pages", True)


def page_behind_the_end(request: PageRequest, read: Callable[[], Page]) -> Page:
    """
    Read a page; what Tallyfy answers for one behind the end of a list is not documented, and may be a refusal.

    :param request: The page to read.
    :param read: Reads it.
    :return: The page; one without rows, that holds the refusal, where Tallyfy refused any page but the first.
    :raises TallyfyError: As ``read``.
    """
    try:
        return read()
    except (TallyfyNotFoundError, TallyfyValidationError) as refusal:
        if request.number == 1 or refusal.code == "ENDPOINT_NOT_FOUND":
            raise
        return Page([], refusal=refusal)


def read_page(payload: Any, *, number: int, what: str) -> Page:
    """
    Read an answer as a page.

    :param payload: The answer's JSON.
    :param number: Which page was requested, for messages.
    :param what: What is being listed, for messages.
    :return: The page.
    :raises TallyfyResponseError: It is no page. An answer that cannot be read is never taken for an empty list.
    """
    answer = _mapping(payload)
    rows = _rows(answer.get("data"))
    if rows is None:
        raise TallyfyResponseError(f"Page {number} of {what} cannot be read: it holds no list under 'data'.")
    for row in rows:
        if not isinstance(row, dict) or not is_id(row.get("id")):
            raise TallyfyResponseError(f"Page {number} of {what} cannot be read: one of its rows has no id.")
    meta = _mapping(answer.get("meta"))
    pagination = _mapping(meta.get("pagination")) or meta  # Laravel, which Tallyfy runs on, writes it there by itself
    return Page(
        rows=rows,
        total=_count(pagination.get("total")),
        last=_count(pagination.get("total_pages", pagination.get("last_page"))),
        has_next=_has_next(pagination if "links" in pagination else answer),
    )


def _rows(data: Any) -> list[Any] | None:
    """Return the rows; PHP writes a list out of which something was taken as an object with numbers as keys."""
    if isinstance(data, dict) and data and all(key.isdigit() for key in data):
        return list(data.values())
    return data if isinstance(data, list) else None


def is_id(value: Any) -> bool:
    """Tell whether a value can be the id of something in Tallyfy."""
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def _has_next(linking: Mapping[str, Any]) -> bool | None:
    links = linking.get("links")
    if "links" not in linking or (isinstance(links, list) and links):  # a list is one of numbers to click on
        return None
    return bool(_mapping(links).get("next"))


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return an object; an empty one arrives as ``[]``."""
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    """Return a plausible number of rows or pages, or None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _LARGEST_COUNT else None
