"""What sensors and launch-and-wait share about deferring a wait to the triggerer and resuming from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tallyfy_provider.exceptions import TallyfyError, error_from_dict

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

#: Seconds after the deadline until Airflow's own clock ends a wait whose triggerer does not.
_GRACE = timedelta(minutes=5)
#: What a trigger has seen before its first poll.
_NOTHING: tuple[Any, ...] = (None, [])
#: What a timeout says was last seen in that case.
NEVER_SEEN = "nothing, Tallyfy was unreachable"


def defer(operator: Any, trigger: BaseTrigger, time_limit: float) -> None:
    """Defer an operator's wait to a trigger; raises ``TaskDeferred``."""
    operator.log.info(
        "Deferring: the triggerer polls Tallyfy every %g s. (If nothing follows, is a triggerer running?)",
        operator.poke_interval,
    )
    # The timeout is for the case that no triggerer is running at the deadline.
    timeout = timedelta(seconds=time_limit) + _GRACE
    operator.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)


def time_limit_of(timeout: float, execution_timeout: timedelta | None) -> float:
    """Return the seconds that a wait may take; Airflow does not enforce execution_timeout while a task is deferred."""
    return timeout if execution_timeout is None else min(timeout, execution_timeout.total_seconds())


def read_event(event: Mapping[str, Any] | None) -> tuple[Any, bool]:
    """Return what a trigger has seen last, if anything, and whether it timed out; raise the error that it reports."""
    event = event or {}
    status, seen = event.get("status"), event.get("seen")
    if status == "error":
        raise error_from_dict(event.get("error") or {})
    if seen in _NOTHING:
        seen = None
    if status == "timeout":
        return seen, True
    if status != "ended" or seen is None:
        raise TallyfyError(f"The trigger reported an event that cannot be read: {dict(event)!r}.")
    return seen, False
