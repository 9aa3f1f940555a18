"""RunStatusSensor shows its run's page from the beginning of the wait, in every mode."""

from __future__ import annotations

import pytest

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.links.tallyfy import run_url

TRACKER = "_link_TallyfyRunLink"


@pytest.fixture
def pushed(emulator):
    """What the sensor pushed, and how many requests Tallyfy had had by then."""
    return []


@pytest.fixture
def push(emulator, pushed):
    def push(key, value):
        pushed.append((key, value, len(emulator.requests)))

    return push


def test_the_link_is_there_before_the_first_poke(emulator, run_sensor, push, pushed):
    run = emulator.add_run()["id"]
    run_sensor(run_id=run, xcom_push=push, between=lambda: emulator.complete_run(run))
    assert pushed[0] == (TRACKER, run_url(run), 0)


def test_it_is_stored_once_for_each_time_that_airflow_starts_the_task(emulator, run_sensor, push, pushed):
    run = emulator.add_run(status="complete")["id"]
    run_sensor(run_id=run, xcom_push=push)
    assert pushed == [(TRACKER, run_url(run), 0)]


def test_a_rescheduled_task_whose_xcoms_airflow_has_cleared_stores_it_anew(emulator, run_sensor, push, pushed):
    run = emulator.add_run()["id"]
    run_sensor(run_id=run, xcom_push=push, between=lambda: emulator.complete_run(run))
    assert len(pushed) >= 2 if run_sensor.mode == "reschedule" else len(pushed) == 1


def test_of_several_runs_the_first_is_linked(emulator, run_sensor, push, pushed):
    runs = [emulator.add_run(status="complete")["id"] for _ in range(3)]
    run_sensor(run_id=runs, xcom_push=push)
    assert [value for _, value, _ in pushed] == [run_url(runs[0])]


def test_an_invalid_run_id_is_not_linked(run_sensor, push, pushed):
    with pytest.raises(TallyfyInputError):
        run_sensor(run_id="None", xcom_push=push)
    assert pushed == []
