"""The dlt source: loads merge into what a full load gives, and miss nothing."""

from __future__ import annotations

import contextlib

import dlt
import duckdb
import pytest

from tallyfy_emulator import Emulator, Fault
from tallyfy_provider.dlt import tallyfy_source
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.tables.tables import TABLES

FIELDS = [
    {"label": "Amount"},
    {"label": "Due", "field_type": "date"},
    {"label": "Needs", "field_type": "multiselect", "options": ["Desk", "Bag"]},
    {"label": "Budget", "field_type": "table", "columns": ["Account", "Share"]},
]


@pytest.fixture(scope="module")
def emulator():
    with Emulator(seed=False) as emulator:
        steps = [{"title": f"Step {number}", "form_fields": FIELDS} for number in range(2)]
        emulator.checklist_id = emulator.add_checklist("Plain", kickoff=FIELDS, steps=steps)["id"]
        emulator.add_generated_runs(8, checklist_id=emulator.checklist_id, filled=True, spacing=3600)
        yield emulator


@pytest.fixture
def load(tmp_path, connect, monkeypatch):
    """Load into a database of DuckDB by name, and give its tables."""
    monkeypatch.setenv("PROVIDERS__ENABLE_AIRFLOW_SECRETS", "false")  # Airflow's database is not there
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    connect()

    def load(name: str, **arguments):
        path = tmp_path / f"{name}.duckdb"
        destination = dlt.destinations.duckdb(str(path))
        pipeline = dlt.pipeline(
            name, pipelines_dir=str(tmp_path / "pipelines"), destination=destination, dataset_name="t"
        )
        pipeline.run(tallyfy_source(client=connect().client, **arguments))
        with contextlib.closing(duckdb.connect(str(path), read_only=True)) as database:
            query = "select table_name from information_schema.tables where table_schema = 't'"
            names = [name for (name,) in database.sql(query).fetchall() if not name.startswith("_dlt")]
            return {name: rows(database, name) for name in names}

    return load


def rows(database, table):
    """The rows of a table by their keys, which are unique, without the columns of dlt's own."""
    everything = database.sql(f"select * from t.{table}")  # noqa: S608
    names = [name for name in everything.columns if not name.startswith("_dlt")]
    found = everything.select(", ".join(names)).fetchall()
    by_key = {row[names.index("id")]: dict(zip(names, map(str, row), strict=True)) for row in found}
    assert len(by_key) == len(found)
    return by_key


def test_two_loads_of_changes_give_what_a_full_load_gives(emulator, load):
    run_ids = [emulator.add_run(f"Run {n}", checklist_id=emulator.checklist_id, tasks_done=0)["id"] for n in range(3)]
    tasks = [emulator.tasks(run_id)[0]["id"] for run_id in run_ids]
    comments = [emulator.add_comment(tasks[n], f"<p>Comment {n}</p>")["id"] for n in range(2)]
    emulator.fill_task(tasks[2], {"Budget": ["A", "1"], "Amount": "12.50"})
    first = load("incremental")
    assert len(first["comments"]) == 2 + sum(row["content"].startswith("<p>Task") for row in first["comments"].values())

    emulator._organization.work.update(tasks[0], lambda run, at: _without_comments(run, tasks[0], at))
    emulator.fill_task(tasks[2], {"Budget": ["B", "2"], "Amount": None})
    emulator.complete_task(tasks[1])
    emulator.add_run("New", checklist_id=emulator.checklist_id)
    emulator.clear_requests()
    second = load("incremental")
    assert second == load("full")
    assert comments[0] not in second["comments"]
    assert comments[1] in second["comments"]
    assert len(second["runs"]) == 12
    assert set(second) == set(TABLES)


def _without_comments(run, task_id, at):
    from tallyfy_emulator.model.task_changes import with_threads

    return with_threads(run, task_id, at, lambda thread: None)


def test_types_are_those_of_the_tables(emulator, load, tmp_path):
    load("types", tables="runs,answers")
    with contextlib.closing(duckdb.connect(str(tmp_path / "types.duckdb"), read_only=True)) as database:
        query = (
            "select column_name, data_type from information_schema.columns "
            "where table_name = 'runs' and table_schema = 't' order by ordinal_position"
        )
        types = dict(database.sql(query).fetchall())
        assert types["created_at"] == "TIMESTAMP WITH TIME ZONE"
        assert (types["starred"], types["increment_id"], types["name"]) == ("BOOLEAN", "BIGINT", "VARCHAR")
        assert tuple(types)[: len(TABLES["runs"].names)] == TABLES["runs"].names


def test_a_table_that_was_not_loaded_before_begins_with_all_runs(emulator, load):
    load("later", tables="runs")
    assert len(load("later", tables="runs,tasks")["tasks"]) == 2 * len(emulator.runs()) + 16


def test_updated_after_reads_only_what_has_changed(emulator, load):
    emulator.add_run("Of old", checklist_id=emulator.checklist_id, created_at="2020-01-01", last_updated="2020-01-01")
    names = {row["name"] for row in load("changed", tables="runs", updated_after="2026-01-01")["runs"].values()}
    assert "Of old" not in names


def test_values_that_became_null_are_counted_in_a_warning(emulator, load, said):
    runs = [{"id": str(number), "created_at": "2026-01-01", "due_date": "0000-00-00 00:00:00"} for number in range(3)]
    emulator.order(Fault(kind="status", status=200, body={"data": [{**run, "tags": []} for run in runs]}))
    load("odd", tables="runs")
    emulator.clear_faults()
    assert "Column 'runs.due_date' is of type timestamp: 3 values of another type became null." in said()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"tables": ["task"]}, "did you mean 'tasks'"),
        ({"updated_after": "soon"}, "updated_after takes a time"),
        ({"filters": {"with": "tags"}}, "filters cannot name with"),
        ({"filters": {"form_fields_values": True}}, "filters cannot name .*form_fields_values"),
        ({"filters": {"sort": "name"}}, "in the order of created_at, in which none is missed"),
        ({"filters": {"state": "active"}}, "did you mean 'status'"),
    ],
)
def test_wrong_arguments_are_refused_when_the_source_is_made(wrong, message):
    with pytest.raises(TallyfyInputError, match=message):
        tallyfy_source(**wrong)
