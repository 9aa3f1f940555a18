"""Reading and changing tasks over the API."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Quirks


def path_of(task):
    return f"/runs/{task['run_id']}/tasks/{task['id']}"


def titles(rows):
    return [row["title"] for row in rows]


def test_a_task_is_the_same_wherever_it_is_read(emulator, caller, decide):
    listed = caller.data("GET", f"/runs/{decide['run_id']}/tasks?with=form_fields")[0]
    alone = caller.data("GET", f"/tasks/{decide['id']}?with=form_fields")

    assert listed == decide
    assert alone == decide | {"summary": ""}
    assert caller.data("GET", path_of(decide)) == {
        name: value for name, value in alone.items() if name != "form_fields"
    }
    assert caller.data("GET", f"/runs/{decide['run_id']}?with=tasks.form_fields")["tasks"]["data"][0] == decide


def test_includes(emulator, caller, decide):
    row = caller.data("GET", f"/tasks/{decide['id']}?with=step,run,run.checklist,threads,comments,assets,nonsense")

    assert row["step"]["data"]["id"] == decide["step_id"]
    assert row["run"]["data"]["id"] == decide["run_id"]
    assert row["run"]["data"]["checklist"]["data"]["title"] == "Discount"
    assert row["threads"] == row["comments"] == row["assets"] == {"data": []}
    assert "nonsense" not in row


@pytest.mark.parametrize("path", ["/runs/{other}/tasks/{task}", "/tasks/unknown", "/runs/{run}/tasks/unknown"])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PUT", {"title": "x"})])
def test_a_task_in_the_wrong_place_is_not_found(emulator, caller, decide, path, method, body):
    path = path.format(other=emulator.add_run()["id"], task=decide["id"], run=decide["run_id"])
    answer = caller.send(method, path, body)

    assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_FOUND")


def test_the_tasks_of_added_runs(emulator, caller):
    first, second = emulator.add_run(tasks_done=2), emulator.add_run()

    for run in (first, second):
        for task in emulator.tasks(run["id"]):
            assert caller.data("GET", f"/tasks/{task['id']}")["run_id"] == run["id"]
    tasks = emulator.tasks(first["id"])[:4]
    assert [task["status"] for task in tasks] == ["completed", "completed", "active", "not-started"]
    assert [task["started_at"] is None for task in tasks] == [False, False, False, True]


def test_a_list_of_tasks_has_ten_on_a_page(emulator, caller):
    emulator.add_checklist("Long", steps=[{"title": f"Step {number}"} for number in range(1, 13)])
    run_id = emulator.add_run(checklist_id=emulator.checklists["Long"])["id"]

    first = caller.send("GET", f"/runs/{run_id}/tasks").json()

    assert titles(first["data"]) == [f"Step {number}" for number in range(1, 11)]
    assert first["meta"]["pagination"]["total_pages"] == 2
    assert titles(caller.data("GET", f"/runs/{run_id}/tasks?page=2")) == ["Step 11", "Step 12"]
    assert len(caller.data("GET", f"/runs/{run_id}/tasks?per_page=50")) == 12
    everything = caller.send("GET", f"/runs/{run_id}/tasks?without_pagination=true&sort=-position").json()
    assert titles(everything["data"])[0] == "Step 12"
    assert "meta" not in everything


def test_skipped_tasks_are_only_in_the_list_of_tasks(emulator, caller):
    steps = [{"title": "First"}, {"title": "Skipped", "auto_skipped": True}, {"title": "Last"}]
    checklist = emulator.add_checklist("Rules", steps=steps)
    runs = [
        caller.data("POST", "/runs", {"checklist_id": checklist["id"]}),
        emulator.add_run(checklist_id=checklist["id"]),
    ]

    for run in runs:
        assert run["progress"]["total"] == 2
        rows = caller.data("GET", f"/runs/{run['id']}/tasks")
        assert [row["status"] for row in rows][1] == "auto-skipped"
        others = caller.data("GET", f"/runs/{run['id']}/tasks?status=auto-skipped")
        assert titles(others) == ["First", "Last"], "all but those"
        with_tasks = caller.run(run["id"], "with=tasks,tasks.form_fields").json()["data"]
        assert titles(with_tasks["tasks"]["data"]) == ["First", "Last"]
        assert caller.refused("POST", f"/runs/{run['id']}/completed-tasks", {"task_id": rows[1]["id"]})
        for row in rows:
            if row["status"] not in ("auto-skipped", "completed"):
                caller.data("POST", f"/runs/{run['id']}/completed-tasks", {"task_id": row["id"]})
        assert emulator.run(run["id"])["status"] == "complete"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=complete", ["First"]),
        ("status=active", ["Second", "Third", "Fourth"]),
        ("status=incomplete", ["Second", "Third", "Fourth"]),
        ("status=inprogress", ["Second"]),
        ("status=not-started", ["Third", "Fourth"]),
        ("status=hasproblem", ["Third"]),
        ("status=overdue", ["Second"]),
        ("status=due_soon", ["Third"]),
        ("status=complete,hasproblem", ["First", "Third"]),
        ("status=all", ["First", "Second", "Third", "Fourth"]),
        ("status=nonsense", ["First", "Second", "Third", "Fourth"]),
        ("unassigned=true", ["Fourth"]),
        ("owners=10203,10204", ["Third"]),
        ("guests=a@b.example", ["Second"]),
        ("deadline=2026-11-03", ["Third"]),
        ("deadline_on=2026-11-02", ["Second"]),
        ("deadline_before=2026-11-03", ["Second"]),
        ("deadline_before=2026-11-04", ["Second", "Third"]),
        ("deadline_after=2026-11-03", ["First", "Fourth"]),
        ("deadline_after=2026-11-02", ["First", "Third", "Fourth"]),
        ("deadline_start_range=2026-11-03&deadline_end_range=2026-12-31", ["Third"]),
        ("deadline_on=soon", ["First", "Second", "Third", "Fourth"]),
        ("deadline=2026-11-01:2026-11-02", ["Second"]),
        ("sort=-position", ["Fourth", "Third", "Second", "First"]),
        ("sort=deadline&status=active", ["Second", "Third", "Fourth"]),
    ],
)
def test_filters_of_a_runs_tasks(emulator, caller, query, found):
    names = ("First", "Second", "Third", "Fourth")
    checklist = emulator.add_checklist("Filters", steps=[{"title": name} for name in names])
    first, second, third, fourth = (step["id"] for step in checklist["steps"]["data"])
    far = "2027-01-01T00:00:00Z"
    tasks = {
        first: {"deadline": far},
        second: {"deadline": "2026-11-02T11:00:00Z", "owners": {"guests": ["a@b.example"]}},
        third: {"deadline": "2026-11-03T11:00:00Z", "owners": {"users": [10203]}},
        fourth: {"deadline": far, "owners": {}},
    }
    run = caller.data("POST", "/runs", {"checklist_id": checklist["id"], "tasks": tasks})
    emulator.complete_task(emulator.task(run["id"], "First")["id"])
    emulator.report_problem(emulator.task(run["id"], "Third")["id"], "stuck")

    assert titles(caller.data("GET", f"/runs/{run['id']}/tasks?{query}")) == found


def test_tasks_of_all_runs(emulator, caller, launched):
    emulator.add_run(assignees=[10206], owner_id=10206, tags=[emulator.tags["urgent"]], tasks_total=2, tasks_done=1)
    one_off = caller.data("POST", "/tasks", {"title": "Buy milk"})

    assert len(caller.data("GET", "/tasks")) == 5
    assert titles(caller.data("GET", "/tasks?q=MILK")) == ["Buy milk"]
    assert [row["id"] for row in caller.data("GET", "/tasks?is_oneoff=true")] == [one_off["id"]]
    assert len(caller.data("GET", "/tasks?is_oneoff=false")) == 4
    assert len(caller.data("GET", "/tasks?owners=10206")) == 2
    assert len(caller.data("GET", "/tasks?assignee=me")) == 2
    assert len(caller.data("GET", "/tasks?q=discount")) == 2, "the name of the process"
    assert caller.data("GET", "/tasks?tag=unknown") == []
    assert len(caller.data("GET", "/tasks?tag=urgent&status=active")) == 1
    assert caller.data("GET", "/tasks?archived=only") == []
    archived = emulator.add_run(status="archived", tasks_total=1)
    assert archived["id"] not in {row["run_id"] for row in caller.data("GET", "/tasks?per_page=100")}
    assert [row["run_id"] for row in caller.data("GET", "/tasks?archived=only")] == [archived["id"]]
    assert len(caller.data("GET", "/tasks?archived=true")) == 6
    assert len(caller.data("GET", "/me/tasks")) == 2, "the holder of the token owns the launched run"
    assert caller.data("GET", "/me/tasks?status=complete") == []


def test_an_update_changes_only_the_named_fields(caller, decide):
    changes = {"title": "Decide at once", "summary": "Hurry", "deadline": "2026-12-01 10:00:00", "position": 4}
    changed = caller.data("PUT", path_of(decide), changes)

    assert changed.items() >= (changes | {"deadline": "2026-12-01T10:00:00Z", "original_title": "Decide"}).items()
    assert changed["owners"] == decide["owners"]
    assert changed["alias"] == "decide"


def test_an_update_replaces_all_owners(emulator, caller, decide):
    full = {"users": [10202], "guests": ["a@b.example"], "groups": [emulator.groups["Legal"]]}

    for owners in (full, {"users": [10203]}):
        changed = caller.data("PUT", path_of(decide), {"owners": owners})
        changed["owners"].pop("taskUrls")
        assert changed["owners"] == {"users": [], "guests": [], "groups": []} | owners


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("title", {"title": "x" * 601}),
        ("title", {"title": ""}),
        ("deadline", {"deadline": "soon"}),
        ("position", {"position": "first"}),
        ("owners", {"owners": [10201]}),
        ("owners.users", {"owners": {"users": [1]}}),
        ("owners.groups", {"owners": {"groups": ["x"]}}),
        ("owners.guests", {"owners": {"guests": [1]}}),
        ("taskdata", {"taskdata": []}),
        ("taskdata", {"taskdata": "5"}),
    ],
)
def test_an_invalid_value_is_refused(emulator, caller, decide, name, sent):
    assert list(caller.refused("PUT", path_of(decide), {"summary": "new", **sent})) == [name]
    assert emulator.task(decide["run_id"], "decide") == decide


def test_values_are_merged_or_replaced(emulator, caller, decide):
    percent, why = (field["id"] for field in decide["form_fields"]["data"])
    caller.data("PUT", path_of(decide), {"taskdata": {percent: "5"}})

    assert caller.data("PUT", path_of(decide), {"taskdata": {why: "x"}})["taskdata"] == {percent: "5", why: "x"}
    emulator.quirks = Quirks(taskdata_replaces=True)
    assert caller.data("PUT", path_of(decide), {"taskdata": {why: "y"}})["taskdata"] == {why: "y"}
    assert caller.data("PUT", path_of(decide), {"title": "x"})["taskdata"] == {why: "y"}


def test_a_completed_task_can_not_be_updated(emulator, caller, decide):
    emulator.complete_task(decide["id"], False, {"percent": "5"})

    assert caller.refused("PUT", path_of(decide), {"title": "x"}) == {"task": ["A completed task can not be updated."]}


def test_every_task_has_a_guest_link_with_a_secret(emulator, decide):
    run = emulator.add_run()

    links = [task["owners"]["taskUrls"][0]["url"] for task in (*emulator.tasks(run["id"]), decide)]

    assert len(set(links)) == len(links) == 7
    assert all(emulator.guest_secret in link for link in links)


def test_a_one_off_task_by_itself(emulator, caller):
    sent = {
        "title": "Call Acme",
        "task_type": "approval",
        "owners": {"users": [10202]},
        "deadline": "2026-11-05 12:00:00",
    }
    answer = caller.send("POST", "/tasks", sent)
    task = answer.json()["data"]
    assert answer.status_code == 201
    assert (task["run_id"], task["is_oneoff_task"], task["status"]) == (None, True, "active")

    errors = caller.refused("PUT", f"/tasks/{task['id']}", {"title": "Call Acme now"})
    assert sorted(errors) == ["deadline", "owners"], "they are wanted each time"
    again = {"title": "Call Acme now", "deadline": "2026-11-06 12:00:00", "owners": {"users": [10203]}}
    assert caller.data("PUT", f"/tasks/{task['id']}", again)["title"] == "Call Acme now"

    assert "is_approved" in caller.refused("POST", "/completed-tasks", {"task_id": task["id"]})
    done = caller.data("POST", "/completed-tasks", {"task_id": task["id"], "is_approved": True})
    assert (done["status"], done["is_approved"]) == ("completed", True)
    assert emulator.fired == [
        {"event": "task.completed", "run_id": None, "task_id": task["id"], "at": "2026-11-02T12:00:00Z"}
    ]
    assert caller.data("DELETE", f"/completed-tasks/{task['id']}")["is_approved"] is None
    assert caller.names("archived=true") == [], "there is no run"


def test_a_one_off_task_in_a_run(emulator, caller, launched):
    emulator.complete_run(launched["id"])

    task = caller.data("POST", "/tasks", {"title": "One thing more", "run_id": launched["id"]})

    assert (task["run_id"], task["position"]) == (launched["id"], 3)
    assert emulator.run(launched["id"])["status"] == "active"
    assert titles(emulator.tasks(launched["id"]))[-1] == "One thing more"
    caller.data("POST", "/completed-tasks", {"task_id": task["id"]})
    assert emulator.run(launched["id"])["status"] == "complete"


def test_an_invalid_one_off_task_is_refused(caller, decide):
    assert "title" in caller.refused("POST", "/tasks", {"deadline": "2026-11-05"})
    assert "task_type" in caller.refused("POST", "/tasks", {"title": "x", "task_type": "party"})
    assert caller.send("POST", "/tasks", {"title": "x", "run_id": "unknown"}).status_code == 404
    assert caller.send("POST", "/completed-tasks", {"task_id": decide["id"]}).status_code == 404, "it is none"
    assert "task" in caller.refused("PUT", f"/tasks/{decide['id']}", {"title": "x"})
