"""What is found when an organization is asked for a fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Answer = Literal["holds", "differs", "cannot tell", "not allowed"]
ANSWERS: tuple[Answer, ...] = ("holds", "differs", "cannot tell", "not allowed")


@dataclass(frozen=True)
class Finding:
    """
    What was found of one fact.

    :param answer: One of :data:`ANSWERS`.
    :param seen: What was seen: numbers, booleans, and words of :mod:`.vocabulary`. It goes into reports.
    :param note: What would be needed, or what else was seen, for people. It may quote what Tallyfy wrote, and is in no
        report.
    :param quirks: Names and values of the emulator's quirks that answer as was seen.
    """

    answer: Answer
    seen: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    quirks: Mapping[str, Any] = field(default_factory=dict)


def holds(note: str = "", *, quirks: Mapping[str, Any] | None = None, **seen: Any) -> Finding:
    """Return that a fact is true here."""
    return Finding("holds", seen, note, quirks or {})


def differs(note: str = "", *, quirks: Mapping[str, Any] | None = None, **seen: Any) -> Finding:
    """Return that a fact is not true here."""
    return Finding("differs", seen, note, quirks or {})


def cannot_tell(needed: str, **seen: Any) -> Finding:
    """Return that it cannot be told, and what would be needed."""
    return Finding("cannot tell", seen, needed)


def not_allowed(note: str, **seen: Any) -> Finding:
    """Return that the user of the connection may not ask."""
    return Finding("not allowed", seen, note)


def found(is_so: bool, note: str = "", *, quirks: Mapping[str, Any] | None = None, **seen: Any) -> Finding:
    """Return that a fact holds, or that it differs."""
    return Finding("holds" if is_so else "differs", seen, note, quirks or {})


class Unanswered(Exception):
    """Ends a fact early: a request had no answer from which the fact could be told."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.note)
        self.finding = finding
