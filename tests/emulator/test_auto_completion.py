"""Tasks that are completed by the clock, or by a test through the emulator's methods."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Emulator


@pytest.fixture
def launch(caller):
    """Launch a run of a template and return its id."""
    return lambda checklist, **more: caller.data("POST", "/runs", {"checklist_id": checklist["id"], **more})["id"]


@pytest.fixture
def staffed(emulator):
    """A template whose steps complete themselves: the approval after one minute, the other after two."""
    note = {"label": "Note", "required": True}
    by = {"label": "By", "field_type": "dropdown", "options": ["bank", "cash"]}
    decide = {
        "title": "Decide",
        "task_type": "approval",
        "form_fields": [note, by],
        "completes_in": 60,
        "values": {"Note": "fine", "By": "cash"},
    }
    return emulator.add_checklist("Staffed", steps=[decide, {"title": "Pay", "completes_in": 120}])


@pytest.fixture
def run_id(launch, staffed):
    return launch(staffed)


def test_steps_are_completed_when_they_are_due(emulator, caller, clock, run_id):
    clock.advance(59)
    assert emulator.task(run_id, "Decide")["completed_at"] is None

    clock.advance(200)

    decide, pay = emulator.tasks(run_id)
    assert (decide["status_label"], decide["is_approved"]) == ("approved", True)
    assert [field["field_value"] for field in decide["form_fields"]["data"]] == ["fine", {"id": 2, "text": "cash"}]
    assert decide["completed_at"] == "2026-11-02T12:01:00Z", "when it was due, not when somebody looked"
    assert decide["completer_id"] == decide["owners"]["users"][0]
    assert pay["completed_at"] == "2026-11-02T12:02:00Z"
    assert caller.run(run_id).json()["data"]["completed_at"] == "2026-11-02T12:02:00Z"
    assert [(each["event"], each["at"][11:19]) for each in emulator.fired] == [
        ("process.launched", "12:00:00"),
        ("task.completed", "12:01:00"),
        ("task.completed", "12:02:00"),
        ("process.completed", "12:02:00"),
    ]


def test_a_step_can_be_rejected_automatically(emulator, launch, clock):
    steps = [{"title": "Decide", "task_type": "approval", "completes_in": 1, "is_approved": False}]
    run_id = launch(emulator.add_checklist("No", steps=steps))
    clock.advance(1)

    assert emulator.task(run_id, "Decide")["status_label"] == "rejected"


@pytest.mark.usefixtures("run_id")
def test_lists_and_the_feed_include_due_completions(emulator, caller, clock):
    clock.advance(120)

    assert caller.listed("status=complete")["data"]
    assert [row["verb"][0] for row in emulator.activities if row["type"] == ["Process"]] == ["created", "completed"]


def test_a_completed_step_is_left_alone(emulator, clock, run_id, events):
    emulator.complete_task(emulator.task(run_id, "Decide")["id"], False, {"Note": "no"})
    clock.advance(60)

    decide = emulator.task(run_id, "Decide")
    assert (decide["is_approved"], decide["completed_at"]) == (False, "2026-11-02T12:00:00Z")
    assert events().count("task.completed") == 1


def test_runs_with_an_issue_or_that_are_archived_deleted_or_added_are_left_alone(emulator, launch, clock, staffed):
    stuck, archived, deleted = (launch(staffed) for _ in range(3))
    added = emulator.add_run(checklist_id=staffed["id"], tasks_done=0)["id"]
    emulator.report_problem(emulator.task(stuck, "Decide")["id"], "stuck")
    emulator.archive_run(archived)
    emulator.delete_run(deleted)
    clock.advance(120)

    assert emulator.task(stuck, "Decide")["completed_at"] is None
    assert emulator.task(stuck, "Decide")["taskdata"] == [], "nothing is half done"
    assert emulator.run(archived)["status"] == "archived"
    assert [task["completed_at"] for task in emulator.tasks(archived)] == [None, None]
    assert emulator.task(added, "Decide")["completed_at"] is None


def test_the_steps_of_the_seeded_templates(emulator, launch, clock):
    approval, change, employee = map(emulator.checklist, ("Expense approval", "Supplier change", "Employee onboarding"))
    amount, reason, supplier = (*(field["id"] for field in approval["prerun"][:2]), change["prerun"][0]["id"])
    approved = launch(approval, prerun={amount: "120", reason: "Taxi"})
    rejected = launch(change, prerun={supplier: "Initech"})
    begun = launch(employee)

    clock.advance(10)
    decision = emulator.task(approved, "approve")
    assert decision["status_label"] == "approved"
    assert [field["field_value"] for field in decision["form_fields"]["data"]] == [
        "Within the budget.",
        "bank transfer",
    ]
    assert emulator.tasks(rejected)[0]["status_label"] == "rejected"
    assert emulator.run(begun)["progress"]["complete"] == 3
    clock.advance(10)
    assert emulator.run(approved)["status"] == emulator.run(begun)["status"] == "complete"
    assert emulator.run(rejected)["status"] == "active"


def test_a_task_by_alias_title_or_id(emulator, launched):
    task = emulator.task(launched["id"], "send")

    assert emulator.task(launched["id"], "Send the offer") == emulator.task(launched["id"], task["id"]) == task
    with pytest.raises(KeyError):
        emulator.task(launched["id"], "Send")


def test_an_unknown_id_is_a_key_error(emulator):
    of_runs = (emulator.run, emulator.complete_run, emulator.delete_run, emulator.tasks, emulator.threads)
    of_tasks = (emulator.complete_task, emulator.reopen_task, emulator.resolve_problems)
    for method in (*of_runs, *of_tasks):
        with pytest.raises(KeyError):
            method("unknown")


def test_complete_a_task_as_a_user(emulator, decide, events):
    task_id = decide["id"]

    with pytest.raises(ValueError, match="is approved field is required"):
        emulator.complete_task(task_id, values={"percent": "5"})
    with pytest.raises(ValueError, match="'nobody' is no member"):
        emulator.complete_task(task_id, True, by="nobody")
    done = emulator.complete_task(task_id, True, {"Percent": "7"}, by="mei.tanaka@brightwater.example")

    assert (done["is_approved"], done["completer_id"]) == (True, 10205)
    assert done["form_fields"]["data"][0]["field_value"] == "7"
    with pytest.raises(ValueError, match="already completed"):
        emulator.complete_task(task_id, True)
    assert events() == ["process.launched", "task.completed"]
    assert emulator.reopen_task(task_id)["completed_at"] is None


def test_runs_of_one_template_in_order(emulator, discount, launched):
    other = emulator.add_run()
    archived = emulator.add_run(checklist_id=discount["id"], status="archived")

    assert [run["id"] for run in emulator.runs()] == [launched["id"], other["id"], archived["id"]]
    assert [run["id"] for run in emulator.runs(discount["id"])] == [launched["id"], archived["id"]]
    assert [run["id"] for run in emulator.launched] == [launched["id"]]


def test_a_run_that_the_clock_completes_fires_its_event(emulator, clock):
    run = emulator.add_run(completes_in=5)
    clock.advance(5)

    assert [(each["event"], each["run_id"]) for each in emulator.fired] == [("process.completed", run["id"])]


def test_before_the_server_is_started():
    emulator = Emulator(seed=False)
    checklist = emulator.add_checklist("Early", steps=[{"title": "Do"}])
    run = emulator.add_run(checklist_id=checklist["id"], tasks_done=0)

    emulator.complete_task(emulator.task(run["id"], "Do")["id"])

    assert emulator.run(run["id"])["status"] == "complete"
