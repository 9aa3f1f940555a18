"""RunCountSensor: the same number, wait and exception in every mode."""

from __future__ import annotations

from functools import partial

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyInputError,
    TallyfyResponseError,
    TallyfyServerError,
)
from tallyfy_provider.sensors.runs import RunCountSensor


@pytest.fixture
def count_sensor(run_sensor):
    return partial(run_sensor, sensor_class=RunCountSensor)


@pytest.mark.parametrize(
    "rule", [{"at_least": 3}, {"at_most": "3"}, {"exactly": 3}, {"at_least": 2, "at_most": 3}, {"at_least": 0}]
)
def test_a_number_that_is_reached_already_ends_the_wait(emulator, count_sensor, rule):
    emulator.add_runs(3, status="problem")
    emulator.add_runs(5, status="complete")
    assert count_sensor(filters={"status": "problem"}, **rule) == 3


def test_no_open_problem_is_left(emulator, count_sensor):
    runs = emulator.add_runs(2, status="problem")
    solve = lambda: [emulator.update_run(run, status="active") for run in runs]  # noqa: E731
    assert count_sensor(filters={"status": "problem"}, exactly=0, between=solve) == 0


def test_enough_runs_have_been_launched(emulator, count_sensor):
    emulator.add_run()
    assert count_sensor(at_least=3, between=lambda: emulator.add_runs(2)) == 3


def test_one_row_is_requested_whatever_the_number(emulator, count_sensor):
    emulator.add_runs(500)
    assert count_sensor(filters={"status": "active"}, at_least=1) == 500
    assert [request.query for request in emulator.requests] == [{"status": "active", "page": "1", "per_page": "1"}]


def test_archived_runs_are_counted_the_way_that_works(emulator, count_sensor):
    run = emulator.add_run()
    assert (
        count_sensor(filters={"status": "archived"}, at_least=1, between=lambda: emulator.archive_run(run["id"])) == 1
    )


def test_a_number_that_is_not_reached_times_out(emulator, count_sensor):
    with pytest.raises(AirflowSensorTimeout):
        count_sensor(at_least=1, timeout=0.3)
    with pytest.raises(AirflowSkipException):
        count_sensor(at_least=1, timeout=0.3, soft_fail=True)


def test_faults_are_tolerated_or_raised(emulator, connect, count_sensor):
    emulator.order(Fault(kind="status", status=503, times=3))
    assert count_sensor(exactly=0) == 0
    emulator.order(Fault(kind="status", status=503))
    with pytest.raises(TallyfyServerError):
        count_sensor(exactly=0, fault_tolerance=0.2)
    emulator.clear_faults()
    emulator.revoke(emulator.token)
    with pytest.raises(TallyfyAuthError):
        count_sensor(exactly=0)


def test_a_tallyfy_that_does_not_say_how_many_is_an_error_not_zero(emulator, count_sensor):
    emulator.quirks = Quirks(meta=False)
    with pytest.raises(TallyfyResponseError, match="does not say how many runs match"):
        count_sensor(exactly=0, fault_tolerance=0.1)


def test_a_filter_that_tallyfy_ignored_makes_the_number_doubtful(emulator, count_sensor, said):
    stray = emulator.add_run(status="active")
    meta = {"pagination": {"total": 7, "per_page": 1, "total_pages": 7}}
    emulator.order(Fault(kind="status", status=200, body={"data": [stray], "meta": meta}))
    assert count_sensor(filters={"status": "problem"}, at_least=1) == 7
    assert "The number cannot be trusted" in said()
    with pytest.raises(TallyfyResponseError, match="cannot be trusted"):
        count_sensor(filters={"status": "problem"}, at_least=1, strict_filters=True, fault_tolerance=0.1)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "Set how many runs to wait for"),
        ({"exactly": 1, "at_least": 1}, "exactly cannot be combined"),
        ({"at_least": 3, "at_most": 2}, "no number is both"),
        ({"at_least": "many"}, "at_least takes a whole number from 0, not 'many'"),
        ({"at_most": -1}, "at_most takes a whole number from 0, not -1"),
        ({"exactly": True}, "exactly takes a whole number from 0, not True"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(count_sensor, rule, words):
    with pytest.raises(TallyfyInputError, match=words):
        count_sensor(**rule)


def test_an_unknown_filter_is_refused_at_parse_time():
    with pytest.raises(TallyfyInputError, match="did you mean 'status'"):
        RunCountSensor(task_id="x", filters={"statuses": "problem"}, exactly=0)


def test_strict_filters_are_true_or_false_and_filters_may_be_json_text(emulator, connect, task_context):
    with pytest.raises(TallyfyInputError, match="strict_filters takes True or False, not 'False'"):
        RunCountSensor(task_id="count", at_least=1, strict_filters="False")
    emulator.add_run(status="complete")
    sensor = RunCountSensor(task_id="count", filters='{"status": "complete"}', exactly=1, deferrable=False)
    assert sensor.poke(task_context()).xcom_value == 1
