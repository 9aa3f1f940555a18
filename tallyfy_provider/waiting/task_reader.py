"""
Read the tasks of many runs in few requests. Blocking; driven by the triggerer's poller.

The run is read first and its tasks after it: if the run was over then and a task not done, it will not be done.
Lists, of runs and of tasks, may be behind (docs/tallyfy-api.md, "Pagination"), so what they show never ends a wait:
the task itself is requested then (:func:`confirm`).

Up to :data:`FEW` runs are requested one by one, every time. For more, Tallyfy's lists of unfinished runs tell which
have changed, a hundred to a request (:mod:`tallyfy_provider.waiting.run_reader`), and tasks are requested

- of each run that looks different than it did, and once more the next time, since Tallyfy tells times by the second;
- of each run that the lists do not show;
- of a fifth of all others in each round, those whose last request is longest ago: whether a completed task always
  changes what the list shows of its run is not documented, and so none waits longer than five rounds.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.http.request_kind import Priority, request_priority
from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.client.runs.status import compact, statuses_of
from tallyfy_provider.client.tasks.lookup import find_task, looks_like_an_id
from tallyfy_provider.client.tasks.status import compact_task
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConnectionError,
    TallyfyError,
    TallyfyNotFoundError,
    TallyfyRateLimitError,
)
from tallyfy_provider.utils.timestamps import parse_timestamp
from tallyfy_provider.waiting.run_reader import (
    MOST_FAILURES_IN_A_ROW,
    InParallel,
    IsPending,
    Report,
    RunReader,
    Snapshot,
    one_by_one,
)

#: Up to so many runs are always requested one by one.
FEW = 10
#: Rounds after which the tasks of a run that seems unchanged are requested.
MOST_ROUNDS_UNREAD = 5
#: What is reported of a run whose tasks were not requested, since it seems unchanged.
UNCHANGED = Snapshot()
#: How often tasks are requested after their run has changed.
_READ_AFTER_CHANGE = 2


def read_task(client: TallyfyClient, run_id: str, name: str) -> dict[str, Any]:
    """Read a run and one of its tasks, both compact; the task is None where Tallyfy shows none."""
    run = compact(client.runs.find(run_id))
    task_id = name
    if not looks_like_an_id(name):
        tasks = list_tasks(client, run)
        if not tasks:
            return {"run": run, "task": None}
        task_id = find_task(tasks, name, run_id)["id"]
    return confirm(client, run, task_id)


def confirm(client: TallyfyClient, run: Mapping[str, Any], task_id: str) -> dict[str, Any]:
    """Read one task of a run that has been read, and return both as :func:`read_task` does."""
    try:
        task = compact_task(client.tasks.get(task_id, str(run["id"])))
    except TallyfyNotFoundError as error:
        if error.code == ENDPOINT_NOT_FOUND or not is_archived(run):
            raise
        return {"run": dict(run), "task": None}
    return {"run": dict(run), "task": task}


def list_tasks(client: TallyfyClient, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all tasks of a run that has been read, compact; none where it is archived and Tallyfy hides them."""
    try:
        return [compact_task(task) for task in client.tasks.list_of_run(str(run["id"]))]
    except TallyfyNotFoundError as error:
        if error.code == ENDPOINT_NOT_FOUND or not is_archived(run):
            raise
        return []


@dataclass(frozen=True)
class _Known:
    """What is known of a run: its state, how often its tasks were requested since, and in which round last."""

    state: tuple[Any, ...]
    requests: int = 0
    round: int = 0


