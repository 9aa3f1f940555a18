"""Choose and order the runs of a list. Pure: from a query and runs to runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.wire import ids_of

STATUSES = frozenset({"active", "problem", "delayed", "complete", "issue", "improvement", "starred"})
TYPES = frozenset({"procedure", "form", "document"})
TASK_STATUSES = frozenset({"all", "in-progress", "completed"})
_BOOLEANS = {"true": True, "false": False}
_ALIASES = {"blueprint_id": "checklist_id", "sort_by": "sort"}
_SORT_KEYS: dict[str, Callable[[Run], tuple[Any, ...]]] = {
    "name": lambda run: (run.name.casefold(), run.increment_id),
    "created_at": lambda run: (run.created_at, run.increment_id),
}
_DEFAULT_SORT = "-created_at"

Test = Callable[[Run], bool]


@dataclass(frozen=True)
class Selection:
    """The part of a query that decides which runs a list holds and in which order."""

    filters: tuple[tuple[str, str], ...]
    sort: str

    def apply(self, runs: Iterable[Run]) -> list[Run]:
        """Choose and order runs."""
        tests = self.tests()
        chosen = [run for run in runs if all(test(run) for test in tests)]
        chosen.sort(key=_SORT_KEYS[self.sort.lstrip("+-")], reverse=self.backwards)
        return chosen

    def tests(self) -> list[Test]:
        """Return what a run must pass; filters that let everything through are left out."""
        return [test for test in (_TESTS[name](value) for name, value in self.filters) if test is not None]

    @property
    def backwards(self) -> bool:
        """Whether the order is descending."""
        return self.sort.startswith("-")

    @property
    def by_name(self) -> bool:
        """Whether a run's name decides if, or where, the list has it."""
        return self.sort.lstrip("+-") == "name" or "q" in dict(self.filters)


def selection_of(query: Mapping[str, str]) -> Selection:
    """Parse what a query selects. Unknown filters, values and sort orders are ignored, as Tallyfy does."""
    named = {_ALIASES.get(name, name): value for name, value in query.items()}
    sort = named.get("sort", "").strip()
    if sort.lstrip("+-") not in _SORT_KEYS:
        sort = _DEFAULT_SORT
    filters = {name: value for name, value in named.items() if name in _TESTS and value != ""}
    filters.setdefault("archived", "")
    return Selection(tuple(sorted(filters.items())), sort)


def _by_name(value: str) -> Test | None:
    wanted = value.strip().casefold()
    return lambda run: wanted in run.name.casefold()


def _by_status(value: str) -> Test | None:
    if value not in STATUSES:
        return None
    if value == "starred":
        return lambda run: run.starred
    if value == "improvement":
        return lambda run: run.improvement
    if value == "problem":
        return lambda run: run.status in ("problem", "issue")
    return lambda run: run.status == value


def _by_archived(value: str) -> Test | None:
    if value == "true":
        return None
    if value == "only":
        return lambda run: run.archived_at is not None
    return lambda run: run.archived_at is None


def _by_owners(value: str) -> Test | None:
    wanted = ids_of(value)
    return lambda run: str(run.owner_id) in wanted or any(str(each) in wanted for each in run.assignees)


def _by_checklist(value: str) -> Test | None:
    return lambda run: run.checklist.id == value


def _by_any(attribute: str) -> Callable[[str], Test | None]:
    def make(value: str) -> Test | None:
        wanted = ids_of(value)
        return lambda run: not wanted.isdisjoint(getattr(run, attribute))

    return make


def _by_untagged(value: str) -> Test | None:
    return (lambda run: not run.tags) if value == "true" else None


def _by_starred(value: str) -> Test | None:
    wanted = _BOOLEANS.get(value)
    return None if wanted is None else lambda run: run.starred is wanted


def _by_type(value: str) -> Test | None:
    return (lambda run: run.type == value) if value in TYPES else None


def _by_task_status(value: str) -> Test | None:
    if value not in TASK_STATUSES or value == "all":
        return None
    finished = value == "completed"
    return lambda run: (run.tasks_done >= run.tasks_total) is finished


_TESTS: dict[str, Callable[[str], Test | None]] = {
    "q": _by_name,
    "status": _by_status,
    "archived": _by_archived,
    "owners": _by_owners,
    "checklist_id": _by_checklist,
    "folder": _by_any("folders"),
    "tag": _by_any("tags"),
    "tag_ids": _by_any("tags"),
    "untagged": _by_untagged,
    "groups": _by_any("groups"),
    "starred": _by_starred,
    "type": _by_type,
    "task_status": _by_task_status,
}
