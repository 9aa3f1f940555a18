"""TallyfyToObjectStorageOperator: requests, files, results and log lines."""

from __future__ import annotations

import csv
import gzip
import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, ObjectStoragePath

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyExportError,
    TallyfyInputError,
    TallyfyResponseError,
    TallyfyServerError,
)
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator


def rows(path):
    opened = gzip.open if str(path).endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return [json.loads(line) for line in file]


def test_all_runs_are_written_exactly_as_tallyfy_gave_them(emulator, export, tmp_path):
    ids = emulator.add_runs(250)
    path = tmp_path / "runs.jsonl"
    done = export(str(path))
    assert [run["id"] for run in rows(path)] == ids
    assert rows(path)[0].items() >= emulator.run(ids[0]).items()
    assert (done["path"], done["rows"], done["bytes"]) == (str(path), 250, path.stat().st_size)


@pytest.mark.parametrize("make", [str, "file://{}".format, Path, lambda path: ObjectStoragePath(f"file://{path}")])
def test_a_path_can_be_written_in_any_of_the_usual_ways(emulator, export, tmp_path, make):
    emulator.add_runs(3)
    done = export(make(tmp_path / "dt=2026-10-31" / "runs.csv"))
    assert done["path"].endswith(f"{tmp_path}/dt=2026-10-31/runs.csv")
    assert (tmp_path / "dt=2026-10-31" / "runs.csv").exists()


def test_filters_are_sent_in_tallyfys_form(emulator, export, tmp_path, said):
    export(str(tmp_path / "x.csv"), filters={"status": "active", "owners": [1, 2], "tag": ""})
    query = emulator.requests[-1].query
    assert (query["status"], query["owners"], query["sort"]) == ("active", "1,2", "created_at")
    assert "tag" not in query
    assert "filters['tag'] is '', which asks for nothing: it is not sent." in said()


def test_what_was_written_is_logged_without_any_of_its_rows(emulator, export, tmp_path, said):
    emulator.add_runs(3, name="Something private")
    export(str(tmp_path / "runs.jsonl"))
    text = said()
    assert "Exported 3 runs (" in text
    assert f"to {tmp_path}/runs.jsonl in" in text
    assert "Something private" not in text


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"path": "/x/runs.txt"}, "'runs.txt' does not tell the format. Let it end with .jsonl"),
        ({"path": "runs.jsonl"}, "path is 'runs.jsonl', which is relative"),
        ({"path": "s3://bucket/runs/"}, "names no file"),
        ({"path": "/x/runs.parquet.gz"}, "Parquet is compressed inside"),
        ({"file_format": "xml"}, "file_format is 'xml'; it takes 'jsonl', 'csv' or 'parquet'"),
        ({"filters": {"owner": "1"}}, "did you mean 'owners'"),
        ({"filters": {"status": "finished"}}, "filters\\['status'\\] cannot be 'finished'"),
        ({"created_after": "yesterday"}, "created_after takes a time such as"),
        ({"on_empty": "ignore"}, "it takes 'pass', 'skip' or 'fail'"),
    ],
)
def test_what_is_wrong_already_fails_when_the_dag_is_parsed(wrong, message):
    with pytest.raises(TallyfyInputError, match=message):
        TallyfyToObjectStorageOperator(task_id="x", **{"path": "/x/runs.csv", **wrong})


@pytest.mark.parametrize(
    ("rendered", "message"),
    [
        ({"path": "runs.csv"}, "relative"),
        ({"path": "/x/runs"}, "does not tell the format"),
        ({"filters": {"status": "finished"}}, "cannot be 'finished'"),
        ({"updated_after": "soon"}, "updated_after takes a time"),
        ({"max_runs": "many"}, "max_runs takes a whole number"),
        ({"fields": "['id']"}, "fields is the text of a list"),
        ({"created_after": "2026-10-31", "created_before": "2026-10-31"}, "No run can be created from 2026-10-31T00"),
    ],
)
def test_a_template_that_renders_to_a_wrong_value_fails_before_any_request(
    emulator, connect, tmp_path, rendered, message
):
    templates = dict.fromkeys(rendered, "{{ params.x }}") | ({"filters": {}} if "filters" in rendered else {})
    operator = TallyfyToObjectStorageOperator(task_id="x", **{"path": str(tmp_path / "runs.csv"), **templates})
    vars(operator).update(rendered)
    with pytest.raises(TallyfyInputError, match=message):
        operator.execute(context={})
    assert emulator.requests == []
    assert list(tmp_path.iterdir()) == []


def test_every_argument_that_a_template_can_give_is_a_template_field():
    assert set(TallyfyToObjectStorageOperator.template_fields) == {
        "path",
        "tables",
        "filters",
        "fields",
        "created_after",
        "created_before",
        "updated_after",
        "max_runs",
        "tallyfy_conn_id",
    }


