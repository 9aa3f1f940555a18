"""The emulator's clocks: the machine's, and one that a test moves by hand."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """The source of the emulator's time."""

    def now(self) -> float:
        """
        Return the present time.

        :return: seconds since 1970-01-01 UTC.
        """
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """
        Return the present time.

        :return: seconds since 1970-01-01 UTC.
        """
        return time.time()


class ManualClock:
    """
    A time that stands still until a test moves it.

    Runs, token lifetimes and the rate-limit window follow this clock. A :class:`Fault`'s delay does not: it
    holds a real connection open, so it always takes real seconds.

    :param start: the time at which the clock stands, in seconds since 1970-01-01 UTC; the machine's time when
        None.
    """

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else float(start)
        self._lock = threading.Lock()

    def now(self) -> float:
        """
        Return the time at which the clock stands.

        :return: seconds since 1970-01-01 UTC.
        """
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """
        Move the clock forward.

        :param seconds: how far, in seconds; not negative.
        :raises ValueError: if ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"A clock can't go back: advance({seconds!r}). Give zero or more seconds.")
        with self._lock:
            self._now += seconds
