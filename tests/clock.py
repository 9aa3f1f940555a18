"""A clock that advances by sleeping."""

from __future__ import annotations


class Clock:
    """A clock, in seconds; who sleeps lets time pass for all."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