@pytest.fixture
def days(emulator):
    """Runs created at noon of three days, and changed two days later."""
    return {
        day: emulator.add_run(
            name=day,
            created_at=f"2026-10-{day}T12:00:00Z",
            last_updated=f"2026-10-{int(day) + 2}T12:00:00Z",
        )["id"]
        for day in ("10", "11", "12")
    }


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"created_after": "2026-10-11"}, ["11", "12"]),
        ({"created_before": "2026-10-11"}, ["10"]),
        ({"created_after": "2026-10-11", "created_before": "2026-10-12 00:00:00"}, ["11"]),
        ({"created_after": "2026-10-11T12:00:00Z"}, ["11", "12"]),
        ({"created_before": datetime(2026, 10, 11, 12, tzinfo=UTC)}, ["10"]),
        ({"created_after": date(2026, 10, 12), "created_before": None}, ["12"]),
        ({"created_after": "", "updated_after": "None"}, ["10", "11", "12"]),
        ({"updated_after": "2026-10-13T12:00:00.999Z"}, ["11", "12"]),
        ({"updated_after": "2026-10-14T13:00:00+02:00"}, ["12"]),
        ({"updated_after": "2026-10-15"}, []),
    ],
)
def test_bounds_are_inclusive_at_their_beginning_and_exclusive_at_their_end(days, export, tmp_path, bounds, expected):
    path = tmp_path / "runs.jsonl"
    export(str(path), **bounds)
    assert [run["name"] for run in rows(path)] == expected


def test_a_run_whose_dates_cannot_be_read_is_written_rather_than_lost(emulator, export, tmp_path):
    run = emulator.add_run()
    emulator.order(
        Fault(kind="status", status=200, body={"data": [{"id": run["id"], "last_updated": None, "created_at": "?"}]})
    )
    assert export(str(tmp_path / "runs.jsonl"), updated_after="2026-10-31", created_after="2026-10-31")["rows"] == 1


def test_runs_that_had_not_changed_are_counted_in_the_log(days, export, tmp_path, said):
    export(str(tmp_path / "runs.jsonl"), updated_after="2026-10-14")
    assert "Left out since unchanged: 2 runs." in said()


def test_max_runs_counts_the_runs_that_are_written(days, export, tmp_path):
    path = tmp_path / "runs.jsonl"
    assert export(str(path), max_runs="1", updated_after="2026-10-13")["rows"] == 1
    assert [run["name"] for run in rows(path)] == ["11"]
    assert export(str(path), max_runs=2)["rows"] == 2


def test_the_next_export_begins_where_this_one_ended_and_misses_nothing_at_the_edge(days, emulator, export, tmp_path):
    path = tmp_path / "runs.jsonl"
    first = export(str(path))
    assert first["last_updated"] == first["next_updated_after"] == "2026-10-14T12:00:00Z"
    late = emulator.add_run(name="same second", last_updated="2026-10-14T12:00:00Z")
    second = export(str(path), updated_after=first["next_updated_after"])
    assert late["id"] in {run["id"] for run in rows(path)}
    assert second["next_updated_after"] == first["next_updated_after"]
    third = export(str(path), updated_after="2026-10-20")
    assert (third["rows"], third["last_updated"]) == (0, None)
    assert third["next_updated_after"] == "2026-10-20T00:00:00Z"


def test_the_next_bound_goes_by_tallyfys_clock_where_this_machines_is_ahead(emulator, export, tmp_path, monkeypatch):
    ahead = timedelta(hours=1)
    clock = SimpleNamespace(now=lambda zone: datetime.now(zone) + ahead)
    monkeypatch.setattr("tallyfy_provider.client.http.transport.datetime", clock)
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + ahead.total_seconds())
    now = datetime.now(UTC)
    emulator.add_run(last_updated=now.isoformat())
    done = export(str(tmp_path / "runs.jsonl"))
    # What changed while this export ran is older than the newest change that it saw.
    assert datetime.fromisoformat(done["next_updated_after"]) < now - timedelta(minutes=9)


@pytest.mark.parametrize("partial", [{"max_runs": 1}, {"filters": {"page": 1, "per_page": 1}}])
def test_an_export_that_did_not_see_all_does_not_move_the_bound(days, export, tmp_path, partial):
    done = export(str(tmp_path / "x.csv"), updated_after="2026-10-12", **partial)
    assert done["rows"] == 1
    assert done["next_updated_after"] == "2026-10-12T00:00:00Z"


