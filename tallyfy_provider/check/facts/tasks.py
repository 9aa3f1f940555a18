"""Facts about tasks: their lists, filters, order and what they look like."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tallyfy_provider.check import filtered, samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.filtered import Matches
from tallyfy_provider.check.finding import Finding, cannot_tell, differs, found, own_answer
from tallyfy_provider.check.reader import ApiReader, ListPage, Row, page_of
from tallyfy_provider.check.samples import UNKNOWN, filtered_tasks
from tallyfy_provider.check.shapes import READ_DATES, date_forms, id_forms, not_known, split_known, types_of
from tallyfy_provider.client.tasks.status import APPROVALS, AUTO_SKIPPED, EXPIRING, PLAIN, is_completed, is_hidden
from tallyfy_provider.utils.arguments import ASSIGNEE_KINDS
from tallyfy_provider.utils.timestamps import parse_timestamp

TASKS = Subject("tasks", "Endpoints")

_FILTERS = "Filters of other lists"
_DONE = ("complete", "completed")
STATUSES = frozenset({*_DONE, AUTO_SKIPPED, "active", "not-started", "in-progress", "inprogress", "hasproblem"})
TYPES = APPROVALS | EXPIRING | PLAIN
_BEGUN = ("active", "in-progress", "inprogress")
_DAY = 86_400.0
_TIMES = ("created_at", "deadline", "started_at", "completed_at")


def _all(reader: ApiReader) -> list[Row]:
    return samples.needed(samples.tasks(reader).rows, "a task that the user of the connection sees")


@TASKS.fact("tasks-of-run", "The tasks of a run are listed, each with the run's id", "the tasks of a run")
def tasks_of_run(reader: ApiReader) -> Finding:
    run_id = str(samples.one_run(reader)["id"])
    with own_answer(unless=samples.has_other_lists(reader)):
        rows = samples.needed(samples.tasks_of_run(reader).rows, "a run with tasks")
    others = sum(str(row.get("run_id")) != run_id for row in rows)
    return found(others == 0, rows=len(rows), others=others)


@TASKS.fact("task-sequence", "sort=position gives tasks in the order of the process", "the same", section=_FILTERS)
def task_order(reader: ApiReader) -> Finding:
    rows = samples.tasks_of_run(reader).rows
    if samples.refuses_sort_of_tasks(reader):
        return differs("Tallyfy refuses sort=position.")
    positions = [number for row in rows if (number := _number(row.get("position"))) is not None]
    if len(positions) < 2:
        return cannot_tell("It needs a run with two tasks that have a position.", rows=len(rows))
    wrong = sum(one > other for one, other in pairwise(positions))
    return found(wrong == 0, rows=len(rows), wrong=wrong)


def _number(value: Any) -> float | None:
    """Return a number, also one that is written as text."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


@TASKS.fact("task-ids", "Ids of tasks are 32 hexadecimal digits", "tasks of the organization")
def task_ids(reader: ApiReader) -> Finding:
    forms = id_forms(row["id"] for row in _all(reader))
    return found(forms == ["32 hexadecimal digits"], ids=forms)


@TASKS.fact(
    "task-statuses", "The statuses of tasks are those that are known", "tasks of the organization, and of a run"
)
def task_statuses(reader: ApiReader) -> Finding:
    known, others = split_known((row.get("status") for row in _with_those_of_a_run(reader)), STATUSES)
    done = [word for word in _DONE if word in known]
    quirks = {"task_done_status": done[0]} if len(done) == 1 else {}
    note = not_known(others)
    return found(bool(known) and not others, note, statuses=known, others=len(others), quirks=quirks)


def _with_those_of_a_run(reader: ApiReader) -> list[Row]:
    page = samples.optional(lambda: samples.tasks_of_run(reader))
    return [*_all(reader), *(page.rows if page else [])]


@TASKS.fact("task-types", "The types of tasks are those that are known", "tasks of the organization")
def task_types(reader: ApiReader) -> Finding:
    known, others = split_known((row.get("task_type") for row in _all(reader)), TYPES)
    return found(bool(known) and not others, not_known(others), types=known, others=len(others))


@TASKS.fact("completed-tasks", "A completed task has completed_at", "completed tasks")
def completed_tasks(reader: ApiReader) -> Finding:
    rows = [row for row in samples.tasks_by(reader, status="complete").rows if is_completed(row)]
    without = sum(not row.get("completed_at") for row in samples.needed(rows, "a completed task"))
    return found(without == 0, rows=len(rows), without_date=without)


