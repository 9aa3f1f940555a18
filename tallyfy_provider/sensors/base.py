"""What makes every sensor of this package end the same way in all modes."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError, TallyfyRateLimitError, error_from_dict
from tallyfy_provider.waiting.tolerance import DEFAULT_TOLERANCE, FaultTolerance

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from tallyfy_provider.hooks.tallyfy import TallyfyHook

#: Airflow calls this instead of a method when a trigger failed, or timed out by Airflow's own clock.
_TRIGGER_FAILED = "__fail__"
#: Seconds after the deadline until Airflow's own clock ends a wait whose triggerer does not.
_GRACE = timedelta(minutes=5)
#: Seconds between two looks of a task that bears with a fault, at least.
_SHORTEST_PAUSE = 0.05
#: What a trigger has seen before its first look.
_NOTHING: tuple[Any, ...] = (None, [])


class TallyfySensor(BaseSensorOperator):
    """
    A sensor that ends in the same way whether it pokes, is rescheduled or defers.

    A subclass says how to look (:meth:`look`), what it means (:meth:`conclude`), how to say it (:meth:`describe`) and
    which trigger goes on (:meth:`build_trigger`); the trigger reports ``{"status": "ended" | "timeout" | "error"}``
    with what it ``seen``.

    Airflow's own sensors do not end alike: poking, ``soft_fail`` skips on a timeout or an
    :class:`~airflow.exceptions.AirflowFailException` and lets every other error fail the task; resuming from the
    triggerer it skips on any AirflowException, a refused token included. ``never_fail`` is not looked at there before
    Airflow 3, and ``execution_timeout`` not since. Here the rule for poking holds everywhere.

    :param fault_tolerance: Seconds (or a timedelta) that Tallyfy may be out of reach before the wait fails.
    :param deferrable: Wait in the triggerer; the default is Airflow's ``[operators] default_deferrable``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``.
    """

    def __init__(
        self,
        *,
        fault_tolerance: float | timedelta = DEFAULT_TOLERANCE,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        tallyfy_conn_id: str = "tallyfy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fault_tolerance = _seconds(fault_tolerance)
        self.deferrable = deferrable
        self.tallyfy_conn_id = tallyfy_conn_id
        self._silent_until = 0.0

    @cached_property
    def hook(self) -> TallyfyHook:
        """The hook, imported when it is needed: a Dag is parsed often and seldom run."""
        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        return TallyfyHook(self.tallyfy_conn_id)

    @abstractmethod
    def look(self) -> Any:
        """
        Look once.

        :return: What was seen, as JSON primitives.
        :raises TallyfyError: Of the kind that fits what Tallyfy answered.
        """

    @abstractmethod
    def conclude(self, seen: Any) -> PokeReturnValue:
        """
        Say what was seen means; the one place for all modes.

        :param seen: What :meth:`look` gave, here or in the triggerer.
        :return: Whether the wait is over, and what it hands on.
        :raises AirflowException: The wait ended badly.
        """

    @abstractmethod
    def describe(self, seen: Any) -> str:
        """
        Say what was seen, for people.

        :param seen: What :meth:`look` gave, here or in the triggerer.
        :return: The words.
        """

    @abstractmethod
    def build_trigger(self, *, deadline: float, not_before: float) -> BaseTrigger:
        """
        Build the trigger that goes on.

        :param deadline: When to stop, in seconds since the epoch.
        :param not_before: When Tallyfy wants to be asked again, in seconds since the epoch.
        :return: The trigger.
        """

    def execute(self, context: Context) -> Any:
        """
        Wait in the way that was asked for.

        :param context: Airflow's task context.
        :return: What the wait hands on.
        """
        if not self.deferrable:
            return self._execute_in_worker(context)
        if self.exponential_backoff:
            self.log.warning("exponential_backoff has no effect while deferred: poke_interval stays as it is.")
        deadline = time.time() + self.time_limit
        conclusion = self._poke_once(context)
        if conclusion:
            return _handed_on(conclusion)
        self.log.info(
            "Deferring: the triggerer goes on asking every %g s. (If nothing follows, is a triggerer running?)",
            self.poke_interval,
        )
        not_before = time.time() + max(0.0, self._silent_until - time.monotonic())
        return self.defer(
            trigger=self.build_trigger(deadline=deadline, not_before=not_before),
            method_name="execute_complete",
            # For the case that no triggerer is running at the deadline.
            timeout=timedelta(seconds=self.time_limit) + _GRACE,
        )

    def _execute_in_worker(self, context: Context) -> Any:
        try:
            return super().execute(context)
        except AirflowRescheduleException as again:
            # Not before Tallyfy wants to be asked again; the timeout is looked at when the task comes back.
            silence = min(max(0.0, self._silent_until - time.monotonic()), self.timeout)
            earliest = datetime.now(UTC) + timedelta(seconds=silence)
            again.reschedule_date = max(again.reschedule_date, earliest)
            raise

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """
        Look once, and bear with a fault that may pass.

        :param context: Airflow's task context.
        :return: Whether the wait is over, with what it hands on.
        """
        while time.monotonic() >= self._silent_until:
            try:
                seen = self.look()
            except TallyfyError as fault:
                pause = self._bear(fault)
                if pause is None:
                    return False
                time.sleep(pause)
            else:
                self._tolerance.clear()
                return self.conclude(seen)
        return False

    def _bear(self, fault: TallyfyError) -> float | None:
        """Bear with a fault; give the seconds after which to look again here, or None to leave that to Airflow."""
        lasted = self._tolerance.bear(fault)
        self.log.warning("Tallyfy cannot be asked (for %.0f s now): %s", lasted, fault)
        pause = max(self.poke_interval, fault.retry_after or 0.0)
        if isinstance(fault, TallyfyRateLimitError) or self.deferrable or not self.reschedule:
            self._silent_until = time.monotonic() + (fault.retry_after or 0.0)
            return None
        # A rescheduled task forgets everything, so it bears with the fault here and now; not longer than either limit.
        left = min(self.fault_tolerance, self.timeout) - lasted
        return max(_SHORTEST_PAUSE, min(pause, left)) if left > 0 else None

    @cached_property
    def _tolerance(self) -> FaultTolerance:
        return FaultTolerance(self.fault_tolerance)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """
        End a deferred wait as a poke would have ended.

        :param context: Airflow's task context.
        :param event: What the trigger reports.
        :return: What the wait hands on.
        """
        event = event or {}
        status, seen = event.get("status"), event.get("seen")
        if status == "error":
            raise error_from_dict(event.get("error") or {})
        if status == "timeout":
            raise self._timed_out("nothing, Tallyfy could not be asked" if seen in _NOTHING else self.describe(seen))
        if status != "ended" or seen in _NOTHING:
            raise TallyfyError(f"The trigger reported nothing that can be read: {dict(event)!r}.")
        conclusion = self.conclude(seen)
        if not conclusion:
            raise TallyfyError(f"The trigger ended a wait that is not over: {self.describe(seen)}.")
        self.log.info("Success criteria met. Exiting.")
        return conclusion.xcom_value

    @property
    def time_limit(self) -> float:
        """Seconds that a deferred wait may take: ``timeout``, or ``execution_timeout`` if that is shorter."""
        if self.execution_timeout is None:
            return self.timeout
        return min(self.timeout, self.execution_timeout.total_seconds())

    def bad_end(self, error: Exception) -> Exception:
        """
        Give what a wait that ended badly raises.

        :param error: What to raise as a rule.
        :return: The error, or a skip where ``soft_fail`` or ``never_fail`` is set.
        """
        if not (self.soft_fail or self.never_fail):
            return error
        lenience = "soft_fail" if self.soft_fail else "never_fail"
        return AirflowSkipException(f"Skipping since {lenience} is set: {error}")

    def _timed_out(self, last_seen: str) -> BaseException:
        """Give what a deferred wait that took too long raises: Airflow's exception for the timeout, or a skip."""
        if self.time_limit < self.timeout:
            return AirflowTaskTimeout(f"Timeout: execution_timeout is {self.time_limit:g} s. Last seen: {last_seen}")
        message = f"Sensor has timed out: timeout is {self.timeout:g} s. Last seen: {last_seen}"
        return AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)

    def _poke_once(self, context: Context) -> bool | PokeReturnValue:
        """Poke with the meaning that Airflow gives to errors while it pokes."""
        try:
            return self.poke(context)
        except AirflowFailException:
            raise
        except TallyfyError as error:
            if self.silent_fail:
                self.log.error("Sensor poke failed: %s", error)
                return False
            if self.never_fail:
                raise self.bad_end(error) from error
            raise

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Go on after the triggerer.

        :param next_method: The method to call.
        :param next_kwargs: Its arguments.
        :param context: Airflow's task context.
        :return: What the method returns.
        """
        if next_method == _TRIGGER_FAILED and "timeout" in str((next_kwargs or {}).get("error", "")).lower():
            return self._last_look(context)
        try:
            # Past BaseSensorOperator, which would skip on every AirflowException.
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)
        except (AirflowSkipException, AirflowSensorTimeout):
            raise
        except Exception as error:
            if self.never_fail:
                raise self.bad_end(error) from error
            raise

    def _last_look(self, context: Context) -> Any:
        """Look once more before a timeout that Airflow declared, since no trigger did."""
        conclusion = self._poke_once(context)
        if not conclusion:
            raise self._timed_out("not what was waited for, see the log above")
        return _handed_on(conclusion)


def _handed_on(conclusion: bool | PokeReturnValue) -> Any:
    return conclusion.xcom_value if isinstance(conclusion, PokeReturnValue) else None


def _seconds(duration: float | timedelta) -> float:
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        raise TallyfyInputError(f"fault_tolerance takes seconds or a timedelta, not {duration!r}.")
    return float(seconds)
