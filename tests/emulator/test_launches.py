"""Launching a run over the API."""

from __future__ import annotations

import pytest
import requests

from tallyfy_emulator import Fault, Quirks


def body(checklist, **more):
    """Return a launch body with the required field."""
    return {"checklist_id": checklist["id"], "prerun": {checklist["prerun"][0]["id"]: "Acme"}, **more}


def test_a_launch_makes_a_run_with_a_task_for_each_step(emulator, caller, discount):
    answer = caller.send("POST", "/runs", body(discount, name="Acme, 5 %", summary="<p>Soon</p>"))

    assert answer.status_code == 201
    run = answer.json()["data"]
    assert run == emulator.run(run["id"]) == caller.run(run["id"]).json()["data"]
    assert run["name"] == "Acme, 5 %"
    assert run["summary"] == "<p>Soon</p>"
    assert run["status"] == "active"
    assert run["progress"] == {"complete": 0, "total": 2, "percent": 0}
    assert run["prerun"] == {discount["prerun"][0]["id"]: "Acme"}
    assert run["prerun_status"] == "complete"
    assert run["owner_id"] == run["started_by"] == emulator.people[emulator.username]
    assert [(task["title"], task["status"]) for task in emulator.tasks(run["id"])] == [
        ("Decide", "active"),
        ("Send the offer", "not-started"),
    ]
    assert emulator.launched == emulator.runs(discount["id"]) == [run]


def test_every_documented_value(emulator, caller, discount):
    parent = emulator.add_run()["id"]
    users = list(emulator.people.values())
    tag, group, folder = (list(known.values())[1] for known in (emulator.tags, emulator.groups, emulator.folders))
    sent = {
        "owner_id": users[1],
        "user_id": users[2],
        "starred": True,
        "is_public": True,
        "parent_id": parent,
        "users": [users[3], users[4]],
        "groups": [group],
        "tags": [tag],
        "folders": [folder],
        "roles": {"buyer": {"users": [users[1]]}},
    }

    run = caller.data("POST", "/runs?with=tags,folders", body(discount, **sent))

    kept = {name: run[name] for name in ("owner_id", "starred", "is_public", "parent_id", "users", "groups", "roles")}
    assert kept == {name: sent[name] for name in kept}
    assert run["started_by"] == users[2]
    assert [each["tag_id"] for each in run["tags"]["data"]] == [tag]
    assert [each["id"] for each in run["folders"]["data"]] == [folder]
    assert caller.listed(f"tag={tag}&folder={folder}&starred=true")["data"][0]["id"] == run["id"]
    assert emulator.task(run["id"], "decide")["owners"]["users"] == [users[3], users[4]]


def test_tasks_are_changed_by_the_id_of_their_step(emulator, caller, discount):
    step = discount["steps"]["data"][1]["id"]
    change = {
        "deadline": "2026-12-24 18:00:00",
        "owners": {"users": [10203], "guests": ["a@b.example"]},
        "position": 7,
        "max_assignable": 2,
    }

    run = caller.data("POST", "/runs", body(discount, tasks={step: change, "unknown": {"position": 1}}))

    task = emulator.task(run["id"], "send")
    assert task["deadline"] == "2026-12-24T18:00:00Z"
    assert (task["owners"]["users"], task["owners"]["guests"]) == ([10203], ["a@b.example"])
    assert (task["position"], task["max_assignable"]) == (7, 2)
    assert emulator.task(run["id"], "decide")["position"] == 1


def test_a_template_that_does_not_exist(caller):
    assert "checklist_id" in caller.refused("POST", "/runs", {})
    answer = caller.send("POST", "/runs", {"checklist_id": "f" * 32})
    assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "x" * 551),
        ("name", 5),
        ("owner_id", 1),
        ("user_id", "nobody"),
        ("starred", "yes"),
        ("parent_id", "f" * 32),
        ("users", [1]),
        ("users", 10201),
        ("groups", ["unknown"]),
        ("tags", ["unknown"]),
        ("folders", ["unknown"]),
        ("roles", "all"),
        ("tasks", "all"),
    ],
)
def test_an_invalid_value_is_refused_and_nothing_is_launched(emulator, caller, discount, name, value):
    assert list(caller.refused("POST", "/runs", body(discount, **{name: value}))) == [name]
    assert emulator.launched == emulator.runs() == emulator.fired == []


