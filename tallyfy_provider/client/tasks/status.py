"""
What the state of a task means to somebody who waits for it. Pure, and asked by every mode of waiting.

A task of Tallyfy is open, completed, or hidden by a rule (``auto-skipped``). Only an approval has a verdict
(docs/tallyfy-api.md, "Endpoints").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.runs.status import ARCHIVED, COMPLETE, Outcome, describe, statuses_of
from tallyfy_provider.exceptions import TallyfyInputError

Task = Mapping[str, Any]
Run = Mapping[str, Any]

AUTO_SKIPPED = "auto-skipped"
APPROVED, REJECTED = "approved", "rejected"
ACKNOWLEDGED, EXPIRED = "acknowledged", "expired"

APPROVALS = frozenset({"approval"})
EXPIRING = frozenset({"expiring", "expiring_email"})
#: Types of task that take no verdict.
PLAIN = frozenset({"task", "email"})

#: What a wait keeps of a task: enough to judge it again and to name it. No form value is among them.
_COMPACT_FIELDS = (
    "id",
    "run_id",
    "title",
    "original_title",
    "alias",
    "status",
    "task_type",
    "problem",
    "completed_at",
)


def is_completed(task: Task) -> bool:
    """
    Tell whether a task is completed.

    :param task: The task as the API gave it; some of Tallyfy's words for its status are ``complete``, others
        ``completed``.
    :return: True where ``completed_at`` is set or the status says so.
    """
    return bool(task.get("completed_at")) or task.get("status") in {"complete", "completed"}


def is_hidden(task: Task) -> bool:
    """
    Tell whether a rule hides a task.

    :param task: The task as the API gave it.
    :return: True where nobody is asked to do it.
    """
    return task.get("status") == AUTO_SKIPPED


def verdict_of(task: Task) -> str | None:
    """
    Tell how a completed task was decided.

    :param task: The task as the API gave it.
    :return: ``approved`` or ``rejected`` for an approval, ``acknowledged`` or ``expired`` for a task that can expire;
        None for every other task, and for one that is not completed.
    """
    kind = str(task.get("task_type") or "")
    yes, no = (APPROVED, REJECTED) if kind in APPROVALS else (ACKNOWLEDGED, EXPIRED)
    if not is_completed(task) or kind not in APPROVALS | EXPIRING:
        return None
    if isinstance(task.get("is_approved"), bool):
        return yes if task["is_approved"] else no
    label = str(task.get("status_label") or "").lower()
    return label if label in (yes, no) else None


def completer_of(task: Task) -> tuple[int | str | None, str | None]:
    """
    Tell who completed a task.

    :param task: The task as the API gave it.
    :return: The user's id or the guest's email address, and the name where Tallyfy gives one.
    """
    person = next((task[key] for key in ("completer_id", "completer", "completer_guest") if task.get(key)), None)
    details = task.get("completer") if isinstance(task.get("completer"), Mapping) else person
    if not isinstance(details, Mapping):
        return person, None
    data = details.get("data", details)
    name = data.get("full_name") or " ".join(str(data[part]) for part in ("first_name", "last_name") if data.get(part))
    who = person if not isinstance(person, Mapping) else data.get("id") or data.get("email")
    return who, name or None


def compact_task(task: Task) -> dict[str, Any]:
    """
    Shorten a task to what a wait needs of it.

    :param task: The task as the API gave it.
    :return: JSON primitives, without form values and guest links.
    """
    person, name = completer_of(task)
    kept = {key: task.get(key) for key in _COMPACT_FIELDS}
    return {**kept, "verdict": verdict_of(task), "completed_by": person, "completed_by_name": name}


@dataclass(frozen=True)
class TaskVerdict:
    """
    What a task means to those who wait for it.

    :param outcome: How the wait stands.
    :param why: What was seen, for people.
    """

    outcome: Outcome
    why: str


@dataclass(frozen=True)
class TaskRule:
    """
    What ends a wait for a task, and how.

    :param on_rejection: What a rejection means: ``pass``, ``fail`` or ``skip``.
    :param on_auto_skipped: What it means that a rule hides the task: ``wait``, ``pass``, ``fail`` or ``skip``.
    :param on_problem: What an open problem on the task means: ``wait``, ``fail`` or ``skip``.
    """

    on_rejection: str = "pass"
    on_auto_skipped: str = "wait"
    on_problem: str = "wait"

    @classmethod
    def build(cls, *, on_rejection: str, on_auto_skipped: str, on_problem: str) -> TaskRule:
        """
        Check what a user wrote and make a rule of it.

        :param on_rejection: As above.
        :param on_auto_skipped: As above.
        :param on_problem: As above.
        :return: The rule.
        :raises TallyfyInputError: One is none of its words.
        """
        given = {"on_rejection": on_rejection, "on_auto_skipped": on_auto_skipped, "on_problem": on_problem}
        for name, value in given.items():
            if value not in _WORDS[name]:
                words = ", ".join(map(repr, _WORDS[name]))
                raise TallyfyInputError(f"{name} is {value!r}; it takes one of {words}.")
        return cls(on_rejection, on_auto_skipped, on_problem)

    def judge(self, task: Task | None, run: Run) -> TaskVerdict:
        """
        Say what a task means to the wait.

        :param task: The task, whole or compact; None where Tallyfy does not show it: its run is new, or archived.
        :param run: Its run, whole or compact, as it was before the task was looked at: a run that was over then with
            the task undone is over without it.
        :return: The verdict.
        """
        ended = _ended(run)
        if task is None:
            return TaskVerdict(Outcome.FAILED if ended else Outcome.WAITING, f"no task of run {describe(run)}")
        said = describe_task(task)
        if is_completed(task):
            is_rejected = (task.get("verdict") or verdict_of(task)) == REJECTED
            return TaskVerdict(_OUTCOMES[self.on_rejection] if is_rejected else Outcome.SUCCEEDED, said)
        if is_hidden(task) and self.on_auto_skipped != "wait":
            return TaskVerdict(_OUTCOMES[self.on_auto_skipped], f"{said}: a rule hides it")
        if ended is not None:
            if is_hidden(task) and ended == COMPLETE:
                return TaskVerdict(Outcome.SKIPPED, f"{said}: a rule hid it until the run was complete")
            return TaskVerdict(Outcome.FAILED, f"{said}, and its run is {ended}")
        if task.get("problem") is True:
            return TaskVerdict(_OUTCOMES[self.on_problem], f"{said}, with an open problem")
        return TaskVerdict(Outcome.WAITING, said)


_OUTCOMES = {
    "pass": Outcome.SUCCEEDED,
    "fail": Outcome.FAILED,
    "skip": Outcome.SKIPPED,
    "wait": Outcome.WAITING,
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "on_rejection": ("pass", "fail", "skip"),
    "on_auto_skipped": ("wait", "pass", "fail", "skip"),
    "on_problem": ("wait", "fail", "skip"),
}


def _ended(run: Run) -> str | None:
    return next((status for status in statuses_of(run) if status in (COMPLETE, ARCHIVED)), None)


def describe_task(task: Task) -> str:
    """
    Name a task and its state in a message.

    :param task: The task, whole or compact.
    :return: Such as ``'Approve' (0a1b…): completed, rejected``.
    """
    verdict = task.get("verdict") or verdict_of(task)
    return f"{task.get('title')!r} ({task.get('id')}): {task.get('status')}{f', {verdict}' if verdict else ''}"


def completion_in_words(task: Task) -> str:
    """
    Say by whom and when a task was completed.

    :param task: The completed task, whole or compact.
    :return: Such as ``approved by 12 at 2026-10-31T09:00:00Z``.
    """
    who, name = completer_of(task)
    by = f"{name} ({who})" if name else str(who or "somebody")
    at = task.get("completed_at") or "a time that Tallyfy does not tell"
    return f"{verdict_of(task) or 'completed'} by {by} at {at}"
