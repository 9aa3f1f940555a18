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
        self._released = threading.Condition()
        self._releases = 0
        self._store = store
        self._jitter = jitter

    def acquire(self, wait: Wait) -> None:
        """
        Wait until a request may be sent, or is cancelled; every call is followed by one of :meth:`release`.

        :raises PauseTooLongError: It would have to wait longer than it may; then no release follows.
        """
        while not wait.is_cancelled() and not self._take_turn(wait):
            pass
        self._in_flight.acquire()

    def _take_turn(self, wait: Wait) -> bool:
        releases = self._releases
        turn: Turn = self._store.update(
            lambda budgets, now: budgets.ask(wait.kind, wait.lease, now, wait.priority, self._jitter)
        )
        if turn.is_full:  # until a request of this client has ended, or it is time to look whether others' have
            with self._released:
                self._released.wait_for(lambda: self._releases != releases, turn.delay)
            return False
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
