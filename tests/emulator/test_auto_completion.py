"""What people do: those of a template by the clock, and a test in their place."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Emulator


def launch(caller, checklist, **more):
    return caller.data("POST", "/runs", {"checklist_id": checklist["id"], **more})["id"]


@pytest.fixture
def staffed(emulator):
    """A template whose steps are done by people: one decides after a minute, another pays a minute later."""
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


def test_people_do_their_steps_when_the_time_has_come(emulator, caller, clock, staffed):
    run_id = launch(caller, staffed)
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


def test_people_reject_too(emulator, caller, clock):
    steps = [{"title": "Decide", "task_type": "approval", "completes_in": 1, "is_approved": False}]
    run_id = launch(caller, emulator.add_checklist("No", steps=steps))
    clock.advance(1)

    assert emulator.task(run_id, "Decide")["status_label"] == "rejected"


def test_people_are_in_time_for_who_reads_the_list_or_the_feed(emulator, caller, clock, staffed):
    launch(caller, staffed)
    clock.advance(120)

    assert caller.listed("status=complete")["data"]
    assert [row["verb"][0] for row in emulator.activities if row["type"] == ["Process"]] == ["created", "completed"]


def test_a_step_that_somebody_did_before_is_left_alone(emulator, caller, clock, staffed):
    run_id = launch(caller, staffed)
    emulator.complete_task(emulator.task(run_id, "Decide")["id"], False, {"Note": "no"})
    clock.advance(60)

    decide = emulator.task(run_id, "Decide")
    assert (decide["is_approved"], decide["completed_at"]) == (False, "2026-11-02T12:00:00Z")
    assert [each["event"] for each in emulator.fired].count("task.completed") == 1


def test_a_step_that_is_stuck_is_left_alone(emulator, caller, clock, staffed):
    run_id = launch(caller, staffed)
    emulator.report_problem(emulator.task(run_id, "Decide")["id"], "stuck")
    clock.advance(60)

    decide = emulator.task(run_id, "Decide")
    assert decide["completed_at"] is None
    assert decide["taskdata"] == [], "nothing is half done"


def test_nobody_works_on_an_archived_or_deleted_run(emulator, caller, clock, staffed):
    kept, deleted = (launch(caller, staffed) for _ in range(2))
    emulator.archive_run(kept)
    emulator.delete_run(deleted)
    clock.advance(120)

    assert emulator.run(kept)["status"] == "archived"
    assert [task["completed_at"] for task in emulator.tasks(kept)] == [None, None]


def test_people_do_nothing_in_runs_that_were_not_launched(emulator, clock, staffed):
    run_id = emulator.add_run(checklist_id=staffed["id"], tasks_done=0)["id"]
    clock.advance(120)

    assert emulator.task(run_id, "Decide")["completed_at"] is None


def test_the_people_of_the_first_templates(emulator, caller, clock):
    approval, change, employee = map(emulator.checklist, ("Expense approval", "Supplier change", "Employee onboarding"))
    amount, reason, supplier = (*(field["id"] for field in approval["prerun"][:2]), change["prerun"][0]["id"])
    approved = launch(caller, approval, prerun={amount: "120", reason: "Taxi"})
    rejected = launch(caller, change, prerun={supplier: "Initech"})
    begun = launch(caller, employee)

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
    for look in (emulator.tasks, emulator.threads):
        with pytest.raises(KeyError):
            look("unknown")
    for do in (emulator.complete_task, emulator.reopen_task, emulator.resolve_problems):
        with pytest.raises(KeyError):
            do("unknown")


def test_somebody_completes_a_task(emulator, launched):
    task_id = emulator.task(launched["id"], "decide")["id"]

    with pytest.raises(ValueError, match="is approved field is required"):
        emulator.complete_task(task_id, values={"percent": "5"})
    with pytest.raises(ValueError, match="'nobody' is no member"):
        emulator.complete_task(task_id, True, by="nobody")
    done = emulator.complete_task(task_id, True, {"Percent": "7"}, by="mei.tanaka@brightwater.example")

    assert (done["is_approved"], done["completer_id"]) == (True, 10205)
    assert done["form_fields"]["data"][0]["field_value"] == "7"
    with pytest.raises(ValueError, match="already completed"):
        emulator.complete_task(task_id, True)
    assert [each["event"] for each in emulator.fired] == ["process.launched", "task.completed"]
    assert emulator.reopen_task(task_id)["completed_at"] is None


def test_runs_of_one_template_in_order(emulator, discount, launched):
    other = emulator.add_run()
    archived = emulator.add_run(checklist_id=discount["id"], status="archived")

    assert [run["id"] for run in emulator.runs()] == [launched["id"], other["id"], archived["id"]]
    assert [run["id"] for run in emulator.runs(discount["id"])] == [launched["id"], archived["id"]]
    assert [run["id"] for run in emulator.launched] == [launched["id"]]


def test_a_run_that_the_clock_completes_sends_its_message(emulator, clock):
    run = emulator.add_run(completes_in=5)
    clock.advance(5)

    assert [(each["event"], each["run_id"]) for each in emulator.fired] == [("process.completed", run["id"])]


def test_before_the_server_is_started():
    emulator = Emulator(seed=False)
    checklist = emulator.add_checklist("Early", steps=[{"title": "Do"}])
    run = emulator.add_run(checklist_id=checklist["id"], tasks_done=0)

    emulator.complete_task(emulator.task(run["id"], "Do")["id"])

    assert emulator.run(run["id"])["status"] == "complete"
