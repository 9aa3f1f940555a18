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
def max_attempts() -> int:
    """One attempt for a request: a fault reaches the wait."""
    return 1


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

    async def results(self, started: list[asyncio.Task[Any]], seconds: float = 20) -> list[Any]:
        """Wait for the events of triggers."""
        return await asyncio.wait_for(asyncio.gather(*started), seconds)

    async def __aenter__(self) -> Waits:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def first_event(trigger: Any) -> Any:
    """Run a trigger until it reports its event."""
    async for event in trigger.run():
        return event.payload


@pytest.fixture
def run_waits(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> Callable[[Callable[[Waits], Any]], Any]:
    """Run a scenario of waits in virtual time; those that are left at its end are cancelled."""

    async def scenario_of(scenario: Callable[[Waits], Any]) -> Any:
        async with Waits() as waits:
            return await scenario(waits)

    return lambda scenario: run(scenario_of(scenario))
