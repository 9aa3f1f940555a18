"""
What the state of a run means to somebody who waits for it. Pure, and asked by every mode of waiting.

Tallyfy has no failed and no cancelled run: a process is cancelled by archiving it, and every end can be undone
(docs/tallyfy-api.md, "Run status").
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.client.runs.filters import RUN_STATUSES
from tallyfy_provider.exceptions import TallyfyInputError

Run = Mapping[str, Any]

COMPLETE = "complete"
ARCHIVED = "archived"
_COMPLETE_WORDS = frozenset({"complete", "completed"})
#: An open issue can be reported beside another status.
_TROUBLE = ("problem", "issue")
WAIT_FOR = ("all", "any")


class Outcome(Enum):
    """How a wait stands."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


def statuses_of(run: Run) -> tuple[str, ...]:
    """
    Tell in which statuses a run is, the one that matters most first.

    A run that was archived after it was complete is complete before all; one that was archived earlier is archived,
    whatever its ``status`` still says. A run with an open issue is in ``problem`` and ``issue`` before its own status.

    :param run: The run as the API gave it.
    :return: One status as a rule, sometimes more.
    """
    status = str(run.get("status") or "").lower()
    if status in _COMPLETE_WORDS or run.get("completed_at"):
        return (COMPLETE, ARCHIVED) if is_archived(run) else (COMPLETE,)
    if is_archived(run):
        return (ARCHIVED,)
    if status == "in-progress":  # seen in webhook samples only
        status = "active"
    if run.get("has_open_issue") is True and status not in _TROUBLE:
        return (*_TROUBLE, status)
    return (status,)


@dataclass(frozen=True)
class StatusRule:
    """
    Which statuses end a wait, and how.

    :param allowed: Statuses that are a success.
    :param failed: Statuses that are a failure.
    :param skipped: Statuses that skip the task. All others, unknown ones included, are waited out.
    :param wait_for: ``all`` runs, or ``any`` of them.
    """

    allowed: tuple[str, ...] = (COMPLETE,)
    failed: tuple[str, ...] = (ARCHIVED,)
    skipped: tuple[str, ...] = ()
    wait_for: str = "all"

    @classmethod
    def build(
        cls,
        *,
        allowed: Iterable[str] | None = None,
        failed: Iterable[str] | None = None,
        skipped: Iterable[str] | None = None,
        wait_for: str = "all",
    ) -> StatusRule:
        """
        Check what a user wrote and make a rule of it.

        :param allowed: Statuses that are a success; None means complete.
        :param failed: Statuses that are a failure; None means archived, unless that is allowed or skipped.
        :param skipped: Statuses that skip the task; None means none.
        :param wait_for: ``all`` or ``any``.
        :return: The rule.
        :raises TallyfyInputError: A status is misspelt or stands in two lists, or ``wait_for`` is neither.
        """
        allowed_statuses = _statuses("allowed_statuses", allowed, (COMPLETE,))
        skipped_statuses = _statuses("skipped_statuses", skipped, ())
        taken = {*allowed_statuses, *skipped_statuses}
        failed_statuses = _statuses("failed_statuses", failed, () if ARCHIVED in taken else (ARCHIVED,))
        if not allowed_statuses:
            raise TallyfyInputError("allowed_statuses is empty: the wait could never succeed.")
        if wait_for not in WAIT_FOR:
            raise TallyfyInputError(f"wait_for is {wait_for!r}; it takes 'all' or 'any'.")
        everything = [*allowed_statuses, *failed_statuses, *skipped_statuses]
        for status in everything:
            if everything.count(status) > 1:
                raise TallyfyInputError(
                    f"The status {status!r} stands in two of allowed_statuses, failed_statuses and skipped_statuses."
                )
        return cls(allowed_statuses, failed_statuses, skipped_statuses, wait_for)

    def judge(self, run: Run) -> Outcome:
        """
        Say what one run means to the wait.

        :param run: The run as the API gave it.
        :return: Its outcome: what the first of its statuses means that the rule names.
        """
        for status in statuses_of(run):
            for outcome, named in (
                (Outcome.FAILED, self.failed),
                (Outcome.SKIPPED, self.skipped),
                (Outcome.SUCCEEDED, self.allowed),
            ):
                if status in named:
                    return outcome
        return Outcome.WAITING

    def judge_all(self, runs: Sequence[Run]) -> Outcome:
        """
        Say what several runs together mean to the wait.

        Waiting for all ends with the first failure, else the first skip; it succeeds when all have. Waiting for any
        succeeds with the first success, and fails or skips only when none is left that could succeed.

        :param runs: The runs; at least one.
        :return: The outcome of the wait.
        """
        outcomes = [self.judge(run) for run in runs]
        if self.wait_for == "all":
            order = (Outcome.FAILED, Outcome.SKIPPED, Outcome.WAITING)
        else:
            order = (Outcome.SUCCEEDED, Outcome.WAITING, Outcome.FAILED)
        found = next((outcome for outcome in order if outcome in outcomes), None)
        if found is not None:
            return found
        return Outcome.SUCCEEDED if self.wait_for == "all" else Outcome.SKIPPED


def _statuses(argument: str, given: Iterable[str] | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if given is None:
        return default
    if not isinstance(given, Iterable):
        raise TallyfyInputError(f"{argument} takes a list of statuses, not {given!r}.")
    statuses = [given] if isinstance(given, str) else list(given)
    return tuple(dict.fromkeys(_status(argument, status) for status in statuses))


def _status(argument: str, given: object) -> str:
    status = str(getattr(given, "value", given)).strip().lower()
    if status in RUN_STATUSES:
        return status
    nearest = difflib.get_close_matches(status, RUN_STATUSES, n=1, cutoff=0.7)
    if nearest or not status:
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"Tallyfy's are {', '.join(RUN_STATUSES)}."
        # A misspelt status would be waited for until the timeout; an unlike one may be newer than this provider.
        raise TallyfyInputError(f"{argument}: {given!r} is no status of a run; {hint}")
    return status


def unknown_statuses(rule: StatusRule) -> list[str]:
    """
    Tell which statuses of a rule this provider does not know.

    :param rule: The rule.
    :return: Statuses that Tallyfy's documentation does not have, which may never be reached.
    """
    return [status for status in (*rule.allowed, *rule.failed, *rule.skipped) if status not in RUN_STATUSES]


#: What a wait hands on of each run: enough to act on, and to judge it again.
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


def compact(run: Run) -> dict[str, Any]:
    """
    Shorten a run to what a wait hands on.

    :param run: The run as the API gave it.
    :return: The fields of ``COMPACT_FIELDS``; None where the run has no such field.
    """
    return {name: run.get(name) for name in COMPACT_FIELDS}


def describe(run: Run) -> str:
    """
    Name a run and its state in a message.

    :param run: The run, whole or compact.
    :return: Such as ``'Month-end close' (0a1b…): active``.
    """
    return f"{run.get('name')!r} ({run.get('id')}): {run.get('status')}{_archived_note(run)}"


def _archived_note(run: Run) -> str:
    return ", archived" if is_archived(run) and run.get("status") != ARCHIVED else ""
