"""Keeps secrets out of whatever is said aloud."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

#: Shorter values would blank out half of every message.
_SHORTEST_SECRET = 5
_HIDDEN = "***"
_LONGEST_QUOTE = 300
#: Tallyfy's error messages have been seen to quote SQL (docs/tallyfy-api.md, "Errors, limits, retries").
_SQL = re.compile(r"SQLSTATE|\b(select|insert|update|delete)\b.+\b(from|into|set)\b", re.IGNORECASE | re.DOTALL)


class Secrets:
    """
    The secrets that one client knows.

    :param on_new: Told of each new one, so that Airflow can mask it in its logs too.
    """

    def __init__(self, on_new: Callable[[str], None] | None = None) -> None:
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._on_new = on_new

    def add(self, value: str | None) -> None:
        """
        Remember a secret.

        :param value: The secret; an empty one is not kept.
        """
        if not value:
            return
        with self._lock:
            if value in self._known:
                return
            self._known.add(value)
        if self._on_new:
            self._on_new(value)

    def redact(self, text: str) -> str:
        """
        Blank out every known secret.

        :param text: Anything that is about to be said.
        :return: The text with ``***`` for each secret.
        """
        with self._lock:
            known = sorted((value for value in self._known if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)
        for value in known:
            text = text.replace(value, _HIDDEN)
        return text


def quotable(text: str) -> str:
    """
    Make what a server said fit to be quoted in a message.

    :param text: The server's words.
    :return: One short line of them, or a note where they quote SQL.
    """
    line = " ".join(text.split())
    if _SQL.search(line):
        return "(Tallyfy's message quotes SQL and is withheld)"
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"
