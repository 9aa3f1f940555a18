"""What ``with=`` adds to a run: its template, tasks, tags and the rest, each nested under ``data``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .catalog import Catalog, Named, stable_id
from .run import Run

_STEP_DAYS = 86400.0


def with_includes(row: dict[str, Any], run: Run, catalog: Catalog, wanted: str) -> dict[str, Any]:
    """
    Add what was asked for to a run. Unknown names are ignored, as Tallyfy does.

    :param row: the run as the API gives it; not changed.
    :param run: the run.
    :param catalog: where tags, folders and people are found.
    :param wanted: the value of ``with``: names separated by commas; a nested one such as ``tasks.threads``
        brings the outer one with it.
    :return: the run with the additions.
    """
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    found = dict(row)
    for name in names:
        outer, _, inner = name.partition(".")
        if outer not in _INCLUDES:
            continue
        found.setdefault(outer, _INCLUDES[outer](run, catalog))
        if outer == "tasks" and inner in ("threads", "form_fields"):
            for task in found["tasks"]["data"]:
                task[inner] = {"data": []}
    return found


def tasks_of(run: Run) -> list[dict[str, Any]]:
    """
    Give a run's tasks, one for each step of its template, as many of them completed as its progress says.

    :param run: the run.
    :return: the tasks as the API gives them, in order.
    """
    steps = run.checklist.steps
    return [_task(run, number, steps[number % len(steps)] if steps else "Task") for number in range(run.tasks_total)]


def task_id(run: Run, number: int) -> str:
    """
    Give the id of one of a run's tasks.

    :param run: the run.
    :param number: the task's place in it, counted from 0.
    :return: the id.
    """
    return stable_id("task", run.id, number)


def _task(run: Run, number: int, title: str) -> dict[str, Any]:
    done = number < run.tasks_done
    under_way = number == run.tasks_done
    status = "completed" if done else "active" if under_way else "not-started"
    return {
        "id": task_id(run, number),
        "increment_id": run.increment_id * 100 + number,
        "title": title,
        "original_title": title,
        "alias": title.lower().replace(" ", "-"),
        "run_id": run.id,
        "checklist_id": run.checklist.id,
        "step_id": stable_id("step", run.checklist.id, number),
        "status": status,
        "status_label": status,
        "task_type": "task",
        "is_approved": None,
        "position": number + 1,
        "deadline": run.date(run.created_at + (number + 1) * _STEP_DAYS),
        "started_at": run.date(run.created_at) if done or under_way else None,
        "completed_at": run.date(run.last_updated) if done else None,
        "completer_id": run.owner_id if done else None,
        "created_at": run.date(run.created_at),
        "last_updated": run.date(run.last_updated),
        "archived_at": run.date(run.archived_at),
        "owners": {"users": list(run.assignees), "guests": [], "groups": list(run.groups)},
        "taskdata": [],
        "is_oneoff_task": False,
        "everyone_must_complete": False,
        "max_assignable": 0,
        "problem": under_way and run.status == "problem",
        "run_status": run.status,
    }


def _checklist(run: Run, catalog: Catalog) -> dict[str, Any]:
    return {"data": run.checklist.to_json()}


def _tasks(run: Run, catalog: Catalog) -> dict[str, Any]:
    return {"data": tasks_of(run)}


def _next_task(run: Run, catalog: Catalog) -> dict[str, Any]:
    fields = ("id", "increment_id", "title", "alias", "owners", "deadline")
    pending = (task for task in tasks_of(run) if task["completed_at"] is None)
    return {"data": [{name: task[name] for name in fields} for task in list(pending)[:1]]}


def _tasks_meta(run: Run, catalog: Catalog) -> dict[str, Any]:
    open_tasks = run.tasks_total - run.tasks_done
    return {"data": {"total": run.tasks_total, "completed": run.tasks_done, "incomplete": open_tasks}}


def _tags(run: Run, catalog: Catalog) -> dict[str, Any]:
    return {"data": [{"id": each.id, "title": each.name} for each in _named(run.tags, catalog.tags)]}


def _folders(run: Run, catalog: Catalog) -> dict[str, Any]:
    return {"data": [{"id": each.id, "name": each.name} for each in _named(run.folders, catalog.folders)]}


def _named(ids: tuple[str, ...], known: Any) -> list[Named]:
    return [known.get(each, Named(each, each)) for each in ids]


def _kickoff_fields(run: Run, catalog: Catalog) -> dict[str, Any]:
    return {
        "data": [
            {
                "id": each.id,
                "alias": each.alias,
                "label": each.label,
                "field_type": each.field_type,
                "field_value": run.prerun.get(each.id),
            }
            for each in run.checklist.kickoff
        ]
    }


def _permissions(run: Run, catalog: Catalog) -> dict[str, Any]:
    return {"data": {"PROCESS_READ": list(run.users), "PROCESS_EDIT": [run.owner_id]}}


def _member_watchers(run: Run, catalog: Catalog) -> dict[str, Any]:
    owner = catalog.person_by_id(run.owner_id)
    return {"data": [] if owner is None else [{"id": owner.id, "email": owner.email}]}


def _nothing(run: Run, catalog: Catalog) -> dict[str, Any]:
    return {"data": []}


_INCLUDES: dict[str, Callable[[Run, Catalog], dict[str, Any]]] = {
    "checklist": _checklist,
    "tasks": _tasks,
    "next_task": _next_task,
    "tasks_meta": _tasks_meta,
    "tags": _tags,
    "folders": _folders,
    "ko_form_fields": _kickoff_fields,
    "form_fields": _nothing,
    "assets": _nothing,
    "stages": _nothing,
    "permissions": _permissions,
    "member_watchers": _member_watchers,
    "guest_watchers": _nothing,
}
