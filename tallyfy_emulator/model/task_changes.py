"""Change the tasks of a run. Pure functions from a run to the run after the change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tallyfy_emulator.model import forms
from tallyfy_emulator.model.run import OPEN_ISSUE, Run
from tallyfy_emulator.model.run_tasks import under_way, with_initial_tasks
from tallyfy_emulator.model.task import Task, Thread
from tallyfy_emulator.model.wire import ValidationError, stable_id

Change = Callable[[Task], Task]
#: Who sees a comment unless the caller says otherwise: members only.
HIDDEN = "hide-for-guests"


def find_task(run: Run, task_id: str) -> Task:
    """Find a task of a run."""
    for task in run.tasks:
        if task.id == task_id:
            return task
    raise KeyError(task_id)


def with_task(run: Run, task_id: str, at: float, change: Change) -> Run:
    """Change a task, and with it the run's progress and status."""
    find_task(run, task_id)
    tasks = tuple(change(task) if task.id == task_id else task for task in run.tasks)
    return recalculated(replace(run, tasks=tasks), at)


def with_new_task(run: Run, task: Task, at: float) -> Run:
    """Add a task to a run, and with it change the run's progress and status."""
    return recalculated(replace(run, tasks=(*run.tasks, task)), at)


def completed(run: Run, task_id: str, at: float, is_approved: bool | None, by: int, *, again: bool = False) -> Run:
    """Complete a task."""
    task = find_task(run, task_id)
    if task.is_done:
        if again:
            return run
        raise ValidationError.of("task", "This task is already completed.")
    _check_completable(run, task)
    if task.task_type == "approval" and not isinstance(is_approved, bool):
        raise ValidationError.of("is_approved", "The is approved field is required.")
    decision = None if task.task_type in ("task", "email") else is_approved
    return with_task(run, task_id, at, lambda old: _done(old, at, by, decision))


def reopened(run: Run, task_id: str, at: float) -> Run:
    """Reopen a task; one that is open stays as it is."""
    if not find_task(run, task_id).is_done:
        return run
    return with_task(run, task_id, at, _open_again)


def filled(run: Run, task_id: str, at: float, values: Mapping[str, Any], *, replaces: bool = False) -> Run:
    """Fill a task's form."""
    check_changeable(run, find_task(run, task_id))
    return with_task(run, task_id, at, lambda old: replace(old, values={**({} if replaces else old.values), **values}))


def commented(run: Run, task_id: str | None, at: float, label: str, content: str, by: int, state: str) -> Run:
    """Comment on a task or a run, or report an issue on it. A completed task with an issue is open again."""
    thread = _new_thread(run, label, content, by, at, state)
    if task_id is None:
        return recalculated(replace(run, threads=(*run.threads, thread)), at)

    def change(task: Task) -> Task:
        task = _open_again(task) if label == "problem" and task.is_done else task
        return replace(task, threads=(*task.threads, thread))

    return with_task(run, task_id, at, change)


def resolved(
    run: Run, task_id: str | None, at: float, thread_id: str, content: str, by: int, state: str = HIDDEN
) -> Run:
    """Resolve an issue."""
    answer = _new_thread(run, "resolve", content, by, at, state)

    def with_answer(threads: tuple[Thread, ...]) -> tuple[Thread, ...]:
        if not any(thread.id == thread_id and thread.is_open_issue for thread in threads):
            raise ValidationError.of("thread_id", "The selected thread id is invalid.")
        ended = (replace(each, resolve_id=answer.id) if each.id == thread_id else each for each in threads)
        return (*ended, answer)

    if task_id is None:
        return recalculated(replace(run, threads=with_answer(run.threads)), at)
    return with_task(run, task_id, at, lambda task: replace(task, threads=with_answer(task.threads)))


def recalculated(run: Run, at: float) -> Run:
    """Bring a run's progress, status and end in line with its tasks, its kick-off and its issues."""
    counted = [task for task in run.tasks if not task.auto_skipped]
    done = sum(task.is_done for task in counted)
    status = _status(run, all_done=bool(counted) and done == len(counted))
    ended = run.completed_at if run.status == "complete" else at
    return replace(
        run,
        tasks_done=done,
        tasks_total=len(counted),
        status=status,
        completed_at=ended if status == "complete" else None,
        last_updated=at,
        # A progress that was given as it is, once, is not true any longer.
        extra={name: value for name, value in run.extra.items() if "progress" not in name},
    )


