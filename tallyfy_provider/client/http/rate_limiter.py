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

from tallyfy_provider.client.http.budget import MAX_PAUSE, Priority, Turn
from tallyfy_provider.client.http.budget_store import BudgetStore
from tallyfy_provider.client.http.rate_hints import pause_hint, remaining_requests
from tallyfy_provider.client.http.responses import Failure, Response

#: Seconds for which a response that is no refusal may hold back requests of its kind.
MAX_SERVER_PAUSE = 120.0


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
        turn: Turn = self._store.update(
            lambda budgets, now: budgets.ask(wait.kind, wait.lease, now, wait.priority, self._jitter)
        )
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

    def _record(self, wait: Wait, outcome: Response | Failure | None, pause: float | None) -> None:
        if pause is not None:
            seconds = min(max(0.0, pause), MAX_SERVER_PAUSE)
            self._store.update(
                lambda budgets, now: budgets.of(wait.kind).begin_pause(now, seconds, self._jitter, wait.lease)
            )
        elif not isinstance(outcome, Response) or outcome.leaves_doubt:
            self._forget(wait)
        elif outcome.is_rate_limited:
            hint = pause_hint(outcome.headers, outcome.retry_after, longest=MAX_PAUSE)
            self._store.update(
                lambda budgets, now: budgets.record_refusal(wait.kind, wait.lease, now, hint, self._jitter)
            )
        else:
            remaining = remaining_requests(outcome.headers)
            self._store.update(lambda budgets, now: budgets.of(wait.kind).record_success(wait.lease, now, remaining))

    def _forget(self, wait: Wait) -> None:
        self._store.update(lambda budgets, now: budgets.of(wait.kind).forget(wait.lease))
