"""Runs as immutable values, and their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from tallyfy_emulator.model.catalog import Checklist, RuleCheck
from tallyfy_emulator.model.task import Task, Thread
from tallyfy_emulator.model.wire import DateStyle, encode, format_date

ProgressShape = Literal["object", "number", "empty"]

OPEN_ISSUE = frozenset({"problem", "issue"})


@dataclass(frozen=True)
class Shape:
    """How a run's values are written, where Tallyfy is inconsistent."""

    dates: DateStyle = "iso"
    progress: ProgressShape = "object"
    owner_as_text: bool = False


@dataclass(frozen=True)
class Run:
    """
    A run as it is at one moment.

    Times are seconds since 1970-01-01 UTC. ``extra`` holds fields that were given as they are: they go into
    the answer unchanged and win over the computed ones.
    """

    id: str
    increment_id: int
    checklist: Checklist
    name: str
    status: str
    owner_id: int
    started_by: int
    created_at: float
    last_updated: float
    due_at: float | None = None
    completed_at: float | None = None
    archived_at: float | None = None
    tasks_done: int = 0
    tasks_total: int = 3
    starred: bool = False
    is_public: bool = False
    improvement: bool = False
    type: str = "procedure"
    summary: str = ""
    parent_id: str | None = None
    prerun: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    users: tuple[int, ...] = ()
    assignees: tuple[int, ...] = ()
    tasks: tuple[Task, ...] = ()
    threads: tuple[Thread, ...] = ()
    kickoff_is_open: bool = False
    rule_checks: tuple[RuleCheck, ...] = ()
    shape: Shape = field(default_factory=Shape)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def row(self) -> dict[str, Any]:
        """The run as a list gives it; not to be changed."""
        return _row(self)

    @cached_property
    def text(self) -> str:
        """:attr:`row` in JSON."""
        return encode(self.row).decode()

    def date(self, date_value: float | None) -> str | None:
        """Render a time in this run's style."""
        return None if date_value is None else format_date(date_value, self.shape.dates)


def progress_of(run: Run) -> object:
    """Return a run's progress in the shape that this run has it."""
    percent = round(100 * run.tasks_done / run.tasks_total) if run.tasks_total else 0
    if run.shape.progress == "empty":
        return []
    if run.shape.progress == "number":
        return percent
    return {"complete": run.tasks_done, "total": run.tasks_total, "percent": percent}


def _row(run: Run) -> dict[str, Any]:
    late = run.status == "delayed"
    progress = progress_of(run)
    kickoff_done = _has_kickoff(run) and not run.kickoff_is_open
    row = {
        "id": run.id,
        "increment_id": run.increment_id,
        "checklist_id": run.checklist.id,
        "checklist_title": run.checklist.title,
        "name": run.name,
        "summary": run.summary,
        "status": run.status,
        "progress": progress,
        "whole_progress": progress,
        "started_by": run.started_by,
        "owner_id": str(run.owner_id) if run.shape.owner_as_text else run.owner_id,
        "prerun": dict(run.prerun) if run.prerun else [],
        "prerun_status": _kickoff_status(run),
        "prerun_completed_at": run.date(run.created_at) if kickoff_done else None,
        "prerun_completed_by": run.started_by if kickoff_done else None,
        "prerun_length": len(run.prerun),
        "starred": run.starred,
        "is_public": run.is_public,
        "type": run.type,
        "parent_id": run.parent_id,
        "users": list(run.users),
        "groups": list(run.groups),
        "collaborators": list(run.assignees),
        "created_at": run.date(run.created_at),
        "started_at": run.date(run.created_at),
        "last_updated": run.date(run.last_updated),
        "due_date": run.date(run.due_at),
        "due_date_passed": late,
        "due_soon": False,
        "late_tasks": 1 if late else 0,
        "max_task_deadline": run.date(run.due_at),
        "completed_at": run.date(run.completed_at),
        "archived_at": run.date(run.archived_at),
        "assign_someone_else": True,
        "can_add_oot": True,
        "has_open_issue": run.status in OPEN_ISSUE,
        "custom_fields": [],
    }
    row.update(run.extra)
    return row


def _kickoff_status(run: Run) -> str | None:
    if run.kickoff_is_open:
        return "incomplete"
    return "complete" if _has_kickoff(run) else None


def _has_kickoff(run: Run) -> bool:
    return bool(run.prerun or run.checklist.kickoff)
