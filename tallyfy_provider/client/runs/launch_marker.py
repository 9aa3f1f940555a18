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
from typing import Any

_LENGTH = 20
_TOKEN = re.compile(rf"\[airflow:[0-9a-f]{{{_LENGTH}}}\]")
_HTML = re.compile(r"<[a-zA-Z/][^>]*>")


@dataclass(frozen=True)
class LaunchMarker:
    """The token of one launch, and the line that people read, with the token in it."""

    token: str
    line: str

    @classmethod
    def build(cls, line: str, *parts: object) -> LaunchMarker:
        """Build the marker of a launch; the token is derived from ``parts``, so the same parts give the same token."""
        digest = hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()
        token = f"[airflow:{digest[:_LENGTH]}]"
        return cls(token, f"{line} {token}")

    def written_into(self, summary: str | None) -> str:
        """Return a summary, text or HTML, that begins with the marker, which stays if Tallyfy cuts a long summary."""
        return with_line(summary, self.line)

    def is_in(self, run: Mapping[str, Any]) -> bool:
        """Tell whether a run carries this marker."""
        return self.token in html.unescape(str(run.get("summary") or ""))


def with_line(summary: str | None, line: str) -> str:
    """Put a line of plain text above a summary, text or HTML."""
    text = (summary or "").strip()
    if not text:
        return line
    return f"<p>{html.escape(line, quote=False)}</p>{text}" if _HTML.search(text) else f"{line}\n\n{text}"


def line_in(summary: str | None) -> str | None:
    """Return the line with a marker in a summary, without HTML, to keep it when the summary is changed."""
    for line in re.split(r"\n|<br\s*/?>|</?p>|</?div>", summary or ""):
        if _TOKEN.search(line):
            return html.unescape(_HTML.sub("", line)).strip()
    return None
