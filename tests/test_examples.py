"""The example Dags as a person meets them in Airflow's UI, and what `make demo` shows of them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from file_table import table_lines
from run_example_dags import load, purpose

EXAMPLES = Path(__file__).parent.parent / "example_dags"


@pytest.fixture(scope="module")
def dags():
    dags, broken = load(EXAMPLES)
    assert broken == {}
    return dags


def test_each_says_what_it_is_for_what_to_press_and_what_to_look_at(dags):
    for dag in dags.values():
        assert re.findall(r"^\*\*(.*?)\*\*", dag.doc_md, re.MULTILINE) == [
            "What it is for.",
            "What to press.",
            "What to look at.",
        ], dag.dag_id
        assert purpose(dag).endswith("."), dag.dag_id


def test_each_parameter_has_a_title_and_a_description(dags):
    for dag in dags.values():
        for name in dag.params:
            param = dag.params.get_param(name)
            assert param.description, (dag.dag_id, name)
            assert param.schema.get("title"), (dag.dag_id, name)


def test_mapped_tasks_are_told_apart_by_name(dags):
    mapped = [
        task for dag in dags.values() for task in dag.tasks if task.is_mapped and "tallyfy" in str(task.operator_class)
    ]
    assert {task.task_id for task in mapped} >= {"wait_for_review", "onboard"}
    assert all("name" in task.map_index_template for task in mapped)


def test_intervals_are_those_of_production_and_no_date_is_needed_to_start_by_hand():
    for file in EXAMPLES.glob("*.py"):
        text = file.read_text()
        assert not re.search(r"poke_interval=\d", text), file.name
        assert all(int(seconds) >= 60 for seconds in re.findall(r'_INTERVAL", (\d+)', text)), file.name
        assert not re.search(r'"[^"#]*\{\{\s*(ds|ts|logical_date|data_interval_\w+)\b', text), file.name


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz"])
def test_a_file_is_shown_as_a_table(tmp_path, ending):
    rows = [{"id": "1", "empty": None, "name": "Contract\nreview"}, {"id": "22", "name": "Close, month-end"}]
    path = tmp_path / f"answers{ending}"
    if "csv" in ending:
        text = 'id,empty,name\n1,,"Contract\nreview"\n22,,"Close, month-end"\n'
    else:
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    shown = ["name              id", "Contract review   1", "Close, month-end  22", "… and 1 more column"]
    for given in (str(path), path.as_uri()):
        assert table_lines(given, rows=5, width=100) == shown
    assert table_lines(str(path), rows=1, width=10)[-1] == "… and 3 more columns"


def test_what_is_no_table_shows_nothing(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    for name in ("missing.csv", "empty.csv", "file.parquet"):
        assert table_lines(str(tmp_path / name), rows=5, width=100) == []
