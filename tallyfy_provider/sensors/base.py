"""What all sensors have in common: they end the same way in all modes."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
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

from tallyfy_provider.client.http.request_kind import Priority, request_priority
from tallyfy_provider.exceptions import TallyfyError, TallyfyRateLimitError, TallyfyRunFailedError
from tallyfy_provider.links.tallyfy import pages_of
from tallyfy_provider.utils import arguments
from tallyfy_provider.waiting.deferral import NEVER_SEEN, defer, read_event, time_limit_of
from tallyfy_provider.waiting.tolerance import DEFAULT_TOLERANCE, FaultTolerance, log_fault, pause_after

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from tallyfy_provider.hooks.tallyfy import TallyfyHook
    from tallyfy_provider.waiting.conditions import WaitResult

#: Airflow calls this instead of a method when a trigger failed, or timed out by Airflow's own clock.
_TRIGGER_FAILED = "__fail__"
#: The shortest pause between two requests of a task that tolerates errors, in seconds.
_SHORTEST_PAUSE = 0.05


class TallyfySensor(BaseSensorOperator):
    """
    A sensor that ends in the same way whether it pokes, is rescheduled or defers.

    A subclass reads Tallyfy (:meth:`read`), says what the state means (:meth:`evaluate`) and what to return
    (:meth:`xcom_value`), and builds the trigger that waits while it is deferred (:meth:`build_trigger`).

    Airflow's own sensors do not end alike: poking, ``soft_fail`` skips on a timeout or an
    :class:`~airflow.exceptions.AirflowFailException` and lets every other error fail the task; resuming from the
    triggerer it skips on any AirflowException, a refused token included. ``never_fail`` is ignored there before
    Airflow 3, and ``execution_timeout`` since. Here the rule for poking holds in all modes.

    :param fault_tolerance: How long transient errors are tolerated, in seconds or as a timedelta.
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
        self.deferrable = deferrable
        self.tallyfy_conn_id = tallyfy_conn_id
        with arguments.checking_literals(self):
            self.fault_tolerance = arguments.seconds("fault_tolerance", fault_tolerance)
            arguments.boolean("deferrable", deferrable)
        #: When Tallyfy accepts requests again, by the monotonic clock.
        self._paused_until = 0.0

    @cached_property
    def hook(self) -> TallyfyHook:
        """The hook, imported when it is needed: a Dag is parsed often and seldom run."""
        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        return TallyfyHook(self.tallyfy_conn_id)

    @abstractmethod
    def read(self) -> Any:
        """Return the state that is waited on, as JSON primitives."""

    @abstractmethod
    def evaluate(self, seen: Any) -> WaitResult:
        """Return what a state means that :meth:`read` or the trigger has seen; the one place for all modes."""

    @abstractmethod
    def xcom_value(self, seen: Any) -> Any:
        """Return what a wait that succeeded returns."""

    @abstractmethod
    def build_trigger(self, **wait: Any) -> BaseTrigger:
        """Return the trigger that waits; ``wait`` holds the arguments that all triggers take."""

    def waits_for(self) -> Sequence[str]:
        """Return the ids of the runs that are waited for, whose pages the log names."""
        return ()

    def execute(self, context: Context) -> Any:
        """Wait in the mode that was asked for."""
        arguments.raise_wrong_literal(self)
        if not self.deferrable:
            return self._execute_in_worker(context)
        if self.exponential_backoff:
            self.log.warning("exponential_backoff has no effect while deferred: poke_interval stays as it is.")
        deadline = time.time() + self.time_limit
        done = self._poke_once(context)
        if done:
            return _xcom_value_of(done)
        trigger = self.build_trigger(
            tallyfy_conn_id=self.tallyfy_conn_id,
            poke_interval=self.poke_interval,
            deadline=deadline,
            fault_tolerance=self.fault_tolerance,
            silent_fail=self.silent_fail,
            not_before=time.time() + self._pause_left(),
        )
        defer(self, trigger, self.time_limit)

    def _execute_in_worker(self, context: Context) -> Any:
        try:
            return super().execute(context)
        except AirflowRescheduleException as again:
            # Not before Tallyfy accepts requests again; the timeout is checked when the task comes back.
            earliest = datetime.now(UTC) + timedelta(seconds=min(self._pause_left(), self.timeout))
            again.reschedule_date = max(again.reschedule_date, earliest)
            raise

    def _pause_left(self) -> float:
        return max(0.0, self._paused_until - time.monotonic())

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Read the state once, and tolerate transient errors."""
        while not self._pause_left():
            try:
                seen = self.read()
            except TallyfyError as fault:
                pause = self._pause_after(fault)
                if pause is None:
                    return False
                time.sleep(pause)
            else:
                self._tolerance.clear()
                return self._conclude(seen)
        return False

    def _pause_after(self, fault: TallyfyError) -> float | None:
        """Return the seconds after which to read again here; None to leave the next poke to Airflow."""
        lasted = self._record(fault)
        if isinstance(fault, TallyfyRateLimitError) or self.deferrable or not self.reschedule:
            self._paused_until = time.monotonic() + pause_after(fault, self.fault_tolerance - lasted)
            return None
        # A rescheduled task forgets everything, so it tolerates the error here and now; not longer than either limit.
        left = min(self.fault_tolerance, self.timeout) - lasted
        pause = max(self.poke_interval, pause_after(fault))
        return max(_SHORTEST_PAUSE, min(pause, left)) if left > 0 else None

    def _record(self, fault: TallyfyError) -> float:
        """Log a transient error; raise it when it is not tolerated any more."""
        lasted = self._tolerance.record(fault)
        log_fault(self.log, fault, lasted)
        return lasted

    @cached_property
    def _tolerance(self) -> FaultTolerance:
        return FaultTolerance(self.fault_tolerance)

    def _conclude(self, seen: Any) -> PokeReturnValue:
        result = self.evaluate(seen)
        if isinstance(result.error, TallyfyRunFailedError):
            raise self._or_skip(result.error)
        if result.error is not None:
            raise result.error
        self.log.info("%s%s", result, "" if result.is_success else pages_of(self.waits_for()))
        return PokeReturnValue(result.is_success, self.xcom_value(seen) if result.is_success else None)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """End a deferred wait as a poke would have ended it."""
        seen, is_timeout = read_event(event)
        if is_timeout:
            raise self._timeout_error(NEVER_SEEN if seen is None else self.evaluate(seen).seen)
        done = self._conclude(seen)
        if not done:
            raise TallyfyError(f"The trigger ended a wait that is not over: {self.evaluate(seen).seen}.")
        self.log.info("Success criteria met. Exiting.")
        return done.xcom_value

    @property
    def time_limit(self) -> float:
        """Seconds that a deferred wait may take: ``timeout``, or ``execution_timeout`` if that is shorter."""
        return time_limit_of(self.timeout, self.execution_timeout)

    def _or_skip(self, error: Exception) -> Exception:
        """Return the error, or a skip where ``soft_fail`` or ``never_fail`` is set."""
        if not (self.soft_fail or self.never_fail):
            return error
        argument = "soft_fail" if self.soft_fail else "never_fail"
        return AirflowSkipException(f"Skipping since {argument} is set: {error}")

    def _timeout_error(self, last_seen: str) -> BaseException:
        """Return Airflow's exception for the timeout of a deferred wait, or a skip."""
        if self.time_limit < self.timeout:
            return AirflowTaskTimeout(f"Timeout: execution_timeout is {self.time_limit:g} s. Last seen: {last_seen}")
        message = f"Sensor has timed out: timeout is {self.timeout:g} s. Last seen: {last_seen}"
        return AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)

    @request_priority(Priority.WAIT)
    def _poke_once(self, context: Context) -> bool | PokeReturnValue:
        """Poke, and treat errors as Airflow does while it pokes."""
        try:
            return self.poke(context)
        except AirflowFailException:
            raise
        except TallyfyError as error:
            if self.silent_fail:
                self.log.error("Sensor poke failed: %s", error)
                return False
            if self.never_fail:
                raise self._or_skip(error) from error
            raise

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after the triggerer."""
        if next_method == _TRIGGER_FAILED and "timeout" in str((next_kwargs or {}).get("error", "")).lower():
            return self._poke_before_timeout(context)
        try:
            # Past BaseSensorOperator, which would skip on every AirflowException.
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)
        except (AirflowSkipException, AirflowSensorTimeout):
            raise
        except Exception as error:
            if self.never_fail:
                raise self._or_skip(error) from error
            raise

    def _poke_before_timeout(self, context: Context) -> Any:
        """Poke once more before a timeout that Airflow declared, since no trigger did."""
        done = self._poke_once(context)
        if not done:
            raise self._timeout_error("the wait was not over, see the log above")
        return _xcom_value_of(done)


def _xcom_value_of(done: bool | PokeReturnValue) -> Any:
    return done.xcom_value if isinstance(done, PokeReturnValue) else None
