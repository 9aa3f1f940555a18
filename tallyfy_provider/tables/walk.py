"""
Read runs with all that the tables need, each run from one answer of Tallyfy's.

A list gives them along with the runs (Tallyfy's ``with``). Where it leaves something out, or hides a task that a rule
skips, the run is asked for by itself, and all of its rows come from that answer: rows of one run never mix two moments.
Which tasks a list hides is told by the steps of the run's template, and by gaps in the tasks' places.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.paging.order import Range
from tallyfy_provider.client.paging.progress import Progress
from tallyfy_provider.client.runs.api import Includes
from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyIncompleteListError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyResponseError,
)
from tallyfy_provider.tables.values import MISFIT, read_given, read_integer
from tallyfy_provider.utils.plurals import counted

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient
    from tallyfy_provider.client.paging.prefetch import OnIncomplete
    from tallyfy_provider.client.runs.filters import Query
    from tallyfy_provider.tables.incremental import Selection
    from tallyfy_provider.tables.schema import Table

log = logging.getLogger(__name__)

Run = Mapping[str, Any]

#: Got along with tasks: how many steps the template had tells whether the list hides a task.
_TEMPLATE = "checklist"
#: Runs from the first one that lack what was asked for, after which the list is asked without it.
_MOST_WITHOUT = 10
_HIDES_TASKS = "the list hides tasks of theirs that a rule skips"
_ONLY_CHANGED = "only those that have changed are wanted"
_LEFT_OUT = "Tallyfy leaves out of the list what was asked for"
_NULL = "Tallyfy gives null in the list for what was asked for"
#: Runs of one template, with the same tasks missing, that are asked for in vain before others are not.
_MOST_IN_VAIN = 10


#: Filters that decide what a list gives, which tables decide themselves.
_DECIDED_BY_TABLES = ("with", "form_fields_values", "page", "without_pagination")


def decided_filter(query: Query) -> str | None:
    """Return the name of a filter that decides what tables decide themselves; None where there is none."""
    params = {**query.params, **({"page": ""} if query.page is not None else {})}
    return next((name for name in _DECIDED_BY_TABLES if name in params), None)


def check_order(query: Query) -> None:
    """Refuse an order of runs in which some can be missed."""
    order = query.params.get("sort", "created_at")
    if order.lstrip("-") != "created_at":
        raise TallyfyInputError(
            f"filters['sort'] is {order!r}: with tables, runs are read in the order of created_at, in which none is "
            "missed."
        )


class RunWalk:
    """
    Read runs with what some tables need.

    :param client: Whom to ask.
    :param tables: The tables; the small ones among them need nothing here.
    :param on_incomplete: Where rows may be missing: ``fail`` raises, ``warn`` logs it.
    """

    def __init__(self, client: TallyfyClient, tables: Iterable[Table], *, on_incomplete: OnIncomplete = "fail") -> None:
        needed = list(dict.fromkeys(include for table in tables for include in table.includes))
        self._client = client.reading_numbers_with(read_given)
        self._on_incomplete = on_incomplete
        self._needs_tasks = "tasks" in needed
        self._of_tasks = [name.partition(".")[2] for name in needed if name.startswith("tasks.")]
        self._needs_kickoff = "ko_form_fields" in needed
        self._includes = Includes([*needed, *([_TEMPLATE] if self._needs_tasks else [])])
        self._asks_for_all = False
        self._lock = Lock()
        #: How many runs were asked for by themselves, and why.
        self.asked: Counter[str] = Counter()
        self._in_vain: Counter[tuple[Any, ...]] = Counter()
        self._not_asked = 0
        self._gone = 0
        self._without = 0

    def listed(self, query: Query, selection: Selection, *, wanted: Range, progress: Progress) -> Generator[Run]:
        """
        Read the runs that match a query, in the order of the list.

        Where only those are wanted that changed since some time, the list is read without includes, and each that has
        changed is asked for by itself.
        """
        if selection.bounds.updated_after is not None and not selection.takes_unchanged:
            self._ask_for_all()
        rows = self._client.runs.list_weighed(
            query, self._includes, wanted=wanted, progress=progress, on_incomplete=self._on_incomplete
        )
        with closing(rows):
            yield from self._whole(selection.of(rows))

    def named(self, run_ids: Sequence[str]) -> Generator[Run]:
        """Read runs by their ids, in this order; those that are gone, or may not be read, are counted."""
        self._ask_for_all()
        yield from self._whole({"id": run_id} for run_id in run_ids)

    def notes(self) -> list[str]:
        """Return what a user should know once the runs were read."""
        reasons = {why: count for why, count in self.asked.items() if why != _ONLY_CHANGED}
        notes = [f"Asked for one by one: {counted(count, 'run')}, since {why}." for why, count in reasons.items()]
        if self._gone:
            notes.append(f"Left out: {counted(self._gone, 'run')} that could not be read any more one by one.")
        if self._not_asked:
            notes.append(
                f"Not asked for one by one: {counted(self._not_asked, 'run')} with fewer tasks than the template has "
                f"steps, since {_MOST_IN_VAIN} others of the kind hid no task: the template has changed."
            )
        return notes

    def _ask_for_all(self) -> None:
        """Ask for each run by itself, and for the list without includes."""
        self._asks_for_all = bool(self._includes.names)
        self._includes.drop(_ONLY_CHANGED)

    def _whole(self, runs: Iterable[Run]) -> Iterator[Run]:
        """Yield runs with all that is needed, in their order; several are asked for by themselves at a time."""
        waiting: deque[Run | Future[Run | None]] = deque()
        ahead = 2 * self._client.concurrency
        executor = ThreadPoolExecutor(self._client.concurrency, thread_name_prefix="tallyfy-runs")
        try:
            for run in runs:
                why = self._why_asked(run)
                waiting.append(run if why is None else executor.submit(self._ask, run, why))
                while waiting and (len(waiting) > ahead or not isinstance(waiting[0], Future)):
                    yield from _found(waiting.popleft())
            while waiting:
                yield from _found(waiting.popleft())
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def _why_asked(self, run: Run) -> str | None:
        """Return why a run of the list is asked for by itself; None where it is not."""
        if self._asks_for_all:
            return _ONLY_CHANGED
        if self._has_what_is_needed(run) and ("ko_form_fields" in run or not self._needs_kickoff):
            self._without = -1
            if self._hides_tasks(run):
                return _HIDES_TASKS
            return _NULL if self._has_doubtful_nulls(run) else None
        if 0 <= self._without < _MOST_WITHOUT:
            self._without += 1
            if self._without == _MOST_WITHOUT:
                self._includes.drop(_LEFT_OUT)
        return self._includes.reason or _LEFT_OUT

    def _has_what_is_needed(self, run: Run) -> bool:
        if not self._needs_tasks:
            return True
        if run.get("tasks") is None:
            return False
        return all(name in task for task in rows_of(run["tasks"]) for name in self._of_tasks)

    def _hides_tasks(self, run: Run) -> bool:
        """Tell whether a run has tasks that did not come along with it, as far as is known."""
        kind = self._missing_tasks(run)
        if kind is None:
            return False
        with self._lock:
            if self._in_vain[kind] < _MOST_IN_VAIN:
                return True
            self._not_asked += 1
        return False

    def _missing_tasks(self, run: Run) -> tuple[Any, ...] | None:
        """Return which tasks came along, and of which template; None where none is missing."""
        if not self._needs_tasks:
            return None
        of_steps = [task for task in rows_of(run.get("tasks")) if task.get("step_id") is not None]
        steps = frozenset(str(task["step_id"]) for task in of_steps)
        count = read_integer(_object_in(run.get(_TEMPLATE)).get("steps_count"))
        places = [place for task in of_steps if isinstance(place := task.get("position"), int)]
        has_gap = bool(places) and max(places) > len(rows_of(run.get("tasks")))
        # Where the number of steps is not known, a few runs of each kind are asked for to find out.
        if not has_gap and count is not MISFIT and count <= len(steps):
            return None
        return (run.get("checklist_id"), count, steps)

    def _nulls(self, run: Run) -> tuple[str, ...]:
        """Return the names of what was asked for, and is null."""
        of_tasks = (name for name in self._of_tasks for task in rows_of(run.get("tasks")) if task.get(name) is None)
        of_run = ["ko_form_fields"] if self._needs_kickoff and run.get("ko_form_fields") is None else []
        return tuple(sorted({*of_tasks, *of_run}))

    def _has_doubtful_nulls(self, run: Run) -> bool:
        """Tell whether null may stand for more than nothing, as a few runs that are asked for by themselves show."""
        kind = self._nulls(run)
        with self._lock:
            return bool(kind) and self._in_vain[kind] < _MOST_IN_VAIN

    def _ask(self, listed: Run, why: str) -> Run | None:
        """Ask for a run by itself; None where it is gone."""
        with self._lock:
            self.asked[why] += 1
        if why == _HIDES_TASKS:
            return self._with_all_tasks(listed, listed)
        try:
            run = self._client.runs.get(listed["id"], self._includes.names)
        except (TallyfyNotFoundError, TallyfyPermissionError) as error:
            return self._instead_of_missing(listed, error)
        if why == _NULL and self._nulls(run) == self._nulls(listed):
            with self._lock:
                self._in_vain[self._nulls(run)] += 1
        if not self._has_what_is_needed(run) or self._hides_tasks(run):
            return self._with_all_tasks(run, listed)
        return _as_listed(run, listed)

    def _instead_of_missing(self, listed: Run, error: TallyfyError) -> Run | None:
        """Take the list of tasks for an archived run, whose own answer is not documented; None for one that is gone."""
        if is_archived(listed) and self._needs_tasks:
            return self._with_all_tasks(listed, listed)
        if "created_at" in listed and is_archived(listed):
            return listed
        log.info("Run %s cannot be asked for by itself: %s", listed["id"], error)
        with self._lock:
            self._gone += 1
        return None

    def _with_all_tasks(self, run: Run, listed: Run) -> Run | None:
        """Return a run as the list of its tasks gives it, which holds hidden tasks and, with each, the run itself."""
        include = [*self._of_tasks, "run", "run.checklist"]
        try:
            tasks = list(self._client.tasks.list_of_run(run["id"], {"without_pagination": True}, include))
        except (TallyfyNotFoundError, TallyfyPermissionError) as error:
            return self._without_list_of_tasks(run, error)
        if not all(name in task for task in tasks for name in self._of_tasks):
            missing = ", ".join(self._of_tasks)
            raise TallyfyResponseError(
                f"Tallyfy leaves out what was asked for with the tasks of run {run['id']} ({missing}), in lists "
                "and for the run by itself: leave the tables 'answers' and 'comments' out, or ask Tallyfy's support."
            )
        self._remember_what_came(run, tasks)
        found = next((row for task in tasks if (row := _object_in(task.get("run")))), None)
        whole = {**(run if found is None else found), "tasks": {"data": tasks}}
        if found is not None and "tags" in run:
            whole["tags"] = run["tags"]
        if self._needs_kickoff and found is not None and "ko_form_fields" in run:
            # Which fields there are does not change; their values are those of the answer that has the tasks.
            whole["ko_form_fields"] = {"data": [_without_value(field) for field in rows_of(run["ko_form_fields"])]}
        return _as_listed(whole, listed)

    def _without_list_of_tasks(self, run: Run, error: TallyfyError) -> Run | None:
        if self._has_what_is_needed(run):
            return run  # gone since it was listed, or its hidden tasks may not be seen
        if not is_archived(run):
            with self._lock:
                self._gone += 1
            return None
        message = f"The tasks of the archived run {run['id']} cannot be read: {error}"
        if self._on_incomplete == "fail":
            raise TallyfyIncompleteListError(f"{message} Set on_incomplete='warn' to export the run without them.")
        log.warning("%s", message)
        return run

    def _remember_what_came(self, run: Run, tasks: Sequence[Run]) -> None:
        kind = self._missing_tasks(run)
        known = {str(task.get("id")) for task in rows_of(run.get("tasks"))}
        if kind is not None and all(str(task.get("id")) in known for task in tasks):
            with self._lock:
                self._in_vain[kind] += 1


def _found(run: Run | Future[Run | None]) -> Iterator[Run]:
    found = run.result() if isinstance(run, Future) else run
    if found is not None:
        yield found


def _object_in(value: Any) -> Run:
    """Return an object, which may stand under ``data``; an empty one for anything else."""
    inner = value.get("data", value) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _as_listed(run: Run, listed: Run) -> Run:
    """Return a run with the status that lists have: that of an archived one is the status before."""
    if run.get("status") == "archived" and listed.get("status"):
        return {**run, "status": listed["status"]}
    return run


def _without_value(field: Run) -> dict[str, Any]:
    return {name: value for name, value in field.items() if name not in ("field_value", "value")}
