"""Build the tasks of a run, and render tasks and threads as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tallyfy_emulator.model.catalog import GUEST_SECRET, Step
from tallyfy_emulator.model.forms import form_with_values
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.task import Owners, Task, Thread
from tallyfy_emulator.model.wire import stable_id

_STEP_DAYS = 86400.0


def with_initial_tasks(run: Run) -> Run:
    """
    Return a new run with its tasks: one for each step of the template, completed as far as the run's progress says.

    A run that begins with an issue has it on the task under way (status ``problem``) or on itself (``issue``).
    """
    steps = _steps_of(run)
    with_issue = max(0, min(run.tasks_done, len(steps) - 1)) if run.status == "problem" else None
    tasks: list[Task] = []
    visible = 0
    for number, step in enumerate(steps):
        skipped = step is not None and step.auto_skipped
        done = not skipped and visible < run.tasks_done
        tasks.append(_build_task(run, number, step, done=done, has_issue=number == with_issue))
        visible += not skipped
    has_own_issue = run.status == "issue" or (run.status == "problem" and not tasks)
    return replace(run, tasks=tuple(tasks), threads=(_initial_issue(run),) if has_own_issue else run.threads)


def under_way(run: Run) -> Task | None:
    """Return the first open task, or None."""
    return next((task for task in run.tasks if task.is_open), None)


def task_row(run: Run, task: Task, quirks: Quirks) -> dict[str, Any]:
    """Render a task as the API does."""
    status = status_of(run, task, quirks)
    owners = task.owners
    return {
        "id": task.id,
        "increment_id": task.increment_id,
        "title": task.title,
        "original_title": task.original_title,
        "alias": task.alias,
        "run_id": run_id_of(run, task),
        "checklist_id": None if task.is_oneoff else run.checklist.id,
        "step_id": task.step_id,
        "status": status,
        "status_label": _label(task, status),
        "task_type": task.task_type,
        "is_approved": task.is_approved,
        "position": task.position,
        "deadline": run.date(task.deadline),
        "started_at": run.date(task.started_at),
        "completed_at": run.date(task.completed_at),
        "starter_id": run.started_by,
        "completer_id": task.completer_id,
        "completer_guest": None,
        "completion_progress": None,
        "created_at": run.date(task.created_at),
        "last_updated": run.date(run.last_updated),
        "archived_at": run.date(task.archived_at or run.archived_at),
        "owners": {
            "users": list(owners.users),
            "guests": list(owners.guests),
            "groups": list(owners.groups),
            "taskUrls": [_guest_link(task, guest) for guest in (*owners.guests, "anyone")],
        },
        "taskdata": dict(task.values) or [],
        "is_oneoff_task": task.is_oneoff,
        "is_completable": task.is_open and not run.kickoff_is_open,
        "allow_guest_owners": False,
        "can_complete_only_assignees": False,
        "everyone_must_complete": False,
        "prevent_guest_comment": False,
        "has_deadline_dependent_child_tasks": False,
        "deadline_set_by_hand": task.deadline_set_by_hand,
        "is_soft_start_date": False,
        "linked_step_id": None,
        "blueprint_position": None,
        "stage_id": None,
        "top_secret": False,
        "max_assignable": task.max_assignable,
        "webhook": task.webhook,
        "problem": task.has_open_issue,
        "run_status": None if is_container(run) else run.status,
    }


def status_of(run: Run, task: Task, quirks: Quirks) -> str:
    """Return a task's status."""
    if task.auto_skipped:
        return "auto-skipped"
    if task.is_done:
        return quirks.task_done_status
    first = under_way(run)
    return "active" if task.started_at is not None or (first is not None and first.id == task.id) else "not-started"


def form_rows(task: Task, quirks: Quirks) -> list[dict[str, Any]]:
    """Render a task's form as ``with=form_fields`` does."""
    return form_with_values(task.form_fields, task.values, quirks.form_value_key)


def thread_rows(run: Run, threads: Iterable[Thread], quirks: Quirks) -> list[dict[str, Any]]:
    """Render threads as ``with=threads`` does."""
    rows = [thread_row(run, thread) for thread in threads]
    return rows[::-1] if quirks.newest_thread_first else rows


def thread_row(run: Run, thread: Thread) -> dict[str, Any]:
    """Render a thread."""
    return {
        "id": thread.id,
        "label": thread.label,
        "content": thread.content,
        "state": thread.state,
        "author_id": thread.author_id,
        "author_type": "App\\Models\\User",
        "sent_to": [],
        "created_at": run.date(thread.at),
        "updated_at": run.date(thread.updated_at or thread.at),
        "resolve_id": thread.resolve_id,
    }


def is_container(run: Run) -> bool:
    """Return whether a run only holds a one-off task that belongs to no run."""
    return not run.checklist.id


def run_id_of(run: Run, task: Task) -> str | None:
    """Return the run that a task belongs to."""
    return None if is_container(run) else run.id


def _steps_of(run: Run) -> list[Step | None]:
    visible = [step for step in run.checklist.steps if not step.auto_skipped]
    if run.tasks_total == len(visible):
        return list(run.checklist.steps)
    return [visible[number % len(visible)] if visible else None for number in range(run.tasks_total)]


def _build_task(run: Run, number: int, step: Step | None, *, done: bool, has_issue: bool) -> Task:
    title = step.title if step else "Task"
    approval = step is not None and step.task_type == "approval"
    return Task(
        id=stable_id("task", run.id, number),
        increment_id=run.increment_id * 100 + number,
        title=title,
        original_title=title,
        alias=step.alias if step else "task",
        position=number + 1,
        created_at=run.created_at,
        step_id=step.id if step else None,
        task_type=step.task_type if step else "task",
        form_fields=step.form_fields if step else (),
        owners=Owners(users=run.assignees, groups=run.groups),
        deadline=run.created_at + (number + 1) * _STEP_DAYS,
        started_at=run.created_at if done or number == run.tasks_done else None,
        completed_at=run.last_updated if done else None,
        completer_id=run.owner_id if done else None,
        is_approved=True if done and approval else None,
        threads=(_initial_issue(run),) if has_issue else (),
        auto_skipped=step.auto_skipped if step else False,
    )


def _initial_issue(run: Run) -> Thread:
    """Return the issue of a run that was added with its status."""
    content = f"There is a problem with {run.name}."
    return Thread(stable_id("thread", run.id), "problem", content, run.owner_id, run.last_updated)


def _label(task: Task, status: str) -> str:
    if not task.is_done:
        return status
    if task.task_type == "approval":
        return "approved" if task.is_approved else "rejected"
    if task.task_type in ("expiring", "expiring_email"):
        return "expired" if task.is_approved is False else "acknowledged"
    return status


def _guest_link(task: Task, guest: str) -> dict[str, str]:
    secret = GUEST_SECRET + stable_id("guest link", task.id, guest)
    return {"email": guest, "url": f"https://go.tallyfy.com/guest/tasks/{task.id}?code={secret}"}
