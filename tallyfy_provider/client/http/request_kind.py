"""
Tell the kind of a request, whose limit it shares, and how urgent it is.

Tallyfy caps some changes by themselves, such as comments for each organization and hour (docs/tallyfy-api.md, "Errors,
limits, retries"). So a request counts with those of the same method and family of paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum

READS, LAUNCHES, COMMENTS, INVITATIONS, TOKENS, WRITES = (
    "reads",
    "launches",
    "comments",
    "invitations",
    "tokens",
    "writes",
)
#: Names in the paths of comments: problems and their resolutions are comments, too.
_COMMENT_PATHS = frozenset({"comment", "comments", "problem", "resolved-threads"})
_INVITATION_PATHS = frozenset({"guests", "invite", "invitations"})


class Priority(IntEnum):
    """Who goes first; the value is the number of turns that may be reserved ahead, from 8 down to 1."""

    WAIT = 8
    CALL = 4
    LIST = 2
    EXPORT = 1


_priority: ContextVar[Priority | None] = ContextVar("tallyfy_priority", default=None)


def kind_of(method: str, path: str) -> str:
    """Return the kind of a request, from its method and its path without a query."""
    parts = [part for part in path.lower().split("/") if part]
    last = parts[-1] if parts else ""
    if last == "token":
        return TOKENS
    if method in {"GET", "HEAD", "OPTIONS"}:
        return READS
    if not _COMMENT_PATHS.isdisjoint(parts):
        return COMMENTS
    if not _INVITATION_PATHS.isdisjoint(parts) or (method == "POST" and last == "users"):
        return INVITATIONS
    return LAUNCHES if method == "POST" and last == "runs" else WRITES


def current_priority(default: Priority) -> Priority:
    """Return the priority of whoever is calling."""
    return _priority.get() or default


@contextmanager
def request_priority(priority: Priority) -> Iterator[None]:
    """Send the requests of this context with a priority; the outermost one counts."""
    token = _priority.set(_priority.get() or priority)
    try:
        yield
    finally:
        _priority.reset(token)
