"""Render what came of a check as JSON: for programs, and as a report that tells nothing about the organization."""

from __future__ import annotations

from typing import Any

from tallyfy_provider import __version__
from tallyfy_provider.check.fact import Fact
from tallyfy_provider.check.finding import ANSWERS, Finding
from tallyfy_provider.check.runner import Outcome
from tallyfy_provider.check.vocabulary import allowed

#: The format of what is rendered here; raised by a change that readers have to know (docs/check.md).
FORMAT = 1


def build_report(outcome: Outcome) -> dict[str, Any]:
    """Build the report: no text of it is from the organization."""
    return {**_head(outcome), "facts": {fact.id: _entry(finding) for fact, finding in outcome.findings}}


def build_json(outcome: Outcome) -> dict[str, Any]:
    """Build what ``--json`` prints: the report with titles, sections, and notes, which may quote Tallyfy."""
    return {
        **_head(outcome),
        "facts": {fact.id: _entry(finding) | _for_people(fact, finding) for fact, finding in outcome.findings},
    }


def build_error(message: str) -> dict[str, Any]:
    """Build what ``--json`` prints where nothing could be checked."""
    return {"format": FORMAT, "provider": __version__, "error": message}


def build_list(facts: tuple[Fact, ...]) -> dict[str, Any]:
    """Build the list of facts."""
    return {
        "format": FORMAT,
        "provider": __version__,
        "facts": {
            fact.id: {
                "subject": fact.subject,
                "title": fact.title,
                "section": fact.section,
                "asks": fact.asks,
                "writes": fact.writes,
            }
            for fact in facts
        },
    }


def _head(outcome: Outcome) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "provider": __version__,
        "with_writes": outcome.with_writes,
        "requests": outcome.requests,
        "seconds": round(outcome.seconds, 1),
        "answers": {answer: outcome.count(answer) for answer in ANSWERS},
    }


def _entry(finding: Finding) -> dict[str, Any]:
    entry = {"answer": finding.answer, "seen": allowed(finding.seen)}
    return entry | ({"quirks": allowed(finding.quirks)} if finding.quirks else {})


def _for_people(fact: Fact, finding: Finding) -> dict[str, Any]:
    return {"subject": fact.subject, "title": fact.title, "section": fact.section, "note": finding.note}
