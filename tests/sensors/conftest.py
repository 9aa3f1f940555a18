"""Runs a sensor in each of its three modes in virtual time: with Airflow's own code, without a scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from tallyfy_emulator import Emulator, ManualClock
from tallyfy_provider.sensors.base import TallyfySensor
from tallyfy_provider.sensors.runs import RunStatusSensor
from tests.conftest import Fire, build_task_context, fire_trigger
from tests.virtual_time import follow_manual_clock, run_virtually

MODES = ("poke", "reschedule", "deferrable")
RunSensor = Callable[..., Any]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """The one clock of the sensors, of Airflow's code for them and of their Tallyfy."""
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
def fire(clock: ManualClock) -> Fire:
    """Run a trigger in virtual time: see :func:`tests.conftest.fire_trigger`."""
    return partial(fire_trigger, run=partial(run_virtually, clock))


@pytest.fixture
def first_start(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Callable[[], datetime]:
    """Set the moment of a rescheduled task's first start, which Airflow 2 looks up in its database."""

    def first_start() -> datetime:
        started = datetime.fromtimestamp(clock.now(), UTC)
        if not AIRFLOW_V_3_0_PLUS:
            monkeypatch.setattr("airflow.sensors.base._orig_start_date", lambda **_: started)
        return started

    return first_start


@pytest.fixture
def run_in_mode(clock: ManualClock, fire: Fire, first_start: Callable[[], datetime]) -> RunSensor:
    """
    Run a sensor to its end in a mode: ``poke``, ``reschedule`` or ``deferrable``.

    ``between`` is called after the first poke that did not end the wait, in the modes that come back; ``xcom_push``
    takes the XComs that the sensor pushes by itself; all other arguments are the sensor's.
    """

    def run_in_mode(
        mode: str,
        between: Callable[[], None] = lambda: None,
        sensor_class: type[TallyfySensor] = RunStatusSensor,
        xcom_push: Callable[..., None] = lambda key, value: None,
        **arguments: Any,
    ) -> Any:
        started = first_start()
        context = build_task_context(xcom_push=xcom_push, get_first_reschedule_date=lambda context: started)
        options = {"task_id": "wait", "poke_interval": 0.05, "timeout": 30, **arguments}
        if mode == "deferrable":
            return _run_deferred(partial(sensor_class, deferrable=True, **options), context, between, fire)
        return _run_in_worker(partial(sensor_class, mode=mode, deferrable=False, **options), context, between, clock)

    return run_in_mode


def _run_in_worker(
    build: Callable[[], TallyfySensor], context: dict[str, Any], between: Callable[[], None], clock: ManualClock
) -> Any:
    first = True
    while True:
        sensor = build()
        if sensor.mode == "poke":
            _call_after_first_poke(sensor, between)
        try:
            return sensor.execute(context=context)
        except AirflowRescheduleException as again:
            if first:
                between()
            first = False
            # By a microsecond more, to which the date is rounded.
            clock.advance(max(0.0, again.reschedule_date.timestamp() - clock.now()) + 1e-6)


def _call_after_first_poke(sensor: TallyfySensor, between: Callable[[], None]) -> None:
    original_poke, contexts = sensor.poke, []

    def poke(context: Any) -> Any:
        if len(contexts) == 1:
            between()
        contexts.append(context)
        return original_poke(context)

    sensor.poke = poke


def _run_deferred(
    build: Callable[[], TallyfySensor], context: dict[str, Any], between: Callable[[], None], fire: Fire
) -> Any:
    try:
        return build().execute(context=context)
    except TaskDeferred as deferred:
        between()
        event = fire(deferred.trigger)
        # A task that resumes is a new process: nothing of the first one is left.
        return build().resume_execution(deferred.method_name, {"event": event}, context)


@pytest.fixture(params=MODES)
def run_sensor(request: pytest.FixtureRequest, connect: Any, run_in_mode: RunSensor) -> RunSensor:
    """Run a sensor, RunStatusSensor as a rule, in one of the modes; a test that uses it runs once for each."""
    connect()
    run = partial(run_in_mode, request.param)
    run.mode = request.param
    return run
