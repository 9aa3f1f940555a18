"""Sensors on runs, the processes of Tallyfy."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException, PokeReturnValue, conf

from tallyfy_provider.client.errors import (
    TallyfyError,
    TallyfyInputError,
    TallyfyRunFailedError,
    error_from_dict,
)
from tallyfy_provider.client.faults import DEFAULT_TOLERANCE, FaultTolerance
from tallyfy_provider.client.outcomes import Outcome, StatusRule, compact, describe, unknown_statuses
from tallyfy_provider.sensors.base import TallyfySensor

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from tallyfy_provider.hooks.tallyfy import TallyfyHook

RunIds = str | int | Sequence[str | int]


class RunStatusSensor(TallyfySensor):
    """
    Wait until a run (a process of Tallyfy) is complete, or several are.

    Poking, rescheduling and deferring give the same: the runs that were waited for, in a compact form
    (:data:`~tallyfy_provider.client.outcomes.COMPACT_FIELDS`), or the same exception. A transient fault (Tallyfy out of
    reach, too many requests, an unreadable answer) does not end the wait unless it lasts longer than
    ``fault_tolerance``; then it is raised as what it is. A run that does not exist ends the wait at once.

    :param run_id: The run's id or a list of ids; templated, or an XCom.
    :param allowed_statuses: Statuses that are a success; None means complete.
    :param failed_statuses: Statuses that fail the task, without retries: people ended the process, asking again
        changes nothing. None means archived (before it was complete), unless that is allowed or skipped. Add
        ``problem`` and ``issue`` to fail when people report one; by default they are waited out.
    :param skipped_statuses: Statuses that skip the task.
    :param wait_for: ``all`` runs, or ``any`` of them.
    :param fault_tolerance: Seconds (or a timedelta) that Tallyfy may be out of reach before the wait fails.
    :param deferrable: Wait in the triggerer, without a worker slot; the default is Airflow's
        ``[operators] default_deferrable``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyRunFailedError: A run ended in one of ``failed_statuses``.
    :raises TallyfyNotFoundError: A run is neither among the live runs nor among the archived ones.
    :raises TallyfyError: Of the kind that fits what Tallyfy answered.
    """

    template_fields: Sequence[str] = ("run_id", "tallyfy_conn_id")
    ui_color = "#dbe9f6"

    def __init__(
        self,
        *,
        run_id: RunIds,
        allowed_statuses: Iterable[str] | None = None,
        failed_statuses: Iterable[str] | None = None,
        skipped_statuses: Iterable[str] | None = None,
        wait_for: Literal["all", "any"] = "all",
        fault_tolerance: float | timedelta = DEFAULT_TOLERANCE,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        tallyfy_conn_id: str = "tallyfy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.rule = StatusRule.build(
            allowed=allowed_statuses, failed=failed_statuses, skipped=skipped_statuses, wait_for=wait_for
        )
        self.fault_tolerance = _seconds(fault_tolerance)
        self.deferrable = deferrable
        self._silent_until = 0.0
        self.tallyfy_conn_id = tallyfy_conn_id

    @cached_property
    def hook(self) -> TallyfyHook:
        """The hook, imported when it is needed: a Dag is parsed often and seldom run."""
        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        return TallyfyHook(self.tallyfy_conn_id)

    def execute(self, context: Context) -> Any:
        """
        Wait in the way that was asked for.

        :param context: Airflow's task context.
        :return: The runs that were waited for, in a compact form.
        """
        if self.deferrable and self.exponential_backoff:
            self.log.warning(
                "exponential_backoff has no effect while deferred: the triggerer asks every poke_interval."
            )
        for status in unknown_statuses(self.rule):
            self.log.warning("The status %r is not in Tallyfy's documentation; it may never be reached.", status)
        if self.deferrable:
            return self._defer_unless_over(context)
        return super().execute(context)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """
        Look at the runs once.

        :param context: Airflow's task context.
        :return: Whether the wait is over, with what it hands on.
        """
        runs = self._look()
        if runs is None:
            return False
        return self._conclude(runs)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """
        End a deferred wait as a poke would have ended.

        :param context: Airflow's task context.
        :param event: What the trigger reports.
        :return: The runs that were waited for, in a compact form.
        """
        event = event or {}
        if event.get("status") == "error":
            raise error_from_dict(event.get("error") or {})
        runs = event.get("runs") or []
        if event.get("status") == "timeout":
            raise self.timed_out(self._states(runs) or "nothing, Tallyfy could not be asked")
        if not runs:
            raise TallyfyError(f"The trigger reported nothing that can be read: {dict(event)!r}.")
        if not self._conclude(runs):
            raise TallyfyError(f"The trigger ended a wait that is not over: {self._states(runs)}.")
        self.log.info("Success criteria met. Exiting.")
        return [dict(run) for run in runs]

    def _defer_unless_over(self, context: Context) -> Any:
        deadline = time.time() + self.time_limit
        conclusion = self.poke_once(context)
        if conclusion:
            return conclusion.xcom_value if isinstance(conclusion, PokeReturnValue) else None
        from tallyfy_provider.triggers.runs import RunStatusTrigger

        self.log.info("Deferring: the triggerer goes on asking every %g s.", self.poke_interval)
        return self.defer(
            trigger=RunStatusTrigger(
                tallyfy_conn_id=self.tallyfy_conn_id,
                run_ids=self._run_ids(),
                allowed_statuses=list(self.rule.allowed),
                failed_statuses=list(self.rule.failed),
                skipped_statuses=list(self.rule.skipped),
                wait_for=self.rule.wait_for,
                poke_interval=self.poke_interval,
                deadline=deadline,
                fault_tolerance=self.fault_tolerance,
                silent_fail=self.silent_fail,
                not_before=time.time() + max(0.0, self._silent_until - time.monotonic()),
            ),
            method_name="execute_complete",
            timeout=self.backstop,
        )

    @cached_property
    def _tolerance(self) -> FaultTolerance:
        return FaultTolerance(self.fault_tolerance)

    def _look(self) -> list[dict[str, Any]] | None:
        """Look at every run; None when a fault is to be borne, or Tallyfy asked not to be asked yet."""
        ids = self._run_ids()
        while time.monotonic() >= self._silent_until:
            try:
                runs = [compact(self.hook.find_run(run_id)) for run_id in ids]
            except TallyfyError as fault:
                lasted = self._tolerance.bear(fault)
                self.log.warning("Tallyfy cannot be asked (for %.0f s now): %s", lasted, fault)
                pause = max(self.poke_interval, fault.retry_after or 0.0)
                if self.deferrable or not self.reschedule or lasted + pause >= self.timeout:
                    self._silent_until = time.monotonic() + (fault.retry_after or 0.0)
                    return None
                # A rescheduled task forgets everything, so it bears with the fault here and now.
                time.sleep(min(pause, max(0.0, self.fault_tolerance - lasted)))
            else:
                self._tolerance.clear()
                return runs
        return None

    def _conclude(self, runs: Sequence[Mapping[str, Any]]) -> PokeReturnValue:
        """Say what the state of the runs means; the one place for all modes."""
        outcome = self.rule.judge_all(runs)
        states = self._states(runs)
        if outcome is Outcome.FAILED:
            raise self.bad_end(TallyfyRunFailedError(f"Waited for {self._goal()}, which cannot be any more: {states}."))
        if outcome is Outcome.SKIPPED:
            raise AirflowSkipException(f"Skipped: waited for {self._goal()}, and found {states}.")
        is_over = outcome is Outcome.SUCCEEDED
        self.log.info("%s for %s: %s.", "Waited" if is_over else "Waiting", self._goal(), states)
        return PokeReturnValue(is_over, [dict(run) for run in runs])

    def _goal(self) -> str:
        return f"{self.rule.wait_for} to be {' or '.join(self.rule.allowed)}"

    def _states(self, runs: Sequence[Mapping[str, Any]]) -> str:
        shown = "; ".join(describe(run) for run in runs[:_SHOWN])
        return shown if len(runs) <= _SHOWN else f"{shown}; and {len(runs) - _SHOWN} more"

    def _run_ids(self) -> list[str]:
        return _ids(self.run_id)


#: Runs named in a message.
_SHOWN = 5


def _ids(run_id: Any) -> list[str]:
    if isinstance(run_id, (Mapping, bytes, bool, float)):
        raise TallyfyInputError(f"run_id takes an id or a list of ids, not {run_id!r:.100}.")
    given = [run_id] if isinstance(run_id, (str, int)) or not isinstance(run_id, Iterable) else list(run_id)
    ids = list(dict.fromkeys(_id(one) for one in given))
    if not ids:
        raise TallyfyInputError(
            "run_id is an empty list: there is nothing to wait for. Let the task before skip when it finds nothing "
            "(ListRunsOperator(on_empty='skip'))."
        )
    return ids


def _id(value: Any) -> str:
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if text.startswith("["):
        raise TallyfyInputError(
            f"run_id is the text of a list: {text!r:.100}. A template renders to text; hand the XCom over as it is "
            "(run_id=list_runs.output['run_ids']), or set render_template_as_native_obj=True on the Dag."
        )
    if text in {"", "None", ".", ".."}:
        raise TallyfyInputError(f"run_id is {value!r}: no id was handed over.")
    return text


def _seconds(duration: float | timedelta) -> float:
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        raise TallyfyInputError(f"fault_tolerance takes seconds or a timedelta, not {duration!r}.")
    return float(seconds)
