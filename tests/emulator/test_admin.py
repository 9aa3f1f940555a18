"""The control endpoints: the emulator's Python methods over HTTP."""

from __future__ import annotations

import pytest
import requests


@pytest.fixture
def control(emulator):
    """Send a request to a control endpoint, without the API's headers."""

    def ask(method, path="", **options):
        return requests.request(method, f"{emulator.base_url}/_emulator{path}", timeout=5, **options)

    return ask


def test_the_root_returns_the_credentials(emulator, control):
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


def test_fill_complete_and_reopen_tasks(emulator, control, launched):
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


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/faults", '{"status": 500}', "needs a 'kind'"),
        ("/faults", '{"kind": "status", "code": 500}', "no 'code'"),
        ("/faults", '{"kind": "status", "status": 5}', "Fault.status is 5"),
        ("/faults", "[]", "JSON object"),
        ("/runs", "", ""),
        ("/runs", "{", ""),
        ("/runs", "[]", ""),
        ("/runs", '{"created_at": "soon"}', ""),
        ("/runs", '{"completes_in": "x"}', ""),
        ("/checklists", "{}", ""),
        ("/checklists", '{"title": "Mine", "steps": [{}]}', ""),
        ("/checklists", '{"title": "Mine", "colour": "red"}', ""),
    ],
)
def test_an_invalid_body_is_refused_with_a_message(control, path, body, message):
    answer = control("POST", path, data=body)

    assert answer.status_code == 422
    assert answer.json()["message"]
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("PATCH", "/runs/unknown", "run"),
        ("DELETE", "/runs/unknown", "run"),
        ("POST", "/tasks/unknown/complete", "task"),
        ("POST", "/tasks/unknown/reopen", "task"),
        ("POST", "/tasks/unknown/fill", "task"),
        ("GET", "/runs/unknown/tasks", "run"),
        ("GET", "/threads/unknown", "run"),
    ],
)
def test_an_unknown_id_is_a_404_that_names_it(control, method, path, what):
    answer = control(method, path, json={"status": "complete"} if method == "PATCH" else {})

    assert answer.status_code == 404
    assert answer.json()["message"] == f"There is no {what} with the id 'unknown'."


def test_revoke_a_token(emulator, caller, control):
    assert control("POST", "/tokens/revoke", json={"token": emulator.token}).status_code == 204
    assert caller.get("/me").status_code == 401
    assert control("POST", "/tokens/revoke", json={"token": emulator.token}).status_code == 422


def test_control_requests_are_not_recorded_limited_or_faulted(emulator, control):
    emulator.rate_limit = "1/60"
    control("POST", "/faults", json={"kind": "reset"})

    for _ in range(3):
        assert control("GET", "/requests").json() == {"data": []}


def test_latest_is_the_run_that_was_launched_last(emulator, control, launched):
    assert control("PATCH", "/runs/latest", json={"status": "complete"}).json()["data"]["id"] == launched["id"]
    assert emulator.run(launched["id"])["status"] == "complete"
    assert control("GET", "/runs/latest/tasks").json()["data"][0]["run_id"] == launched["id"]


def test_latest_says_that_nothing_was_launched(control):
    answer = control("PATCH", "/runs/latest", json={"status": "complete"})
    assert answer.status_code == 422
    assert "No run has been launched yet" in answer.json()["message"]
