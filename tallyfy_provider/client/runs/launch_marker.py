"""
Mark a launched run by a line in its summary, with a token that only this launch has. Pure.

Tallyfy knows no idempotency key (docs/tallyfy-api.md, "Launching once"), so the run carries one of its own, where
people can read which Dag launched it and a retry can find it again.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from typing import Any

from tallyfy_provider.utils.html import WHOLE_TAG, letters_of

_NAME = "airflow:"
_LENGTH = 20
_DIGITS = frozenset("0123456789abcdef")
_TOKEN = re.compile(rf"\\?\[{_NAME}[0-9a-f]{{{_LENGTH}}}\\?\]", re.IGNORECASE)


@dataclass(frozen=True)
class LaunchMarker:
    """The token of one launch, and the line that people read, with the token in it."""

    token: str
    line: str

    @classmethod
    def build(cls, line: str, *parts: object) -> LaunchMarker:
        """Build the marker of a launch; the token is derived from ``parts``, so the same parts give the same token."""
        digest = hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()
        token = f"[{_NAME}{digest[:_LENGTH]}]"
        return cls(token, f"{token} {line}")

    def written_into(self, summary: str | None) -> str:
        """Return a summary, text or HTML, that begins with the token, which stays if Tallyfy cuts a long summary."""
        return with_line(summary, self.line)

    @property
    def _letters(self) -> str:
        """The token without its brackets, which a server may escape or drop."""
        return self.token.strip("[]")

    def is_in(self, run: Mapping[str, Any]) -> bool:
        """Tell whether a run carries this marker; something follows it, or it may have been cut."""
        return self._letters in letters_of(run.get("summary"))[:-1]

    def may_be_in(self, run: Mapping[str, Any]) -> bool:
        """
        Tell whether a run may carry this marker, though Tallyfy may have cut the summary that it shows.

        It may where nothing is left of the summary, or no more than what the token begins with, and something that
        shows the cut; also where the summary is no text. It does not where the summary begins in another way, or with
        the token of another launch.
        """
        summary = run.get("summary")
        if isinstance(summary, (Mapping, list)):
            return True
        shown = letters_of(summary, is_cut=True)
        begun = "".join(dropwhile(lambda letter: not letter.isalnum(), shown))
        alike = takewhile(lambda letters: letters[0] == letters[1], zip(begun, self._letters, strict=False))
        same = sum(1 for _ in alike)
        if same == len(begun):
            return True
        if same >= len(_NAME):
            return begun[same] not in _DIGITS
        has_bracket = "[" in shown[: len(shown) - len(begun)]
        return has_bracket or (same > 0 and not any(map(str.isalnum, begun[same:])))


def with_line(summary: str | None, line: str) -> str:
    """Put a line of plain text above a summary, text or HTML."""
    text = (summary or "").strip()
    if not text:
        return line
    return f"<p>{html.escape(line, quote=False)}</p>{text}" if WHOLE_TAG.search(text) else f"{line}\n\n{text}"


def line_in(summary: Any) -> str | None:
    """Return the line with a marker in a summary, without HTML, to keep it when the summary is changed."""
    for line in re.split(r"\n|<br\s*/?>|</?p>|</?div>", str(summary or "")):
        if _TOKEN.search(line):
            return html.unescape(WHOLE_TAG.sub("", line)).strip()
    return None
