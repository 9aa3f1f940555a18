"""Choose and order the tasks of a list. Unknown filters and values are ignored, as Tallyfy does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import status_of
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.wire import ids_of, parse_date

TaskInRun = tuple[Run, Task]
_Test = Callable[[Run, Task], bool]

_DAY = 86400.0
_NEVER = float("inf")
_SORT_KEYS: dict[str, Callable[[TaskInRun], tuple[Any, ...]]] = {
    "position": lambda held: (held[0].increment_id, held[1].position),
    "deadline": lambda held: (held[1].deadline or _NEVER, held[1].increment_id),
    "newest": lambda held: (-held[1].created_at, -held[1].increment_id),
    "problems": lambda held: (not held[1].has_open_issue, held[1].increment_id),
    "completed_newest": lambda held: (-(held[1].completed_at or 0.0), held[1].increment_id),
}


def chosen(
    held: list[TaskInRun], query: Mapping[str, str], now: float, quirks: Quirks, default_sort: str = "position"
) -> list[TaskInRun]:
    """Choose and order tasks."""
    tests = [test for test in (_status_test(query, now, quirks), *_tests(query)) if test is not None]
    found = [each for each in held if all(test(*each) for test in tests)]
    sort = query.get("sort", query.get("sort_by", "")).strip()
    if sort.lstrip("+-") not in _SORT_KEYS:
        sort = default_sort
    return sorted(found, key=_SORT_KEYS[sort.lstrip("+-")], reverse=sort.startswith("-"))


def _status_test(query: Mapping[str, str], now: float, quirks: Quirks) -> _Test | None:
    def overdue(run: Run, task: Task) -> bool:
        return task.is_open and task.deadline is not None and task.deadline < now

    def due_soon(run: Run, task: Task) -> bool:
        return task.is_open and task.deadline is not None and now <= task.deadline < now + _DAY

    tests: dict[str, _Test] = {
        "complete": lambda run, task: task.is_done,
        "completed": lambda run, task: task.is_done,
        "active": lambda run, task: task.is_open,
        "active_visible": lambda run, task: task.is_open,
        "incomplete": lambda run, task: task.is_open,
        "inprogress": lambda run, task: status_of(run, task, quirks) == "active",
        "not-started": lambda run, task: status_of(run, task, quirks) == "not-started",
        "hasproblem": lambda run, task: task.has_open_issue,
        "overdue": overdue,
        "due_soon": due_soon,
        "auto-skipped": lambda run, task: not task.auto_skipped,  # what one may expect is not what one gets
    }
    wanted = [tests[status] for status in ids_of(query.get("status", "")) if status in tests]
    return (lambda run, task: any(test(run, task) for test in wanted)) if wanted else None


def _tests(query: Mapping[str, str]) -> list[_Test | None]:
    return [
        _by_name(query.get("q", "")),
        _by_any(query.get("owners", ""), lambda task: map(str, task.owners.users)),
        _by_any(query.get("guests", ""), lambda task: iter(task.owners.guests)),
        _by_any(query.get("groups", ""), lambda task: iter(task.owners.groups)),
        _by_unassigned(query.get("unassigned", "")),
        _by_one_off(query.get("is_oneoff", "")),
        _by_archived(query.get("archived", "")),
        _by_run_parts(query.get("folder", ""), "folders"),
        _by_days(query.get("created", ""), lambda task: task.created_at),
        _by_days(query.get("deadline", ""), _deadline),
        _by_days(query.get("deadline_on", ""), _deadline),
        _between(query.get("deadline_start_range", ""), query.get("deadline_end_range", ""), _deadline),
        _by_exclusive_day(query.get("deadline_after", ""), lambda at, day: at >= day + _DAY),
        _by_exclusive_day(query.get("deadline_before", ""), lambda at, day: at < day),
    ]


def _deadline(task: Task) -> float | None:
    return task.deadline


def _by_name(value: str) -> _Test | None:
    wanted = value.strip().casefold()
    return (lambda run, task: any(wanted in each.casefold() for each in (run.name, task.title))) if wanted else None


def _by_any(value: str, read: Callable[[Task], Any]) -> _Test | None:
    wanted = ids_of(value)
    return (lambda run, task: not wanted.isdisjoint(read(task))) if wanted else None


def _by_unassigned(value: str) -> _Test | None:
    if value != "true":
        return None
    return lambda run, task: not (task.owners.users or task.owners.guests or task.owners.groups)


def _by_one_off(value: str) -> _Test | None:
    flag = {"true": True, "false": False}.get(value)
    return None if flag is None else lambda run, task: task.is_oneoff is flag


def _by_archived(value: str) -> _Test | None:
    if value != "only":
        return None
    return lambda run, task: run.archived_at is not None or task.archived_at is not None


def _by_run_parts(value: str, attribute: str) -> _Test | None:
    wanted = ids_of(value)
    return (lambda run, task: not wanted.isdisjoint(getattr(run, attribute))) if wanted else None


def _by_days(value: str, read: Callable[[Task], float | None]) -> _Test | None:
    """Parse a day, or the first and the last of several with a colon between them."""
    first, _, last = value.partition(":")
    if _day(first) is None or _day(last or first) is None:
        return None
    return _between(first, last or first, read)


def _by_exclusive_day(value: str, fits: Callable[[float, float], bool]) -> _Test | None:
    """Parse a day that itself is left out."""
    day = _day(value)
    if day is None:
        return None
    return lambda run, task: task.deadline is not None and fits(task.deadline, day)


def _between(first: str, last: str, read: Callable[[Task], float | None]) -> _Test | None:
    """Parse the first and the last day; either may be empty."""
    since, until = _day(first), _day(last)
    if since is None and until is None:
        return None

    def test(run: Run, task: Task) -> bool:
        at = read(task)
        return at is not None and (since is None or at >= since) and (until is None or at < until + _DAY)

    return test


def _day(text: str) -> float | None:
    try:
        return parse_date(text)
    except ValueError:
        return None
