"""UpdateRunOperator has the template's rules applied to a changed kick-off form, and leaves the form completed."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import TallyfyError, TallyfyPermissionError
from tallyfy_provider.operators.runs import LaunchRunOperator, UpdateRunOperator

KICKOFF = [
    {"label": "Region", "alias": "region", "field_type": "radio", "options": ["North", "South"], "required": True},
]
STEPS = [
    {"title": "Sign"},
    {"title": "Ask the south", "alias": "ask", "rule": {"field": "region", "equals": "South"}},
    {
        "title": "File",
        "alias": "file",
        "rule": {"field": "region", "equals": "South", "deadline_days": 30},
    },
]


@pytest.fixture
def checklist(emulator):
    return emulator.add_checklist("Contract", kickoff=KICKOFF, steps=STEPS)


@pytest.fixture
def run(checklist, connect):
    region = checklist["prerun"][0]["id"]
    return connect().launch_run({"checklist_id": checklist["id"], "name": "Acme", "prerun": {region: "North"}})


@pytest.fixture
def change(run, task_context):
    def change(**arguments):
        operator = UpdateRunOperator(task_id="change", run_id=run["id"], kickoff={"region": "South"}, **arguments)
        return operator.execute(context=task_context())

    return change


@pytest.fixture
def state(emulator, run):
    """The answer, whether the form is completed, and whether the hidden step is still hidden."""

    def state():
        now = emulator.run(run["id"])
        hidden = emulator.task(run["id"], "ask")["status"] == "auto-skipped"
        return list(now["prerun"].values()), now["prerun_status"], hidden

    return state


@pytest.fixture
def changes_sent(emulator):
    def changes_sent():
        changes = [each for each in emulator.requests if each.method in ("PUT", "DELETE", "POST")]
        return [(each.method, each.path.rpartition("/")[2]) for each in changes]

    return changes_sent


def test_the_rules_follow_a_changed_answer_and_it_is_said_which_did_what(
    emulator, run, change, state, changes_sent, caplog
):
    assert state() == (["North"], "complete", True)
    emulator.clear_requests()
    caplog.set_level("INFO")

    changed = change()

    assert state() == (["South"], "complete", False)
    assert [name for _, name in changes_sent()] == ["complete-prerun", run["id"], "complete-prerun"]
    assert [method for method, _ in changes_sent()] == ["DELETE", "PUT", "POST"]
    ask, file = (emulator.task(run["id"], name)["id"] for name in ("ask", "file"))
    assert changed["tasks_changed_by_rules"] == {ask: "show", file: "deadline"}
    assert changed["rules_evaluated"] == 2
    assert f"Rules changed {ask}, {file} of run {run['id']} (2 rules were evaluated)." in caplog.text


def test_answers_can_be_saved_alone(state, change, changes_sent, emulator):
    emulator.clear_requests()
    change(reapply_rules=False)
    assert state() == (["South"], "complete", True)
    assert [method for method, _ in changes_sent()] == ["PUT"]


def test_a_form_that_is_open_is_saved_and_stays_open(connect, run, change, state, caplog):
    connect().client.runs.reopen_kickoff(run["id"])
    change()
    assert state() == (["South"], "incomplete", True)
    assert "is open" in caplog.text


def test_a_completed_run_is_complete_afterwards_if_nothing_is_left_to_do(emulator, run, task_context):
    emulator.complete_run(run["id"])
    UpdateRunOperator(task_id="change", run_id=run["id"], kickoff={"region": "North"}).execute(context=task_context())
    assert emulator.run(run["id"])["status"] == "complete"


@pytest.mark.parametrize(
    ("method", "path", "after", "answer"),
    [
        ("PUT", "runs", "before", "North"),  # saving fails
        ("DELETE", "complete-prerun", "after", "North"),  # whether it is open is not known
        ("POST", "complete-prerun", "before", "South"),
        ("POST", "complete-prerun", "after", "South"),
    ],
)
def test_after_a_failure_the_form_is_completed(emulator, connect, change, state, caplog, method, path, after, answer):
    connect(extra={"max_attempts": 1})
    emulator.order(Fault(kind="reset", method=method, path=path, when=after, times=1))
    with pytest.raises(TallyfyError):
        change()
    assert state()[:2] == ([answer], "complete")
    assert "the form is completed again" in caplog.text


def test_an_end_from_outside_leaves_the_form_completed(monkeypatch, change, state):
    def end(*arguments):
        raise SystemExit(1)

    monkeypatch.setattr("tallyfy_provider.client.runs.api.RunsResource.update", end)
    with pytest.raises(SystemExit):
        change()
    assert state() == (["North"], "complete", True)


def test_a_form_that_cannot_be_completed_again_is_named(emulator, connect, change, state):
    connect(extra={"max_attempts": 1})
    emulator.order(Fault(kind="status", status=503, method="POST", path="complete-prerun"))
    with pytest.raises(TallyfyError, match="may be open now, which blocks its tasks: complete it in Tallyfy"):
        change()
    assert state()[1] == "incomplete"


@pytest.mark.parametrize("status", [422, 500, 409])
def test_answers_that_do_not_complete_the_form_are_taken_back(emulator, connect, change, state, status):
    connect(extra={"max_attempts": 1})
    emulator.order(Fault(kind="status", status=status, method="POST", path="complete-prerun", times=2))
    with pytest.raises(TallyfyError) as raised:
        change()
    assert state() == (["North"], "complete", True)
    assert "may be open now" not in str(raised.value)


def test_a_form_that_was_completed_although_both_responses_were_lost_is_left_alone(
    emulator, connect, change, state, caplog
):
    connect(extra={"max_attempts": 1})
    emulator.order(Fault(kind="reset", method="POST", path="complete-prerun", when="after", times=2))
    with pytest.raises(TallyfyError) as raised:
        change()
    assert state() == (["South"], "complete", False)
    assert "may be open now" not in str(raised.value)


def test_a_form_that_may_not_be_reopened_is_left_alone(emulator, change, state, changes_sent):
    emulator.clear_requests()
    emulator.order(Fault(kind="status", status=403, method="DELETE", path="complete-prerun"))
    with pytest.raises(TallyfyPermissionError):
        change()
    assert [method for method, _ in changes_sent()] == ["DELETE"]
    assert state() == (["North"], "complete", True)


@pytest.mark.parametrize(("given", "stays"), [({}, True), ({"deadline_set_by_hand": False}, False)])
def test_a_deadline_given_at_launch_is_left_alone_unless_told_otherwise(
    emulator, checklist, connect, task_context, given, stays
):
    connect()
    deadline = "2027-01-31T12:00:00Z"
    operator = LaunchRunOperator(
        task_id="launch",
        checklist_id=checklist["id"],
        name="Acme",
        kickoff={"region": "South"},
        steps={"file": {"deadline": deadline, **given}},
    )
    run_id = operator.execute(context=task_context())
    assert (emulator.task(run_id, "file")["deadline"] == deadline) is stays


def test_a_step_without_a_deadline_has_no_mark(emulator, checklist, connect, task_context):
    connect()
    owners = {"users": [10202], "guests": [], "groups": []}
    operator = LaunchRunOperator(
        task_id="launch", checklist_id=checklist["id"], kickoff={"region": "North"}, steps={"file": {"owners": owners}}
    )
    assert emulator.task(operator.execute(context=task_context()), "file")["deadline_set_by_hand"] is False
