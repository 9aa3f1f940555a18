"""The verdict with which a task is completed, as a Dag author or a template writes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_provider.client.tasks.status import ACKNOWLEDGED, APPROVALS, APPROVED, EXPIRED, EXPIRING, PLAIN, REJECTED
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import is_nothing

YES, NO = "yes", "no"

_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("true", "yes", "y", "1"), YES),
    **dict.fromkeys(("false", "no", "n", "0"), NO),
    **dict.fromkeys(("approve", "approved", "accept", "accepted"), APPROVED),
    **dict.fromkeys(("reject", "rejected", "decline", "declined"), REJECTED),
    **dict.fromkeys(("acknowledge", "acknowledged"), ACKNOWLEDGED),
    **dict.fromkeys(("expire", "expired"), EXPIRED),
}


def read_verdict(value: Any) -> str | None:
    """
    Read a verdict.

    :param value: True or False, or such words as ``approve``, ``reject`` or ``true``, as templates render them.
    :return: The verdict; None where none is given.
    :raises TallyfyInputError: It is none of these.
    """
    if is_nothing(value):
        return None
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise TallyfyInputError(
            f"is_approved takes true or false, 'approve' or 'reject', for a task that can expire 'acknowledge' or "
            f"'expire', not {value!r:.100}."
        )
    return _WORDS[word]


def check_verdict(verdict: str | None, task: Mapping[str, Any]) -> bool | None:
    """
    Hold a verdict against the task that it is for.

    :param verdict: As :func:`read_verdict` gave it.
    :param task: The task as the API gave it.
    :return: What is sent as ``is_approved``; None sends nothing.
    :raises TallyfyInputError: The task needs a verdict and there is none, or does not take this one.
    """
    kind = str(task.get("task_type") or "task")
    name = f"Task {task.get('title')!r} ({task.get('id')})"
    if kind in APPROVALS:
        return _approval(verdict, name)
    if kind in EXPIRING:
        return _expiring(verdict, name)
    if verdict is None:
        return None
    if kind in PLAIN:
        raise TallyfyInputError(
            f"{name} is no approval (its type is {kind!r}), so Tallyfy would ignore is_approved={verdict!r}. Nothing "
            "was changed; leave is_approved out."
        )
    return verdict in (YES, APPROVED, ACKNOWLEDGED)


def _approval(verdict: str | None, name: str) -> bool:
    if verdict in (YES, APPROVED):
        return True
    if verdict in (NO, REJECTED):
        return False
    given = "is_approved is not given" if verdict is None else f"is_approved={verdict!r} is not one of its verdicts"
    raise TallyfyInputError(
        f"{name} is an approval, and {given}. Nothing was changed; is_approved takes 'approve' (true) or 'reject' "
        "(false)."
    )


def _expiring(verdict: str | None, name: str) -> bool | None:
    if verdict is None:
        return None
    if verdict in (YES, ACKNOWLEDGED):
        return True
    if verdict == EXPIRED:
        return False
    raise TallyfyInputError(
        f"{name} is a task that can expire, and is_approved={verdict!r} would mark it as expired rather than rejected. "
        "Nothing was changed; say is_approved='expire' if that is meant."
    )
