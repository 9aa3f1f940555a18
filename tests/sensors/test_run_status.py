"""RunStatusSensor: the same result, XCom and exception in every mode."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.client.runs.status import COMPACT_FIELDS
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConnectionError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyResponseError,
    TallyfyRunFailedError,
    TallyfyServerError,
)
from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.sensors.runs import RunStatusSensor

from .conftest import MODES

DAY = "2026-11-24T12:00:00Z"


# --- The rule table, through every mode -----------------------------------------------------------------------------

ENDS = [
    ({}, {"status": "complete"}, "succeeds"),
    ({}, {"status": "complete", "archived_at": DAY}, "succeeds"),
    ({}, {"status": "archived"}, "fails"),
    ({"failed_statuses": ["problem"]}, {"status": "problem"}, "fails"),
    ({"failed_statuses": ["issue", "archived"]}, {"status": "issue"}, "fails"),
    ({"skipped_statuses": ["archived"]}, {"status": "archived"}, "skips"),
    ({"skipped_statuses": ["delayed"]}, {"status": "delayed"}, "skips"),
    ({"allowed_statuses": ["delayed", "complete"]}, {"status": "delayed"}, "succeeds"),
    ({"allowed_statuses": ["archived"]}, {"status": "archived"}, "succeeds"),
    ({"failed_statuses": ["archived"], "soft_fail": True}, {"status": "archived"}, "skips"),
    ({"failed_statuses": ["archived"], "never_fail": True}, {"status": "archived"}, "skips"),
]


@pytest.mark.parametrize("when", ["before the wait", "during the wait"])
@pytest.mark.parametrize(("rule", "change", "end"), ENDS)
def test_a_wait_ends_as_the_rule_says(emulator, run_sensor, rule, change, end, when):
    run = emulator.add_run(name="Contract review")
    options = {"run_id": run["id"], **rule}
    if when == "before the wait":
        emulator.update_run(run["id"], **change)
    else:
        options["between"] = lambda: emulator.update_run(run["id"], **change)
    if end == "succeeds":
        (returned,) = run_sensor(**options)
        assert tuple(returned) == COMPACT_FIELDS
        assert (returned["id"], returned["name"]) == (run["id"], "Contract review")
        return
    with pytest.raises(TallyfyRunFailedError if end == "fails" else AirflowSkipException) as ended:
        run_sensor(**options)
    assert "'Contract review'" in str(ended.value)


@pytest.mark.parametrize("status", ["active", "delayed", "problem", "issue", "something new"])
def test_a_wait_goes_on_until_its_timeout(emulator, run_sensor, status):
    run = emulator.add_run(status=status) if status != "something new" else emulator.add_run()
    if status == "something new":
        emulator.order(Fault(kind="status", status=200, body={"data": {**run, "status": status}}))
    with pytest.raises(AirflowSensorTimeout, match="Sensor has timed out"):
        run_sensor(run_id=run["id"], timeout=0.3)
    with pytest.raises(AirflowSkipException):
        run_sensor(run_id=run["id"], timeout=0.3, soft_fail=True)
    with pytest.raises(AirflowSensorTimeout):
        run_sensor(run_id=run["id"], timeout=0.3, never_fail=True)


def test_the_result_is_the_same_in_every_mode(emulator, connect, run_in_mode):
    runs = [emulator.add_run(name=name, status="complete")["id"] for name in ("A", "B")]
    results = [run_in_mode(mode, run_id=runs) for mode in MODES]
    assert results[0] == results[1] == results[2]
    assert [run["name"] for run in results[0]] == ["A", "B"]


# --- Many runs ------------------------------------------------------------------------------------------------------


def test_all_are_waited_for(emulator, run_sensor):
    runs = [emulator.add_run(status="complete")["id"], emulator.add_run()["id"]]
    done = run_sensor(run_id=runs, between=lambda: emulator.complete_run(runs[1]))
    assert [run["id"] for run in done] == runs


def test_any_is_enough(emulator, run_sensor):
    runs = [emulator.add_run()["id"] for _ in range(3)]
    done = run_sensor(run_id=runs, wait_for="any", between=lambda: emulator.complete_run(runs[1]))
    assert [run["status"] for run in done] == ["active", "complete", "active"]


def test_one_failure_ends_the_wait_for_all_at_once(emulator, run_sensor):
    runs = [emulator.add_run()["id"] for _ in range(2)]
    with pytest.raises(TallyfyRunFailedError):
        run_sensor(run_id=runs, between=lambda: emulator.archive_run(runs[0]))


def test_ids_are_taken_out_of_runs_and_of_text_with_commas(emulator, run_sensor):
    runs = [emulator.add_run(status="complete") for _ in range(3)]
    ids = [run["id"] for run in runs]
    assert [run["id"] for run in run_sensor(run_id=runs)] == ids
    assert [run["id"] for run in run_sensor(run_id=runs[0])] == ids[:1]
    assert [run["id"] for run in run_sensor(run_id=",".join(ids))] == ids


def test_a_run_named_twice_is_waited_for_once(emulator, run_sensor):
    run = emulator.add_run(status="complete")["id"]
    assert len(run_sensor(run_id=[run, run, f" {run} "])) == 1


@pytest.mark.parametrize(
    ("run_id", "words"),
    [
        ("", "which is not an id"),
        ("None", "which is not an id"),
        (None, "which is not an id"),
        ([], "run_id is an empty list"),
        ([None], "which is not an id"),
        ("['a', 'b']", "is the text of a list"),
        ("{'id': 'a'}", "is the text of a dict"),
        ([["a"], [None]], r"skipped \(on_empty='skip'\)"),
        ({"name": "a"}, "holds an object without an 'id'"),
        (1.5, "takes an id or a list of ids"),
        (True, "takes an id or a list of ids"),
    ],
)
def test_an_invalid_run_id_is_refused_before_any_request(emulator, run_sensor, run_id, words):
    with pytest.raises(TallyfyInputError, match=words):
        run_sensor(run_id=run_id)
    assert emulator.requests == []


# --- Faults ---------------------------------------------------------------------------------------------------------


def test_no_request_is_sent_during_a_pause_that_tallyfy_requires(emulator, connect, run_sensor):
    run = emulator.add_run(status="complete")
    emulator.order(Fault(kind="status", status=429, headers={"Retry-After": "1"}, times=2))
    assert len(run_sensor(run_id=run["id"])) == 1
    refused, _, _ = emulator.requests
    assert emulator.requests[1].at - refused.at >= 1


def test_a_rate_limit_never_fails_a_wait(emulator, connect, run_sensor):
    run = emulator.add_run(status="complete")
    emulator.order(Fault(kind="status", status=429, times=6))
    assert len(run_sensor(run_id=run["id"], fault_tolerance=0.1)) == 1


def test_a_rescheduled_wait_leaves_a_rate_limit_to_airflow(emulator, connect, clock, first_start, task_context):
    first_start()
    run = emulator.add_run()
    emulator.order(Fault(kind="status", status=429, headers={"Retry-After": "600"}))
    sensor = RunStatusSensor(task_id="wait", run_id=run["id"], mode="reschedule", fault_tolerance=0, timeout=7200)
    with pytest.raises(AirflowRescheduleException) as again:
        sensor.execute(context=task_context())
    assert again.value.reschedule_date.timestamp() - clock.now() > 500
    assert len(emulator.requests) == 1


def test_a_long_pause_that_tallyfy_asks_for_does_not_outlive_the_timeout(emulator, connect, clock, run_sensor):
    run = emulator.add_run()
    emulator.order(Fault(kind="status", status=429, headers={"Retry-After": "3600"}))
    started = clock.now()
    with pytest.raises(AirflowSensorTimeout):
        run_sensor(run_id=run["id"], timeout=0.5)
    assert clock.now() - started < 10


TRANSIENT = [
    (Fault(kind="status", status=503), TallyfyServerError),
    (Fault(kind="reset"), TallyfyConnectionError),
    (Fault(kind="html"), TallyfyResponseError),
]


@pytest.mark.parametrize(("fault", "kind"), TRANSIENT, ids=lambda case: getattr(case, "kind", None))
def test_a_transient_error_does_not_end_the_wait(emulator, connect, run_sensor, fault, kind):
    run = emulator.add_run(status="complete")
    emulator.order(Fault(**{**vars(fault), "times": 3}))
    assert len(run_sensor(run_id=run["id"])) == 1


@pytest.mark.parametrize(
    "missing",
    [AirflowNotFoundException("The conn_id `tallyfy_default` isn't defined"), OSError("no way to the backend")],
)
def test_a_secrets_backend_that_is_out_for_a_moment_does_not_end_the_wait(emulator, run_sensor, mocker, missing):
    give = TallyfyHook.get_connection
    answers = iter([missing] * 2)

    def sometimes(*args, **named):
        if error := next(answers, None):
            raise error
        return give(named.get("conn_id") or args[-1])

    mocker.patch.object(TallyfyHook, "get_connection", sometimes)
    run = emulator.add_run(status="complete")
    assert len(run_sensor(run_id=run["id"])) == 1


@pytest.mark.parametrize(("fault", "kind"), TRANSIENT, ids=lambda case: getattr(case, "kind", None))
@pytest.mark.parametrize("lenience", [{}, {"soft_fail": True}])
def test_an_error_that_lasts_ends_the_wait_as_itself(emulator, connect, run_sensor, fault, kind, lenience):
    run = emulator.add_run()
    emulator.order(fault)
    with pytest.raises(AirflowException) as raised:
        run_sensor(run_id=run["id"], fault_tolerance=0.3, **lenience)
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(kind="status", status=401), TallyfyAuthError),
        (Fault(kind="status", status=403), TallyfyPermissionError),
        (Fault(kind="status", status=404), TallyfyNotFoundError),
    ],
    ids=lambda case: getattr(case, "__name__", None),
)
@pytest.mark.parametrize("lenience", [{}, {"soft_fail": True}])
@pytest.mark.parametrize("when", ["before the wait", "during the wait"])
def test_an_error_that_is_not_transient_ends_the_wait_at_once(emulator, run_sensor, fault, kind, lenience, when):
    run = emulator.add_run()
    options = {"run_id": run["id"], **lenience}
    if when == "before the wait":
        emulator.order(fault)
    else:
        options["between"] = lambda: emulator.order(fault)
    with pytest.raises(AirflowException) as raised:
        run_sensor(**options)
    assert type(raised.value) is kind


def test_with_never_fail_an_error_that_is_not_transient_skips_the_task(emulator, run_sensor):
    run = emulator.add_run()
    with pytest.raises(AirflowSkipException):
        run_sensor(run_id=run["id"], never_fail=True, between=lambda: emulator.revoke(emulator.token))


def test_with_silent_fail_the_wait_goes_on_through_every_error(emulator, run_sensor):
    run = emulator.add_run(status="complete")
    emulator.order(Fault(kind="status", status=403, times=3))
    assert len(run_sensor(run_id=run["id"], silent_fail=True)) == 1


# --- Runs that are not there ----------------------------------------------------------------------------------------


def test_a_run_that_does_not_exist_ends_the_wait_at_once_and_says_so(emulator, clock, run_sensor):
    started = clock.now()
    with pytest.raises(TallyfyNotFoundError, match=r"There is no run 'c{32}' in organization"):
        run_sensor(run_id="c" * 32)
    assert clock.now() - started < 10


def test_a_run_deleted_while_it_is_waited_for_ends_the_wait_and_says_so(emulator, run_sensor):
    run = emulator.add_run()
    with pytest.raises(TallyfyNotFoundError, match="it was deleted"):
        run_sensor(run_id=run["id"], between=lambda: emulator.delete_run(run["id"]))


@pytest.mark.parametrize("answer", [200, 404])
def test_an_archived_run_is_not_reported_as_missing(emulator, run_sensor, answer):
    emulator.quirks = Quirks(archived_run_status=answer)
    run = emulator.add_run(name="Shelved")
    with pytest.raises(TallyfyRunFailedError, match="'Shelved'"):
        run_sensor(run_id=run["id"], between=lambda: emulator.archive_run(run["id"]))


@pytest.mark.parametrize("answer", [200, 404])
def test_a_run_archived_after_it_was_complete_succeeds(emulator, run_sensor, answer):
    emulator.quirks = Quirks(archived_run_status=answer)
    run = emulator.add_run(status="complete")
    emulator.archive_run(run["id"])
    assert len(run_sensor(run_id=run["id"])) == 1


# --- Deferring ------------------------------------------------------------------------------------------------------


def deferred(**arguments):
    sensor = RunStatusSensor(task_id="wait", deferrable=True, **arguments)
    with pytest.raises(TaskDeferred) as raised:
        sensor.execute(context={})
    return sensor, raised.value


def test_a_wait_that_is_over_at_once_does_not_defer(emulator, connect):
    run = emulator.add_run(status="complete")
    sensor = RunStatusSensor(task_id="wait", run_id=run["id"], deferrable=True)
    assert len(sensor.execute(context={})) == 1


def test_what_crosses_to_the_triggerer_is_plain_and_names_the_moment_of_the_timeout(emulator, connect, clock):
    run = emulator.add_run()
    _, deferral = deferred(run_id=run["id"], timeout=600, poke_interval=30)
    path, arguments = deferral.trigger.serialize()
    assert path == "tallyfy_provider.triggers.runs.RunStatusTrigger"
    assert arguments.pop("deadline") == pytest.approx(clock.now() + 600, abs=5)
    assert arguments.pop("not_before") == pytest.approx(clock.now(), abs=5)
    assert arguments == {
        "tallyfy_conn_id": "tallyfy_default",
        "run_ids": [run["id"]],
        "allowed_statuses": ["complete"],
        "failed_statuses": ["archived"],
        "skipped_statuses": [],
        "wait_for": "all",
        "poke_interval": 30,
        "fault_tolerance": 900,
        "silent_fail": False,
        "archive_on_kill": False,
    }


def test_airflow_itself_ends_the_wait_some_time_after_a_triggerer_should_have(emulator, connect):
    run = emulator.add_run()
    sensor, deferral = deferred(run_id=run["id"], timeout=600)
    assert deferral.timeout == timedelta(seconds=600 + 300)
    failure = {"error": "Trigger timeout"}
    with pytest.raises(AirflowSensorTimeout):
        sensor.resume_execution("__fail__", failure, {})
    emulator.complete_run(run["id"])
    assert len(sensor.resume_execution("__fail__", failure, {})) == 1


def test_a_trigger_that_crashed_is_an_error(emulator, connect):
    run = emulator.add_run()
    sensor, _ = deferred(run_id=run["id"])
    with pytest.raises(AirflowException, match="Boom"):
        sensor.resume_execution("__fail__", {"error": "Boom"}, {})


def test_the_execution_timeout_holds_while_deferred(emulator, connect, run_in_mode):
    run = emulator.add_run()
    for lenience in ({}, {"soft_fail": True}):
        with pytest.raises(AirflowTaskTimeout, match=r"execution_timeout is 0.2 s. Last seen: .*active"):
            run_in_mode("deferrable", run_id=run["id"], execution_timeout=timedelta(seconds=0.2), **lenience)


def test_a_timeout_is_declared_only_after_a_last_poll(emulator, connect, fire):
    run = emulator.add_run()
    _, deferral = deferred(run_id=run["id"], timeout=0.3, poke_interval=3600)
    emulator.update_run_later(run["id"], 0.2, status="complete")
    assert fire(deferral.trigger)["status"] == "ended"


def test_a_deadline_that_passed_while_no_triggerer_ran_gets_one_poll(emulator, connect, fire):
    run = emulator.add_run()
    _, deferral = deferred(run_id=run["id"], timeout=0)
    emulator.complete_run(run["id"])
    assert fire(deferral.trigger)["status"] == "ended"


def test_the_error_of_a_deferred_wait_keeps_its_details(emulator, connect, run_in_mode):
    run = emulator.add_run()
    headers = {"Retry-After": "3600"}
    with pytest.raises(TallyfyServerError) as raised:
        run_in_mode(
            "deferrable",
            run_id=run["id"],
            fault_tolerance=0,
            between=lambda: emulator.order(Fault(kind="status", status=503, headers=headers)),
        )
    assert raised.value.retry_after == 3600
    assert raised.value.request_id


@pytest.mark.parametrize("event", [None, {}, {"status": "ended", "seen": []}, {"status": "?"}])
def test_an_event_that_says_nothing_is_an_error(event):
    sensor = RunStatusSensor(task_id="wait", run_id="x", deferrable=True)
    with pytest.raises(AirflowException, match="reported an event that cannot be read"):
        sensor.execute_complete(context={}, event=event)


def test_deferrable_follows_airflows_own_setting_by_default():
    from airflow.providers.common.compat.sdk import conf

    default = conf.getboolean("operators", "default_deferrable", fallback=False)
    assert RunStatusSensor(task_id="wait", run_id="x").deferrable is default


def test_exponential_backoff_is_logged_as_without_effect_while_deferred(emulator, connect, said):
    run = emulator.add_run(status="complete")
    sensor = RunStatusSensor(task_id="wait", run_id=run["id"], deferrable=True, exponential_backoff=True)
    sensor.execute(context={})
    assert "exponential_backoff has no effect while deferred" in said()


def test_a_misspelt_status_is_refused_at_parse_time():
    with pytest.raises(TallyfyInputError, match="did you mean 'complete'"):
        RunStatusSensor(task_id="wait", run_id="x", allowed_statuses=["completed"])


@pytest.mark.parametrize(
    "statuses",
    [{"failed_statuses": "archived,problem"}, {"skipped_statuses": "{{ 'problem' }}", "failed_statuses": []}],
)
def test_statuses_may_be_text_with_commas_or_templates(emulator, run_sensor, statuses):
    run = emulator.add_run(status="problem")
    assert {"allowed_statuses", *statuses} <= set(RunStatusSensor.template_fields)
    rendered = {name: "problem" if "{{" in value else value for name, value in statuses.items()}
    RunStatusSensor(task_id="wait", run_id="x", **statuses)
    with pytest.raises(TallyfyRunFailedError if "skipped_statuses" not in statuses else AirflowSkipException):
        run_sensor(run_id=run["id"], **rendered)


@pytest.mark.parametrize("value", ["False", "true", 0, None])
def test_deferrable_is_true_or_false(value):
    with pytest.raises(TallyfyInputError, match="deferrable takes True or False"):
        RunStatusSensor(task_id="wait", run_id="x", deferrable=value)


@pytest.mark.parametrize(
    "wrong", [{"failed_statuses": "archive"}, {"wait_for": "some"}, {"fault_tolerance": -1}, {"deferrable": "no"}]
)
def test_a_wrong_literal_of_a_mapped_task_is_refused_when_it_runs(connect, task_context, wrong):
    (name,) = wrong
    mapped = RunStatusSensor.partial(task_id="wait", run_id="x").expand(**{name: [wrong[name]]})
    sensor = mapped.unmap(wrong)  # outside of execute, Airflow 2 would call no callback
    with pytest.raises(TallyfyInputError, match=name):
        sensor.execute(context=task_context())


@pytest.mark.parametrize("tolerance", [-1, "soon", True, float("nan")])
def test_a_fault_tolerance_must_be_a_time(tolerance):
    with pytest.raises(TallyfyInputError, match="fault_tolerance takes seconds or a timedelta"):
        RunStatusSensor(task_id="wait", run_id="x", fault_tolerance=tolerance)
    assert RunStatusSensor(task_id="w", run_id="x", fault_tolerance=timedelta(minutes=1)).fault_tolerance == 60
