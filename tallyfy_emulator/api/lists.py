"""Lists, page by page: which rows a page holds, and the ``meta.pagination`` that describes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from starlette.responses import Response

from tallyfy_emulator.api.request import RequestContext
from tallyfy_emulator.api.responses import list_response
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.model.wire import encode

DEFAULT_PER_PAGE = 10

Row = TypeVar("Row")


@dataclass(frozen=True)
class Window:
    """The part of a query that decides which page is given."""

    page: int
    per_page: int
    everything: bool = False

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows on the page; none past the end."""
        start = (self.page - 1) * self.per_page
        return list(rows[start : start + self.per_page])


def window_of(query: Mapping[str, str], quirks: Quirks, per_page: int = DEFAULT_PER_PAGE) -> Window:
    """Parse which page a query asks for. Numbers that can't be read are taken as not given."""
    capped = min(_positive(query.get("per_page"), per_page), quirks.per_page_cap)
    return Window(_positive(query.get("page"), 1), capped, query.get("without_pagination") == "true")


def paged(
    context: RequestContext,
    rows: Sequence[Row],
    to_json: Callable[[Row], Any],
    *,
    per_page: int = DEFAULT_PER_PAGE,
    all_at_once: bool = True,
    page_of: Callable[[Sequence[Row], Window], list[Row]] | None = None,
    endless: bool = False,
) -> Response:
    """
    Answer with a page of a list.

    ``to_json`` gives a row as an object, or as JSON text already. ``all_at_once`` tells whether
    ``without_pagination`` is honoured. ``page_of`` and ``endless`` are for lists whose pages have quirks.
    """
    query, quirks = context.query, context.organization.quirks
    window = window_of(query, quirks, per_page)
    everything = window.everything and all_at_once
    page = list(rows) if everything else page_of(rows, window) if page_of else window.rows(rows)
    texts = [text if isinstance(text, str) else encode(text).decode() for text in map(to_json, page)]
    if everything or not quirks.meta:
        return list_response(texts, {})
    pagination = _pagination(context, len(rows), len(page), window, endless=endless)
    return list_response(texts, {"meta": {"pagination": pagination}})


def _pagination(context: RequestContext, total: int, count: int, window: Window, *, endless: bool) -> dict[str, Any]:
    query, quirks = context.query, context.organization.quirks
    asked = _positive(query.get("per_page"), window.per_page)
    per_page = asked if quirks.per_page_tells == "asked" else window.per_page
    pages = max(1, math.ceil(total / per_page))
    if endless:
        pages, total = window.page + 1, max(total, (window.page + 1) * window.per_page)
    meta: dict[str, Any] = {"total": total, "count": count, "per_page": per_page, "current_page": window.page}
    if quirks.total_pages:
        at_default = max(1, math.ceil(total / DEFAULT_PER_PAGE))
        meta["total_pages"] = at_default if quirks.total_pages_ignores_per_page else pages
    if quirks.links != "absent":
        meta["links"] = _links(window.page, pages, quirks, context.address, query)
    return meta


def _links(page: int, pages: int, quirks: Quirks, url: str, query: Mapping[str, str]) -> object:
    if quirks.links == "null":
        return None
    if quirks.links == "empty list":
        return []
    kept = {name: value for name, value in query.items() if name != "page"} if quirks.links_keep_filters else {}

    def link(number: int) -> str:
        return f"{url}?{urlencode({**kept, 'page': number}, quote_via=quote)}"

    next_page = link(page + 1) if page < pages else None
    previous = link(page - 1) if page > 1 else None
    if quirks.links == "nulls":
        return {"previous": previous, "next": next_page}
    candidates = {"next": next_page} if quirks.links == "next" else {"previous": previous, "next": next_page}
    # PHP writes an object without keys as a list.
    return {name: value for name, value in candidates.items() if value is not None} or []


def _positive(text: str | None, default: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or int(text) < 1:
        return default
    return int(text)
