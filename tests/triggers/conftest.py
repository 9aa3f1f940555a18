"""Runs triggers side by side, as the triggerer does, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import pytest

from tallyfy_emulator import Emulator, ManualClock
from tests.virtual_time import follow_manual_clock, run_virtually


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """The one clock of the triggers and of their Tallyfy."""
    return follow_manual_clock(monkeypatch)


@pytest.fixture
def emulator(clock: ManualClock) -> Iterator[Emulator]:
    """A Tallyfy without runs that follows the clock."""
    with Emulator(seed=False, clock=clock) as emulator:
        yield emulator


@pytest.fixture
def run(clock: ManualClock) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine in virtual time."""
    return partial(run_virtually, clock)


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
