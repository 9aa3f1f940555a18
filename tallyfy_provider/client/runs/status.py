"""
Read the status of a run.

Tallyfy tells more than one status of a run, and what it writes for an archived one differs (docs/tallyfy-api.md,
"Run status").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_provider.client.redaction import quoted, shown
from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.utils.timestamps import is_date

Run = Mapping[str, Any]

COMPLETE = "complete"
ARCHIVED = "archived"
#: Other words for statuses; ``in-progress`` was seen in samples of webhooks only.
_SYNONYMS = {"completed": COMPLETE, "in-progress": "active"}
#: An open issue can be reported beside another status.
_TROUBLE = ("problem", "issue")

#: What a wait returns of each run: enough to act on, and to evaluate it again.
COMPACT_FIELDS = (
    "id",
    "name",
    "status",
    "checklist_id",
    "owner_id",
    "created_at",
    "completed_at",
    "archived_at",
    "last_updated",
    "has_open_issue",
)


def statuses_of(run: Run) -> tuple[str, ...]:
    """
    Return the statuses of a run, the most important first.

    A run that was archived after it was complete is complete before all; one that was archived earlier is archived,
    whatever its ``status`` still says. A run with an open issue is in ``problem`` and ``issue`` before its own status.
    """
    status = _status_of(run)
    if status == COMPLETE or is_date(run.get("completed_at")):
        return (COMPLETE, ARCHIVED) if is_archived(run) else (COMPLETE,)
    if is_archived(run):
        return (ARCHIVED,)
    if run.get("has_open_issue") is True and status not in _TROUBLE:
        return (*_TROUBLE, status)
    return (status,)


def _status_of(run: Run) -> str:
    status = str(run.get("status") or "").lower()
    return _SYNONYMS.get(status, status)


def is_over(run: Run) -> bool:
    """Tell whether a run is complete or archived."""
    return not {COMPLETE, ARCHIVED}.isdisjoint(statuses_of(run))


def compact(run: Run) -> dict[str, Any]:
    """Return the fields of a run that are in ``COMPACT_FIELDS``; None where the run has no such field."""
    return {name: run.get(name) for name in COMPACT_FIELDS}


def describe(run: Run) -> str:
    """
    Return a run's name, id and state for a message, such as ``'Month-end close' (0a1b…): active``.

    The same for all ways in which Tallyfy writes the same state, so that a message that differs tells of a change.
    """
    status = _status_of(run)
    archived = ", archived" if is_archived(run) and status != ARCHIVED else ""
    has_issue = run.get("has_open_issue") is True and not is_over(run) and status not in _TROUBLE
    return f"{name_of(run)}: {shown(status)}{archived}{', with an open problem' * has_issue}"


def name_of(run: Run) -> str:
    """Return a run's name and id for a message."""
    return f"{quoted(run.get('name'))} ({shown(run.get('id'))})"
