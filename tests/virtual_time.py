"""Virtual time: provider, client, Airflow's sensors and emulator follow one clock, which sleeping moves forward."""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseSensorOperator

from tallyfy_emulator import ManualClock
from tallyfy_provider.client.http.rate_limiter import RateLimiter
from tallyfy_provider.client.runs.launch import Launcher
from tallyfy_provider.client.settings import build_client
from tallyfy_provider.operators.runs import launch_state, run_wait
from tallyfy_provider.sensors import base as sensors
from tallyfy_provider.sensors import tasks as task_sensors
from tallyfy_provider.triggers import activity_feed, base, events, poller
from tallyfy_provider.triggers.executor import ConnectionExecutor
from tallyfy_provider.waiting import run_reader, tolerance

#: Modules that read the ``time`` module when they need it.
_AIRFLOW_SENSOR = sys.modules[BaseSensorOperator.__module__]
_MODULES = (
    *(launch_state, run_wait, sensors, task_sensors, _AIRFLOW_SENSOR),
    *(activity_feed, base, events, poller, run_reader, tolerance),
)
#: Functions whose default clock and sleep are those of the machine.
_FUNCTIONS = (RateLimiter.__init__, Launcher.__init__, build_client)


#: Seconds: more than the rounding of a time of ten digits, less than any pause.
_RESOLUTION = 1e-6


class JumpingSelector(selectors.DefaultSelector):
    """Moves the clock to the next timer while no call of Tallyfy is under way; else the clock is real."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock
        self.calls = 0

    def select(self, timeout: float | None = None) -> Any:
        if self.calls or timeout is None:
            started = time.monotonic()
            ready = super().select(timeout)
            self._clock.advance(time.monotonic() - started)
            return ready
        ready = super().select(0)
        if not ready and timeout > 0:
            self._clock.advance(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that follows a manual clock."""

    def __init__(self, clock: ManualClock) -> None:
        self.selector = JumpingSelector(clock)
        self._clock = clock
        super().__init__(self.selector)
        # A timer is due within the clock's resolution. That of the machine, a nanosecond, is lost in the sum with a
        # time of ten digits: a timer due at exactly this moment would never run, and time would stand still.
        self._clock_resolution = _RESOLUTION

    def time(self) -> float:
        return self._clock.now()


def run_virtually(clock: ManualClock, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine: a sleep takes no longer than the requests that are made meanwhile."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(coroutine)


def virtual_datetime(clock: ManualClock) -> type[datetime]:
    class VirtualDatetime(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromtimestamp(clock.now(), tz)

    return VirtualDatetime


def follow_manual_clock(monkeypatch: pytest.MonkeyPatch, start: float | None = None) -> ManualClock:
    """Have everything but the emulator follow a manual clock, which a sleep moves forward."""
    clock = ManualClock(start)
    replaced = {"time": clock.now, "monotonic": clock.now, "sleep": clock.advance}
    for module in _MODULES:
        monkeypatch.setattr(module, "time", SimpleNamespace(**{**vars(time), **replaced}), raising=False)
    for function in _FUNCTIONS:
        for name, replacement in (("clock", clock.now), ("sleep", clock.advance)):
            if name in function.__kwdefaults__:
                monkeypatch.setitem(function.__kwdefaults__, name, replacement)
    monkeypatch.setattr(sensors, "datetime", virtual_datetime(clock))
    now = SimpleNamespace(utcnow=lambda: datetime.fromtimestamp(clock.now(), UTC))
    monkeypatch.setattr(_AIRFLOW_SENSOR, "timezone", now)
    call = ConnectionExecutor._call

    async def counted(*args: Any, **kwargs: Any) -> Any:
        selector = asyncio.get_running_loop().selector
        selector.calls += 1
        try:
            return await call(*args, **kwargs)
        finally:
            selector.calls -= 1

    monkeypatch.setattr(ConnectionExecutor, "_call", counted)
    return clock
