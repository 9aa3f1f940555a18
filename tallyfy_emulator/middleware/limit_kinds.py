"""The usual kinds of rate limiters: fixed and sliding window, token and leaky bucket. Pure: told the time."""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

#: Rounding of a bucket's level.
_TINY = 1e-9


class Counter(Protocol):
    """Counts requests."""

    def admit(self, now: float) -> float:
        """Count a request, or return the seconds until one is admitted again; 0 where this one is."""

    def remaining(self, now: float) -> int:
        """Return how many requests would be admitted now."""


class FixedWindow:
    """Windows that begin with the first request after the last window's end."""

    def __init__(self, requests: int, seconds: float) -> None:
        self._requests, self._seconds = requests, seconds
        self._began, self._used = -math.inf, 0

    def admit(self, now: float) -> float:
        """Count a request, or return the seconds until one is admitted again."""
        if now >= self._began + self._seconds:
            self._began, self._used = now, 0
        if self._used >= self._requests:
            return self._began + self._seconds - now
        self._used += 1
        return 0.0

    def remaining(self, now: float) -> int:
        """Return how many requests would be admitted now."""
        return self._requests - self._used if now < self._began + self._seconds else self._requests


class SlidingWindow:
    """So many requests in any window, wherever it begins."""

    def __init__(self, requests: int, seconds: float) -> None:
        self._requests, self._seconds = requests, seconds
        self._admitted: deque[float] = deque()

    def admit(self, now: float) -> float:
        """Count a request, or return the seconds until one is admitted again."""
        if not self.remaining(now):
            return self._admitted[0] + self._seconds - now
        self._admitted.append(now)
        return 0.0

    def remaining(self, now: float) -> int:
        """Return how many requests would be admitted now."""
        while self._admitted and self._admitted[0] <= now - self._seconds:
            self._admitted.popleft()
        return self._requests - len(self._admitted)


class TokenBucket:
    """A full bucket of tokens that fills again steadily; a request takes one."""

    def __init__(self, requests: int, seconds: float, *, size: int | None = None) -> None:
        self._rate, self._size = requests / seconds, float(size or requests)
        self._level, self._at = self._size, -math.inf

    def admit(self, now: float) -> float:
        """Count a request, or return the seconds until one is admitted again."""
        if not self.remaining(now):
            return (1 - self._level) / self._rate
        self._level -= 1
        return 0.0

    def remaining(self, now: float) -> int:
        """Return how many requests would be admitted now."""
        if now > self._at:
            self._level = min(self._size, self._level + (now - self._at) * self._rate)
            self._at = now
        return int(self._level + _TINY)


class LeakyBucket(TokenBucket):
    """Requests at equal distances and no burst, as nginx's ``limit_req``."""

    def __init__(self, requests: int, seconds: float) -> None:
        super().__init__(requests, seconds, size=1)


#: Kinds by the names that a :class:`~tallyfy_emulator.middleware.rate_limit.RateLimit` has for them.
KINDS: dict[str, type[FixedWindow] | type[SlidingWindow] | type[TokenBucket] | type[LeakyBucket]] = {
    "fixed": FixedWindow,
    "sliding": SlidingWindow,
    "token": TokenBucket,
    "leaky": LeakyBucket,
}
