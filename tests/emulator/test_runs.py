"""One run: read, archived, activated, deleted, completed and reopened."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Quirks


def test_the_fields_of_a_run(emulator, caller):
    added = emulator.add_run("Offer letter", owner_id=10202, summary="<p>Soon</p>", custom="kept")

    run = caller.run(added["id"]).json()["data"]

    assert run == added
    assert len(run["id"]) == 32
    assert run.items() >= {"name": "Offer letter", "status": "active", "owner_id": 10202, "custom": "kept"}.items()
    assert run["checklist_title"] == "Customer onboarding"
    assert run["prerun"] == [], "an empty object arrives as []"
    assert run["completed_at"] is None
    assert run["archived_at"] is None
    assert "has_open_issue" not in run, "only lists have it"


@pytest.mark.parametrize("numbers", [False, True])
def test_values_have_each_of_their_known_shapes(emulator, caller, numbers):
    emulator.quirks = Quirks(numbers_for_objects=numbers)
    emulator.add_runs(24)

    rows = caller.listed("without_pagination=true")["data"]

    assert {type(row["owner_id"]) for row in rows} == {int, str}
    assert {type(row["progress"]) for row in rows} == {dict, list} | ({int} if numbers else set())
    assert {len(row["created_at"]) for row in rows} == {19, 20, 24}, "with a space, with Z, with milliseconds"


def test_given_values_are_kept_as_they_are(emulator, caller):
    template = {"checklist_id": "a" * 32, "checklist_title": "Audit"}
    given = {"owner_id": "10203", "progress": 75, "id": "my-run", "created_at": "2026-05-20T11:00:00Z", **template}

    run = emulator.add_run(**given, status="paused")

    assert run.items() >= given.items()
    assert caller.run("my-run").json()["data"]["status"] == "paused"
    assert [row["id"] for row in caller.listed(f"checklist_id={'a' * 32}")["data"]] == ["my-run"]


def test_an_invalid_value_names_the_field(emulator):
    with pytest.raises(ValueError, match="created_at can't be 'yesterday'"):
        emulator.add_run(created_at="yesterday")
    run = emulator.add_run(id="my-run")
    with pytest.raises(ValueError, match="already a run with the id 'my-run'"):
        emulator.add_run(id="my-run")
    with pytest.raises(ValueError, match="checklist_id can't be changed"):
        emulator.update_run(run["id"], checklist_id="1")


def test_complete_and_reopen_a_run(emulator, caller, clock):
    run_id = emulator.add_run()["id"]
    clock.advance(60)

    completed = emulator.complete_run(run_id)
    assert completed["status"] == "complete"
    assert completed["completed_at"] == "2026-11-02T12:01:00Z"
    assert completed["last_updated"] == "2026-11-02T12:01:00Z"
    assert completed["progress"] == {"complete": 6, "total": 6, "percent": 100}
    assert caller.run(run_id).json()["data"] == completed

    reopened = emulator.reopen_run(run_id)
    assert reopened["status"] == "active"
    assert reopened["completed_at"] is None
    assert reopened["progress"]["percent"] < 100


def test_an_open_issue_is_in_the_list(emulator, caller):
    emulator.update_run(emulator.add_run()["id"], status="problem")

    row = caller.listed("with=tasks")["data"][0]
    assert row["has_open_issue"] is True
    assert row["tasks"]["data"][3]["problem"] is True


def test_archive_and_activate_a_run_over_the_api(emulator, caller):
    run_id = emulator.add_run("shelved", status="delayed")["id"]
    path = f"{caller.runs_path}/{run_id}"

    archived = caller.ask("DELETE", path)
    assert archived.status_code == 200
    assert archived.json()["data"]["status"] == "archived"
    assert archived.json()["data"]["archived_at"] == "2026-11-02T12:00:00Z"
    assert caller.names() == []
    assert caller.listed("archived=only")["data"][0]["status"] == "delayed", "lists keep the previous status"
    assert caller.run(run_id).json()["data"]["status"] == "archived"

    activated = caller.ask("PUT", path + "/activate").json()["data"]
    assert activated["status"] == "delayed"
    assert activated["archived_at"] is None
    assert caller.names() == ["shelved"]


def test_an_archived_run_with_each_quirk(emulator, caller):
    run_id = emulator.add_run()["id"]
    emulator.archive_run(emulator.complete_run(run_id)["id"])
    assert caller.run(run_id).json()["data"]["status"] == "archived"

    emulator.quirks = Quirks(archived_reads_as="previous")
    run = caller.run(run_id).json()["data"]
    assert run["status"] == "complete"
    assert run["archived_at"]

    emulator.quirks = Quirks(archived_run_status=404)
    assert caller.run(run_id).status_code == 404
    assert [row["id"] for row in caller.listed("archived=only")["data"]] == [run_id]


def test_deleting_for_good(emulator, caller):
    run_id = emulator.add_run()["id"]
    path = f"{caller.runs_path}/{run_id}"
    assert caller.ask("DELETE", path + "/delete").status_code == 422, "not archived"
    emulator.archive_run(run_id)

    deleted = caller.ask("DELETE", path + "/delete")

    assert (deleted.status_code, deleted.content) == (200, b"")
    assert caller.run(run_id).status_code == 404
    assert caller.ask("DELETE", path + "/delete").status_code == 404


def test_only_an_administrator_deletes_for_good(emulator, caller_with, application_token):
    run_id = emulator.add_run(status="archived")["id"]
    caller = caller_with(emulator, application_token())

    assert caller.ask("DELETE", f"{caller.runs_path}/{run_id}/delete").status_code == 403


def test_the_next_task_of_a_finished_run_is_empty(emulator, caller):
    run_id = emulator.add_run(status="complete")["id"]

    run = caller.run(run_id, "with=next_task,tasks_meta,checklist").json()["data"]

    assert run["next_task"] == {"data": []}
    assert run["tasks_meta"]["data"]["incomplete"] == 0
    assert run["checklist"]["data"]["title"] == "Customer onboarding"


def test_nested_includes_contain_the_outer_one(emulator, caller):
    run = caller.run(emulator.add_run()["id"], "with=tasks.threads,ko_form_fields").json()["data"]

    assert run["tasks"]["data"][0]["threads"] == {"data": []}
    assert [field["label"] for field in run["ko_form_fields"]["data"]] == ["Customer", "Contract value"]
