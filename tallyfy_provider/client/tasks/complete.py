"""
Completing a task once, whoever else is about to.

Completing a completed task may send its webhooks and e-mails again (docs/tallyfy-api.md, "Endpoints"), and the API has
no lock and no conditional write. So, on one machine, one process at a time reads the task and completes it; and where
that is asked for, processes on different machines claim it by a comment (:mod:`tallyfy_provider.client.tasks.locks`).
What remains is a person, or another machine without a claim, who completes it between our last look and Tallyfy's
taking our request: some tenths of a second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.forms.encode import Encoded
from tallyfy_provider.client.tasks.decision import check_verdict
from tallyfy_provider.client.tasks.form import encoded_values, fields_of, losses, refuse_missing
from tallyfy_provider.client.tasks.host_lock import host_lock
from tallyfy_provider.client.tasks.locks import claim_task
from tallyfy_provider.client.tasks.lookup import run_of
from tallyfy_provider.client.tasks.status import is_completed, is_hidden
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyInputError,
    TallyfyValidationError,
)

log = logging.getLogger(__name__)

#: Seconds before each look for a completion whose answer was lost.
LOOKS = (0.0, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Completed:
    """
    What came of it.

    :param task: The task as it is then.
    :param was_before: Whether it was completed already, by somebody else.
    :param notes: What a user should know.
    """

    task: dict[str, Any]
    was_before: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TaskCompletion:
    """
    What is to be done to a task.

    :param verdict: As :func:`~tallyfy_provider.client.tasks.decision.read_verdict` gave it.
    :param values: Values of the form by alias, label or id; not shown, since they may be personal.
    :param override_user: The member who is to be named as the one who completed it.
    :param claimant: Who claims the task by a comment, for people; None claims nothing.
    :param sleep: Waits so many seconds.
    """

    verdict: str | None = None
    values: Any = field(default=None, repr=False)
    override_user: int | None = None
    claimant: str | None = None
    sleep: Callable[[float], object] = time.sleep

    def apply(self, client: TallyfyClient, task: dict[str, Any]) -> Completed:
        """
        Fill the task's form and complete it, unless it is completed.

        :param client: The client.
        :param task: The task as it is, with ``form_fields``.
        :return: What came of it.
        :raises TallyfyInputError: The verdict or a value cannot be used, or a required field is empty; nothing was
            changed.
        :raises TallyfyIndeterminateError: The answer was lost, and the task does not say.
        :raises TallyfyError: Of the kind that fits.
        """
        if is_completed(task):
            return Completed(task, was_before=True)
        is_approved, encoded = self._checked(task)
        with host_lock(client.organization_id, str(task["id"])):
            return self._complete(client, task, is_approved, encoded)

    def _checked(self, task: Mapping[str, Any]) -> tuple[bool | None, Encoded]:
        if is_hidden(task):
            raise TallyfyInputError(
                f"Task {task.get('title')!r} ({task.get('id')}) is hidden by a rule (auto-skipped) and cannot be "
                "completed."
            )
        is_approved = check_verdict(self.verdict, task)
        encoded = encoded_values(task, self.values)
        refuse_missing(task, encoded)
        return is_approved, encoded

    def _complete(
        self, client: TallyfyClient, task: dict[str, Any], is_approved: bool | None, encoded: Encoded
    ) -> Completed:
        task_id, run_id = str(task["id"]), run_of(task)
        if self.claimant is not None and not claim_task(client, task_id, run_id, self.claimant, sleep=self.sleep):
            return Completed(client.tasks.get(task_id, run_id), was_before=True)
        notes = list(encoded.notes)
        if encoded.values:
            before = client.tasks.get(task_id, run_id)
            if is_completed(before):
                return Completed(before, was_before=True)
            filled = self._filled(client, task, encoded)
            if is_completed(filled):
                return Completed(filled, was_before=True)
            notes += losses(encoded.values, filled, fields_of(task))
        latest = client.tasks.get(task_id, run_id)
        if is_completed(latest):
            return Completed(latest, was_before=True, notes=notes)
        return self._sent(client, latest, is_approved, notes)

    def _filled(self, client: TallyfyClient, task: Mapping[str, Any], encoded: Encoded) -> dict[str, Any]:
        """Fill the form; give the task with its values, or as somebody else completed it meanwhile."""
        task_id, run_id = str(task["id"]), run_of(dict(task))
        try:
            client.tasks.update(run_id, task_id, {"taskdata": dict(encoded.values)})
        except TallyfyValidationError:
            if not is_completed(now := client.tasks.get(task_id, run_id)):
                raise
            return now
        return client.tasks.get(task_id, run_id, include=("form_fields",))

    def _sent(
        self, client: TallyfyClient, task: dict[str, Any], is_approved: bool | None, notes: list[str]
    ) -> Completed:
        task_id, run_id = str(task["id"]), run_of(task)
        try:
            done = client.tasks.complete(run_id, task_id, is_approved, self.override_user)
        except TallyfyValidationError:
            # Refused, perhaps since somebody was there first.
            if not is_completed(now := client.tasks.get(task_id, run_id)):
                raise
            return Completed(now, was_before=True, notes=notes)
        except TallyfyIndeterminateError as lost:
            in_doubt = lost
        else:
            return Completed(done, notes=notes)
        found = self._look_for_completion(client, task_id, run_id)
        if found is None:
            raise in_doubt
        log.info("The answer to completing task %s was lost, and it is completed.", task_id)
        return Completed(found, notes=notes)

    def _look_for_completion(self, client: TallyfyClient, task_id: str, run_id: str | None) -> dict[str, Any] | None:
        for pause in LOOKS:
            self.sleep(pause)
            with suppress(TallyfyError):
                if is_completed(task := client.tasks.get(task_id, run_id)):
                    return task
        return None
