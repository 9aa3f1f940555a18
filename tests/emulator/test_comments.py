"""Comments and issues on runs and tasks."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["task", "run"])
def place(request, decide):
    """The path of a run or task to comment on, and the id of the task."""
    return (f"/tasks/{decide['id']}", decide["id"]) if request.param == "task" else (f"/runs/{decide['run_id']}", None)


@pytest.mark.parametrize("state", ["open", "hide-for-guests", "collapsed"])
def test_a_comment(emulator, caller, launched, place, state):
    path, task_id = place

    answer = caller.send("POST", f"{path}/comment", {"content": "<p>Well done</p>", "state": state})

    assert answer.status_code == 201
    said = answer.json()["data"]
    assert (said["label"], said["content"], said["state"]) == ("comment", "<p>Well done</p>", state)
    assert (said["run_id"], said["task_id"]) == (launched["id"], task_id)
    assert emulator.threads(launched["id"]) == [{name: said[name] for name in said if name != "run_id"}]
    assert emulator.run(launched["id"])["status"] == "active"


def test_a_comment_can_have_a_label(emulator, caller, launched, place):
    path, _ = place

    assert caller.data("POST", f"{path}/comment", {"content": "x", "label": "advice"})["label"] == "advice"
    issue = caller.data("POST", f"{path}/comment", {"content": "x", "label": "problem"})
    assert emulator.run(launched["id"])["status"] in ("problem", "issue")
    caller.data("POST", f"{path}/resolved-threads", {"thread_id": str(issue["id"])})
    assert emulator.run(launched["id"])["status"] == "active"


def test_the_threads_of_a_task_are_included(emulator, caller, decide):
    caller.data("POST", f"/tasks/{decide['id']}/comment", {"content": "a"})
    caller.data("POST", f"/tasks/{decide['id']}/problem", {"content": "b"})

    task = caller.data("GET", f"/tasks/{decide['id']}?with=threads,comments")
    run = caller.data("GET", f"/runs/{decide['run_id']}?with=tasks.threads")

    assert [thread["label"] for thread in task["threads"]["data"]] == ["comment", "problem"]
    assert [thread["content"] for thread in task["comments"]["data"]] == ["a"]
    assert run["tasks"]["data"][0]["threads"] == task["threads"]


def test_an_issue_shows_in_the_runs_status_until_it_is_resolved(emulator, caller, launched, place):
    path, task_id = place

    issue = caller.data("POST", f"{path}/problem", {"content": "No budget"})
    assert (issue["label"], issue["resolve_id"]) == ("problem", None)
    assert emulator.run(launched["id"])["status"] == ("problem" if task_id else "issue")
    assert emulator.task(launched["id"], "decide")["problem"] is bool(task_id)
    assert caller.listed("status=problem")["data"][0]["has_open_issue"] is True

    answer = caller.data("POST", f"{path}/resolved-threads", {"thread_id": issue["id"], "content": "Found some"})
    assert (answer["label"], answer["content"]) == ("resolve", "Found some")
    assert emulator.threads(launched["id"])[0]["resolve_id"] == answer["id"]
    assert emulator.run(launched["id"])["status"] == "active"
    assert emulator.task(launched["id"], "decide")["problem"] is False


def test_the_status_changes_with_the_last_issue(emulator, caller, launched, decide):
    ids = [caller.data("POST", f"/tasks/{decide['id']}/problem", {"content": text})["id"] for text in "ab"]
    ids.append(caller.data("POST", f"/runs/{launched['id']}/problem", {"content": "c"})["id"])
    assert emulator.run(launched["id"])["status"] == "issue"

    caller.data("POST", f"/runs/{launched['id']}/resolved-threads", {"thread_id": ids[2]})
    caller.data("POST", f"/tasks/{decide['id']}/resolved-threads", {"thread_id": ids[0]})
    assert emulator.run(launched["id"])["status"] == "problem"
    caller.data("POST", f"/tasks/{decide['id']}/resolved-threads", {"thread_id": ids[1]})
    assert emulator.run(launched["id"])["status"] == "active"


def test_an_issue_on_a_completed_task_opens_it_again(emulator, caller, decide):
    emulator.complete_task(decide["id"], True, {"percent": "5"})
    emulator.complete_task(emulator.task(decide["run_id"], "send")["id"])
    assert emulator.run(decide["run_id"])["status"] == "complete"

    caller.data("POST", f"/tasks/{decide['id']}/problem", {"content": "Too much"})

    assert emulator.task(decide["run_id"], "decide")["completed_at"] is None
    run = emulator.run(decide["run_id"])
    assert (run["status"], run["completed_at"]) == ("problem", None)


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("comment", {"content": ""}, "content"),
        ("problem", {"content": ""}, "content"),
        ("comment", {"content": "x", "state": "secret"}, "state"),
        ("comment", {"content": "x", "label": "praise"}, "label"),
        ("resolved-threads", {}, "thread_id"),
        ("resolved-threads", {"thread_id": 1}, "thread_id"),
    ],
)
def test_an_invalid_comment_is_refused(caller, place, name, body, field):
    assert field in caller.refused("POST", f"{place[0]}/{name}", body)


def test_only_issues_can_be_resolved(caller, place):
    comment = caller.data("POST", f"{place[0]}/comment", {"content": "x"})

    assert "thread_id" in caller.refused("POST", f"{place[0]}/resolved-threads", {"thread_id": comment["id"]})


def test_an_unknown_task_is_not_found(caller):
    assert caller.send("POST", "/tasks/unknown/comment", {"content": "x"}).status_code == 404


@pytest.mark.parametrize("status", ["problem", "issue"])
def test_the_issue_of_an_added_run_can_be_resolved(emulator, caller, status):
    run = emulator.add_run(status=status, tasks_done=2)
    [issue] = emulator.threads(run["id"])
    assert issue["task_id"] == (emulator.tasks(run["id"])[2]["id"] if status == "problem" else None)
    path = f"/tasks/{issue['task_id']}" if status == "problem" else f"/runs/{run['id']}"

    caller.data("POST", f"{path}/resolved-threads", {"thread_id": issue["id"]})

    assert emulator.run(run["id"])["status"] == "active"


def test_a_comment_on_a_one_off_task_belongs_to_no_run(caller):
    task = caller.data("POST", "/tasks", {"title": "Call"})

    assert caller.data("POST", f"/tasks/{task['id']}/comment", {"content": "x"})["run_id"] is None


def test_the_feed_records_issues_by_their_thread(emulator, caller, decide):
    issues = [caller.data("POST", f"/tasks/{decide['id']}/problem", {"content": text})["id"] for text in "ab"]
    for issue in issues:
        caller.data("POST", f"/tasks/{decide['id']}/resolved-threads", {"thread_id": issue})

    assert [(row["verb"][0], row["auditable_id"]) for row in emulator.activities[1:]] == [
        ("issue-reported", issues[0]),
        ("issue-reported", issues[1]),
        ("issue-resolved", issues[0]),
        ("issue-resolved", issues[1]),
    ]
