"""
Hold requests back: until their turn comes, while Tallyfy wants a pause, and beyond so many at a time.

What is decided is decided by :mod:`tallyfy_provider.client.http.budget`, in a store that all clients of an organization
share; here is the waiting.
"""

from __future__ import annotations

import math
import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from tallyfy_provider.client.http.budget import Turn
from tallyfy_provider.client.http.budget_store import BudgetStore
from tallyfy_provider.client.http.request_kind import Priority
from tallyfy_provider.client.http.responses import Failure, Response

#: Seconds after which whoever waits checks whether its request is cancelled.
CANCEL_CHECK_INTERVAL = 0.5
#: So often is the time doubled until it is looked again whether requests of other clients have ended.
_MAX_DOUBLINGS = 3


class PauseTooLongError(Exception):
    """A request would have to wait longer than it may; ``seconds`` is for how long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass
class Wait:
    """
    How a request waits for its turns.

    :param kind: The kind of the request.
    :param seconds_left: Seconds that it may be paused in all.
    :param sleep: Waits so many seconds; returns early where the request is cancelled.
    :param is_cancelled: Whether it need not be sent any more.
    """

    kind: str
    priority: Priority
    sleep: Callable[[float], object]
    seconds_left: float = math.inf
    is_cancelled: Callable[[], bool] = lambda: False
    lease: str = field(default_factory=lambda: uuid.uuid4().hex)
    #: Looks in a row that found too many requests under way.
    looks: int = 0


class RateLimiter:
    """
    Let requests pass. Shared by all threads of a client.

    :param max_in_flight: Upper bound of this client's requests under way at the same time.
    :param store: Where the budgets are.
    """

    def __init__(
        self, max_in_flight: int, store: BudgetStore, *, jitter: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._in_flight = threading.BoundedSemaphore(max_in_flight)
        # One thread of a kind and priority asks for a turn at a time; a store that many share is asked less often so.
        self._asking: dict[tuple[str, Priority], threading.Lock] = {}
        self._released = threading.Condition()
        self._releases = 0
        self._store = store
        self._jitter = jitter

    def acquire(self, wait: Wait) -> None:
        """
        Wait until a request may be sent, or is cancelled; every call is followed by one of :meth:`release`.

        :raises PauseTooLongError: It would have to wait longer than it may; then no release follows.
        """
        while not wait.is_cancelled():
            turn = self._turn(wait)
            if turn is not None and self._wait_for(turn, wait):
                break
        self._in_flight.acquire()

    def _turn(self, wait: Wait) -> Turn | None:
        """Ask until a turn is granted, or Tallyfy wants a pause; None where it is not needed any more."""
        asking = self._asking.setdefault((wait.kind, wait.priority), threading.Lock())
        while not asking.acquire(timeout=CANCEL_CHECK_INTERVAL):
            if wait.is_cancelled():
                return None
        try:
            while not wait.is_cancelled():
                releases = self._releases
                turn: Turn = self._store.update(
                    lambda budgets, now: budgets.ask(wait.kind, wait.lease, now, wait.priority, self._jitter)
                )
                if turn.granted or turn.is_pause:
                    wait.looks = 0
                    return turn
                self._wait_to_ask_again(turn, wait, releases)
            return None
        finally:
            asking.release()

    def _wait_to_ask_again(self, turn: Turn, wait: Wait, releases: int) -> None:
        if not turn.is_full:
            wait.looks = 0
            wait.sleep(turn.delay)
            return
        # Until a request of this client has ended, or it is time to look whether others' have.
        delay = turn.delay * 2 ** min(wait.looks, _MAX_DOUBLINGS)
        wait.looks += 1
        with self._released:
            self._released.wait_for(lambda: self._releases != releases, delay)

    def _wait_for(self, turn: Turn, wait: Wait) -> bool:
        """Wait for a turn that was granted or for the end of a pause; return whether a request may be sent then."""
        if turn.is_pause:
            if turn.delay > wait.seconds_left:
                raise PauseTooLongError(turn.delay)
            wait.seconds_left -= turn.delay
        if turn.delay <= 0:
            return turn.granted
        wait.sleep(turn.delay)
        return turn.granted and self._store.update(lambda budgets, now: budgets.confirm(wait.kind, wait.lease, now))

    def release(self, wait: Wait, outcome: Response | Failure | None, pause: float | None = None) -> None:
        """
        Record the outcome of a request.

        :param outcome: The response or failure; None where the request was never sent.
        :param pause: Seconds for which a response that is no refusal wants no requests of this kind.
        """
        try:
            self._record(wait, outcome, pause)
        finally:
            self._in_flight.release()
            with self._released:
                self._releases += 1
                self._released.notify_all()

    def _record(self, wait: Wait, outcome: Response | Failure | None, pause: float | None) -> None:
        kind, lease, jitter = wait.kind, wait.lease, self._jitter
        if pause is not None:
            self._store.update(lambda budgets, now: budgets.of(kind).begin_pause(now, pause, jitter, lease))
        elif not isinstance(outcome, Response) or outcome.leaves_doubt:
            self._store.update(lambda budgets, now: budgets.of(kind).forget(lease))
        elif outcome.is_rate_limited:
            hint = outcome.retry_after
            self._store.update(lambda budgets, now: budgets.record_refusal(kind, lease, now, hint, jitter))
        else:
            remaining = outcome.remaining
            self._store.update(lambda budgets, now: budgets.of(kind).record_success(lease, now, remaining))