@TASKS.fact(
    "task-dates", "Times of tasks are ISO 8601 with Z, or like 2026-10-31 09:00:00", "tasks", section="Run object"
)
def task_dates(reader: ApiReader) -> Finding:
    values = [row.get(name) for row in _all(reader) for name in _TIMES]
    unread = sum(parse_timestamp(value) is None for value in values if value not in (None, ""))
    forms = date_forms(values)
    return found(unread == 0 and set(forms) <= READ_DATES, dates=forms, unread=unread)


@TASKS.fact("task-owners", "owners of a task are lists of users, guests and groups", "tasks of the organization")
def task_owners(reader: ApiReader) -> Finding:
    owners = [row.get("owners") for row in _all(reader)]
    known = [each for each in owners if isinstance(each, dict)]
    kinds: dict[str, Any] = {kind: types_of(each.get(kind) for each in known) for kind in ASSIGNEE_KINDS}
    users = types_of(user for each in known for user in each.get("users") or [])
    are_lists = all(set(types) <= {"list", "[]"} for types in kinds.values())
    fits = len(known) == len(owners) and are_lists and set(users) <= {"number", "object", "text"}
    return found(fits, owners=types_of(owners), ids=users, **kinds)


@TASKS.fact("tasks-with", "with=run,form_fields,threads works on the list of tasks", "tasks", section=_FILTERS)
def tasks_with(reader: ApiReader) -> Finding:
    with own_answer(unless=samples.has_other_lists(reader)):
        rows = _all(reader)
    if samples.refuses_includes_of_tasks(reader):
        return differs("Tallyfy refuses them, and the list without them is given.", rows=len(rows))
    names = ("run", "form_fields", "threads")
    missing = [name for name in names if not all(name in row for row in rows)]
    return found(not missing, rows=len(rows), missing=missing)


def _compare(reader: ApiReader, page: ListPage, matches: Matches, what: str) -> Finding:
    everything = samples.tasks(reader)
    # The order of the two lists is not known to be the same, so that rows are missed only where there is none.
    expected = [] if page.rows else everything.rows
    return filtered.compare(page, matches, what, expected=expected, sample=everything.rows, total=_total(reader))


def _total(reader: ApiReader) -> int | None:
    return samples.total_of(reader, samples.tasks(reader))


def _is_open(row: Row) -> bool | None:
    """Return whether a task is open; None for one that a rule hides, which is neither open nor completed."""
    return None if is_hidden(row) else not is_completed(row)


@TASKS.fact("tasks-complete", "status=complete gives completed tasks", "tasks by it", section=_FILTERS)
def complete(reader: ApiReader) -> Finding:
    return _compare(reader, filtered_tasks(reader, status="complete"), is_completed, "a completed task")


@TASKS.fact("tasks-active", "status=active gives open tasks", "tasks by it", section=_FILTERS)
def active(reader: ApiReader) -> Finding:
    return _compare(reader, filtered_tasks(reader, status="active"), _is_open, "an open task")


@TASKS.fact("tasks-all", "status=all gives open and completed tasks", "the same, and all", section=_FILTERS)
def every_status(reader: ApiReader) -> Finding:
    parts = [samples.tasks_by(reader, status=status) for status in ("complete", "active")]
    counts = [samples.total_of(reader, part) for part in parts]
    total = _total(reader)
    if total is None or None in counts or not all(part.rows for part in parts) or not _differ(*parts):
        return cannot_tell("It needs open and completed tasks, and meta.pagination.total.")
    expected = sum(count or 0 for count in counts)
    return found(total >= expected or samples.is_same_count(total, expected), rows=total, expected=expected)


def _differ(one: ListPage, other: ListPage) -> bool:
    """Tell whether two statuses give other tasks; if they are ignored, they do not."""
    return set(one.ids).isdisjoint(other.ids)


@TASKS.fact("tasks-hasproblem", "status=hasproblem gives tasks with a problem", "tasks by it", section=_FILTERS)
def with_problem(reader: ApiReader) -> Finding:
    samples.tasks(reader)
    with own_answer():
        page = samples.tasks_with_problem(reader)
    return _compare(
        reader,
        page,
        lambda row: row["problem"] if isinstance(row.get("problem"), bool) else None,
        "a task with a problem",
    )


@TASKS.fact("tasks-overdue", "status=overdue gives open tasks past their deadline", "tasks by it", section=_FILTERS)
def overdue(reader: ApiReader) -> Finding:
    def matches(row: Row) -> bool | None:
        if is_completed(row) or not row.get("deadline"):
            return False
        deadline, now = parse_timestamp(row["deadline"]), time.time()
        if deadline is None or is_hidden(row) or abs(deadline - now) < _DAY:  # the clocks may differ
            return None
        return deadline < now

    return _compare(reader, filtered_tasks(reader, status="overdue"), matches, "an overdue task")