def test_when_nothing_matches(export, tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("of an earlier run")
    with pytest.raises(AirflowSkipException, match="No run matches"):
        export(str(path), on_empty="skip")
    with pytest.raises(
        TallyfyError, match=r'No run matches \{"status": "active", "updated_after": "2026-10-31T00:00:00Z"\}'
    ):
        export(str(path), on_empty="fail", filters={"status": "active"}, updated_after="2026-10-31")
    assert path.read_text() == "of an earlier run"
    assert [each.name for each in tmp_path.iterdir()] == ["runs.csv"]
    assert export(str(path))["rows"] == 0
    assert next(csv.reader(path.open()))[:2] == ["id", "increment_id"]


def test_rows_that_do_not_match_are_logged_and_written(export, tmp_path, ignores_filters, said):
    assert export(str(tmp_path / "x.jsonl"), filters={"status": "complete"})["rows"] == 1
    assert "1 of the runs came back although filters['status'] does not allow them" in said()


def test_rows_that_do_not_match_are_an_error_with_strict_filters(export, tmp_path, ignores_filters):
    path = tmp_path / "x.jsonl"
    with pytest.raises(TallyfyResponseError, match="strict_filters=True"):
        export(str(path), filters={"checklist_id": "another"}, strict_filters=True)
    assert list(tmp_path.iterdir()) == []


def test_values_that_cannot_be_written_become_null_with_a_warning(emulator, export, tmp_path, said):
    row = {"id": "a", "created_at": "0001-01-01T00:00:00+23:59", "last_updated": "9999-12-31T23:59:59-23:59"}
    emulator.order(Fault(kind="status", status=200, body={"data": [{**row, "progress": {"percent": float("nan")}}]}))
    path = tmp_path / "x.csv"
    assert export(str(path))["last_updated"] is None
    assert next(csv.DictReader(path.open()))["created_at"] == ""
    output = said()
    assert "'created_at' is of type timestamp: 1 value of another type became null." in output
    assert "Column 'progress' holds NaN or infinite numbers: 1 value became null." in output
    with pytest.raises(TallyfyExportError, match="Nothing is written, since strict_values=True"):
        export(str(tmp_path / "y.csv"), strict_values=True)
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv.gz", "runs.parquet"])
def test_a_list_that_fails_in_its_middle_leaves_the_earlier_file_as_it_was(emulator, export, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    emulator.add_generated_runs(1500)
    path = tmp_path / name
    path.write_text("of an earlier run")
    emulator.order(Fault(kind="status", status=500, path="page=3(&|$)"))
    with pytest.raises(TallyfyServerError):
        export(str(path))
    assert path.read_text() == "of an earlier run"
    assert [each.name for each in tmp_path.iterdir()] == [name]
    emulator.clear_faults()
    assert export(str(path), attempt=2)["rows"] == 1500
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_retry_replaces_and_the_same_runs_give_the_same_bytes(emulator, export, tmp_path):
    emulator.add_runs(300)
    path = tmp_path / "runs.jsonl.gz"
    export(str(path))
    once = path.read_bytes()
    export(str(path), attempt=2)
    assert path.read_bytes() == once
    assert len(rows(path)) == 300


@pytest.mark.parametrize(
    ("path", "message"),
    [("{}", "give the name of a file in it"), ("nosuch://bucket/runs.csv", "Install the provider of the store")],
    ids=["a folder", "an unknown store"],
)
def test_a_path_that_cannot_be_written_is_refused(export, tmp_path, path, message):
    folder = tmp_path / "runs.csv"
    folder.mkdir()
    with pytest.raises(TallyfyExportError, match=message):
        export(path.format(folder))


def test_the_file_is_reported_as_output_and_its_part_is_not(emulator, export, tmp_path, monkeypatch):
    from airflow.providers.common.compat.lineage import hook as lineage
    from airflow.providers.common.compat.sdk import HookLineageCollector

    collector = HookLineageCollector()
    monkeypatch.setattr("airflow.providers.common.compat.sdk.get_hook_lineage_collector", lambda: collector)
    emulator.add_run()
    export(f"file://{tmp_path}/runs.jsonl")
    outputs = lineage.get_hook_lineage_collector().collected_assets.outputs
    assert [output.asset.uri for output in outputs] == [f"file://{tmp_path}/runs.jsonl"]


def test_a_bound_in_the_future_is_logged_and_not_returned(emulator, export, tmp_path, said):
    emulator.add_runs(3)
    done = export(str(tmp_path / "runs.jsonl"), updated_after="2100-01-01")
    assert done["rows"] == 0
    assert done["next_updated_after"] < "2100"
    assert "updated_after is 2100-01-01T00:00:00Z, which is in the future" in said()


@pytest.mark.parametrize("fields", [None, "None", "", []])
@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv"])
def test_fields_that_name_nothing_write_all(emulator, export, tmp_path, fields, name):
    emulator.add_run(name="One")
    path = tmp_path / name
    export(path=str(path), fields=fields)
    assert "One" in path.read_text()


@pytest.mark.parametrize("fields", ["['id', 'name']", {"id", "name"}, {"id": 1}])
def test_fields_that_are_no_list_leave_a_good_file_alone(emulator, export, tmp_path, fields):
    path = tmp_path / "runs.csv"
    path.write_text("good")
    with pytest.raises(TallyfyInputError, match="fields"):
        export(path=str(path), fields=fields)
    assert path.read_text() == "good"
