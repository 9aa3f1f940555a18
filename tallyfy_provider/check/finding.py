"""What is found when an organization is asked for a fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    """
    Ends a fact early: a request had no answer from which the fact could be told.

    :param is_answer: Whether Tallyfy did answer, with a refusal or something of another kind: the facts that share the
        request cannot be told, and the one that is about it differs (:func:`own_answer`).
    """

    def __init__(self, finding: Finding, *, is_answer: bool = False) -> None:
        super().__init__(finding.note)
        self.finding = finding
        self.is_answer = is_answer


@contextmanager
def own_answer(*, unless: bool = False) -> Iterator[None]:
    """
    Find that a fact differs where what it is about is refused, or answered with something of another kind.

    :param unless: Whether another fact finds that already.
    """
    try:
        yield
    except Unanswered as early:
        if early.is_answer and not unless:
            raise Unanswered(differs(early.finding.note, **early.finding.seen)) from None
        raise
