"""Render what came of a check for people, with rich, which comes with Airflow."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import IO, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tallyfy_provider.check.fact import Fact
from tallyfy_provider.check.finding import Answer, Finding
from tallyfy_provider.check.runner import Outcome
from tallyfy_provider.check.vocabulary import allowed
from tallyfy_provider.client.redaction import one_line

_STYLES: Mapping[Answer, str] = {
    "holds": "green",
    "differs": "bold red",
    "cannot tell": "yellow",
    "not allowed": "cyan",
}


def console_for(stream: IO[str]) -> Console:
    """Return a console that writes colours to a terminal only, and never if NO_COLOR is set."""
    with_colours = stream.isatty() and not os.environ.get("NO_COLOR")
    return Console(file=stream, color_system="auto" if with_colours else None, highlight=False, emoji=False)


def print_outcome(console: Console, outcome: Outcome, left_out: int) -> None:
    """
    Print all facts with what was found, then those that differ, and how many there are.

    :param left_out: How many facts were left out, since they write.
    """
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("Answer", no_wrap=True)
    table.add_column("What we rely on", ratio=1, overflow="fold")
    table.add_column("What was seen", ratio=1, overflow="fold")
    subject = ""
    for fact, finding in outcome.findings:
        if fact.subject != subject:
            subject = fact.subject
            table.add_section()
            table.add_row("", Text(subject[0].upper() + subject[1:], "bold"), "")
        table.add_row(_answer(finding), Text(fact.title), Text(describe(finding)))
    console.print(table)
    _print_differences(console, outcome)
    _print_summary(console, outcome, left_out)


def _print_differences(console: Console, outcome: Outcome) -> None:
    for fact, finding in outcome.findings:
        if finding.answer == "differs":
            _print(console, Text.assemble(("differs", _STYLES["differs"]), f"  {fact.id}: {fact.title}."))
            _print(console, f"  Section {fact.section!r} of docs/tallyfy-api.md. Asked for: {fact.asks}.")
            _print(console, f"  Seen: {describe(finding) or 'nothing'}")
            _print(console, "")


def _print_summary(console: Console, outcome: Outcome, left_out: int) -> None:
    counts = (
        f"{outcome.count('holds')} hold, {outcome.count('differs')} differ, "
        f"{outcome.count('cannot tell')} cannot be told, {outcome.count('not allowed')} not allowed"
    )
    _print(console, f"{counts}. {outcome.requests} requests, {outcome.seconds:.1f} s.")
    if left_out:
        _print(console, f"{left_out} more facts are tried with --with-writes CHECKLIST_ID.")
    if outcome.count("differs"):
        _print(console, "Please send us a report of this: --report FILE writes one without anything of yours in it.")


def print_facts(console: Console, facts: Sequence[Fact]) -> None:
    """Print the list of facts."""
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("Id", no_wrap=True)
    table.add_column("What we rely on", ratio=3, overflow="fold")
    table.add_column("Asked for", ratio=2, overflow="fold")
    for fact in facts:
        asks = f"{fact.asks} (--with-writes)" if fact.writes else fact.asks
        table.add_row(Text(fact.id), Text(fact.title), Text(asks))
    console.print(table)


def describe(finding: Finding) -> str:
    """Return what was seen of a fact, and the note."""
    seen = "; ".join(f"{name.replace('_', ' ')}: {_shown(value)}" for name, value in allowed(finding.seen).items())
    return one_line(" ".join(part for part in (f"{seen}." if seen else "", finding.note) if part))


def _answer(finding: Finding) -> Text:
    return Text(finding.answer, _STYLES[finding.answer])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_shown(each) for each in value) or "none"
    return "none" if value is None else str(value)


def _print(console: Console, text: str | Text) -> None:
    console.print(text, markup=False, soft_wrap=False)
