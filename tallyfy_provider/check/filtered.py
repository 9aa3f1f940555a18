"""Tell from a list and from what a filter leaves of it whether the filter filters. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tallyfy_provider.check.finding import Finding, cannot_tell, differs, holds
from tallyfy_provider.check.reader import ListPage, Row

#: Tells whether a filter allows a row; None where the row does not show it.
Matches = Callable[[Row], bool | None]


def compare(
    page: ListPage,
    matches: Matches,
    what: str,
    *,
    expected: Iterable[Row],
    sample: Iterable[Row],
    total: int | None,
) -> Finding:
    """
    Tell whether a filter filters.

    :param page: The first rows that it leaves.
    :param what: What would be needed where nothing shows it.
    :param expected: Rows of which the page holds one at least, if the filter allows any of them.
    :param sample: Rows of the whole list.
    :param total: Rows in the whole list.
    """
    verdicts = [matches(row) for row in page.rows]
    seen: dict[str, Any] = {"rows": len(page.rows), "wrong": verdicts.count(False)}
    if False in verdicts:
        return differs("It gives rows that it should leave out.", **seen)
    known = [str(row["id"]) for row in expected if matches(row) is True]
    if known and set(known).isdisjoint(page.ids):
        return differs("It leaves out rows that it should give.", **seen)
    if not page.rows:
        return cannot_tell(f"It needs {what}.", **seen)
    if page.total is not None and total is not None and page.total > total + total // 20:
        return cannot_tell("It needs a list of all rows.", **seen)
    if page.total is not None and total is not None and page.total >= total:
        if any(matches(row) is False for row in sample):
            return differs("Its total counts all rows.", **seen)
        return cannot_tell(f"It needs {what}, and a row that it leaves out.", **seen)
    return holds(**seen)
