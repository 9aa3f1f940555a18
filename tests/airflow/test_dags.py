"""Whole Dags in a real Airflow: the examples that users read, and Dags for what only a real Airflow shows."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

pytestmark = pytest.mark.airflow


def states(run: dict[str, Any]) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in run["tasks"]}


def returned_by(run: dict[str, Any], task_id: str, key: str = "return_value") -> list[Any]:
    tasks = sorted(run["tasks"], key=lambda task: task["map_index"])
    return [task["xcoms"][key] for task in tasks if task["task_id"] == task_id and key in task["xcoms"]]


def test_delayed_runs_are_reported(dag_runs):
    run = dag_runs["tallyfy_report_delayed_runs"]
    assert run["state"] == "success"
    (listed,) = returned_by(run, "list_delayed_runs")
    assert listed
    assert set(listed[0]) == {"id", "name", "owner_id", "due_date"}
    assert returned_by(run, "list_delayed_runs", "count") == [len(listed)]
    assert "late for owner" in returned_by(run, "write_report")[0]


def test_each_listed_run_is_waited_for_in_a_task_of_its_own(dag_runs):
    run = dag_runs["tallyfy_wait_for_each_run"]
    assert run["state"] == "success"
    (run_ids,) = returned_by(run, "list_open_reviews", "run_ids")
    waited = returned_by(run, "wait_for_review")
    assert len(run_ids) == 3
    assert [[each["id"] for each in one] for one in waited] == [[run_id] for run_id in run_ids]
    assert {each["status"] for one in waited for each in one} == {"complete"}
    assert len(returned_by(run, "collect")[0]) == 3
    names = {task["map_index"]: task["map_name"] for task in run["tasks"] if task["task_id"] == "wait_for_review"}
    assert [names[number] for number in range(3)] == [one[0]["name"] for one in waited]


def test_one_run_is_waited_for_and_returned(dag_runs):
    run = dag_runs["tallyfy_load_after_month_end_close"]
    assert run["state"] == "success"
    assert returned_by(run, "load_ledger")[0].startswith("loaded the ledger of Month-end close – October 2026")


def test_a_dag_that_fails_launches_an_incident(dag_runs):
    run = dag_runs["tallyfy_incident_when_a_dag_fails"]
    assert (run["state"], run["expected"]) == ("failed", "failed")
    assert states(run)["check_orders"] == "failed"
    assert run["launched"] == ["tallyfy_incident_when_a_dag_fails failed"]


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="asset watchers came with Airflow 3")
def test_a_dag_that_reacts_to_events_has_nothing_to_do_when_it_is_started_by_hand(dag_runs):
    run = dag_runs["tallyfy_react_to_completed_run"]
    assert states(run) == {"completed_onboardings": "success", "start_billing": "skipped"}


def test_templates_and_xcoms_reach_filters_and_run_ids(dag_runs):
    run = dag_runs["templates"]
    assert set(states(run).values()) == {"success"}
    (listed,) = returned_by(run, "list_by_templates")
    assert [each["status"] for each in listed] == ["complete", "complete"]
    assert all("Customer onboarding" in each["name"] for each in listed)
    assert all("checklist" in each for each in listed)
    assert returned_by(run, "count") == [[2, 2, 2]]
    assert [each["id"] for each in returned_by(run, "wait_for_list")[0]] == [each["id"] for each in listed]
    assert returned_by(run, "wait_for_text")[0] == returned_by(run, "wait_for_list")[0][:1]
    assert returned_by(run, "wait_rescheduled") == returned_by(run, "wait_for_list")
    assert "filters['owners'] is 'None', which asks for nothing: it is not sent." in dag_runs.log


def test_an_empty_list_skips_or_passes_as_on_empty_says(dag_runs):
    assert states(dag_runs["emptiness"]) == {
        "list_and_skip": "skipped",
        "wait_after_skip": "skipped",
        "list_and_pass": "success",
        "wait_for_none": "skipped",
        "size": "success",
    }
    assert returned_by(dag_runs["emptiness"], "size") == [0]


def test_a_deferred_wait_ends_in_the_state_that_a_user_expects(dag_runs):
    found = states(dag_runs["endings"])
    assert found.pop("find_called_off_review") == "success"
    assert found.pop("find_active_run") == "success"
    assert found == {
        "fails": "failed",
        "skips": "skipped",
        "skips_by_status": "skipped",
        "succeeds": "success",
        "times_out": "failed",
        "times_out_softly": "skipped",
        "never_was": "failed",
    }
    assert "TallyfyRunFailedError" in dag_runs.log
    assert "The wait for all to be complete failed" in dag_runs.log
    assert "There is no run 'dddd" in dag_runs.log
