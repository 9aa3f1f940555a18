"""What ``with=`` adds to a run: its template, tasks, tags and the rest, each nested under ``data``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tallyfy_emulator.model.catalog import Named
from tallyfy_emulator.model.forms import form_with_values
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import form_rows, task_row, thread_rows, under_way
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.wire import stable_id
from tallyfy_emulator.store.organization import Organization


def with_includes(row: dict[str, Any], run: Run, organization: Organization, wanted: str) -> dict[str, Any]:
    """Add what was asked for to a run. Unknown names are ignored, as Tallyfy does."""
    names = names_of(wanted)
    found = dict(row)
    for name in names:
        outer, _, inner = name.partition(".")
        if outer not in _INCLUDES:
            continue
        found.setdefault(outer, {"data": _INCLUDES[outer](run, organization)})
        if outer == "tasks":
            for task, task_found in zip(_visible_tasks(run), found["tasks"]["data"], strict=True):
                task_found.update(task_includes(run, task, organization, [inner]))
    return found


def names_of(wanted: str) -> list[str]:
    """Parse the value of ``with``."""
    return [name.strip() for name in wanted.split(",") if name.strip()]


def task_includes(run: Run, task: Task, organization: Organization, names: list[str]) -> dict[str, Any]:
    """Return what ``with=`` adds to a task."""
    found: dict[str, Any] = {}
    if "form_fields" in names:
        found["form_fields"] = {"data": form_rows(task, organization.quirks)}
    if "threads" in names:
        found["threads"] = {"data": thread_rows(run, task.threads, organization.quirks)}
    if "comments" in names:
        comments = [thread for thread in task.threads if thread.label not in ("problem", "resolve")]
        found["comments"] = {"data": thread_rows(run, comments, organization.quirks)}
    if "assets" in names:
        found["assets"] = {"data": []}
    if "step" in names:
        steps = [step for step in run.checklist.step_rows() if step["id"] == task.step_id]
        found["step"] = {"data": steps[0] if steps else []}
    if "run" in names or "run.checklist" in names:
        found["run"] = {"data": organization.read(run)}
    if "run.checklist" in names:
        found["run"]["data"]["checklist"] = {"data": run.checklist.to_json()}
    if "summary" in names:
        found["summary"] = task.summary
    return found


def form_values_of(run: Run) -> Any:
    """Return every value of a run's forms, its kick-off's and its tasks'."""
    values = dict(run.prerun)
    for task in run.tasks:
        values.update(task.values)
    return values or []


def forms_of(run: Run, organization: Organization) -> dict[str, Any]:
    """Return a run's forms as ``GET /runs/{id}/form-fields`` does."""
    return {
        "form_fields": _form_fields(run, organization),
        "ko_form_fields": _kickoff_fields(run, organization),
    }


def _visible_tasks(run: Run) -> list[Task]:
    """Return the tasks in ``with=tasks``: skipped ones are only in the list of tasks."""
    return [task for task in run.tasks if not task.auto_skipped]


def _tasks(run: Run, organization: Organization) -> list[dict[str, Any]]:
    return [task_row(run, task, organization.quirks) for task in _visible_tasks(run)]


def _next_task(run: Run, organization: Organization) -> list[dict[str, Any]]:
    fields = ("id", "increment_id", "title", "alias", "owners", "deadline")
    task = under_way(run)
    row = None if task is None else task_row(run, task, organization.quirks)
    return [] if row is None else [{name: row[name] for name in fields}]


def _tasks_meta(run: Run, organization: Organization) -> dict[str, int]:
    open_tasks = run.tasks_total - run.tasks_done
    return {"total": run.tasks_total, "completed": run.tasks_done, "incomplete": open_tasks}


def _tags(run: Run, organization: Organization) -> list[dict[str, Any]]:
    named = _named(run.tags, organization.catalog.tags)
    return [{"id": link_id(run.id, each.id), "tag_id": each.id, "title": each.name} for each in named]


def _folders(run: Run, organization: Organization) -> list[dict[str, Any]]:
    return [{"id": each.id, "name": each.name} for each in _named(run.folders, organization.catalog.folders)]


def link_id(subject_id: str, other_id: str) -> int:
    """Return the number of the link between a run and its tag or folder, by which the link is removed."""
    return int(stable_id("link", subject_id, other_id)[:7], 16) + 1


def _named(ids: tuple[str, ...], known: Any) -> list[Named]:
    return [known.get(each, Named(each, each)) for each in ids]


def _kickoff_fields(run: Run, organization: Organization) -> list[dict[str, Any]]:
    return form_with_values(run.checklist.kickoff, run.prerun, organization.quirks.form_value_key)


def _form_fields(run: Run, organization: Organization) -> list[dict[str, Any]]:
    return [row | {"task_id": task.id} for task in run.tasks for row in form_rows(task, organization.quirks)]


def _member_watchers(run: Run, organization: Organization) -> list[dict[str, Any]]:
    owner = organization.catalog.person_by_id(run.owner_id)
    return [] if owner is None else [{"id": owner.id, "email": owner.email}]


# What each name adds; it is nested under ``data``.
_INCLUDES: dict[str, Callable[[Run, Organization], Any]] = {
    "checklist": lambda run, organization: run.checklist.to_json(),
    "tasks": _tasks,
    "next_task": _next_task,
    "tasks_meta": _tasks_meta,
    "tags": _tags,
    "folders": _folders,
    "ko_form_fields": _kickoff_fields,
    "form_fields": _form_fields,
    "assets": lambda run, organization: [],
    "stages": lambda run, organization: [],
    "permissions": lambda run, organization: {"PROCESS_READ": list(run.users), "PROCESS_EDIT": [run.owner_id]},
    "member_watchers": _member_watchers,
    "guest_watchers": lambda run, organization: [],
}
