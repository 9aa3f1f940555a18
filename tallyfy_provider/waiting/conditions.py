"""
Decide what the state of runs, of a task or of a number of runs means to a wait.

Poking, rescheduling, deferring and launch-and-wait all ask these rules, so that no mode can disagree with another.
They do no I/O. Tallyfy has no failed and no cancelled run: a process is cancelled by archiving it, and every end can
be undone (docs/tallyfy-api.md, "Run status").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from tallyfy_provider.client.runs.filters import RUN_STATUSES
from tallyfy_provider.client.runs.status import ARCHIVED, COMPLETE, describe, statuses_of
from tallyfy_provider.client.tasks.status import REJECTED, decision_of, describe_task, is_completed, is_hidden
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyRunFailedError
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.plurals import counted
from tallyfy_provider.utils.suggestions import did_you_mean

Run = Mapping[str, Any]
Task = Mapping[str, Any]

WAIT_FOR = ("all", "any")
#: Runs named in a message.
_SHOWN = 5


class Outcome(Enum):
    """How a wait stands."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class WaitResult:
    """How a wait stands, in words and as an exception."""

    outcome: Outcome
    goal: str
    seen: str

    @property
    def is_success(self) -> bool:
        """Whether the wait succeeded."""
        return self.outcome is Outcome.SUCCEEDED

    def __str__(self) -> str:
        return f"{'Waited' if self.is_success else 'Waiting'} for {self.goal}: {self.seen}."

    @property
    def error(self) -> TallyfyRunFailedError | AirflowSkipException | None:
        """What to raise when the wait failed or is to be skipped."""
        if self.outcome is Outcome.FAILED:
            return TallyfyRunFailedError(f"The wait for {self.goal} failed: {self.seen}.")
        if self.outcome is Outcome.SKIPPED:
            return AirflowSkipException(f"Skipped while waiting for {self.goal}: {self.seen}.")
        return None


@dataclass(frozen=True)
class StatusRule:
    """Which statuses end a wait for runs, and how; it goes on in all others, unknown ones included."""

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
        """Check a user's arguments and build a rule; archived fails unless another list is given or has it."""
        allowed_statuses = _statuses("allowed_statuses", allowed, (COMPLETE,))
        skipped_statuses = _statuses("skipped_statuses", skipped, ())
        taken = {*allowed_statuses, *skipped_statuses}
        failed_statuses = _statuses("failed_statuses", failed, () if ARCHIVED in taken else (ARCHIVED,))
        if not allowed_statuses:
            raise TallyfyInputError("allowed_statuses is empty: the wait could never succeed.")
        arguments.choice("wait_for", wait_for, WAIT_FOR)
        every_status = [*allowed_statuses, *failed_statuses, *skipped_statuses]
        for status in every_status:
            if every_status.count(status) > 1:
                is_default = status == COMPLETE and arguments.is_nothing(allowed)
                raise TallyfyInputError(
                    f"The status {status!r} is in two of allowed_statuses, failed_statuses and skipped_statuses."
                    + (" allowed_statuses is complete where it is not given: give it another status." * is_default)
                )
        return cls(allowed_statuses, failed_statuses, skipped_statuses, wait_for)

    @classmethod
    def check_literals(cls, allowed: Any, failed: Any, skipped: Any) -> None:
        """Check a user's arguments when the Dag is parsed, unless one is known only when the task runs."""
        if all(arguments.is_known(statuses) for statuses in (allowed, failed, skipped)):
            cls.build(allowed=allowed, failed=failed, skipped=skipped)

    def evaluate(self, run: Run) -> Outcome:
        """Return what the first of a run's statuses means that the rule names."""
        for status in statuses_of(run):
            if status in self.failed:
                return Outcome.FAILED
            if status in self.skipped:
                return Outcome.SKIPPED
            if status in self.allowed:
                return Outcome.SUCCEEDED
        return Outcome.WAITING

    def evaluate_all(self, runs: Sequence[Run]) -> Outcome:
        """
        Return what several runs together mean.

        Waiting for all ends with the first failure, else the first skip; it succeeds when all have. Waiting for any
        succeeds with the first success, and fails or skips only when none is left that could succeed.
        """
        outcomes = {self.evaluate(run) for run in runs}
        if self.wait_for == "all":
            order = (Outcome.FAILED, Outcome.SKIPPED, Outcome.WAITING, Outcome.SUCCEEDED)
        else:
            order = (Outcome.SUCCEEDED, Outcome.WAITING, Outcome.FAILED, Outcome.SKIPPED)
        return next(outcome for outcome in order if outcome in outcomes)

    def result(self, runs: Sequence[Run]) -> WaitResult:
        """Return what runs, whole or compact, mean to the wait; at least one."""
        goal = f"{self.wait_for} to be {' or '.join(self.allowed)}"
        return WaitResult(self.evaluate_all(runs), goal, describe_runs(runs))

    def as_arguments(self) -> dict[str, Any]:
        """Return the rule as the arguments of a trigger, JSON primitives all."""
        return {
            "allowed_statuses": list(self.allowed),
            "failed_statuses": list(self.failed),
            "skipped_statuses": list(self.skipped),
            "wait_for": self.wait_for,
        }

    @property
    def unknown_statuses(self) -> list[str]:
        """Statuses that Tallyfy does not document, which may never be reached."""
        return [status for status in (*self.allowed, *self.failed, *self.skipped) if status not in RUN_STATUSES]