class TaskReader:
    """Reads the tasks of runs, round after round, and remembers which runs seem unchanged; reports from any thread."""

    def __init__(self, report: Report, in_parallel: InParallel = one_by_one) -> None:
        self._report = report
        self._in_parallel = in_parallel
        self._lock = threading.Lock()
        self._round = 0
        self._known: dict[str, _Known] = {}
        self._seen: dict[str, Snapshot] = {}
        self._new: set[str] = set()
        self._failed: set[str] = set()
        self._run_reader = RunReader(lambda snapshots: self._seen.update(snapshots), in_parallel)

    def expect(self, run_id: str) -> None:
        """Request the tasks of a run next time, even when it seems unchanged; from any thread."""
        self._new.add(run_id)

    @request_priority(Priority.WAIT)
    def read(self, client: TallyfyClient, wanted: Mapping[str, IsPending]) -> None:
        """Read the tasks of each run once, where anything may have changed."""
        self._round += 1
        self._forget_all_but(wanted)
        if len(wanted) <= FEW:
            self._read_each(client, list(wanted), lambda run_id: compact(client.runs.find(run_id)))
            return
        self._seen.clear()
        fault = self._read_runs(client, wanted)
        self._report({run_id: snapshot for run_id, snapshot in self._seen.items() if snapshot.fault is not None})
        visible = {run_id: snapshot.run for run_id, snapshot in self._seen.items() if snapshot.run is not None}
        doubtful = self._doubtful(visible)
        self._report(dict.fromkeys(visible.keys() - set(doubtful), UNCHANGED))
        self._read_each(client, doubtful, lambda run_id: dict(visible[run_id]))
        if fault is not None:
            raise fault

    def _forget_all_but(self, wanted: Mapping[str, IsPending]) -> None:
        new, self._new = self._new, set()
        for run_id in new:
            self._known.pop(run_id, None)
        if len(self._known) > 2 * len(wanted) + 1000:  # a round may be for a few of the waits only
            self._known = {run_id: known for run_id, known in self._known.items() if run_id in wanted}
            self._failed &= set(wanted)

    def _read_runs(self, client: TallyfyClient, wanted: Mapping[str, IsPending]) -> TallyfyError | None:
        try:
            self._run_reader.read(client, dict.fromkeys(wanted, _always))
        except (TallyfyAuthError, TallyfyRateLimitError, TallyfyConnectionError):
            raise
        except TallyfyError as error:
            return error
        return None

    def _doubtful(self, visible: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Return the runs whose tasks are to be requested, the one whose last request is longest ago first."""
        for run_id, run in visible.items():
            known = self._known.get(run_id)
            if known is None or known.state != _state_of(run):
                self._known[run_id] = _Known(_state_of(run), round=known.round if known else 0)
        changed = [run_id for run_id in visible if self._known[run_id].requests < _READ_AFTER_CHANGE]
        quiet = [run_id for run_id in visible if self._known[run_id].requests >= _READ_AFTER_CHANGE]
        count = -(-len(visible) // MOST_ROUNDS_UNREAD)
        turn = heapq.nsmallest(count, quiet, key=self._last_round)
        return sorted([*changed, *turn], key=self._last_round)

    def _last_round(self, run_id: str) -> int:
        return self._known[run_id].round

    def _read_each(self, client: TallyfyClient, run_ids: list[str], read_run: Callable[[str], dict[str, Any]]) -> None:
        failures = 0

        def read(run_id: str) -> None:
            nonlocal failures
            try:
                run = read_run(run_id)
                self._report({run_id: Snapshot(run={**run, "tasks": list_tasks(client, run)})})
            except (TallyfyAuthError, TallyfyRateLimitError, TallyfyConnectionError):
                raise
            except TallyfyError as error:
                self._report({run_id: Snapshot(fault=error)})
                with self._lock:
                    self._failed.add(run_id)
                    failures = failures + 1 if error.transient else 0
                    if failures >= MOST_FAILURES_IN_A_ROW:
                        raise
            else:
                with self._lock:
                    failures = 0
                    self._failed.discard(run_id)
                    known = self._known.get(run_id) or _Known(_state_of(run))
                    self._known[run_id] = replace(known, requests=known.requests + 1, round=self._round)

        # Those that failed last time at the end, so that a round that is abandoned has served the others.
        self._in_parallel(client, read, sorted(run_ids, key=self._failed.__contains__))


def _always(run: Mapping[str, Any]) -> bool:
    return True


def _state_of(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what changes with a run, in a list as in a response for it alone, which has fewer fields."""
    times = (parse_timestamp(run.get(name)) for name in ("last_updated", "completed_at", "archived_at"))
    return *statuses_of(run), *times, bool(run.get("has_open_issue"))
