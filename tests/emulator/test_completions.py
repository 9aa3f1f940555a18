"""Completing and reopening tasks over the API, and the effect on their run."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Quirks


def complete(caller, task, **more):
    return caller.data("POST", f"/runs/{task['run_id']}/completed-tasks", {"task_id": task["id"], **more})


def why_not(caller, task, **more):
    return caller.refused("POST", f"/runs/{task['run_id']}/completed-tasks", {"task_id": task["id"], **more})


@pytest.fixture
def decide(emulator, decide):
    """The approval of the launched run, filled."""
    return emulator.fill_task(decide["id"], {"percent": "5"})


@pytest.fixture
def send(emulator, launched):
    """The last task of the launched run."""
    return emulator.task(launched["id"], "send")


@pytest.mark.parametrize(("verdict", "label", "user"), [(True, "approved", 10201), (False, "rejected", 10205)])
def test_an_approval_has_a_decision(emulator, caller, clock, decide, verdict, label, user):
    assert emulator.people[emulator.username] == 10201
    clock.advance(60)

    done = complete(caller, decide, is_approved=verdict, **({"override_user": user} if user != 10201 else {}))

    assert (done["status"], done["status_label"], done["is_approved"]) == ("completed", label, verdict)
    assert done["completed_at"] == "2026-11-02T12:01:00Z"
    assert done["completer_id"] == user
    assert done["tasks_changed_by_rules"] == []
    run = emulator.run(decide["run_id"])
    assert run["progress"] == {"complete": 1, "total": 2, "percent": 50}
    assert run["last_updated"] == "2026-11-02T12:01:00Z"
    assert emulator.task(decide["run_id"], "send")["status"] == "active"


def test_an_approval_without_a_decision_is_refused(emulator, caller, decide, events):
    assert why_not(caller, decide) == {"is_approved": ["The is approved field is required."]}
    assert why_not(caller, decide, is_approved="maybe")
    assert emulator.task(decide["run_id"], "decide") == decide
    assert events() == ["process.launched"]


@pytest.mark.parametrize(
    ("task_type", "sent", "verdict", "label"),
    [
        ("task", True, None, "completed"),
        ("email", False, None, "completed"),
        ("expiring", None, None, "acknowledged"),
        ("expiring", True, True, "acknowledged"),
        ("expiring", False, False, "expired"),
    ],
)
def test_the_decision_of_other_task_types(emulator, caller, task_type, sent, verdict, label):
    checklist = emulator.add_checklist("Kinds", steps=[{"title": "Do", "task_type": task_type}])
    run = caller.data("POST", "/runs", {"checklist_id": checklist["id"]})

    done = complete(caller, emulator.task(run["id"], "Do"), is_approved=sent)

    assert (done["is_approved"], done["status_label"]) == (verdict, label)


def test_the_last_task_completes_the_run(emulator, caller, decide, send, events):
    complete(caller, decide, is_approved=True)
    assert emulator.run(decide["run_id"])["status"] == "active"

    complete(caller, send)

    run = emulator.run(decide["run_id"])
    assert (run["status"], run["completed_at"]) == ("complete", "2026-11-02T12:00:00Z")
    assert run["progress"] == {"complete": 2, "total": 2, "percent": 100}
    assert events() == ["process.launched", "task.completed", "task.completed", "process.completed"]
    assert emulator.fired[1]["task_id"] == decide["id"]
    assert {each["run_id"] for each in emulator.fired} == {run["id"]}


def test_process_completed_fires_only_on_completion(emulator, caller, launched, events):
    emulator.complete_run(launched["id"])
    caller.data("POST", f"/runs/{launched['id']}/comment", {"content": "Well done"})
    emulator.add_run(status="complete")

    assert events() == ["process.launched", "process.completed"]


def test_completing_twice_fires_twice(emulator, caller, clock, decide, send, events):
    first = complete(caller, decide, is_approved=True)
    complete(caller, send)
    clock.advance(60)

    again = complete(caller, decide, is_approved=False)

    assert again == first | {"last_updated": again["last_updated"], "run_status": "complete"}
    assert events().count("task.completed") == 3
    assert events().count("process.completed") == 1


def test_completing_twice_is_an_error_with_the_quirk(emulator, caller, decide, events):
    emulator.quirks = Quirks(complete_twice="error", task_done_status="complete")
    assert complete(caller, decide, is_approved=True)["status"] == "complete"

    assert why_not(caller, decide, is_approved=True) == {"task": ["This task is already completed."]}
    assert events().count("task.completed") == 1


def test_an_empty_required_field_blocks_the_completion(emulator, caller, launched):
    task = emulator.task(launched["id"], "decide")
    percent = task["form_fields"]["data"][0]["id"]

    assert why_not(caller, task, is_approved=True) == {"taskdata": {percent: ["Percent is required"]}}


def test_an_open_issue_blocks_its_task_only(emulator, caller, decide, send):
    emulator.report_problem(send["id"], "No address")

    assert why_not(caller, send) == {"task": ["The task has an open issue. Resolve it first."]}
    complete(caller, decide, is_approved=True)
    emulator.resolve_problems(send["id"])
    complete(caller, send)
    assert emulator.run(send["run_id"])["status"] == "complete"


def test_an_archived_run_or_one_with_an_issue_takes_no_changes(emulator, caller, decide):
    issue = caller.data("POST", f"/runs/{decide['run_id']}/problem", {"content": "Wrong customer"})
    assert "run" in why_not(caller, decide, is_approved=True)
    assert "run" in caller.refused("PUT", f"/runs/{decide['run_id']}/tasks/{decide['id']}", {"title": "x"})

    caller.data("POST", f"/runs/{decide['run_id']}/resolved-threads", {"thread_id": issue["id"]})
    emulator.archive_run(decide["run_id"])
    assert "run" in why_not(caller, decide, is_approved=True)


def test_a_task_of_another_run_is_not_found(emulator, caller, launched):
    other = emulator.tasks(emulator.add_run()["id"])[0]
    path = f"/runs/{launched['id']}/completed-tasks"

    for task_id in (other["id"], "unknown"):
        assert caller.send("POST", path, {"task_id": task_id}).status_code == 404
    assert caller.send("DELETE", f"{path}/unknown").status_code == 404
    assert "task_id" in caller.refused("POST", path, {})
    assert "task_id" in caller.refused("POST", "/completed-tasks", {})


def test_reopening_keeps_only_the_values(emulator, caller, decide, send, events):
    path = f"/runs/{decide['run_id']}/completed-tasks/{decide['id']}"
    caller.data("DELETE", path)
    assert emulator.task(decide["run_id"], "decide") == decide, "it was open"
    complete(caller, decide, is_approved=True)
    complete(caller, send)

    task = caller.data("DELETE", path)

    assert task["completed_at"] is task["completer_id"] is task["is_approved"] is None
    assert task["status"] == "active"
    assert task["taskdata"] == decide["taskdata"]
    run = emulator.run(decide["run_id"])
    assert (run["status"], run["completed_at"], run["progress"]["complete"]) == ("active", None, 1)
    complete(caller, decide, is_approved=False)
    assert emulator.run(decide["run_id"])["status"] == "complete"
    assert events().count("task.completed") == 3
    assert events().count("process.completed") == 2


def test_tasks_of_a_run_that_was_added_are_completed_like_others(emulator, caller):
    run = emulator.add_run(tasks_done=4, tasks_total=6, status="delayed", progress=10)
    tasks = emulator.tasks(run["id"])

    complete(caller, tasks[5])
    now = emulator.run(run["id"])
    assert (now["status"], now["progress"]["complete"]) == ("delayed", 5)
    complete(caller, tasks[4])
    assert emulator.run(run["id"])["status"] == "complete"
    assert [task["id"] for task in emulator.tasks(run["id"])] == [task["id"] for task in tasks]


def test_changing_a_run_changes_its_tasks(emulator, decide, send):
    run_id = decide["run_id"]

    emulator.complete_run(run_id)
    assert [task["status"] for task in emulator.tasks(run_id)] == ["completed", "completed"]
    assert emulator.tasks(run_id)[0]["is_approved"] is True
    emulator.reopen_run(run_id)
    assert [task["status"] for task in emulator.tasks(run_id)] == ["completed", "active"]
    emulator.update_run(run_id, status="problem")
    assert emulator.tasks(run_id)[1]["problem"] is True
    emulator.update_run(run_id, status="issue")
    assert [thread["task_id"] for thread in emulator.threads(run_id)] == [send["id"], None]
    emulator.update_run(run_id, status="active")
    emulator.complete_task(send["id"])
    assert emulator.run(run_id)["status"] == "complete"


def test_the_feed_records_completed_tasks(emulator, caller, decide, send):
    emulator.quirks = Quirks(feed_task_rows=True, feed_work_rows=False)
    complete(caller, send)
    complete(caller, decide, is_approved=True)

    rows = [(row["verb"][0], row["auditable_id"]) for row in emulator.activities]

    assert rows == [
        ("created", decide["run_id"]),
        ("completed", send["id"]),
        ("completed", decide["id"]),
        ("completed", decide["run_id"]),
    ]
