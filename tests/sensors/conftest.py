"""Runs a sensor in each of its three modes, without a scheduler but with Airflow's own code for each."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.module_loading import import_string
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from tallyfy_provider.sensors.base import TallyfySensor
from tallyfy_provider.sensors.runs import RunStatusSensor
from tests.conftest import build_task_context

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

MODES = ("poke", "reschedule", "deferrable")
RunSensor = Callable[..., Any]


def run_in_mode(
    mode: str,
    between: Callable[[], None] = lambda: None,
    sensor_class: type[TallyfySensor] = RunStatusSensor,
    xcom_push: Callable[..., None] = lambda key, value: None,
    **arguments: Any,
) -> Any:
    """
    Run a sensor to its end.

    :param mode: ``poke``, ``reschedule`` or ``deferrable``.
    :param between: Called after the first poke that did not end the wait, in the modes that come back.
    :param sensor_class: The sensor.
    :param xcom_push: Takes the XComs that the sensor pushes by itself.
    :param arguments: The sensor's own arguments.
    :return: What the sensor returns, to be pushed to XCom.
    """
    options = {"task_id": "wait", "poke_interval": 0.05, "timeout": 30, **arguments}
    if mode == "deferrable":
        return _run_deferred(sensor_class, options, between, xcom_push)
    return _run_in_worker(sensor_class, mode, options, between, xcom_push)


def _run_in_worker(
    sensor_class: type[TallyfySensor],
    mode: str,
    options: dict[str, Any],
    between: Callable[[], None],
    xcom_push: Callable[..., None],
) -> Any:
    from airflow.exceptions import AirflowRescheduleException

    context = build_task_context(xcom_push=xcom_push)
    first = True
    while True:
        sensor = sensor_class(mode=mode, deferrable=False, **options)
        if mode == "poke":
            _call_after_first_poke(sensor, between)
        try:
            return sensor.execute(context=context)
        except AirflowRescheduleException as again:
            if first:
                between()
            first = False
            time.sleep(max(0.0, (again.reschedule_date - datetime.now(UTC)).total_seconds()))


def _call_after_first_poke(sensor: TallyfySensor, between: Callable[[], None]) -> None:
    look, looked = sensor.poke, []

    def poke(context: Any) -> Any:
        if len(looked) == 1:
            between()
        looked.append(context)
        return look(context)

    sensor.poke = poke


def _run_deferred(
    sensor_class: type[TallyfySensor],
    options: dict[str, Any],
    between: Callable[[], None],
    xcom_push: Callable[..., None],
) -> Any:
    try:
        return sensor_class(deferrable=True, **options).execute(context=build_task_context(xcom_push=xcom_push))
    except TaskDeferred as deferred:
        between()
        event = fire(deferred.trigger)
        # A task that resumes is a new process: nothing of the first one is left.
        again = sensor_class(deferrable=True, **options)
        return again.resume_execution(deferred.method_name, {"event": event}, build_task_context(xcom_push=xcom_push))


def fire(trigger: BaseTrigger) -> dict[str, Any]:
    """Run a trigger as another process would, from its serialized form, and give its event as JSON carries it."""
    path, arguments = trigger.serialize()
    copy = import_string(path)(**json.loads(json.dumps(arguments)))

    async def first_event() -> Any:
        async for event in copy.run():
            return event.payload

    return json.loads(json.dumps(asyncio.run(first_event())))


def know_the_first_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a rescheduled task the moment of its first start, which Airflow 2 looks up in its database."""
    if not AIRFLOW_V_3_0_PLUS:
        started = datetime.now(UTC)
        monkeypatch.setattr("airflow.sensors.base._orig_start_date", lambda **_: started)


@pytest.fixture(params=MODES)
def run_sensor(request: pytest.FixtureRequest, connect: Any, monkeypatch: pytest.MonkeyPatch) -> RunSensor:
    """Run a sensor, RunStatusSensor as a rule, in one of the modes; a test that uses it runs once for each."""
    connect()
    know_the_first_start(monkeypatch)

    def run(**arguments: Any) -> Any:
        return run_in_mode(request.param, **arguments)

    run.mode = request.param
    return run