@pytest.mark.parametrize("change", [{"owners": [1]}, {"owners": {"users": [1]}}, {"deadline": "soon"}, 5])
def test_an_invalid_change_of_a_task_is_refused(emulator, caller, discount, change):
    step = discount["steps"]["data"][0]["id"]

    assert "tasks" in caller.refused("POST", "/runs", body(discount, tasks={step: change}))
    assert emulator.launched == []


def test_an_invalid_kick_off_form_is_refused(caller, discount):
    field = discount["prerun"][0]["id"]
    no_object = ["The prerun must be an object."]
    missing = {field: ["Customer is required"]}

    assert caller.refused("POST", "/runs", body(discount, prerun="Acme")) == {"prerun": no_object}
    for prerun in ([], ["Acme"], {}, None, {field: ""}, {field: None}, {"customer": "Acme"}):
        assert caller.refused("POST", "/runs", body(discount, prerun=prerun)) == {"prerun": missing}


def test_a_list_in_place_of_the_form_is_dropped_where_no_field_is_required(emulator, caller):
    checklist = emulator.add_checklist("Optional", kickoff=[{"label": "Customer"}])

    run = caller.data("POST", "/runs", body(checklist, prerun=[{checklist["prerun"][0]["id"]: "Acme"}]))

    assert run["prerun"] == []


def test_unknown_kick_off_keys_are_dropped(caller, discount):
    prerun = body(discount)["prerun"]

    run = caller.data("POST", "/runs", body(discount, prerun={**prerun, "region": "North", "Region": "North"}))

    assert run["prerun"] == prerun


def test_a_launch_is_listed_after_the_lag(emulator, caller, discount, clock):
    emulator.quirks = Quirks(list_lag=3)

    run = caller.data("POST", "/runs", body(discount))

    assert caller.names() == []
    assert caller.run(run["id"]).json()["data"] == run, "one run is read where it was written"
    assert caller.data("GET", f"/runs/{run['id']}/tasks") == []
    clock.advance(3)
    assert caller.names() == [run["name"]]
    assert len(caller.data("GET", f"/runs/{run['id']}/tasks")) == 2


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "status", "status": 502}, {"kind": "truncate"}])
def test_a_launch_without_response_has_happened(emulator, caller, discount, fault):
    emulator.order(Fault(when="after", method="POST", times=1, **fault))

    try:
        assert caller.send("POST", "/runs", body(discount)).status_code == 502
    except requests.RequestException:
        assert fault["kind"] != "status"

    assert len(emulator.launched) == 1
    assert caller.names() == ["Discount - 2026-11-02"]


def test_sending_a_launch_twice_launches_twice(emulator, caller, discount):
    first, second = (caller.data("POST", "/runs", body(discount))["id"] for _ in range(2))
    emulator.delete_run(second)

    assert first != second
    fired = [(each["event"], each["run_id"]) for each in emulator.fired]
    assert fired == [("process.launched", first), ("process.launched", second)]
    assert [run["id"] for run in emulator.launched] == [first, second], "including deleted ones"


def test_an_application_launches_with_the_default_name(emulator, caller_with, application_token, discount):
    run = caller_with(emulator, application_token()).data("POST", "/runs", body(discount, user_id=10203))

    assert (run["started_by"], run["owner_id"]) == (10203, 10203)
    assert run["name"] == "Discount - 2026-11-02"


@pytest.mark.parametrize("raw", ["{", "[1]", '"text"'])
def test_a_body_that_is_no_object(caller, raw):
    headers = {**caller.headers, "Content-Type": "application/json"}

    assert caller.ask("POST", caller.runs_path, data=raw, headers=headers).status_code == 422