@TASKS.fact(
    "tasks-not-started", "status=not-started gives tasks that nobody has begun", "tasks by it", section=_FILTERS
)
def not_started(reader: ApiReader) -> Finding:
    def matches(row: Row) -> bool | None:
        if is_completed(row) or row.get("status") in _BEGUN:
            return False
        return True if row.get("status") == "not-started" else None

    return _compare(reader, filtered_tasks(reader, status="not-started"), matches, "a task that is not started")


@TASKS.fact("tasks-several", "Several statuses may be asked for, with commas", "tasks by two", section=_FILTERS)
def several(reader: ApiReader) -> Finding:
    page = filtered_tasks(reader, status="complete,not-started")
    parts = [samples.tasks_by(reader, status=status) for status in ("complete", "not-started")]
    counts = [samples.total_of(reader, part) for part in (page, *parts)]
    everything = _total(reader)
    if None in counts or not all(part.rows for part in parts) or everything in counts[1:]:
        return cannot_tell("It needs completed tasks and some that are not started.")
    expected = sum(count or 0 for count in counts[1:])
    return found(samples.is_same_count(counts[0] or 0, expected), rows=counts[0], expected=expected)


@TASKS.fact("tasks-unknown", "A status that Tallyfy does not know is ignored", "tasks by it", section="Filters")
def unknown(reader: ApiReader) -> Finding:
    page = filtered_tasks(reader, status=UNKNOWN)
    total, count = _total(reader), samples.total_of(reader, page)
    if not samples.tasks(reader).rows or total is None or count is None:
        return cannot_tell("It needs a task, and meta.pagination.total.")
    return found(count > total or samples.is_same_count(count, total), rows=count, of=total)


@TASKS.fact("tasks-owners", "owners gives the tasks of a user", "tasks of one user", section=_FILTERS)
def of_user(reader: ApiReader) -> Finding:
    def users(row: Row) -> list[str]:
        owners = row.get("owners")
        listed = owners.get("users") if isinstance(owners, dict) else None
        users = listed if isinstance(listed, list) else []
        return [str(each.get("id") if isinstance(each, dict) else each) for each in users]

    rows = _all(reader)
    user = samples.rarest(rows, users, rows, "a task that is assigned to a user")
    page = filtered_tasks(reader, status="all", owners=user)
    return _compare(reader, page, lambda row: user in users(row), "tasks of several users")


def _before_a_day(reader: ApiReader) -> tuple[ListPage, float, str | None]:
    """
    Return tasks with a deadline before some day, the latest first, and the beginning of that day.

    The last one is the parameter that was left out, since Tallyfy refuses it.
    """
    times = sorted(time for row in _all(reader) if (time := parse_timestamp(row.get("deadline"))) is not None)
    middle = samples.needed(times, "a task with a deadline")[len(times) // 2]
    day = datetime.fromtimestamp(middle, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    plain = {"per_page": str(samples.FEW), "page": "1", "status": "all"}
    before, sort = {"deadline_before": day.date().isoformat()}, {"sort": "-deadline"}
    variants = [{**plain, **before, **sort}, {**plain, **before}, {**plain, **sort}]
    response, number = reader.first_accepted("tasks", variants=variants)
    with own_answer():
        return page_of(response), day.timestamp(), (None, "sort", "deadline_before")[number]


@TASKS.fact("tasks-deadline-before", "deadline_before takes a day, which it excludes", "tasks by it", section=_FILTERS)
def deadline_before(reader: ApiReader) -> Finding:
    page, day, refused = _before_a_day(reader)
    if refused == "deadline_before":
        return differs("Tallyfy refuses it.")

    def matches(row: Row) -> bool:
        return (parse_timestamp(row.get("deadline")) or day) < day

    return _compare(reader, page, matches, "tasks with earlier and with later deadlines")


@TASKS.fact("tasks-sort-deadline", "sort=-deadline gives the latest deadline first", "the same", section=_FILTERS)
def sort_deadline(reader: ApiReader) -> Finding:
    page, _, refused = _before_a_day(reader)
    if refused == "sort":
        return differs("Tallyfy refuses it.")
    read = [parse_timestamp(row.get("deadline")) for row in page.rows]
    times = [math.floor(time) for time in read if time is not None]  # not all rows tell more than seconds
    if len(set(times)) < 2:
        return cannot_tell("It needs two tasks with different deadlines.", rows=len(times))
    wrong = sum(one < other for one, other in pairwise(times))
    return found(wrong == 0, rows=len(times), wrong=wrong)


@TASKS.fact("task-threads", "Each task has a list of threads where they are asked for", "tasks with threads")
def task_threads(reader: ApiReader) -> Finding:
    rows = [row for row in _all(reader) if "threads" in row]
    shapes = types_of(row["threads"] for row in samples.needed(rows, "a list of tasks with threads"))
    return found(set(shapes) <= {"object", "list", "[]"}, threads=shapes)