def sync_tasks(before: Run, after: Run, at: float) -> Run:
    """Bring a run's tasks in line with a status or a progress that it was given."""
    if before.tasks_total != after.tasks_total:
        return with_initial_tasks(after)
    if (before.status, before.tasks_done) == (after.status, after.tasks_done):
        return after
    if before.tasks_done == after.tasks_done == after.tasks_total and after.status not in ("complete", *OPEN_ISSUE):
        after = replace(after, tasks_done=max(after.tasks_total - 1, 0))  # it goes on, so there is something to do
    by, tasks, threads = after.owner_id, after.tasks, after.threads
    if after.status not in OPEN_ISSUE:
        threads = _all_resolved(threads)
        tasks = tuple(replace(task, threads=_all_resolved(task.threads)) for task in tasks)
    if before.tasks_done != after.tasks_done:
        tasks = _as_many_done(tasks, after.tasks_done, at, by)
    kickoff_is_open = after.kickoff_is_open and after.status != "complete"
    synced = replace(after, tasks=tasks, threads=threads, kickoff_is_open=kickoff_is_open)
    if after.status in OPEN_ISSUE and before.status != after.status:
        return _with_issue(synced, at)
    return synced


def _with_issue(run: Run, at: float) -> Run:
    """Report an issue: status ``problem`` has it on the task under way, ``issue`` on the run itself."""
    first = under_way(run) if run.status == "problem" else None
    content = f"There is a problem with {run.name}."
    reported = commented(run, first.id if first else None, at, "problem", content, run.owner_id, HIDDEN)
    return replace(run, tasks=reported.tasks, threads=reported.threads)


def check_changeable(run: Run, task: Task) -> None:
    """Check that a task can be changed now."""
    if task.is_done:
        raise ValidationError.of("task", "A completed task can not be updated.")
    if run.archived_at is not None:
        raise ValidationError.of("run", "The process is archived.")
    if any(thread.is_open_issue for thread in run.threads):
        raise ValidationError.of("run", "The process has an open issue. Resolve it first.")


def _check_completable(run: Run, task: Task) -> None:
    if task.auto_skipped:
        raise ValidationError.of("task", "A task that was skipped can not be completed.")
    check_changeable(run, task)
    if run.kickoff_is_open:
        raise ValidationError.of("prerun", "The kick-off form is not completed.")
    if task.has_open_issue:
        raise ValidationError.of("task", "The task has an open issue. Resolve it first.")
    forms.check_required("taskdata", task.form_fields, task.values)


def _status(run: Run, *, all_done: bool) -> str:
    if any(thread.is_open_issue for thread in run.threads):
        return "issue"
    if any(task.has_open_issue for task in run.tasks):
        return "problem"
    if all_done and not run.kickoff_is_open:
        return "complete"
    return "active" if run.status in ("complete", *OPEN_ISSUE) else run.status


def _done(task: Task, at: float, by: int, decision: bool | None) -> Task:
    started_at = at if task.started_at is None else task.started_at
    return replace(task, started_at=started_at, completed_at=at, completer_id=by, is_approved=decision)


def _open_again(task: Task) -> Task:
    return replace(task, completed_at=None, completer_id=None, is_approved=None)


def _as_many_done(tasks: tuple[Task, ...], wanted: int, at: float, by: int) -> tuple[Task, ...]:
    """Complete the first open tasks, or reopen the last completed ones, until as many are completed as wanted."""
    done = sum(task.is_done for task in tasks)
    changed = list(tasks)
    for index, task in enumerate(tasks):
        if done < wanted and task.is_open:
            changed[index] = _done(task, at, by, True if task.task_type == "approval" else None)
            done += 1
    for index, task in reversed(list(enumerate(changed))):
        if done > wanted and task.is_done:
            changed[index] = _open_again(task)
            done -= 1
    return tuple(changed)


def _all_resolved(threads: tuple[Thread, ...]) -> tuple[Thread, ...]:
    return tuple(replace(each, resolve_id=each.id) if each.is_open_issue else each for each in threads)


def with_threads(run: Run, task_id: str | None, at: float, change: Callable[[Thread], Thread | None]) -> Run:
    """Change the comments of a task or a run; None removes one."""

    def changed(threads: tuple[Thread, ...]) -> tuple[Thread, ...]:
        return tuple(new for new in map(change, threads) if new is not None)

    if task_id is None:
        return recalculated(replace(run, threads=changed(run.threads)), at)
    return with_task(run, task_id, at, lambda task: replace(task, threads=changed(task.threads)))


def _new_thread(run: Run, label: str, content: str, by: int, at: float, state: str) -> Thread:
    threads = [thread for each in (run.threads, *(task.threads for task in run.tasks)) for thread in each]
    number = max((thread.number for thread in threads), default=0) + 1
    return Thread(stable_id("thread", run.id, number, at, content), label, content, by, at, state, number=number)
