"""
Read the state of a task.

A task of Tallyfy is open, completed, or hidden by a rule (``auto-skipped``). Only an approval has a decision
(docs/tallyfy-api.md, "Endpoints").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_provider.client.redaction import quoted, shown
from tallyfy_provider.utils.timestamps import is_date

Task = Mapping[str, Any]

AUTO_SKIPPED = "auto-skipped"
APPROVED, REJECTED = "approved", "rejected"
ACKNOWLEDGED, EXPIRED = "acknowledged", "expired"

APPROVALS = frozenset({"approval"})
EXPIRING = frozenset({"expiring", "expiring_email"})
#: Types of task that take no decision.
PLAIN = frozenset({"task", "email"})

#: What a wait keeps of a task: enough to evaluate it again and to name it. No form value is among them.
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
    """Tell whether a task is completed, for which Tallyfy has two words: ``complete`` and ``completed``."""
    return is_date(task.get("completed_at")) or task.get("status") in ("complete", "completed")


def is_hidden(task: Task) -> bool:
    """Tell whether a rule hides a task, so that nobody is asked to do it."""
    return task.get("status") == AUTO_SKIPPED


def decision_of(task: Task) -> str | None:
    """
    Return how a completed task was decided.

    That is ``approved`` or ``rejected`` for an approval, ``acknowledged`` or ``expired`` for a task that can expire;
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
    """Return who completed a task: the user's id or the guest's email address, and the name where Tallyfy has one."""
    person = next((task[key] for key in ("completer_id", "completer", "completer_guest") if task.get(key)), None)
    details = task.get("completer") if isinstance(task.get("completer"), Mapping) else person
    if not isinstance(details, Mapping):
        return person, None
    data = details.get("data", details)
    if not isinstance(data, Mapping):
        return None, None
    name = data.get("full_name") or " ".join(str(data[part]) for part in ("first_name", "last_name") if data.get(part))
    who = person if not isinstance(person, Mapping) else data.get("id") or data.get("email")
    return who, name or None


def compact_task(task: Task) -> dict[str, Any]:
    """Return what a wait needs of a task, as JSON primitives without form values and guest links."""
    person, name = completer_of(task)
    kept = {key: task.get(key) for key in _COMPACT_FIELDS}
    return {**kept, "decision": decision_of(task), "completed_by": person, "completed_by_name": name}


def describe_task(task: Task) -> str:
    """Return a task's title, id and state for a message, such as ``'Approve' (0a1b…): completed, rejected``."""
    decision = task.get("decision") or decision_of(task)
    status = "completed" if is_completed(task) else task.get("status")
    return f"{name_of(task)}: {shown(status)}{f', {shown(decision)}' if decision else ''}"


def name_of(task: Task) -> str:
    """Return a task's title and id for a message."""
    return f"{quoted(task.get('title'))} ({shown(task.get('id'))})"


def describe_completion(task: Task) -> str:
    """Return by whom and when a task was completed, such as ``approved by 12 at 2026-10-31T09:00:00Z``."""
    who, name = completer_of(task)
    by = f"{shown(name)} ({shown(who)})" if name else shown(who or "somebody")
    at = shown(task.get("completed_at") or "a time that Tallyfy does not tell")
    return f"{decision_of(task) or 'completed'} by {by} at {at}"
