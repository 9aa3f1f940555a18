"""What happened to runs, and when: told by comparing a run before a change with the run after it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tallyfy_emulator.model.run import OPEN_ISSUE, Run
from tallyfy_emulator.model.run_tasks import tasks_of, threads_of

Verb = Literal[
    "created",
    "completed",
    "re-opened",
    "archived",
    "unarchived",
    "deleted",
    "issue-reported",
    "issue-resolved",
]
Subject = Literal["run", "task", "issue"]


@dataclass(frozen=True)
class Activity:
    """
    One thing that happened.

    ``at`` is when, ``since`` when readers that do not lag behind could first know, both in seconds since
    1970-01-01 UTC. ``run`` is the run just after. ``task`` is the place in the run of the task that was completed or
    has the issue, ``thread`` the number of the issue's thread.
    """

    id: int
    at: float
    since: float
    verb: Verb
    subject: Subject
    run: Run
    actor_id: int
    task: int = 0
    thread: int = 0


@dataclass(frozen=True)
class _Event:
    verb: Verb
    at: float
    subject: Subject = "run"
    task: int = 0
    thread: int = 0


class ActivityLog:
    """Remembers everything that happened to runs. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._activities: list[Activity] = []
        self._next_id = 90001
        self._next_thread = 40001
        self._open_threads: dict[str, int] = {}

    def record(self, before: Run | None, after: Run | None, at: float, by: int | None) -> None:
        """Remember a change."""
        run = after or before
        if run is None:
            return
        with self._lock:
            for each in _events(before, after, at):
                actor = by or (run.started_by if each.verb == "created" else run.owner_id)
                thread = each.thread or (self._thread(run.id, each) if each.subject == "issue" else 0)
                self._activities.append(
                    Activity(self._next_id, each.at, at, each.verb, each.subject, run, actor, each.task, thread)
                )
                self._next_id += 1

    def number_by_time(self) -> None:
        """Renumber the activities in the order of time, as if they had been recorded as they happened."""
        with self._lock:
            numbers = [each.id for each in self._activities]
            ordered = sorted(self._activities, key=_in_time)
            self._activities = [replace(each, id=number) for number, each in zip(numbers, ordered, strict=True)]

    def all(self) -> list[Activity]:
        """Return what happened."""
        with self._lock:
            self._activities.sort(key=_in_time)  # nearly in order: only runs with a past of their own are late
            return list(self._activities)

    def _thread(self, run_id: str, event: _Event) -> int:
        """Open a thread for a new issue; an issue is resolved in the thread that it was reported in."""
        if event.verb == "issue-reported" or run_id not in self._open_threads:
            self._open_threads[run_id] = self._next_thread
            self._next_thread += 1
        return self._open_threads[run_id]


def _in_time(activity: Activity) -> tuple[float, int]:
    return activity.at, activity.id


def _events(before: Run | None, after: Run | None, at: float) -> Iterator[_Event]:
    if after is None:
        yield _Event("deleted", at)
    elif before is None:
        yield from _history_of(after)
    else:
        yield from _changes(before, after, at)


def _history_of(run: Run) -> Iterator[_Event]:
    yield _Event("created", run.created_at)
    if run.status in OPEN_ISSUE:
        yield _Event("issue-reported", run.last_updated, "issue", _task_under_way(run))
    if run.completed_at is not None:
        yield _Event("completed", run.completed_at)
    if run.archived_at is not None:
        yield _Event("archived", run.archived_at)


def _changes(before: Run, after: Run, at: float) -> Iterator[_Event]:
    yield from _resolutions(before, after, at)
    for task in _newly_completed(before, after):
        yield _Event("completed", at, "task", task)
    if before.status != "complete" and after.status == "complete":
        yield _Event("completed", at)
    if before.status == "complete" and after.status != "complete":
        yield _Event("re-opened", at)
    yield from _reports(before, after, at)
    if before.archived_at is None and after.archived_at is not None:
        yield _Event("archived", at)
    if before.archived_at is not None and after.archived_at is None:
        yield _Event("unarchived", at)


def _newly_completed(before: Run, after: Run) -> Iterable[int]:
    """Return the places of the tasks that were completed."""
    if after.tasks is None:
        return range(before.tasks_done, after.tasks_done)
    known = {task.id for task in tasks_of(before) if task.is_done}
    return [index for index, task in enumerate(after.tasks) if task.is_done and task.id not in known]


def _resolutions(before: Run, after: Run, at: float) -> Iterator[_Event]:
    if after.tasks is None:
        if before.status in OPEN_ISSUE and after.status not in OPEN_ISSUE:
            yield _Event("issue-resolved", at, "issue", _task_under_way(before))
        return
    still_open = dict(_open_issues(after))
    for thread, task in _open_issues(before):
        if thread not in still_open:
            # Tallyfy's numbering of issues is one; a run that was added with its issue has none of its own yet.
            yield _Event("issue-resolved", at, "issue", task, thread if before.tasks is not None else 0)


def _reports(before: Run, after: Run, at: float) -> Iterator[_Event]:
    if after.tasks is None:
        if before.status not in OPEN_ISSUE and after.status in OPEN_ISSUE:
            yield _Event("issue-reported", at, "issue", _task_under_way(after))
        return
    known = dict(_open_issues(before))
    for thread, task in _open_issues(after):
        if thread not in known:
            yield _Event("issue-reported", at, "issue", task, thread)


def _open_issues(run: Run) -> Iterator[tuple[int, int]]:
    """Return the thread of each open issue, and the place of the task that it is on."""
    for thread in threads_of(run):
        if thread.is_open_issue:
            yield thread.id, _task_under_way(run)
    for index, task in enumerate(tasks_of(run)):
        for thread in task.threads:
            if thread.is_open_issue:
                yield thread.id, index


def _task_under_way(run: Run) -> int:
    return max(0, min(run.tasks_done, run.tasks_total - 1))
