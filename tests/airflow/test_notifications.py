"""A whole Airflow tells people in Tallyfy what became of its Dags: from the task, Dag processor and triggerer."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_3_PLUS

from airflow_rest import PATIENCE, wait_until
from airflow_runner import Standalone
from tallyfy_emulator import Emulator
from tests.airflow.conftest import logs_below

pytestmark = pytest.mark.end_to_end

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parent.parent / "scripts"
# Airflow 3.1 cannot run a SyncCallback; with SQLite, the scheduler of 3.2 ends after one (docs/airflow-versions.md).
DEADLINES = ("late_async", "late_sync") if AIRFLOW_V_3_3_PLUS else ("late_async",)


def launched_for(tallyfy: Emulator, run_id: str) -> list[dict]:
    return [run for run in tallyfy.launched if run_id in str(run["prerun"])]


def call_back_again(airflow: Standalone, dag_id: str, run_id: str) -> None:
    """Have the Dag's callback called once more, and wait until that is done."""
    environment = {**airflow.environment, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, HERE / "call_back_again.py", airflow.dags_folder, dag_id, run_id]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr

    def is_told() -> bool:
        logs = logs_below(airflow.home)
        return any("has been launched for it before" in log for log in [*logs, done.stdout, done.stderr])

    wait_until(is_told, timeout=PATIENCE, what="the second callback")


def test_a_failing_dag_launches_exactly_one_incident_for_each_event_though_one_is_reported_twice(airflow, tallyfy):
    commented = tallyfy.add_run()["id"]
    airflow.unpause("failures")
    run_id = airflow.trigger("failures", {"run_id": commented})
    assert airflow.wait_for_dag_run("failures", run_id)["state"] == "failed"
    wait_until(lambda: len(launched_for(tallyfy, run_id)) >= 4, timeout=PATIENCE, what="the Dag processor to call back")
    call_back_again(airflow, "failures", run_id)

    runs = launched_for(tallyfy, run_id)
    assert Counter(run["name"] for run in runs) == {
        "Task 'fails' of Dag 'failures' failed and will be tried again": 1,
        "Task 'fails' of Dag 'failures' failed": 1,
        "Task 'succeeds' of Dag 'failures' succeeded": 1,
        "Dag 'failures' failed": 1,
    }
    (thread,) = tallyfy.threads(commented)
    (of_task,) = (run for run in runs if run["name"] == "Task 'fails' of Dag 'failures' failed")
    for text in (thread["content"], of_task["summary"]):
        assert "Try: 2<br>Exception: ValueError<br>Log: <a href=" in text
        assert airflow.url in text
    assert "swordfish" not in str(tallyfy.launched) + str(tallyfy.threads(commented))


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="deadlines came with Airflow 3.1")
def test_a_missed_deadline_launches_exactly_one_incident(airflow, tallyfy):
    late = {}
    for dag_id in DEADLINES:
        airflow.unpause(dag_id)
        late[dag_id] = airflow.trigger(dag_id)
    for dag_id, run_id in late.items():
        wait_until(partial(launched_for, tallyfy, run_id), timeout=PATIENCE, what=f"{dag_id} to be late")
    (airflow.home / "let-late-tasks-end").touch()
    for dag_id, run_id in late.items():
        assert airflow.wait_for_dag_run(dag_id, run_id)["state"] == "success"
        (run,) = launched_for(tallyfy, run_id)
        assert run["name"] == f"Dag '{dag_id}' missed a deadline"
        assert "Deadline: 20" in run["summary"]


def test_no_log_of_any_part_holds_the_token(airflow, tallyfy):
    texts = logs_below(airflow.home)
    assert any("Notified Tallyfy that" in text for text in texts)
    assert [text for text in texts if tallyfy.token in text] == []
