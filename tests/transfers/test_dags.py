"""Exports in a real Airflow, with its templates, XComs and events."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tallyfy_provider.utils.timestamps import parse_timestamp

pytestmark = pytest.mark.airflow

#: Prints the extras of all events of assets (datasets before Airflow 3) of a name.
EVENTS = """
import json, sys
try:
    from airflow.models.asset import AssetEvent as Event, AssetModel as Model
    is_of = Event.asset_id == Model.id
except ModuleNotFoundError:
    from airflow.models.dataset import DatasetEvent as Event, DatasetModel as Model
    is_of = Event.dataset_id == Model.id
from airflow.utils.session import create_session
with create_session() as session:
    rows = session.query(Event).join(Model, is_of).filter(Model.uri == sys.argv[1])
    print("EVENTS" + json.dumps([[row.source_task_id, row.extra] for row in rows]))
"""


@pytest.fixture
def tasks(dag_runs) -> dict[str, dict[str, Any]]:
    """What came of the Dag, by task id."""
    return {task["task_id"]: task for task in dag_runs["exports"]["tasks"]}


def test_tasks_end_as_they_should(tasks):
    assert {task_id: task["state"] for task_id, task in tasks.items()} == {
        "by_templates": "success",
        "by_path": "success",
        "skipped": "skipped",
        "since": "success",
        "read": "success",
    }


def test_templates_reach_path_filters_and_bounds_and_the_file_can_be_read_by_the_returned_path(tasks):
    handed_on = tasks["by_templates"]["xcoms"]["return_value"]
    assert handed_on["rows"] == 3
    assert handed_on["path"].endswith("/exports/status=active/runs.csv.gz")
    header, *records = tasks["read"]["xcoms"]["return_value"]
    assert header.strip() == "id,name,progress.percent"
    assert len(records) == 3


def test_a_path_object_is_a_template_too(tasks):
    assert tasks["by_path"]["xcoms"]["return_value"]["path"].endswith("/exports/active.jsonl")


def test_the_next_export_begins_where_this_one_ended(tasks):
    first, second = (tasks[task_id]["xcoms"]["return_value"] for task_id in ("by_path", "since"))
    assert 0 < second["rows"] < first["rows"]
    assert parse_timestamp(second["last_updated"]) >= parse_timestamp(first["next_updated_after"])


def test_no_other_files_are_left(dag_runs):
    exports = dag_runs.home / "exports"
    files = {str(path.relative_to(exports)) for path in exports.rglob("*.*")}
    assert files == {"status=active/runs.csv.gz", "active.jsonl", "since.jsonl"}


def test_an_outlet_gets_an_event_that_says_what_was_written(tasks, dag_runs):
    command = [sys.executable, "-c", EVENTS, "tallyfy_exported_runs"]
    done = subprocess.run(
        command, env=dag_runs.environment, cwd=dag_runs.home, capture_output=True, text=True, timeout=600, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("EVENTS")]
    handed_on = tasks["by_templates"]["xcoms"]["return_value"]
    assert json.loads(line.removeprefix("EVENTS")) == [["by_templates", handed_on]]
