"""Changing a run over the API: its own fields, and its kick-off form."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Quirks


def test_an_update_changes_only_the_named_fields(caller, launched):
    changes = {"name": "Renamed", "summary": "Why", "owner_id": 10204, "starred": True, "is_public": True}

    changed = caller.data("PUT", f"/runs/{launched['id']}", changes)

    assert changed.items() >= changes.items()
    assert changed["prerun"] == launched["prerun"]
    assert caller.run(launched["id"]).json()["data"] == changed


@pytest.mark.parametrize(
    ("sent", "users", "groups"),
    [
        ({"name": "x"}, [], []),
        ({"users": [10202]}, [10202], []),
        ({"users": [10201, 10203], "groups": ["Legal"]}, [10201, 10203], ["Legal"]),
        ({"users": [], "groups": []}, [], []),
    ],
)
def test_an_update_without_users_and_groups_unassigns_everybody(emulator, caller, sent, users, groups):
    ids = emulator.groups
    run_id = emulator.add_run(users=[10201, 10203], groups=[ids["Legal"]])["id"]
    before = emulator.tasks(run_id)[0]["owners"]
    sent = sent | ({"groups": [ids[name] for name in sent["groups"]]} if "groups" in sent else {})

    run = caller.data("PUT", f"/runs/{run_id}", sent)

    assert (run["users"], run["groups"]) == (users, [ids[name] for name in groups])
    assert emulator.tasks(run_id)[0]["owners"] == before, "tasks keep their owners"


def test_an_update_keeps_users_and_groups_with_the_quirk(emulator, caller):
    emulator.quirks = Quirks(run_put_wipes=False)
    run_id = emulator.add_run(users=[10201])["id"]

    assert caller.data("PUT", f"/runs/{run_id}", {"name": "x"})["users"] == [10201]


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", ""), ("name", "x" * 551), ("owner_id", 1), ("users", [1]), ("groups", ["x"]), ("starred", "maybe")],
)
def test_an_invalid_value_is_refused(emulator, caller, launched, name, value):
    assert list(caller.refused("PUT", f"/runs/{launched['id']}", {"summary": "new", name: value})) == [name]
    assert emulator.run(launched["id"]) == launched


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", ""),
        ("POST", "/complete-prerun"),
        ("GET", "/form-fields"),
        ("GET", "/tasks"),
        ("POST", "/completed-tasks"),
        ("POST", "/comment"),
    ],
)
def test_an_unknown_run_is_not_found(caller, method, path):
    assert caller.send(method, f"/runs/unknown{path}", {"content": "x", "task_id": "x"}).status_code == 404


@pytest.mark.parametrize("replaces", [False, True])
def test_kick_off_values_are_merged_or_replaced(emulator, caller, discount, launched, replaces):
    emulator.quirks = Quirks(taskdata_replaces=replaces)
    customer, region = (field["id"] for field in discount["prerun"])
    south = {"id": 2, "text": "South"}
    caller.data("PUT", f"/runs/{launched['id']}", {"prerun": {customer: "A", region: south, "unknown": 1}})

    run = caller.data("PUT", f"/runs/{launched['id']}", {"prerun": {customer: "B"}})

    assert run["prerun"] == ({customer: "B"} if replaces else {customer: "B", region: south})
    assert caller.data("PUT", f"/runs/{launched['id']}", {"name": "x"})["prerun"] == run["prerun"]


def test_invalid_kick_off_values_are_refused(caller, discount, launched):
    customer, region = (field["id"] for field in discount["prerun"])

    def errors(prerun):
        return caller.refused("PUT", f"/runs/{launched['id']}", {"prerun": prerun})

    assert list(errors({region: "South"})["prerun"]) == [region]
    listed = caller.data("PUT", f"/runs/{launched['id']}", {"prerun": [{customer: "Globex"}]})
    assert listed["prerun"] == launched["prerun"], "dropped"
    assert errors({customer: ""}) == {"prerun": {customer: ["Customer is required"]}}


def test_an_open_kick_off_form_opens_a_complete_run_and_blocks_its_tasks(emulator, caller, discount, launched):
    run_id = launched["id"]
    percent = {"percent": "5"}
    emulator.complete_task(emulator.task(run_id, "decide")["id"], True, percent)
    emulator.complete_task(emulator.task(run_id, "send")["id"])
    assert emulator.run(run_id)["status"] == "complete"

    run = caller.data("DELETE", f"/runs/{run_id}/complete-prerun")
    assert (run["status"], run["completed_at"], run["prerun_status"]) == ("active", None, "incomplete")
    task_id = emulator.reopen_task(emulator.task(run_id, "send")["id"])["id"]
    errors = caller.refused("POST", f"/runs/{run_id}/completed-tasks", {"task_id": task_id})
    assert errors == {"prerun": ["The kick-off form is not completed."]}

    run = caller.data("POST", f"/runs/{run_id}/complete-prerun", {"prerun": {discount["prerun"][0]["id"]: "Globex"}})
    assert (run["status"], run["prerun_status"]) == ("active", "complete")
    assert run["prerun"] == {discount["prerun"][0]["id"]: "Globex"}
    emulator.complete_task(task_id)
    assert emulator.run(run_id)["status"] == "complete"


def test_completing_the_kick_off_form_completes_a_run_whose_tasks_are_done(emulator, caller, launched, events):
    emulator.complete_run(launched["id"])
    caller.data("DELETE", f"/runs/{launched['id']}/complete-prerun")

    assert caller.data("POST", f"/runs/{launched['id']}/complete-prerun")["status"] == "complete"
    assert events() == ["process.launched", "process.completed", "process.completed"]


def test_all_forms_of_a_run(emulator, caller, discount, launched):
    task = emulator.task(launched["id"], "decide")
    emulator.fill_task(task["id"], {"percent": "5"})
    customer, percent = discount["prerun"][0]["id"], task["form_fields"]["data"][0]["id"]

    forms = caller.data("GET", f"/runs/{launched['id']}/form-fields")
    run = caller.run(launched["id"], "with=form_fields,tasks.form_fields&form_fields_values=true").json()["data"]

    assert [field["field_value"] for field in forms["ko_form_fields"]] == ["Acme", None]
    assert [(field["label"], field["field_value"]) for field in forms["form_fields"]] == [
        ("Percent", "5"),
        ("Why", None),
    ]
    assert run["form_fields"]["data"] == forms["form_fields"]
    assert run["tasks"]["data"][0]["form_fields"]["data"][0]["field_value"] == "5"
    assert run["form_fields_values"] == {customer: "Acme", percent: "5"}
