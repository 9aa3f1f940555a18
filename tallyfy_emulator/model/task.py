"""Tasks and their threads of comments, as immutable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tallyfy_emulator.model.catalog import TaskType
from tallyfy_emulator.model.forms import FormField

ThreadLabel = Literal["comment", "problem", "resolve", "improvement", "advice"]
ThreadState = Literal["open", "hide-for-guests", "collapsed"]


@dataclass(frozen=True)
class Thread:
    """
    A comment (label ``comment`` or the like), an issue (``problem``), or what resolved one (``resolve``).

    An issue is open until it has a ``resolve_id``. Ids are 32 hexadecimal digits and tell no order. Times are seconds
    since 1970-01-01 UTC. ``number`` counts the threads of a run; the API does not show it.
    """

    id: str
    label: str
    content: str
    author_id: int
    at: float
    state: str = "hide-for-guests"
    resolve_id: str | None = None
    updated_at: float | None = None
    number: int = 0

    @property
    def is_open_issue(self) -> bool:
        """Whether it is an unresolved issue."""
        return self.label == "problem" and self.resolve_id is None


@dataclass(frozen=True)
class Owners:
    """Who a task is assigned to."""

    users: tuple[int, ...] = ()
    guests: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task as it is at one moment. Times are seconds since 1970-01-01 UTC; ``values`` are by field id."""

    id: str
    increment_id: int
    title: str
    original_title: str
    alias: str
    position: int
    created_at: float
    step_id: str | None = None
    task_type: TaskType = "task"
    form_fields: tuple[FormField, ...] = ()
    owners: Owners = field(default_factory=Owners)
    summary: str = ""
    deadline: float | None = None
    started_at: float | None = None
    completed_at: float | None = None
    completer_id: int | None = None
    is_approved: bool | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    threads: tuple[Thread, ...] = ()
    auto_skipped: bool = False
    deadline_set_by_hand: bool = False
    is_oneoff: bool = False
    archived_at: float | None = None
    max_assignable: int = 0
    webhook: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether it is completed."""
        return self.completed_at is not None

    @property
    def is_open(self) -> bool:
        """Whether it is neither completed nor skipped."""
        return self.completed_at is None and not self.auto_skipped

    @property
    def has_open_issue(self) -> bool:
        """Whether it has an unresolved issue."""
        return any(thread.is_open_issue for thread in self.threads)
