"""Runs triggers side by side, as the triggerer does, in virtual time."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tallyfy_emulator import Emulator, ManualClock
from tallyfy_provider.triggers import activity_feed, base, events, poller
from tallyfy_provider.triggers.executor import ConnectionExecutor
from tallyfy_provider.waiting import tolerance


class JumpingSelector(selectors.DefaultSelector):
    """Moves the clock to the next timer while no call of Tallyfy is under way; else the clock is real."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock
        self.calls = 0

    def select(self, timeout: float | None = None) -> Any:
        """Wait for events until the next timer."""
        if self.calls or timeout is None:
            started = time.monotonic()
            ready = super().select(timeout)
            self._clock.advance(time.monotonic() - started)
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self._clock.advance(timeout + 1e-6)  # by more than the clock rounds to, or the timer might never be due
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that follows a manual clock."""

    def __init__(self, clock: ManualClock) -> None:
        self.selector = JumpingSelector(clock)
        self._clock = clock
        super().__init__(self.selector)

    def time(self) -> float:
        """Return the time of the clock."""
        return self._clock.now()


@pytest.fixture
def clock() -> ManualClock:
    """The one clock of the triggers and of their Tallyfy."""
    return ManualClock()


@pytest.fixture
def emulator(clock: ManualClock) -> Iterator[Emulator]:
    """A Tallyfy without runs that follows the clock."""
    with Emulator(seed=False, clock=clock) as emulator:
        yield emulator


@pytest.fixture
def run(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine in virtual time: a sleep takes no longer than the requests that are made meanwhile."""
    virtual = SimpleNamespace(time=clock.now, monotonic=clock.now, strftime=time.strftime, gmtime=time.gmtime)
    for module in (activity_feed, base, events, poller, tolerance):
        monkeypatch.setattr(module, "time", virtual)
    call = ConnectionExecutor._call

    async def counted(*args: Any, **kwargs: Any) -> Any:
        selector = asyncio.get_running_loop().selector
        selector.calls += 1
        try:
            return await call(*args, **kwargs)
        finally:
            selector.calls -= 1

    monkeypatch.setattr(ConnectionExecutor, "_call", counted)

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
            return runner.run(coroutine)

    return run


class Waits:
    """Runs triggers side by side, as the triggerer does."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self, *triggers: Any) -> list[asyncio.Task[Any]]:
        """Start triggers, and give the tasks that return their events."""
        started = [asyncio.create_task(first_event(trigger)) for trigger in triggers]
        self._tasks += started
        return started

    async def __aenter__(self) -> Waits:
        """Begin without triggers."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel all triggers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def first_event(trigger: Any) -> Any:
    """Run a trigger until it reports its event."""
    async for event in trigger.run():
        return event.payload
