"""Read the decision with which a task is completed, and check that the task takes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_provider.client.redaction import quoted
from tallyfy_provider.client.tasks.status import (
    ACKNOWLEDGED,
    APPROVALS,
    APPROVED,
    EXPIRED,
    EXPIRING,
    PLAIN,
    REJECTED,
    name_of,
)
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import as_text, as_written, is_nothing

YES, NO = "yes", "no"

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("true", "yes", "y", "1"), YES),
    **dict.fromkeys(("false", "no", "n", "0"), NO),
    **dict.fromkeys(("approve", "approved", "accept", "accepted"), APPROVED),
    **dict.fromkeys(("reject", "rejected", "decline", "declined"), REJECTED),
    **dict.fromkeys(("acknowledge", "acknowledged"), ACKNOWLEDGED),
    **dict.fromkeys(("expire", "expired"), EXPIRED),
}


def read_decision(value: Any) -> str | None:
    """Read a decision: True or False, or a word such as ``approve``, as templates render them; None for nothing."""
    if is_nothing(value):
        return None
    word = as_text("decision", value).strip().lower()
    if word not in _WORDS:
        raise TallyfyInputError(
            f"decision takes true or false, 'approve' or 'reject', for a task that can expire 'acknowledge' or "
            f"'expire', not {as_written(value)}."
        )
    return _WORDS[word]


def check_decision(decision: str | None, task: Mapping[str, Any]) -> bool | None:
    """Return what is sent as ``is_approved``, or None; raise TallyfyInputError where the decision does not fit."""
    kind = str(task.get("task_type") or "task")
    name = f"Task {name_of(task)}"
    if kind in APPROVALS:
        return _approval(decision, name)
    if kind in EXPIRING:
        return _expiring(decision, name)
    if decision is None:
        return None
    if kind in PLAIN:
        raise TallyfyInputError(
            f"{name} is no approval (its type is {quoted(kind)}), so Tallyfy would ignore decision={decision!r}. Leave "
            "decision out. Nothing was changed."
        )
    return decision in (YES, APPROVED, ACKNOWLEDGED)


def _approval(decision: str | None, name: str) -> bool:
    if decision in (YES, APPROVED):
        return True
    if decision in (NO, REJECTED):
        return False
    given = "decision is not given" if decision is None else f"decision={decision!r} does not decide it"
    raise TallyfyInputError(
        f"{name} is an approval, and {given}. decision takes 'approve' (true) or 'reject' (false). Nothing was changed."
    )


def _expiring(decision: str | None, name: str) -> bool | None:
    if decision is None:
        return None
    if decision in (YES, ACKNOWLEDGED):
        return True
    if decision == EXPIRED:
        return False
    raise TallyfyInputError(
        f"{name} is a task that can expire, and decision={decision!r} would mark it as expired rather than rejected. "
        "Give decision='expire' if that is meant. Nothing was changed."
    )
