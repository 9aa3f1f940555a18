"""Every format, written from what Tallyfy gives and read back by another library."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from datetime import UTC, datetime

import pytest

from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyInputError
from tallyfy_provider.transfers.columns import RUN_COLUMNS, Columns
from tallyfy_provider.transfers.writers import Format, format_of

ODD = 'a "quoted", comma\r\nand a line – Grüße 🎉 \u2028'
NAMES = ("runs.jsonl", "runs.ndjson", "runs.jsonl.gz", "runs.csv", "runs.CSV.GZ", "runs.parquet")


class Bytes(io.RawIOBase):
    """Keeps what was written."""

    def __init__(self):
        self.value = b""

    def writable(self):
        return True

    def write(self, data):
        self.value += bytes(data)
        return len(data)


def written(format, runs, fields=None, includes=()):
    stream = Bytes()
    columns = format.columns(fields, includes)
    writer = format.writer(stream, columns)
    for run in runs:
        writer.write(run)
    notes = writer.finish()
    return stream.value, (columns.notes if columns else []) + notes


def records(runs, fields=None):
    """The records of the CSV, the header first."""
    data, _ = written(Format("csv"), runs, fields)
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def table(runs, fields=None):
    parquet = pytest.importorskip("pyarrow.parquet")
    data, notes = written(Format("parquet"), runs, fields)
    return parquet.read_table(io.BytesIO(data)), notes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("runs.jsonl", Format("jsonl")),
        ("runs.ndjson", Format("jsonl")),
        ("runs.jsonl.gz", Format("jsonl", compressed=True)),
        ("dt=2026-10-31/RUNS.CSV.GZ", Format("csv", compressed=True)),
        ("s3://a@bucket/runs.csv", Format("csv")),
        ("runs.parquet", Format("parquet")),
    ],
)
def test_the_format_is_read_from_the_name(name, expected):
    assert format_of(name) == expected


def test_a_given_format_overrides_the_name():
    assert format_of("runs.txt.gz", "csv") == Format("csv", compressed=True)
    assert format_of("part-0", "parquet") == Format("parquet")
    with pytest.raises(TallyfyInputError, match="file_format is 'json'"):
        format_of("runs.csv", "json")


@pytest.mark.parametrize("name", ["runs", "runs.json", "runs.gz", "runs.csv.zip", "csv"])
def test_a_name_without_a_format_is_refused_with_the_known_ones(name):
    with pytest.raises(TallyfyInputError, match=r"\.jsonl \(or \.ndjson\), \.csv, each of them also with \.gz, or"):
        format_of(f"/x/{name}")


@pytest.fixture
def kinds_of_runs(emulator):
    """Runs in all the shapes that Tallyfy gives them."""
    emulator.add_run(name=ODD, summary="", starred=True)
    emulator.add_runs(20)
    emulator.add_run(progress=[], owner_id="10203", prerun=[], created_at="2026-10-31 09:00:00")
    emulator.add_run(progress=40, prerun={"a": {"id": 1, "text": "x"}}, name="=1+1", completed_at=None)
    return emulator


@pytest.mark.parametrize("name", NAMES)
def test_every_run_makes_the_round_trip_in_every_format(kinds_of_runs, export, connect, tmp_path, name):
    path = tmp_path / name
    runs = list(connect().list_runs())
    assert export(str(path))["rows"] == len(runs)
    assert read_names(path) == [run["name"] for run in runs]


def read_names(path):
    data = path.read_bytes()
    if path.suffix.lower() == ".gz":
        data = gzip.decompress(data)
    if ".parquet" in path.name:
        return pytest.importorskip("pyarrow.parquet").read_table(io.BytesIO(data)).column("name").to_pylist()
    if ".csv" in path.name.lower():
        return [row["name"] for row in csv.DictReader(io.StringIO(data.decode(), newline=""))]
    return [json.loads(line)["name"] for line in data.decode().rstrip("\n").split("\n")]


def test_json_lines_keep_each_run_as_it_is():
    runs = [{"id": "a", "progress": [], "new": {"x": [1, None]}, "name": ODD}, {"id": 2, "progress": 0.5}]
    data, notes = written(Format("jsonl"), runs)
    assert [json.loads(line) for line in data.split(b"\n")[:-1]] == runs
    assert data.endswith(b"\n")
    assert "Grüße".encode() in data
    assert notes == []


def test_json_lines_keep_the_given_fields_under_the_given_names():
    runs = [{"id": "a", "progress": {"percent": 40}, "a.b": 1}, {"id": "b", "progress": []}]
    data, notes = written(Format("jsonl"), runs, ["id", "progress.percent", "a.b", "nmae"])
    assert [json.loads(line) for line in data.splitlines()] == [
        {"id": "a", "progress.percent": 40, "a.b": 1, "nmae": None},
        {"id": "b", "progress.percent": None, "a.b": None, "nmae": None},
    ]
    assert notes == ["fields: no run has 'nmae', so it is null for all; runs have a.b, id, progress."]


def test_a_line_of_json_is_a_line_for_every_reader():
    run = {"id": "a", "name": "one\u2028two\u2029three\x85four\x1cfive\rsix\nseven"}
    data, _ = written(Format("jsonl"), [run])
    (line,) = data.decode().splitlines()
    assert json.loads(line) == run


def test_half_a_surrogate_pair_does_not_break_a_file():
    run = {"id": "a", "name": "\ud83d", "prerun": {"x": "\ud83d"}}
    data, _ = written(Format("jsonl"), [run])
    assert json.loads(data) == run
    assert records([run], ["name", "prerun"])[1] == ["?", '{"x":"\\ud83d"}']
    assert table([run], ["name"])[0].to_pylist() == [{"name": "?"}]


def test_csv_is_as_rfc_4180_says():
    run = {"id": "a", "name": ODD, "summary": "", "status": None, "starred": True, "late_tasks": 3, "type": " x"}
    fields = ["id", "name", "summary", "status", "starred", "late_tasks", "type"]
    data, _ = written(Format("csv"), [run], fields)
    quoted = ODD.replace('"', '""')
    assert data.decode() == f'id,name,summary,status,starred,late_tasks,type\r\na,"{quoted}","",,true,3," x"\r\n'


def test_what_is_nested_is_json_in_csv():
    run = {"id": "a", "progress": {"percent": 40}, "users": [1, 2], "prerun": []}
    assert records([run], ["progress", "users", "prerun"])[1] == ['{"percent":40}', "[1,2]", "[]"]


def test_text_that_looks_like_a_formula_is_left_as_it_is_in_csv():
    assert records([{"name": "=1+1"}], ["name"]) == [["name"], ["=1+1"]]


def test_moments_have_one_form_in_csv():
    forms = ["2026-10-31T09:00:00Z", "2026-10-31 09:00:00", "2026-10-31T09:00:00.250Z", "soon", None]
    runs = [{"created_at": form, "id": "a"} for form in forms]
    assert [record[0] for record in records(runs, ["created_at", "id"])[1:]] == [
        "2026-10-31T09:00:00Z",
        "2026-10-31T09:00:00Z",
        "2026-10-31T09:00:00.250000Z",
        "soon",
        "",
    ]


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_columns_are_those_that_tallyfy_documents_whatever_the_runs_hold(name):
    if name == "parquet":
        pytest.importorskip("pyarrow")
    runs = [{"id": "a"}, {"id": "b", "brand_new": 1, "another": 2, "tasks": {"data": []}}]
    columns = Format(name).columns(None, ["tasks", "tasks.form_fields", ""])
    assert list(columns.names) == [*RUN_COLUMNS, "tasks"]
    _, notes = written(Format(name), runs, includes=["tasks"])
    assert notes == [
        "The runs also have another, brand_new, for which there is no column: name the columns with "
        "fields=[…], or write JSON Lines, which keep everything."
    ]


def test_parquet_has_the_same_types_for_any_runs():
    arrow = pytest.importorskip("pyarrow")
    empty, _ = table([])
    full, _ = table(
        [{"id": 1, "owner_id": 7, "progress": []}, {"id": "b", "owner_id": "8", "progress": {"percent": 1}}]
    )
    assert empty.schema.equals(full.schema)
    assert empty.num_rows == 0
    assert full.schema.field("created_at").type == arrow.timestamp("us", tz="UTC")
    assert full.column("id").to_pylist() == ["1", "b"]
    assert full.column("owner_id").to_pylist() == ["7", "8"]
    assert full.column("progress").to_pylist() == ["[]", '{"percent":1}']


def test_parquet_reads_what_tallyfy_writes_in_more_than_one_way():
    runs = [
        {"created_at": "2026-10-31 09:00:00", "late_tasks": "3", "starred": 1, "progress": 40},
        {
            "created_at": "2026-10-31T09:00:00.250Z",
            "late_tasks": 3.0,
            "starred": "false",
            "progress": {"percent": 12.5},
        },
        {"created_at": "", "late_tasks": None, "starred": "", "progress": None},
    ]
    found, notes = table(runs, ["created_at", "late_tasks", "starred", "progress", "progress.percent"])
    nine = datetime(2026, 10, 31, 9, tzinfo=UTC)
    assert found.column("created_at").to_pylist() == [nine, nine.replace(microsecond=250_000), None]
    assert found.column("late_tasks").to_pylist() == [3, 3, None]
    assert found.column("starred").to_pylist() == [True, False, None]
    assert found.column("progress").to_pylist() == ["40", '{"percent":12.5}', None]
    assert found.column("progress.percent").to_pylist() == [None, 12.5, None]
    assert notes == []


def test_a_value_of_another_type_becomes_null_in_parquet_and_is_counted_in_a_note():
    wrong = [2**70, "many", True, 1.5, float("inf"), {}]
    found, notes = table([{"late_tasks": value, "created_at": "soon"} for value in wrong], ["late_tasks", "created_at"])
    assert found.column("late_tasks").to_pylist() == [None] * 6
    assert notes == [
        "Column 'late_tasks' is of type integer: 6 values of another type became null.",
        "Column 'created_at' is of type timestamp: 6 values of another type became null.",
    ]


NO_DATES = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-01:00", "0000-00-00 00:00:00", "-0001-11-30"]


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_a_date_that_there_is_not_becomes_null_and_is_counted(name):
    if name == "parquet":
        pytest.importorskip("pyarrow")
    runs = [{"id": "a", "created_at": date} for date in ["2026-10-31 09:00:00", *NO_DATES]]
    data, notes = written(Format(name), runs, ["id", "created_at"])
    if name == "csv":
        assert [line.partition(b",")[2] for line in data.splitlines()[1:]] == [b"2026-10-31T09:00:00Z", *[b""] * 4]
    assert notes == ["Column 'created_at' is of type timestamp: 4 values of another type became null."]


@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_a_number_that_is_none_becomes_null_and_is_counted(name):
    if name == "parquet":
        pytest.importorskip("pyarrow")
    nan, infinite = float("nan"), float("-inf")
    run = {"id": "a", "name": nan, "progress": {"percent": nan, "of": [1, infinite]}}
    data, notes = written(Format(name), [{"id": "b", "name": "x", "progress": {}}, run], ["id", "name", "progress"])
    progress = '{"percent":null,"of":[1,null]}'
    if name == "jsonl":
        assert data.decode().splitlines()[1] == f'{{"id":"a","name":null,"progress":{progress}}}'
    if name == "csv":
        assert list(csv.reader(io.StringIO(data.decode())))[2] == ["a", "", progress]
    assert notes == [
        "Column 'name' holds NaN or infinite numbers: 1 value became null.",
        "Column 'progress' holds NaN or infinite numbers: 2 values became null.",
    ]


def test_row_groups_of_parquet_are_bounded(monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("tallyfy_provider.transfers.parquet._GROUP_ROWS", 1000)
    data, _ = written(Format("parquet"), [{"id": number} for number in range(2750)])
    metadata = parquet.ParquetFile(io.BytesIO(data)).metadata
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [1000, 1000, 750]


def test_without_pyarrow_the_error_names_the_extra_before_any_request(emulator, export, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TallyfyConfigurationError, match=r"install airflow-provider-tallyfy\[parquet\]"):
        export(str(tmp_path / "runs.parquet"))
    assert emulator.requests == []
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_field_is_noted_with_a_suggestion():
    columns = Columns(["nmae"])
    columns.values({"name": "x", "id": 1})
    assert columns.notes == ["fields: no run has 'nmae', so it is null for all; did you mean 'name'?"]


def test_fields_are_not_noted_where_there_were_no_runs():
    assert Columns(["nmae"]).notes == []
