"""Holds the rows that came back against what was asked for, since Tallyfy ignores filters it does not know. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.runs.filters import RUN_STATUSES

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Mismatch:
    """
    Rows that are not what was asked for.

    :param filter: The filter's name.
    :param count: How many rows.
    :param example: One of them, for people.
    """

    filter: str
    count: int
    example: str

    def __str__(self) -> str:
        """Say it as one sentence."""
        return (
            f"{self.count} of the runs came back although filters[{self.filter!r}] does not allow them, "
            f"for example {self.example}."
        )


class RowCheck:
    """
    Counts the rows that are not what was asked for.

    :param asked: Filters by name to the values asked for (:attr:`~tallyfy_provider.client.runs.filters.Query.asked`).
    """

    def __init__(self, asked: Mapping[str, tuple[str, ...]]) -> None:
        self._asked = asked
        self._tests = [(name, _TESTS[name]) for name in asked if name in _TESTS]
        self._counts: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    def look_at(self, run: Run) -> None:
        """
        Look at one row.

        :param run: The run as the API gave it.
        """
        for name, fits in self._tests:
            if fits(run, self._asked):
                continue
            self._counts[name] = self._counts.get(name, 0) + 1
            self._examples.setdefault(name, _describe(run, name))

    @property
    def mismatches(self) -> list[Mismatch]:
        """What was found, a row a filter."""
        return [Mismatch(name, count, self._examples[name]) for name, count in self._counts.items()]


def _status_fits(run: Run, asked: Mapping[str, tuple[str, ...]]) -> bool:
    wanted = set(asked["status"])
    actual = run.get("status")
    if not isinstance(actual, str) or not wanted <= set(RUN_STATUSES):
        return True  # starred and improvement are no statuses: nothing to hold a row against.
    if wanted == {"archived"}:
        return is_archived(run)
    if "problem" in wanted:
        wanted.add("issue")  # The filter 'problem' returns both, as documented.
    if "active" in wanted:
        wanted.add("in-progress")
    if "archived" in asked and is_archived(run):
        wanted.add("archived")  # An archived run's status may read either way.
    return actual.lower() in wanted


def _archived_fits(run: Run, asked: Mapping[str, tuple[str, ...]]) -> bool:
    return asked["archived"] != ("only",) or "archived_at" not in run or is_archived(run)


def _equal(name: str) -> Callable[[Run, Mapping[str, tuple[str, ...]]], bool]:
    def fits(run: Run, asked: Mapping[str, tuple[str, ...]]) -> bool:
        actual = run.get(name)
        return actual is None or str(actual) in asked[name]

    return fits


_TESTS: Mapping[str, Callable[[Run, Mapping[str, tuple[str, ...]]], bool]] = {
    "status": _status_fits,
    "archived": _archived_fits,
    "checklist_id": _equal("checklist_id"),
    "type": _equal("type"),
}


def is_archived(run: Run) -> bool:
    """
    Tell whether a run is archived.

    :param run: The run as the API gave it; a list may go on saying its old status beside ``archived_at``.
    :return: True where ``archived_at`` is set or the status says so.
    """
    return bool(run.get("archived_at")) or run.get("status") == "archived"


def _describe(run: Run, name: str) -> str:
    field = "archived_at" if name == "archived" else name
    return f"run {run.get('id')} ({run.get('name')!r}) with {field} {run.get(field)!r}"


def select(runs: Iterable[Run], fields: Iterable[str]) -> list[dict[str, Any]]:
    """
    Keep some fields of each run.

    :param runs: Runs as the API gave them.
    :param fields: Names of fields; one that a run does not have becomes None.
    :return: A dict of just these fields for each run.
    """
    names = list(fields)
    return [{name: run.get(name) for name in names} for run in runs]
