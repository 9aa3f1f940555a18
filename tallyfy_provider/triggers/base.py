"""What all triggers that wait have in common: arguments, deadline, tolerated errors, and sharing one poller."""

from __future__ import annotations

import math
import random
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.links.tallyfy import pages_of
from tallyfy_provider.triggers.executor import unexpected_error
from tallyfy_provider.triggers.poller import RunPoller
from tallyfy_provider.triggers.wait import Wait
from tallyfy_provider.utils.plurals import counted
from tallyfy_provider.waiting.conditions import Outcome, WaitResult
from tallyfy_provider.waiting.tolerance import DEFAULT_TOLERANCE, FaultTolerance, log_fault

#: Seconds that the last poll before a timeout may take, with what is under way before it; less than the sensor's grace.
_LAST_POLL = 240.0
#: The longest silence of a wait in its log, in seconds.
_HEARTBEAT = 1200.0
_SECONDS_BETWEEN_WARNINGS = 600.0
_COMMON = ("tallyfy_conn_id", "poke_interval", "deadline", "fault_tolerance", "silent_fail", "not_before")


class WaitTrigger(BaseTrigger):
    """
    A trigger that polls Tallyfy until a wait is over, and reports one event.

    The event is ``{"status": "ended" | "timeout" | "error", "seen": …}``, with ``error`` as a dict in the last case.
    The sensor or operator decides what it means. A trigger holds no secret: a connection id, never a token.

    :param tallyfy_conn_id: The Airflow connection.
    :param poke_interval: Seconds between two polls.
    :param deadline: When to stop, in seconds since the epoch, so that a restarted triggerer does not begin anew.
    :param fault_tolerance: Seconds that transient errors are tolerated.
    :param silent_fail: Tolerate every error until the deadline.
    :param not_before: When Tallyfy accepts requests again, in seconds since the epoch, if it said so.
    """

    #: Names of the arguments that a subclass adds.
    own_arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        *,
        tallyfy_conn_id: str,
        poke_interval: float,
        deadline: float,
        fault_tolerance: float = DEFAULT_TOLERANCE,
        silent_fail: bool = False,
        not_before: float = 0.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own lacks types
        self.tallyfy_conn_id = tallyfy_conn_id
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.fault_tolerance = fault_tolerance
        self.silent_fail = silent_fail
        self.not_before = not_before
        self._last_warning = float("-inf")
        #: What the log says of the wait, and when it is said again although nothing has changed.
        self._said = ""
        self._say_again_at = float("-inf")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class path and arguments, JSON primitives all, for another process."""
        names = (*self.own_arguments, *_COMMON)
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the wait is over."""
        self._tolerance = FaultTolerance(self.fault_tolerance, everything=self.silent_fail)
        yield TriggerEvent(await self._wait())  # type: ignore[no-untyped-call]  # Airflow's own lacks types

    @abstractmethod
    async def _wait(self) -> dict[str, Any]:
        """Poll until the wait is over, and return the event."""

    def _time_left(self) -> float:
        return max(0.0, self.deadline - time.time())

    @property
    def _patience(self) -> float:
        """Seconds for which an outage is tolerated."""
        return math.inf if self.silent_fail else self.fault_tolerance

    def _first_pause(self) -> float:
        """Return when to poll first: the worker, or the triggerer before a restart, has just done so."""
        return min(max(self.poke_interval, self.not_before - time.time()), self._time_left())

    def _say(self, seen: str, line: str) -> None:
        """Log how the wait stands, when that has changed or was not said for long."""
        if seen == self._said and time.monotonic() < self._say_again_at:
            return
        self._said = seen
        # Random, so that thousands do not log at the same time.
        self._say_again_at = time.monotonic() + random.uniform(_HEARTBEAT / 2, _HEARTBEAT)  # noqa: S311 - not a secret
        self.log.info("%s", line)

    def _tolerate(self, fault: TallyfyError) -> dict[str, Any] | None:
        """Return the event that an error ends the wait with; None while the error is tolerated."""
        try:
            lasted = self._tolerance.record(fault)
        except TallyfyError as lasting:
            return {"status": "error", "error": lasting.to_dict()}
        if time.monotonic() - self._last_warning > _SECONDS_BETWEEN_WARNINGS:
            self._last_warning = time.monotonic()
            log_fault(self.log, fault, lasted)
        return None


class PolledTrigger(WaitTrigger):
    """A trigger that shares one poller with all others of its kind on the same connection."""

    @abstractmethod
    async def _evaluate(self, runs: Sequence[dict[str, Any]]) -> WaitResult:
        """Return what the runs, which the poller has seen, mean to the wait."""

    @property
    @abstractmethod
    def _waits_for(self) -> Sequence[str]:
        """The ids of the runs, whose pages the log names."""

    def _longest_pause(self) -> float:
        """Return the seconds after which the wait is looked at even if nothing changes."""
        left = self._say_again_at - time.monotonic()
        return left if left > 0 else _HEARTBEAT

    async def _wait_for_poller(self, wait: Wait, poller: RunPoller) -> dict[str, Any]:
        others = f", together with {counted(poller.size - 1, 'other wait')}" if poller.size > 1 else ""
        self.log.info("Polling every %g s%s.", self.poke_interval, others)
        while (left := self._time_left()) > 0:
            await wait.wait(min(left, self._longest_pause()))
            if event := await self._event(wait):
                return event
        poller.expedite(wait)
        await wait.wait_for_expedited(_LAST_POLL)
        return await self._event(wait) or {"status": "timeout"}

    async def _event(self, wait: Wait) -> dict[str, Any] | None:
        """Return the event that an update ends the wait with; None while the wait continues."""
        fault, result = wait.take_fault(), None
        if wait.is_complete:
            try:
                result = await self._evaluate(wait.seen)
            except TallyfyError as unconfirmed:
                fault = unconfirmed
            except Exception as error:
                self.log.exception("What Tallyfy shows cannot be evaluated.")
                fault = unexpected_error(error)
        if result is not None and result.outcome is not Outcome.WAITING:
            return {"status": "ended"}
        if fault is not None:
            if wait.recovered:
                self._tolerance.clear()
                wait.recovered = False
            return self._tolerate(fault)
        if result is not None:
            seen_at = time.strftime("%H:%M:%S", time.gmtime(wait.seen_at))
            pages = pages_of(self._waits_for)
            self._say(result.seen, f"Waiting for {result.goal}: {result.seen} (seen at {seen_at} UTC).{pages}")
        return None
