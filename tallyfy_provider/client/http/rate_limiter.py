"""
The gate that all requests of a connection pass: so many at a time, and none while Tallyfy wants a pause.

Tallyfy publishes no rate that all of its pages agree on (docs/tallyfy-api.md, "Errors, limits, retries"), so nothing is
held back before Tallyfy refuses a request for the first time. From then on the gate keeps to the rate that was allowed
until then, and tries a little more from time to time, so that refusals stay rare.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from tallyfy_provider.client.http.responses import Answer, Outcome
from tallyfy_provider.client.http.retry import TOO_MANY_REQUESTS, retry_after

#: Lengths of the windows in which servers count requests, in seconds.
_USUAL_WINDOWS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
#: Requests whose times are remembered.
_REMEMBERED = 10_000
#: How much faster is tried after a while without a refusal, and how much slower is gone after one.
_FASTER, _SLOWER = 0.95, 1.05
#: After so many pauses' time without a refusal something faster is tried.
_PATIENCE = 100
#: Fewer requests than these say nothing about a rate: somebody else has used it up.
_ENOUGH = 5
#: Seconds between two requests at most.
_LONGEST_DISTANCE = 5.0
#: Slower than the rate that was allowed, so that clocks which do not agree lead to no refusal.
_MARGIN = 1.02


class Gate:
    """
    Lets requests pass. Shared by all threads of a client.

    :param limit: Requests under way at the same time at most.
    :param sleep: Waits so many seconds.
    :param clock: A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        limit: int,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._sleep = sleep
        self._clock = clock
        self._condition = threading.Condition()
        self._under_way = 0
        self._allowed = limit
        self._pause = 0
        self._pause_until = float("-inf")
        self._pace = _Pace()

    def enter(self, *, nap: float = float("inf"), is_useless: Callable[[], bool] = lambda: False) -> None:
        """
        Wait until a request may be sent; every call is followed by one of :meth:`leave`.

        :param nap: Seconds after which a wait looks whether it is still of any use.
        :param is_useless: Whether it is not; then it ends.
        """
        turn: float | None = None
        pause, has_waited = self._pause, False
        while True:
            with self._condition:
                while self._under_way >= self._allowed:
                    self._condition.wait()
                now = self._clock()
                if turn is None or self._pause != pause:  # a pause gives everybody another turn
                    turn = self._pace.claim(max(now, self._pause_until))
                    pause, has_waited = self._pause, False
                if has_waited or turn <= now:
                    self._under_way += 1
                    return
            left, has_waited = turn - now, True
            while left > 0 and not is_useless():
                self._sleep(min(nap, left))
                left -= nap

    def leave(self, outcome: Outcome | None, pause: float | None = None) -> None:
        """
        Say what came of the request.

        :param outcome: The answer or the failure; None where the request was never sent.
        :param pause: Seconds for which Tallyfy wants nothing to be asked.
        """
        with self._condition:
            self._under_way -= 1
            now = self._clock()
            if pause is not None:
                self._begin_pause(now, pause, outcome)
            elif isinstance(outcome, Answer) and not _is_refusal(outcome):
                self._pace.note_accepted(now)
                self._allowed = min(self._limit, self._allowed + 1, _remaining(outcome))
            self._condition.notify_all()

    def _begin_pause(self, now: float, pause: float, outcome: Outcome | None) -> None:
        if _is_refusal(outcome) and now >= self._pause_until:
            self._pace.note_refused(now, pause, _asked(outcome) or pause)
        self._pause += 1
        self._pause_until = max(self._pause_until, now + pause)
        self._allowed = 1  # and again more with each request that is accepted


class _Pace:
    """At which distance requests are sent, once Tallyfy has refused one."""

    def __init__(self) -> None:
        self._accepted: deque[float] = deque(maxlen=_REMEMBERED)
        self._distance = 0.0
        self._next_at = float("-inf")
        self._quiet_until = float("inf")
        self._patience = 0.0
        self._window = 0.0
        self._recent = 0
        self._distance_before = 0.0
        self._paused_until = float("-inf")

    def claim(self, now: float) -> float:
        """Take the next moment at which a request may be sent."""
        if not self._distance:
            return now
        if now >= self._quiet_until:
            self._distance *= _FASTER
            self._quiet_until = now + self._patience
        moment = max(now, self._next_at)
        self._next_at = moment + self._distance
        return moment

    def note_accepted(self, now: float) -> None:
        """Count a request; one whose answer comes during a pause was sent, and allowed, before it."""
        self._accepted.append(now)
        if now < self._paused_until:
            self._recent += 1
            self._learn()

    def note_refused(self, now: float, pause: float, asked: float) -> None:
        """Learn from the first refusal of a pause what is allowed: Tallyfy asks to wait for the end of its window."""
        self._window = next((length for length in _USUAL_WINDOWS if length >= asked), asked)
        self._recent = sum(1 for moment in self._accepted if moment > now - self._window)
        self._distance_before = self._distance
        self._learn()
        self._next_at = self._paused_until = now + pause
        self._patience = _PATIENCE * max(pause, self._window)
        self._quiet_until = now + self._patience

    def _learn(self) -> None:
        enough = self._recent >= _ENOUGH
        learnt = min(_LONGEST_DISTANCE, self._window / self._recent * _MARGIN) if enough else 0.0
        before = self._distance_before
        self._distance = max(before * _SLOWER, learnt) if before else learnt


def _is_refusal(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Answer) and outcome.status == TOO_MANY_REQUESTS


def _asked(outcome: Outcome | None) -> float | None:
    return retry_after(outcome.headers, datetime.now(UTC)) if isinstance(outcome, Answer) else None


def _remaining(answer: Answer) -> int:
    """Tell how many may be under way, where Tallyfy says how many are welcome; one is tried in any case."""
    text = answer.headers.get("x-ratelimit-remaining", "")
    # One less, since answers may overtake each other.
    return max(1, int(text) - 1) if text.isascii() and text.isdigit() else 1_000_000