def _statuses(argument: str, given: Iterable[str] | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if arguments.is_nothing(given):
        return default
    given = arguments.parse_json(given)
    arguments.refuse_python_text(argument, given)
    arguments.refuse_unstable(argument, given)
    if not isinstance(given, Iterable) or isinstance(given, (Mapping, bytes)):
        raise TallyfyInputError(f"{argument} takes a list of statuses, not {arguments.as_written(given)}.")
    statuses = _split(arguments.as_text(argument, given)) if isinstance(given, str) else given
    return tuple(dict.fromkeys(_status(argument, status) for status in statuses))


def _split(text: str) -> list[str]:
    return [part for part in text.split(",") if part.strip()]


_STATUS = re.compile("[a-z][a-z0-9 _-]*")


def _status(argument: str, given: object) -> str:
    given = getattr(given, "value", given)
    status = given.strip().lower() if isinstance(given, str) else ""
    if status in RUN_STATUSES:
        return status
    # A misspelt status would be waited for until the timeout; one unlike all others may be newer than this provider.
    suggestion = did_you_mean(status, RUN_STATUSES)
    if suggestion or not _STATUS.fullmatch(status):
        hint = suggestion or f"; the statuses are {', '.join(RUN_STATUSES)}."
        raise TallyfyInputError(f"{argument}: {arguments.as_written(given)} is not a status of a run{hint}")
    return status


def describe_runs(runs: Sequence[Run]) -> str:
    """Return the names and states of runs; of many, only some are named."""
    shown = "; ".join(describe(run) for run in runs[:_SHOWN])
    return shown if len(runs) <= _SHOWN else f"{shown}; and {len(runs) - _SHOWN} more"


_OUTCOMES = {"pass": Outcome.SUCCEEDED, "fail": Outcome.FAILED, "skip": Outcome.SKIPPED, "wait": Outcome.WAITING}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "on_rejection": ("pass", "fail", "skip"),
    "on_auto_skipped": ("wait", "pass", "fail", "skip"),
    "on_problem": ("wait", "fail", "skip"),
}


@dataclass(frozen=True)
class TaskRule:
    """What a rejection, a rule that hides the task, and an open problem mean to a wait for a task."""

    on_rejection: str = "pass"
    on_auto_skipped: str = "wait"
    on_problem: str = "wait"

    @classmethod
    def build(cls, **choices: str) -> TaskRule:
        """Check a user's arguments and build a rule."""
        for name, value in choices.items():
            arguments.choice(name, value, _CHOICES[name])
        return cls(**choices)

    def result(self, task: Task | None, run: Run) -> WaitResult:
        """
        Return what a task means to the wait; None for one that Tallyfy does not show, as its run is new or archived.

        The run is as it was before the task was read: if it was over then and the task not done, it will not be done.
        """
        outcome, seen = self._evaluate(task, run)
        return WaitResult(outcome, "a step to be done", seen)

    def _evaluate(self, task: Task | None, run: Run) -> tuple[Outcome, str]:
        end = next((status for status in statuses_of(run) if status in (COMPLETE, ARCHIVED)), None)
        if task is None:
            return Outcome.FAILED if end else Outcome.WAITING, f"no task of run {describe(run)}"
        seen = describe_task(task)
        if is_completed(task):
            is_rejected = (task.get("decision") or decision_of(task)) == REJECTED
            return _OUTCOMES[self.on_rejection] if is_rejected else Outcome.SUCCEEDED, seen
        if is_hidden(task) and self.on_auto_skipped != "wait":
            return _OUTCOMES[self.on_auto_skipped], f"{seen}: a rule hides it"
        if end is not None:
            if is_hidden(task) and end == COMPLETE:
                return Outcome.SKIPPED, f"{seen}: a rule hid it until the run was complete"
            return Outcome.FAILED, f"{seen}, and its run is {end}"
        if task.get("problem") is True:
            return _OUTCOMES[self.on_problem], f"{seen}, with an open problem"
        return Outcome.WAITING, f"{seen}, of run {describe(run)}"


@dataclass(frozen=True)
class CountRule:
    """A range for a number of runs, both ends included; None for no end."""

    at_least: int | None = None
    at_most: int | None = None

    @classmethod
    def build(
        cls,
        *,
        at_least: int | str | None = None,
        at_most: int | str | None = None,
        exactly: int | str | None = None,
    ) -> CountRule:
        """Check what a user wrote or a template rendered, and build a rule."""
        low = arguments.whole_number("at_least", at_least, least=0)
        high = arguments.whole_number("at_most", at_most, least=0)
        both = arguments.whole_number("exactly", exactly, least=0)
        if both is not None:
            if low is not None or high is not None:
                raise TallyfyInputError("exactly cannot be combined: leave out at_least and at_most.")
            return cls(both, both)
        if low is None and high is None:
            raise TallyfyInputError("Set how many runs to wait for: at_least, at_most or exactly.")
        if low is not None and high is not None and low > high:
            raise TallyfyInputError(f"at_least is {low} and at_most is {high}: no number is both.")
        return cls(low, high)

    def result(self, count: int) -> WaitResult:
        """Return what a number means to the wait."""
        is_enough = self.at_least is None or count >= self.at_least
        is_few_enough = self.at_most is None or count <= self.at_most
        outcome = Outcome.SUCCEEDED if is_enough and is_few_enough else Outcome.WAITING
        return WaitResult(outcome, str(self), f"{counted(count, 'run')} {'matches' if count == 1 else 'match'}")

    def __str__(self) -> str:
        if self.at_least == self.at_most:
            return f"exactly {counted(self.at_least or 0, 'run')}"
        if self.at_least is None:
            return f"at most {counted(self.at_most or 0, 'run')}"
        if self.at_most is None:
            return f"at least {counted(self.at_least, 'run')}"
        return f"at least {self.at_least} and at most {counted(self.at_most, 'run')}"
