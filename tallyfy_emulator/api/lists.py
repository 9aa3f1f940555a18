"""Lists of other things than runs, page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from starlette.responses import Response

from tallyfy_emulator.api.request import RequestContext
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.model.run_filters import DEFAULT_PER_PAGE, pagination, window_of

Thing = TypeVar("Thing")


def paged(
    context: RequestContext,
    things: Sequence[Thing],
    row_of: Callable[[Thing], Any],
    *,
    per_page: int = DEFAULT_PER_PAGE,
    all_at_once: bool = True,
) -> Response:
    """Answer with a page of a list."""
    query, quirks = context.query, context.organization.quirks
    window = window_of(query, quirks, per_page)
    if window.everything and all_at_once:
        return json_response({"data": [row_of(each) for each in things]})
    start = (window.page - 1) * window.per_page
    rows = [row_of(each) for each in things[start : start + window.per_page]]
    payload: dict[str, Any] = {"data": rows}
    if quirks.meta:
        finite = replace(quirks, endless=False)  # that one is about lists of runs
        payload["meta"] = {"pagination": pagination(len(things), len(rows), window, finite, context.address, query)}
    return json_response(payload)
