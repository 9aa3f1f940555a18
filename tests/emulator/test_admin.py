"""The emulator's own endpoints: what a test does in Python, another process does over HTTP."""

from __future__ import annotations

import pytest
import requests


@pytest.fixture
def control(emulator):
    """Asks a control endpoint, with no header of the API."""

    def ask(method, path="", **options):
        return requests.request(method, f"{emulator.base_url}/_emulator{path}", timeout=5, **options)

    return ask


def test_what_there_is_to_know(emulator, control):
    known = control("GET").json()

    assert known["organization_id"] == emulator.organization_id
    assert known["token"] == emulator.token


def test_order_and_clear_faults(emulator, caller, control):
    ordered = control("POST", "/faults", json={"kind": "status", "status": 500, "path": "/runs"})
    assert ordered.status_code == 201
    assert ordered.json()["data"]["status"] == 500
    assert [fault["kind"] for fault in control("GET", "/faults").json()["data"]] == ["status"]
    assert caller.get(caller.runs_path).status_code == 500

    assert control("DELETE", "/faults").status_code == 204
    assert control("GET", "/faults").json()["data"] == []
    assert caller.get(caller.runs_path).status_code == 200


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"status": 500}, "needs a 'kind'"),
        ({"kind": "status", "code": 500}, "no 'code'"),
        ({"kind": "status", "status": 5}, "Fault.status is 5"),
        ([], "JSON object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_explained(control, sent, message):
    answer = control("POST", "/faults", json=sent)

    assert answer.status_code == 422
    assert message in answer.json()["message"]


def test_read_and_forget_requests(emulator, caller, control):
    caller.get("/me", "a=b")

    [request] = control("GET", "/requests").json()["data"]
    assert request["path"] == "/me"
    assert request["query"] == {"a": "b"}
    assert request["status"] == 200
    assert request["headers"]["x-tallyfy-client"] == "APIClient"

    assert control("DELETE", "/requests").status_code == 204
    assert emulator.requests == []


def test_add_change_and_delete_a_run(clock, caller, control):
    added = control("POST", "/runs", json={"name": "by hand", "status": "delayed", "completes_in": 5})
    assert added.status_code == 201
    run_id = added.json()["data"]["id"]
    assert caller.run(run_id).json()["data"]["status"] == "delayed"
    clock.advance(5)
    assert caller.run(run_id).json()["data"]["status"] == "complete"

    assert control("PATCH", f"/runs/{run_id}", json={"status": "active"}).json()["data"]["completed_at"] is None
    assert control("PATCH", f"/runs/{run_id}?after=3", json={"status": "problem"}).status_code == 202
    clock.advance(3)
    assert caller.run(run_id).json()["data"]["status"] == "problem"

    assert control("DELETE", f"/runs/{run_id}").status_code == 204
    assert caller.run(run_id).status_code == 404


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_run_that_does_not_exist(control, method):
    answer = control(method, "/runs/unknown", json={"status": "complete"})

    assert answer.status_code == 404
    assert "'unknown'" in answer.json()["message"]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"created_at": "soon"}', '{"completes_in": "x"}'])
def test_a_body_that_can_not_be_used_is_explained(control, body):
    answer = control("POST", "/runs", data=body)

    assert answer.status_code == 422
    assert answer.json()["message"]


def test_be_the_people_of_a_run(emulator, control, launched):
    run_id = launched["id"]
    [run] = control("GET", f"/runs?checklist_id={launched['checklist_id']}").json()["data"]
    assert run["id"] == run_id
    assert control("GET", "/runs?checklist_id=other").json()["data"] == []
    decide, send = control("GET", f"/runs/{run_id}/tasks").json()["data"]
    assert (decide["alias"], send["alias"]) == ("decide", "send")

    filled = control("POST", f"/tasks/{decide['id']}/fill", json={"Why": "loyal"})
    assert filled.json()["data"]["form_fields"]["data"][1]["field_value"] == "loyal"
    said = {"is_approved": False, "values": {"percent": "5"}, "by": 10203}
    done = control("POST", f"/tasks/{decide['id']}/complete", json=said).json()["data"]
    assert (done["is_approved"], done["completer_id"]) == (False, 10203)
    again = control("POST", f"/tasks/{decide['id']}/complete", json=said)
    assert (again.status_code, "completed" in again.json()["message"]) == (422, True)
    assert control("POST", f"/tasks/{decide['id']}/reopen").json()["data"]["completed_at"] is None
    assert control("POST", f"/tasks/{send['id']}/complete").status_code == 200, "it needs no body"

    fired = control("GET", "/fired").json()["data"]
    assert fired == emulator.fired
    assert len(fired) == 3
    assert [run["id"] for run in control("GET", "/launched").json()["data"]] == [run_id]
    emulator.report_problem(send["id"], "Wrong address")
    assert control("GET", f"/threads/{run_id}").json()["data"] == emulator.threads(run_id) != []


def test_add_a_template(emulator, control):
    answer = control("POST", "/checklists", json={"title": "Mine", "steps": [{"title": "Do"}]})

    assert answer.status_code == 201
    assert answer.json()["data"] == emulator.checklist("Mine")
    for wrong in ({}, {"title": "Mine", "steps": [{}]}, {"title": "Mine", "colour": "red"}):
        refused = control("POST", "/checklists", json=wrong)
        assert (refused.status_code, bool(refused.json()["message"])) == (422, True)


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", "/tasks/unknown/complete", "task"),
        ("POST", "/tasks/unknown/reopen", "task"),
        ("POST", "/tasks/unknown/fill", "task"),
        ("GET", "/runs/unknown/tasks", "run"),
        ("GET", "/threads/unknown", "run"),
    ],
)
def test_what_does_not_exist_is_named(control, method, path, what):
    answer = control(method, path, json={})

    assert answer.status_code == 404
    assert answer.json()["message"] == f"There is no {what} with the id 'unknown'."


def test_revoke_a_token(emulator, caller, control):
    assert control("POST", "/tokens/revoke", json={"token": emulator.token}).status_code == 204
    assert caller.get("/me").status_code == 401
    assert control("POST", "/tokens/revoke", json={"token": emulator.token}).status_code == 422


def test_controls_are_neither_recorded_nor_limited_nor_faulty(emulator, control):
    emulator.rate_limit = "1/60"
    control("POST", "/faults", json={"kind": "reset"})

    for _ in range(3):
        assert control("GET", "/requests").json() == {"data": []}
