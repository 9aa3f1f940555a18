"""Check the runs that came back against the filters, since Tallyfy ignores filters that it does not know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.filtering import Elements
from tallyfy_provider.client.redaction import quoted, shown
from tallyfy_provider.client.runs.filters import RUN_STATUSES
from tallyfy_provider.utils.timestamps import is_date

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Mismatch:
    """Runs that a filter does not allow: how many, and one of them as an example."""

    filter: str
    count: int
    example: str

    def __str__(self) -> str:
        return (
            f"{self.count} of the runs came back although filters[{self.filter!r}] does not allow them, "
            f"for example {self.example}. Tallyfy ignores filters that it does not understand."
        )


class FilterCheck:
    """Count the runs that the filters of :attr:`.filters.Query.asked` do not allow."""

    def __init__(self, asked: Mapping[str, Elements]) -> None:
        self._asked = asked
        self._counts: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    def check(self, run: Run) -> None:
        """Check one run as the API gave it."""
        for name in self._asked:
            if not self._allows(name, run):
                self._counts[name] = self._counts.get(name, 0) + 1
                self._examples.setdefault(name, _describe(run, name))

    def pass_on(self, runs: Iterable[Any]) -> Iterator[Any]:
        """Yield runs, each checked before."""
        for run in runs:
            self.check(run)
            yield run

    @property
    def mismatches(self) -> list[Mismatch]:
        """One for each filter that runs did not match."""
        return [Mismatch(name, count, self._examples[name]) for name, count in self._counts.items()]

    def _allows(self, name: str, run: Run) -> bool:
        if name == "status":
            return self._allows_status(run)
        if name == "archived":
            return self._asked[name] != ("only",) or "archived_at" not in run or is_archived(run)
        return run.get(name) is None or str(run[name]) in self._asked[name]

    def _allows_status(self, run: Run) -> bool:
        allowed = set(self._asked["status"])
        actual = run.get("status")
        if not isinstance(actual, str) or not allowed <= set(RUN_STATUSES):
            return True  # starred and improvement are no statuses: no run can be checked against them.
        if allowed == {"archived"}:
            return is_archived(run)
        if "problem" in allowed:
            allowed.add("issue")  # The filter 'problem' returns both, as documented.
        if "active" in allowed:
            allowed.add("in-progress")
        if "archived" in self._asked and is_archived(run):
            allowed.add("archived")  # An archived run's status may be either.
        return actual.lower() in allowed


def is_archived(run: Run) -> bool:
    """Return whether a run is archived; a list may still give its old status beside ``archived_at``."""
    return is_date(run.get("archived_at")) or run.get("status") == "archived"


def _describe(run: Run, name: str) -> str:
    field = "archived_at" if name == "archived" else name
    return f"run {shown(run.get('id'))} ({quoted(run.get('name'))}) with {field} {quoted(run.get(field))}"


def select(runs: Iterable[Run], fields: Iterable[str]) -> list[dict[str, Any]]:
    """Return only the named fields of each run; one that a run does not have is None."""
    names = list(fields)
    return [{name: run.get(name) for name in names} for run in runs]
