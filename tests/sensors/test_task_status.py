"""TaskStatusSensor: what ends a wait for a step, the same in all three modes."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyRunFailedError,
    TallyfyServerError,
)
from tallyfy_provider.sensors.tasks import TaskStatusSensor

STEPS = [
    {
        "title": "Fill in",
        "alias": "fill",
        "form_fields": [
            {"label": "Decision", "alias": "decision", "field_type": "dropdown", "options": ["Renew", "End"]},
            {"label": "Remark", "alias": "remark"},
        ],
    },
    {"title": "Approve", "alias": "approve", "task_type": "approval"},
    {"title": "Hidden", "alias": "hidden", "auto_skipped": True},
    {"title": "Pay", "alias": "pay", "task_type": "expiring"},
]


@pytest.fixture
def contract(emulator, connect):
    """A run of which nobody has done a step."""
    checklist = emulator.add_checklist("Contract", steps=STEPS)
    return connect().launch_run({"checklist_id": checklist["id"], "name": "Acme"})


@pytest.fixture
def step(emulator, contract):
    """Give the id of a step by its alias."""
    return lambda alias: emulator.task(contract["id"], alias)["id"]


@pytest.fixture
def wait(run_sensor, contract):
    """Wait for a step, in one of the modes."""

    def wait(alias="fill", **arguments):
        options = {"run_id": contract["id"], "step": alias, **arguments}
        return run_sensor(sensor_class=TaskStatusSensor, **options)

    return wait


def complete_all(emulator, run_id):
    for task in emulator.tasks(run_id):
        if task["status"] != "auto-skipped":
            emulator.complete_task(task["id"], is_approved=True)


@pytest.mark.parametrize("word", ["completed", "complete"])
@pytest.mark.parametrize("key", ["field_value", "value"])
def test_who_did_the_step_when_and_what_was_written_is_returned(emulator, contract, step, wait, word, key):
    emulator.quirks = Quirks(task_done_status=word, form_value_key=key)
    person = max(emulator.people.values())

    def do():
        emulator.complete_task(step("fill"), values={"decision": "Renew", "remark": "Fine"}, by=person)

    done = wait(between=do)
    assert done == {
        "task_id": step("fill"),
        "run_id": contract["id"],
        "title": "Fill in",
        "status": word,
        "decision": None,
        "completed_at": emulator.task(contract["id"], "fill")["completed_at"],
        "completed_by": person,
        "completed_by_name": None,
        "values": {"decision": "Renew", "remark": "Fine"},
    }
    json.dumps(done)


def test_a_step_that_is_done_already_ends_the_wait_at_once(emulator, step, wait):
    emulator.complete_task(step("fill"), values={"decision": "End"})
    assert wait(between=pytest.fail)["values"] == {"decision": "End", "remark": None}


@pytest.mark.parametrize("name", ["Approve", "approve", "APPROVE"])
@pytest.mark.parametrize(("is_approved", "decision"), [(True, "approved"), (False, "rejected")])
def test_an_approval_returns_its_decision(emulator, step, wait, name, is_approved, decision):
    done = wait(name, between=lambda: emulator.complete_task(step("approve"), is_approved=is_approved))
    assert done["decision"] == decision


@pytest.mark.parametrize(("is_approved", "decision"), [(True, "acknowledged"), (False, "expired")])
def test_an_expired_task_is_not_a_rejected_one(emulator, step, wait, is_approved, decision):
    emulator.complete_task(step("pay"), is_approved=is_approved)
    assert wait("pay", on_rejection="fail")["decision"] == decision


@pytest.mark.parametrize(("word", "error"), [("fail", TallyfyRunFailedError), ("skip", AirflowSkipException)])
@pytest.mark.parametrize(
    ("alias", "argument", "change", "message"),
    [
        (
            "approve",
            "on_rejection",
            lambda emulator, task_id: emulator.complete_task(task_id, is_approved=False),
            r"'Approve' .*: completed, rejected",
        ),
        ("hidden", "on_auto_skipped", pytest.fail, r"'Hidden' .*: a rule hides it"),
        (
            "fill",
            "on_problem",
            lambda emulator, task_id: emulator.report_problem(task_id, "It burns"),
            r"'Fill in' .* with an open problem",
        ),
    ],
    ids=["rejected", "hidden", "problem"],
)
def test_a_state_can_fail_or_skip(emulator, step, wait, alias, argument, change, message, word, error):
    with pytest.raises(error, match=message):
        wait(alias, between=lambda: change(emulator, step(alias)), **{argument: word})


def test_an_approval_passes_where_a_rejection_fails(emulator, step, wait):
    emulator.complete_task(step("approve"), is_approved=True)
    assert wait("approve", on_rejection="fail")["decision"] == "approved"


def test_a_hidden_step_can_pass_at_once(wait):
    done = wait("hidden", on_auto_skipped="pass", between=pytest.fail)
    assert (done["status"], done["decision"], done["values"]) == ("auto-skipped", None, {})


def test_a_hidden_step_is_waited_for_until_the_run_is_complete_and_skips_then(emulator, contract, wait):
    with pytest.raises(AirflowSkipException, match="a rule hid it until the run was complete"):
        wait("hidden", between=lambda: complete_all(emulator, contract["id"]))


def test_a_problem_is_waited_out(emulator, step, wait):
    emulator.report_problem(step("fill"), "It burns")

    def solve():
        emulator.resolve_problems(step("fill"))
        emulator.complete_task(step("fill"))

    assert wait(between=solve)["title"] == "Fill in"


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("reads_as", ["archived", "previous"])
def test_a_run_that_is_archived_without_the_step_fails(emulator, contract, wait, status, reads_as):
    emulator.quirks = Quirks(archived_run_status=status, archived_reads_as=reads_as)
    with pytest.raises(TallyfyRunFailedError, match="The wait for a step to be done failed"):
        wait(between=lambda: emulator.archive_run(contract["id"]))


def test_a_run_that_is_archived_after_the_step_was_done_does_not(emulator, contract, step, wait):
    def do():
        emulator.complete_task(step("fill"))
        emulator.archive_run(contract["id"])

    assert wait(between=do)["title"] == "Fill in"


def test_a_list_that_is_behind_ends_no_wait(emulator, contract, step, wait):
    """Right after the launch the list is empty; later it still shows as open what is done, while the run is over."""
    emulator.quirks = Quirks(list_lag=3600)
    assert wait(step("fill"), between=lambda: complete_all(emulator, contract["id"]))["title"] == "Fill in"


def test_a_run_whose_tasks_are_not_listed_yet_is_waited_for(emulator, contract, step, wait):
    emulator.quirks = Quirks(list_lag=3600)

    def do():
        emulator.quirks = Quirks()
        emulator.complete_task(step("fill"))

    assert wait("fill", between=do)["title"] == "Fill in"


def test_the_step_is_still_found_when_people_change_its_title_meanwhile(emulator, contract, connect, step, wait):
    def do():
        hook = connect()
        hook.client.tasks.update(contract["id"], step("fill"), {"title": "Another title"})
        emulator.complete_task(step("fill"))

    assert wait("Fill in", between=do)["title"] == "Another title"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"alias": "aprove"}, TallyfyInputError, r"has no task 'aprove'; did you mean 'approve'\?"),
        ({"run_id": "0" * 32}, TallyfyNotFoundError, ""),
    ],
    ids=["step", "run"],
)
def test_what_does_not_exist_ends_the_wait_at_once(wait, arguments, error, message):
    with pytest.raises(error, match=message):
        wait(**arguments, between=pytest.fail)


def test_a_run_that_is_deleted_meanwhile_ends_the_wait(emulator, contract, wait):
    with pytest.raises(TallyfyNotFoundError):
        wait(between=lambda: emulator.delete_run(contract["id"]))


@pytest.mark.parametrize("run_id", [None, "", "None", "a,b", ["a"]])
def test_an_invalid_run_id_is_refused(emulator, contract, wait, run_id):
    emulator.clear_requests()
    with pytest.raises(TallyfyInputError, match="run_id"):
        wait(run_id=run_id)
    assert emulator.requests == []


@pytest.mark.parametrize("name", ["on_rejection", "on_auto_skipped", "on_problem"])
def test_a_wrong_word_fails_when_the_dag_is_parsed(name):
    with pytest.raises(TallyfyInputError, match=f"{name} is 'explode'"):
        TaskStatusSensor(task_id="x", run_id="r", step="t", **{name: "explode"})


def test_a_timeout_is_an_error(wait):
    with pytest.raises(AirflowSensorTimeout):
        wait(timeout=0.3)


def test_soft_fail_skips(emulator, contract, wait):
    with pytest.raises(AirflowSkipException):
        wait(soft_fail=True, between=lambda: emulator.archive_run(contract["id"]))


def test_transient_errors_do_not_end_the_wait(emulator, connect, step, wait):

    def trouble():
        emulator.order(Fault(kind="status", status=503, times=3))
        emulator.complete_task(step("fill"))

    assert wait(between=trouble)["title"] == "Fill in"


def test_a_form_that_cannot_be_read_for_a_moment_does_not_end_it_badly(emulator, connect, step, wait):

    def trouble():
        emulator.order(Fault(kind="status", status=503, path="form_fields", times=2))
        emulator.complete_task(step("fill"), values={"remark": "Fine"})

    assert wait(between=trouble)["values"]["remark"] == "Fine"


def test_errors_that_last_are_raised(emulator, connect, wait):
    with pytest.raises(TallyfyServerError):
        wait(fault_tolerance=0.2, between=lambda: emulator.order(Fault(kind="status", status=503)))


def test_values_are_nowhere_but_in_what_is_returned(emulator, contract, connect, step, said, task_context, fire):
    """Airflow writes the events of triggers into its log."""
    said()
    options = {"run_id": contract["id"], "step": "fill", "task_id": "wait", "poke_interval": 0.05}
    context = task_context()
    with pytest.raises(TaskDeferred) as deferred:
        TaskStatusSensor(deferrable=True, **options).execute(context=context)
    emulator.complete_task(step("fill"), values={"remark": "a secret remark"})
    event = fire(deferred.value.trigger)
    shown = json.dumps(deferred.value.trigger.serialize()[1]) + json.dumps(event)
    done = TaskStatusSensor(**options).resume_execution("execute_complete", {"event": event}, context)
    assert done["values"]["remark"] == "a secret remark"
    assert "a secret remark" not in shown + said()


def test_an_event_that_cannot_be_read_is_an_error(contract, connect):
    sensor = TaskStatusSensor(task_id="x", run_id=contract["id"], step="fill")
    with pytest.raises(TallyfyError, match="an event that cannot be read"):
        sensor.execute_complete({}, {"status": "ended", "seen": None})


def test_the_link_is_there_before_the_first_poke(emulator, contract, step, wait):
    pushed = []
    emulator.complete_task(step("fill"))
    before = len(emulator.requests)
    wait(xcom_push=lambda key, value: pushed.append((key, value, len(emulator.requests))))
    assert pushed[0][0] == "_link_TallyfyRunLink"
    assert pushed[0][1].endswith(contract["id"])
    assert pushed[0][2] == before
