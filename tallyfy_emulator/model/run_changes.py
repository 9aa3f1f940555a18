"""Create and change runs from a caller's fields. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tallyfy_emulator.model.catalog import Catalog, Checklist, plain_steps
from tallyfy_emulator.model.run import ProgressShape, Run, Shape
from tallyfy_emulator.model.run_tasks import with_initial_tasks
from tallyfy_emulator.model.task_changes import sync_tasks
from tallyfy_emulator.model.wire import DateStyle, parse_date, stable_id

_DATE_STYLES: tuple[DateStyle, ...] = ("iso", "iso_millis", "sql")
_PROGRESS_SHAPES: tuple[ProgressShape, ...] = (
    "object",
    "object",
    "number",
    "object",
    "object",
    "empty",
    "object",
)


def _optional_date(value: Any) -> float | None:
    return None if value is None else parse_date(value)


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in values)


def _numbers(values: Any) -> tuple[int, ...]:
    return tuple(int(each) for each in values)


# What a caller may name, the attribute of Run that it sets, and how its value is read. Any other name is one
# of the API's fields that the emulator has no use for: it goes into the answer as it is.
_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", str),
    "status": ("status", str),
    "type": ("type", str),
    "summary": ("summary", str),
    "owner_id": ("owner_id", int),
    "started_by": ("started_by", int),
    "parent_id": ("parent_id", lambda value: value),
    "prerun": ("prerun", lambda value: dict(value or {})),
    "starred": ("starred", bool),
    "is_public": ("is_public", bool),
    "improvement": ("improvement", bool),
    "tasks_done": ("tasks_done", int),
    "tasks_total": ("tasks_total", int),
    "created_at": ("created_at", parse_date),
    "last_updated": ("last_updated", parse_date),
    "due_date": ("due_at", _optional_date),
    "completed_at": ("completed_at", _optional_date),
    "archived_at": ("archived_at", _optional_date),
    "tags": ("tags", _texts),
    "folders": ("folders", _texts),
    "groups": ("groups", _texts),
    "users": ("users", _numbers),
    "assignees": ("assignees", _numbers),
    "shape": ("shape", lambda value: value),
}


def new_run(catalog: Catalog, number: int, now: float, fields: Mapping[str, Any]) -> Run:
    """Build a run with its tasks from the fields that a caller gave; see :func:`run_without_tasks`."""
    return with_initial_tasks(run_without_tasks(catalog, number, now, fields))


def run_without_tasks(catalog: Catalog, number: int, now: float, fields: Mapping[str, Any]) -> Run:
    """
    Build a run from the fields that a caller gave.

    ``number`` is its ``increment_id``; its id is derived from it unless ``fields`` has one. Names that the emulator has
    no use for go into the answer as they are.
    """
    given = dict(fields)
    checklist = _checklist(catalog, given)
    run_id = str(given.pop("id", None) or stable_id("run", number))
    values, extra = _read(given)
    owner = values.setdefault("owner_id", catalog.people[number % len(catalog.people)].id)
    values.setdefault("shape", Shape(owner_as_text=isinstance(given.get("owner_id"), str)))
    values.setdefault("name", checklist.run_name(number))
    values.setdefault("type", checklist.type)
    values.setdefault("started_by", owner)
    values.setdefault("assignees", (owner,))
    values.setdefault("created_at", now)
    values.setdefault("last_updated", values["created_at"])
    values.setdefault("tasks_total", sum(not step.auto_skipped for step in checklist.steps))
    values.setdefault("status", "active")
    _fill_status(values, now)
    return Run(id=run_id, increment_id=number, checklist=checklist, extra=extra, **values)


def changed(run: Run, at: float, fields: Mapping[str, Any]) -> Run:
    """
    Build the run that it is after a change.

    Setting ``status`` does what Tallyfy does along with it: ``complete`` sets ``completed_at`` and finishes
    the progress, another status after ``complete`` takes both back, ``archived`` sets ``archived_at`` and
    keeps the status.
    """
    fixed = sorted({"id", "checklist_id", "increment_id"} & set(fields))
    if fixed:
        raise ValueError(f"A run's {', '.join(fixed)} can't be changed. Add another run instead.")
    values, more = _read(fields)
    extra = {**run.extra, **more}
    values.setdefault("last_updated", at)
    status = values.get("status")
    if status == "archived":
        del values["status"]
        values.setdefault("archived_at", at)
    elif status == "complete":
        values.setdefault("completed_at", run.completed_at if run.status == "complete" else at)
        values.setdefault("tasks_done", values.get("tasks_total", run.tasks_total))
    elif status is not None and run.status == "complete":
        values.setdefault("completed_at", None)
        values.setdefault("tasks_done", max(run.tasks_total - 1, 0))
    if status is not None:
        # A progress that was given as it is, once, is not true of another status.
        extra = {key: value for key, value in extra.items() if key in more or "progress" not in key}
    return sync_tasks(run, replace(run, extra=extra, **values), at)


def varied_shape(number: int, *, with_numbers: bool = False) -> Shape:
    """Choose how a run is written, so that neighbours differ as they do in real answers."""
    progress = _PROGRESS_SHAPES[number % len(_PROGRESS_SHAPES)]
    return Shape(
        dates=_DATE_STYLES[number % len(_DATE_STYLES)],
        progress="object" if progress == "number" and not with_numbers else progress,
        owner_as_text=number % 4 == 0,
    )


def _checklist(catalog: Catalog, given: dict[str, Any]) -> Checklist:
    checklist_id = given.pop("checklist_id", None)
    title = given.pop("checklist_title", None)
    if checklist_id is None:
        checklist = next(iter(catalog.checklists.values()))
    else:
        checklist = catalog.checklists.get(str(checklist_id)) or _unknown_checklist(str(checklist_id))
    return replace(checklist, title=str(title)) if title else checklist


def _unknown_checklist(checklist_id: str) -> Checklist:
    steps = plain_steps(checklist_id, ("Prepare", "Do", "Check"))
    return Checklist(checklist_id, "Checklist", steps=steps)


def _read(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in _FIELDS:
            extra[name] = value
            continue
        attribute, read = _FIELDS[name]
        try:
            values[attribute] = read(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"A run's {name} can't be {value!r}: {error}") from error
    return values, extra


def _fill_status(values: dict[str, Any], now: float) -> None:
    """Make the status, end times and progress of a new run agree, where the caller did not give them."""
    if values["status"] == "archived":
        values.setdefault("archived_at", now)
        values["status"] = "complete" if values.get("completed_at") is not None else "active"
    if values["status"] == "complete":
        values.setdefault("completed_at", now)
        values.setdefault("tasks_done", values["tasks_total"])
    values.setdefault("tasks_done", values["tasks_total"] // 2)
