"""
Guest links: addresses that let whoever has them act for a guest, without a login. Pure.

They are bearer secrets (docs/tallyfy-api.md, "Run object"), so they go into no log and no XCom.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any

#: Under these names Tallyfy gives them.
_NAMES = frozenset({"taskurls", "guest-links", "guest_links", "guestlinks", "guest_link", "guest-link"})


def without_guest_links(value: Any) -> Any:
    """
    Leave guest links out.

    :param value: What the API gave: a run, a task, a list of them.
    :return: The same without guest links; what holds none is given as it is.
    """
    if isinstance(value, dict):
        if not any(_holds(inner) or str(name).lower() in _NAMES for name, inner in value.items()):
            return value
        return {name: without_guest_links(inner) for name, inner in value.items() if str(name).lower() not in _NAMES}
    if isinstance(value, list) and any(_holds(inner) for inner in value):
        return [without_guest_links(inner) for inner in value]
    return value


def rows_without_guest_links(rows: Generator[dict[str, Any]], params: Mapping[str, str]) -> Generator[dict[str, Any]]:
    """
    Leave guest links out of the rows of a list; only what was got along with them can hold any.

    :param rows: The rows; closed at the end.
    :param params: What was asked for.
    :return: The rows.
    """
    with closing(rows):
        for row in rows:
            yield without_guest_links(row) if "with" in params else row


def _holds(value: Any) -> bool:
    if isinstance(value, dict):
        return any(str(name).lower() in _NAMES or _holds(inner) for name, inner in value.items())
    return isinstance(value, list) and any(_holds(inner) for inner in value)
