"""
Complete a task once, whoever else is about to.

Completing a completed task may send its webhooks and e-mails again (docs/tallyfy-api.md, "Endpoints"), and the API has
no lock and no conditional write. So on one machine one process at a time reads the task and completes it; and where
that is asked for, processes on different machines claim it by a comment (:mod:`tallyfy_provider.client.tasks.locks`).
One gap remains: a person, or another machine without a claim, who completes the task between our last request for it
and the time when Tallyfy takes our completion. That is some tenths of a second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.comments import CommentsResource
from tallyfy_provider.client.forms.encode import EncodedForm
from tallyfy_provider.client.tasks.api import TasksResource
from tallyfy_provider.client.tasks.decision import check_decision
from tallyfy_provider.client.tasks.form import describe_losses, encode_task_form, require_filled
from tallyfy_provider.client.tasks.locks import claim_task, host_lock
from tallyfy_provider.client.tasks.lookup import run_of
from tallyfy_provider.client.tasks.status import is_completed, is_hidden, name_of
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyInputError,
    TallyfyValidationError,
)

log = logging.getLogger(__name__)

#: Seconds to wait before each request for a task whose completion got no response.
LOOKUP_PAUSES = (0.0, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Completed:
    """A completed task, and whether somebody else had completed it before; notes are what a user should know."""

    task: dict[str, Any]
    was_before: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TaskCompletion:
    """How to complete a task."""

    decision: str | None = None
    values: Any = field(default=None, repr=False)
    override_user: int | None = None
    claimant: str | None = None
    sleep: Callable[[float], object] = time.sleep

    def apply(self, tasks: TasksResource, comments: CommentsResource, task: dict[str, Any]) -> Completed:
        """Fill the task's form and complete it, unless it is completed."""
        if is_completed(task):
            return Completed(task, was_before=True)
        is_approved, encoded = self._checked(task)
        with host_lock(tasks.organization_id, str(task["id"])):
            if self.claimant is not None and not claim_task(tasks, comments, task, self.claimant, sleep=self.sleep):
                return Completed(_latest(tasks, task), was_before=True)
            return self._complete(tasks, task, is_approved, encoded)

    def _checked(self, task: Mapping[str, Any]) -> tuple[bool | None, EncodedForm]:
        if is_hidden(task):
            raise TallyfyInputError(f"Task {name_of(task)} is hidden by a rule (auto-skipped) and cannot be completed.")
        is_approved = check_decision(self.decision, task)
        encoded = encode_task_form(task, self.values)
        require_filled(task, encoded)
        return is_approved, encoded

    def _complete(
        self, tasks: TasksResource, task: dict[str, Any], is_approved: bool | None, encoded: EncodedForm
    ) -> Completed:
        notes = list(encoded.notes)
        if encoded.values:
            before = _latest(tasks, task)
            if is_completed(before):
                return Completed(before, was_before=True)
            filled = _fill(tasks, task, encoded)
            if is_completed(filled):
                return Completed(filled, was_before=True)
            notes += describe_losses(encoded.values, filled, task)
        latest = _latest(tasks, task)
        if is_completed(latest):
            return Completed(latest, was_before=True, notes=notes)
        return self._send(tasks, latest, is_approved, notes)

    def _send(
        self, tasks: TasksResource, task: dict[str, Any], is_approved: bool | None, notes: list[str]
    ) -> Completed:
        try:
            done = tasks.complete(run_of(task), str(task["id"]), is_approved, self.override_user)
        except TallyfyValidationError:
            # Refused, perhaps since somebody was there first.
            if not is_completed(now := _latest(tasks, task)):
                raise
            return Completed(now, was_before=True, notes=notes)
        except TallyfyIndeterminateError as lost:
            in_doubt = lost
        else:
            return Completed(done, notes=notes)
        found = self._find_completed(tasks, task)
        if found is None:
            raise in_doubt
        log.info("The response to completing task %s was lost, and it is completed.", task["id"])
        return Completed(found, notes=notes)

    def _find_completed(self, tasks: TasksResource, task: Mapping[str, Any]) -> dict[str, Any] | None:
        for pause in LOOKUP_PAUSES:
            self.sleep(pause)
            with suppress(TallyfyError):
                if is_completed(now := _latest(tasks, task)):
                    return now
        return None


def _latest(tasks: TasksResource, task: Mapping[str, Any]) -> dict[str, Any]:
    return tasks.get(str(task["id"]), run_of(task))


def _fill(tasks: TasksResource, task: Mapping[str, Any], encoded: EncodedForm) -> dict[str, Any]:
    """Fill the form; return the task with its values, or as somebody else completed it meanwhile."""
    task_id, run_id = str(task["id"]), run_of(task)
    try:
        tasks.update(run_id, task_id, {"taskdata": dict(encoded.values)})
    except TallyfyValidationError:
        if not is_completed(now := _latest(tasks, task)):
            raise
        return now
    return tasks.get(task_id, run_id, include=("form_fields",))
