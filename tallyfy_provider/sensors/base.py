"""What makes every sensor of this package end the same way in all modes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
)

from tallyfy_provider.client.errors import TallyfyError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Airflow calls this instead of a method when a trigger failed, or timed out by Airflow's own clock.
_TRIGGER_FAILED = "__fail__"
#: Seconds after the deadline until Airflow's own clock ends a wait whose triggerer does not.
_GRACE = timedelta(minutes=5)


class TallyfySensor(BaseSensorOperator):
    """
    A sensor that means the same by its timeouts and by ``soft_fail``, ``never_fail`` and ``silent_fail`` in all modes.

    Airflow's own sensors do not: poking, ``soft_fail`` skips on a timeout or an
    :class:`~airflow.exceptions.AirflowFailException` and lets every other error fail the task; resuming from the
    triggerer it skips on any AirflowException, a refused token included. ``never_fail`` is not looked at there before
    Airflow 3, and ``execution_timeout`` not since. Here the rule for poking holds everywhere.
    """

    @property
    def time_limit(self) -> float:
        """Seconds that a deferred wait may take: ``timeout``, or ``execution_timeout`` if that is shorter."""
        if self.execution_timeout is None:
            return self.timeout
        return min(self.timeout, self.execution_timeout.total_seconds())

    @property
    def backstop(self) -> timedelta:
        """When Airflow itself is to end a deferred wait, for the case that no triggerer is running."""
        return timedelta(seconds=self.time_limit) + _GRACE

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

    def timed_out(self, last_seen: str) -> BaseException:
        """
        Give what a deferred wait that took too long raises.

        :param last_seen: The state of what is waited for, for people.
        :return: Airflow's exception for the timeout that was reached, or a skip.
        """
        if self.time_limit < self.timeout:
            return AirflowTaskTimeout(f"Timeout: execution_timeout is {self.time_limit:g} s. Last seen: {last_seen}")
        message = f"Sensor has timed out: timeout is {self.timeout:g} s. Last seen: {last_seen}"
        return AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)

    def poke_once(self, context: Context) -> bool | PokeReturnValue:
        """
        Look once, with the meaning that Airflow gives to errors while it pokes.

        :param context: Airflow's task context.
        :return: What :meth:`poke` gave; False where ``silent_fail`` bears with an error.
        """
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
        conclusion = self.poke_once(context)
        if not conclusion:
            raise self.timed_out("not what was waited for, see the log above")
        return conclusion.xcom_value if isinstance(conclusion, PokeReturnValue) else None
