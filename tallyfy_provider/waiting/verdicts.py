"""What the end of a wait for runs means, in words and as an exception; the same for sensors and operators. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from tallyfy_provider.client.runs.status import Outcome, StatusRule, describe
from tallyfy_provider.exceptions import TallyfyRunFailedError

#: Runs named in a message.
_SHOWN = 5


@dataclass(frozen=True)
class Verdict:
    """
    What runs mean to those who wait for them.

    :param outcome: How the wait stands.
    :param goal: What is waited for, for people.
    :param states: What was seen, for people.
    """

    outcome: Outcome
    goal: str
    states: str

    @property
    def is_over(self) -> bool:
        """Whether the wait succeeded."""
        return self.outcome is Outcome.SUCCEEDED

    def __str__(self) -> str:
        """Say it as one sentence."""
        return f"{'Waited' if self.is_over else 'Waiting'} for {self.goal}: {self.states}."

    @property
    def error(self) -> TallyfyRunFailedError | AirflowSkipException | None:
        """What to raise, where the wait ended badly."""
        if self.outcome is Outcome.FAILED:
            return TallyfyRunFailedError(f"Waited for {self.goal}, which cannot be any more: {self.states}.")
        if self.outcome is Outcome.SKIPPED:
            return AirflowSkipException(f"Skipped: waited for {self.goal}, and found {self.states}.")
        return None


def verdict_on(rule: StatusRule, runs: Sequence[Mapping[str, Any]]) -> Verdict:
    """
    Say what the state of runs means.

    :param rule: What is waited for.
    :param runs: The runs, whole or compact; at least one.
    :return: The verdict.
    """
    return Verdict(rule.judge_all(runs), f"{rule.wait_for} to be {' or '.join(rule.allowed)}", states_of(runs))


def states_of(runs: Sequence[Mapping[str, Any]]) -> str:
    """
    Name runs and their states.

    :param runs: The runs, whole or compact.
    :return: The words; of many runs only some are named.
    """
    shown = "; ".join(describe(run) for run in runs[:_SHOWN])
    return shown if len(runs) <= _SHOWN else f"{shown}; and {len(runs) - _SHOWN} more"
