"""A whole Airflow, with scheduler, triggerer and API server, waits for people."""

from __future__ import annotations

import pytest

from airflow_rest import PATIENCE, wait_until
from tallyfy_emulator import Emulator
from tests.airflow.conftest import logs_below

pytestmark = pytest.mark.end_to_end


def looks_at(tallyfy: Emulator, run_id: str) -> int:
    return sum(request.path.endswith(f"/runs/{run_id}") for request in tallyfy.requests)


def test_deferred_waits_are_released_when_people_are_done(airflow, tallyfy):
    names = ["Contract of Ada", "Contract of Bob"]
    runs = [tallyfy.add_run(name=name)["id"] for name in names]
    airflow.unpause("waits")
    run_id = airflow.trigger("waits", {"process": "Contract of"})
    airflow.wait_until_deferred("waits", run_id, "wait")
    # The worker has looked at each run once; from the second look on it is the triggerer.
    wait_until(lambda: all(looks_at(tallyfy, run) > 2 for run in runs), timeout=PATIENCE, what="the triggerer to look")
    links = [airflow.links("waits", run_id, "wait", map_index=number)["Tallyfy process"] for number in range(2)]
    assert sorted(links) == sorted(f"https://go.tallyfy.com/tracker/{run}" for run in runs)
    for run in runs:
        tallyfy.complete_run(run)
    assert airflow.wait_for_dag_run("waits", run_id)["state"] == "success"

    assert airflow.xcom("waits", run_id, "hand_on") == names
    log = airflow.task_log("waits", run_id, "wait")
    assert "Deferring: the triggerer polls Tallyfy every 1 s." in log
    assert "Waiting for all to be complete: 'Contract of" in log
    assert "Waited for all to be complete: 'Contract of" in log


def test_a_person_approves_and_the_dag_branches_on_what_was_written(airflow, tallyfy):
    checklist = tallyfy.add_checklist(
        "Dinner",
        kickoff=[{"label": "Amount", "field_type": "text"}, {"label": "Reason", "field_type": "textarea"}],
        steps=[
            {
                "title": "Approve it",
                "alias": "approve",
                "task_type": "approval",
                "form_fields": [
                    {
                        "label": "Pay by",
                        "alias": "pay-by",
                        "field_type": "radio",
                        "options": ["bank transfer", "payroll"],
                    }
                ],
            }
        ],
    )
    airflow.unpause("approvals")
    run_id = airflow.trigger("approvals", {"checklist": checklist["id"]})
    airflow.wait_until_deferred("approvals", run_id, "wait")
    (run,) = tallyfy.runs(checklist["id"])
    assert airflow.links("approvals", run_id, "wait")["Tallyfy process"].endswith(f"/tracker/{run['id']}")
    step = tallyfy.task(run["id"], "approve")
    approver = next(iter(tallyfy.people.values()))
    tallyfy.complete_task(step["id"], is_approved=True, values={"pay-by": "payroll"}, by=approver)
    assert airflow.wait_for_dag_run("approvals", run_id)["state"] == "success"
    assert airflow.xcom("approvals", run_id, "payroll") == f"approved by {approver}"
    assert len(tallyfy.runs(checklist["id"])) == 1
    log = airflow.task_log("approvals", run_id, "ask") + airflow.task_log("approvals", run_id, "wait")
    assert "Launched run" in log
    assert "dinner for two" not in log
    assert tallyfy.guest_secret not in log


def test_no_log_of_any_part_holds_the_token(airflow, tallyfy):
    texts = logs_below(airflow.home)
    assert any("Contract of Ada" in text for text in texts)
    assert [text for text in texts if tallyfy.token in text] == []
