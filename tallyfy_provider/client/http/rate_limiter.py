"""
Limit the requests of a connection: so many at a time, and none while Tallyfy wants a pause.

Tallyfy publishes no rate limit that all of its pages agree on (docs/tallyfy-api.md, "Errors, limits, retries"), so
nothing is held back before Tallyfy refuses a request for the first time. From then on requests keep to the rate that
was allowed until then, and speed up a little from time to time, so that refusals stay rare.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from tallyfy_provider.client.http.responses import Failure, Response

#: Lengths of the windows in which servers usually count requests, in seconds.
_USUAL_WINDOWS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600)
#: Requests whose times are remembered.
_MAX_REMEMBERED = 10_000
#: Factors of the interval: after a long time without a refusal, and after a refusal.
_SPEED_UP, _SLOW_DOWN = 0.95, 1.05
#: After so many lengths of a pause or window without a refusal, the rate is raised.
_WINDOWS_BEFORE_SPEED_UP = 100
#: Fewer requests than these say nothing about a rate: somebody else has used it up.
_MIN_SAMPLE = 5
#: Upper bound of the seconds between two requests.
_MAX_INTERVAL = 5.0
#: Slower than the rate that was allowed, so that clocks which disagree lead to no refusal.
_MARGIN = 1.02


class RateLimiter:
    """
    Let requests pass. Shared by all threads of a client.

    :param max_in_flight: Upper bound of the requests under way at the same time.
    :param clock: A monotonic clock, in seconds.
    """

    def __init__(self, max_in_flight: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_in_flight = max_in_flight
        self._clock = clock
        self._condition = threading.Condition()
        self._in_flight = 0
        self._allowed_in_flight = max_in_flight
        self._pauses = 0
        self._paused_until = float("-inf")
        self._rate = _Rate()

    def acquire(self, wait: Callable[[float], object] = time.sleep) -> None:
        """
        Wait until a request may be sent; every call is followed by one of :meth:`release`.

        :param wait: Waits so many seconds; may return early where the request is cancelled.
        """
        send_at: float | None = None
        pauses, has_waited = self._pauses, False
        while True:
            with self._condition:
                while self._in_flight >= self._allowed_in_flight:
                    self._condition.wait()
                now = self._clock()
                if send_at is None or self._pauses != pauses:  # after a pause everybody is scheduled anew
                    send_at = self._rate.reserve(max(now, self._paused_until))
                    pauses, has_waited = self._pauses, False
                if has_waited or send_at <= now:
                    self._in_flight += 1
                    return
            has_waited = True
            wait(send_at - now)

    def release(self, outcome: Response | Failure | None, pause: float | None = None) -> None:
        """
        Record the outcome of a request.

        :param outcome: The response or failure; None where the request was never sent.
        :param pause: Seconds for which Tallyfy wants no requests.
        """
        with self._condition:
            self._in_flight -= 1
            now = self._clock()
            if pause is not None:
                self._begin_pause(now, pause, outcome)
            elif isinstance(outcome, Response) and not outcome.is_rate_limited:
                self._rate.record_success(now)
                self._allowed_in_flight = min(self._max_in_flight, self._allowed_in_flight + 1, _remaining(outcome))
            self._condition.notify_all()

    def _begin_pause(self, now: float, pause: float, outcome: Response | Failure | None) -> None:
        if outcome and outcome.is_rate_limited and now >= self._paused_until:
            self._rate.record_refusal(now, pause, outcome.retry_after or pause)
        self._pauses += 1
        self._paused_until = max(self._paused_until, now + pause)
        self._allowed_in_flight = 1  # and one more with each success


class _Rate:
    """The interval between requests, once Tallyfy has refused one."""

    def __init__(self) -> None:
        self._successes: deque[float] = deque(maxlen=_MAX_REMEMBERED)
        self._interval = 0.0
        self._interval_before = 0.0
        self._next_at = float("-inf")
        self._speed_up_at = float("inf")
        self._speed_up_after = 0.0
        self._window = 0.0
        self._sample = 0
        self._paused_until = float("-inf")

    def reserve(self, now: float) -> float:
        """Reserve the next time at which a request may be sent."""
        if not self._interval:
            return now
        if now >= self._speed_up_at:
            self._interval *= _SPEED_UP
            self._speed_up_at = now + self._speed_up_after
        reserved = max(now, self._next_at)
        self._next_at = reserved + self._interval
        return reserved

    def record_success(self, now: float) -> None:
        """Count a request; one whose response comes during a pause was sent, and allowed, before it."""
        self._successes.append(now)
        if now < self._paused_until:
            self._sample += 1
            self._update_interval()

    def record_refusal(self, now: float, pause: float, retry_after: float) -> None:
        """Learn the rate from the first refusal of a pause: Tallyfy asks to wait for the end of its window."""
        self._window = next((length for length in _USUAL_WINDOWS if length >= retry_after), retry_after)
        self._sample = sum(1 for sent_at in self._successes if sent_at > now - self._window)
        self._interval_before = self._interval
        self._update_interval()
        self._next_at = self._paused_until = now + pause
        self._speed_up_after = _WINDOWS_BEFORE_SPEED_UP * max(pause, self._window)
        self._speed_up_at = now + self._speed_up_after

    def _update_interval(self) -> None:
        is_enough = self._sample >= _MIN_SAMPLE
        learnt = min(_MAX_INTERVAL, self._window / self._sample * _MARGIN) if is_enough else 0.0
        before = self._interval_before
        self._interval = max(before * _SLOW_DOWN, learnt) if before else learnt


def _remaining(response: Response) -> int:
    """Return how many requests Tallyfy says are left, less one, since responses may overtake each other; at least 1."""
    text = response.headers.get("x-ratelimit-remaining", "")
    return max(1, int(text) - 1) if text.isascii() and text.isdigit() else 1_000_000
