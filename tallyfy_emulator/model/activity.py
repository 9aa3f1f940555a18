"""Record what happened to runs, by comparing the run before a change with the run after it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tallyfy_emulator.model.catalog import RuleCheck
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.task import Thread

Threads = tuple[Thread, ...]

Verb = Literal[
    "created",
    "completed",
    "re-opened",
    "archived",
    "unarchived",
    "deleted",
    "issue-reported",
    "issue-resolved",
    "executed",
    "commented",
    "comment-deleted",
    "updated",
    "owners-updated",
]
Subject = Literal["run", "task", "issue", "rule", "comment", "answer"]


@dataclass(frozen=True)
class Activity:
    """
    One thing that happened.

    ``at`` is when, ``since`` when readers that do not lag behind could first know, both in seconds since
    1970-01-01 UTC. ``run`` is the run just after. ``task`` is the place in the run of the task that was completed or
    has the issue, ``thread`` the id of the issue's thread, ``check`` the evaluation of a rule.
    """

    id: int
    at: float
    since: float
    verb: Verb
    subject: Subject
    run: Run
    actor_id: int
    task: int = 0
    thread: str = ""
    check: RuleCheck | None = None


@dataclass(frozen=True)
class _Event:
    verb: Verb
    at: float
    subject: Subject = "run"
    task: int = 0
    thread: str = ""
    check: RuleCheck | None = None


class ActivityLog:
    """The activities of all runs. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._activities: list[Activity] = []
        self._next_id = 90001

    def record(self, before: Run | None, after: Run | None, at: float, by: int | None) -> None:
        """Record the activities of a change."""
        run = after or before
        if run is None:
            return
        with self._lock:
            for each in _events(before, after, at):
                actor = by or (run.started_by if each.verb == "created" else run.owner_id)
                what = (each.verb, each.subject, run, actor, each.task, each.thread, each.check)
                self._activities.append(Activity(self._next_id, each.at, at, *what))
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
    yield from _executions(run.rule_checks)
    for thread, task in _open_issues(run):
        yield _Event("issue-reported", run.last_updated, "issue", task, thread)
    if run.completed_at is not None:
        yield _Event("completed", run.completed_at)
    if run.archived_at is not None:
        yield _Event("archived", run.archived_at)


def _changes(before: Run, after: Run, at: float) -> Iterator[_Event]:
    yield from _executions(after.rule_checks[len(before.rule_checks) :])
    yield from _issue_events("issue-resolved", at, before, after)
    for task in _newly_completed(before, after):
        yield _Event("completed", at, "task", task)
    if before.status != "complete" and after.status == "complete":
        yield _Event("completed", at)
    if before.status == "complete" and after.status != "complete":
        yield _Event("re-opened", at)
    yield from _issue_events("issue-reported", at, after, before)
    yield from _work(before, after, at)
    if before.archived_at is None and after.archived_at is not None:
        yield _Event("archived", at)
    if before.archived_at is not None and after.archived_at is None:
        yield _Event("unarchived", at)


def _work(before: Run, after: Run, at: float) -> Iterator[_Event]:
    """Return an event for each comment, each changed answer or task, and each changed kick-off form."""
    if before.prerun != after.prerun or before.threads != after.threads:
        yield from _changed_threads(before.threads, after.threads, at, _task_under_way(after))
        if before.prerun != after.prerun:
            yield _Event("updated", at, "run")
    tasks = {task.id: task for task in before.tasks}
    for index, task in enumerate(after.tasks):
        old = tasks.get(task.id)
        if old is None or old == task:
            continue
        yield from _changed_threads(old.threads, task.threads, at, index)
        if old.owners != task.owners:
            yield _Event("owners-updated", at, "answer", index)
        if (old.values, old.title, old.summary, old.deadline) != (task.values, task.title, task.summary, task.deadline):
            yield _Event("updated", at, "answer", index)


def _changed_threads(before: Threads, after: Threads, at: float, task: int) -> Iterator[_Event]:
    known = {thread.id: thread for thread in before}
    for thread in after:
        if known.pop(thread.id, None) != thread and thread.label not in ("problem", "resolve"):
            yield _Event("commented", at, "comment", task, thread.id)
    for gone in known:
        yield _Event("comment-deleted", at, "comment", task, gone)


def _executions(checks: Iterable[RuleCheck]) -> Iterator[_Event]:
    return (_Event("executed", check.at, "rule", check=check) for check in checks)


def _newly_completed(before: Run, after: Run) -> Iterator[int]:
    """Return the places of the tasks that were completed."""
    known = {task.id for task in before.tasks if task.is_done}
    return (index for index, task in enumerate(after.tasks) if task.is_done and task.id not in known)


def _issue_events(verb: Verb, at: float, run: Run, other: Run) -> Iterator[_Event]:
    """Return an event for each issue that is open in a run and not in the other."""
    known = dict(_open_issues(other))
    for thread, task in _open_issues(run):
        if thread not in known:
            yield _Event(verb, at, "issue", task, thread)


def _open_issues(run: Run) -> Iterator[tuple[str, int]]:
    """Return the thread of each open issue, and the place of the task that it is on."""
    for thread in run.threads:
        if thread.is_open_issue:
            yield thread.id, _task_under_way(run)
    for index, task in enumerate(run.tasks):
        for thread in task.threads:
            if thread.is_open_issue:
                yield thread.id, index


def _task_under_way(run: Run) -> int:
    return max(0, min(run.tasks_done, run.tasks_total - 1))
