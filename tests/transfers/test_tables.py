"""Exports of tables: what they hold, what they ask for, and that a directory is whole or has no _SUCCESS."""

from __future__ import annotations

import contextlib
import csv
import errno
import gzip
import json
import math
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from tallyfy_emulator import Emulator, Fault, Quirks
from tallyfy_provider.client.runs import api as runs_api
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyExportError,
)
from tallyfy_provider.tables.tables import TABLES
from tallyfy_provider.transfers.atomic_file import Attempt
from tallyfy_provider.transfers.directory import TableDirectory
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator
from tallyfy_provider.transfers.writers import Format
from tests.raw_server import raw_server, response

from .conftest import Bucket, Folders, attached

RUN_TABLES = ["runs", "tasks", "answers", "comments", "assignees"]
FIELDS = [
    {"label": "Amount"},
    {"label": "Reason", "field_type": "textarea"},
    {"label": "Due", "field_type": "date"},
    {"label": "Office", "field_type": "dropdown", "options": ["Lisbon", "Oslo"]},
    {"label": "Needs", "field_type": "multiselect", "options": ["Desk", "Bag"]},
    {"label": "Budget", "field_type": "table", "columns": ["Account", "Share"]},
]
RUNS = 40


@pytest.fixture(scope="module")
def world() -> Iterator[Emulator]:
    """Runs of two templates whose forms have answers; one of them hides its last step."""
    with Emulator(seed=False) as emulator:
        steps = [{"title": f"Step {number}", "form_fields": FIELDS} for number in range(3)]
        plain = emulator.add_checklist("Plain", kickoff=FIELDS, steps=steps)["id"]
        hiding = emulator.add_checklist("Hiding", steps=[*steps, {"title": "Hidden", "auto_skipped": True}])["id"]
        emulator.add_generated_runs(RUNS, checklist_id=plain, filled=True, spacing=3600)
        for number in range(5):
            emulator.add_run(f"Hiding {number}", checklist_id=hiding, summary="<p>Call <b>back</b></p>")
        emulator.hiding = hiding
        yield emulator


@pytest.fixture
def emulator(world) -> Iterator[Emulator]:
    """The world, without the requests, the faults and the quirks of other tests."""
    world.clear_requests()
    yield world
    world.clear_faults()
    world.quirks = Quirks()


def read(path: Path, table: str) -> list[dict]:
    """Read a table as the names of its parts tell."""
    found = []
    for part in sorted((path / table).iterdir()):
        if part.suffix == ".parquet":
            from pyarrow import parquet

            found += parquet.read_table(part).to_pylist()
            continue
        with (gzip.open if part.suffix == ".gz" else open)(part, "rt", encoding="utf-8", newline="") as file:
            found += list(csv.DictReader(file)) if ".csv" in part.name else [json.loads(line) for line in file]
    return found


def tables_in(path: Path) -> dict[str, list[dict]]:
    return {name: read(path, name) for name in json.loads((path / "_SUCCESS").read_text())["tables"]}


def truth(emulator: Emulator) -> dict[str, set[tuple]]:
    """What the emulator itself knows, read from its own objects and not from its answers."""
    organization = emulator._organization
    generated = organization.runs.generated
    runs = [generated.with_tasks(generated.run(number)) for number in range(generated.count)]
    runs += organization.runs.snapshot()[1]
    found: dict[str, set[tuple]] = {name: set() for name in RUN_TABLES}
    for run in runs:
        found["runs"].add((run.id, run.name, run.status, run.checklist.id))
        forms = [(None, run.checklist.kickoff, run.prerun), *((t.id, t.form_fields, t.values) for t in run.tasks)]
        for task_id, fields, values in forms:
            for field in fields:
                found["answers"] |= {
                    (run.id, task_id, field.label, *each) for each in cells(field, values.get(field.id))
                }
        for task in run.tasks:
            found["tasks"].add((task.id, run.id, task.title, task.auto_skipped, task.is_done))
            found["comments"] |= {(thread.id, run.id, task.id, thread.content) for thread in task.threads}
            people = [("user", task.owners.users), ("guest", task.owners.guests), ("group", task.owners.groups)]
            found["assignees"] |= {(task.id, kind, str(each)) for kind, some in people for each in some}
    return found


def cells(field, value) -> list[tuple]:
    """The column of a table, and what people read, as the emulator has it."""
    if value is None:
        return [(None, None)]
    if field.field_type == "table":
        return list(zip(field.columns, value, strict=True))
    if field.field_type == "multiselect":
        return [(None, ", ".join(option["text"] for option in value if option["selected"]))]
    if field.field_type == "textarea":
        return [(None, _without_tags(value.replace("</p><p>", "\n").replace("&amp;", "&")))]
    return [(None, value["text"] if isinstance(value, dict) else value)]


def _without_tags(text: str) -> str:
    for tag in ("<p>", "</p>", "<b>", "</b>"):
        text = text.replace(tag, "")
    return text


def shown(path: Path) -> dict[str, set[tuple]]:
    """An export in the form of :func:`truth`; no row may come twice."""
    found = tables_in(path)
    for rows in found.values():
        assert len({row["id"] for row in rows}) == len(rows)
    return {
        "runs": {(r["id"], r["name"], r["status"], r["checklist_id"]) for r in found["runs"]},
        "answers": {
            (r["run_id"], r["task_id"] or None, r["field_label"], r["table_column"] or None, r["value_text"] or None)
            for r in found["answers"]
        },
        "tasks": {
            (r["id"], r["run_id"], r["title"], r["status"] == "auto-skipped", bool(r["completed_at"]))
            for r in found["tasks"]
        },
        "comments": {(r["id"], r["run_id"], r["task_id"], r["content"]) for r in found["comments"]},
        "assignees": {(r["task_id"], r["kind"], r["person_id"]) for r in found["assignees"]},
    }


@pytest.mark.parametrize("file_format", ["jsonl", "jsonl.gz", "csv", "csv.gz", "parquet"])
def test_every_row_is_there_in_every_format(emulator, export, tmp_path, file_format):
    done = export(str(tmp_path), tables=RUN_TABLES, file_format=file_format)
    assert shown(tmp_path) == truth(emulator)
    assert done["tables"]["answers"]["rows"] == len(truth(emulator)["answers"])


@pytest.mark.parametrize("includes", ["without nested", "left out", "refused"])
def test_what_lists_leave_out_or_refuse_is_asked_for_run_by_run_and_counted(emulator, export, tmp_path, said, includes):
    export(str(tmp_path / "given"), tables=RUN_TABLES)
    emulator.quirks = Quirks(list_includes=includes)
    emulator.clear_requests()
    export(str(tmp_path / "asked"), tables=RUN_TABLES)
    assert tables_in(tmp_path / "asked") == tables_in(tmp_path / "given")
    assert len(emulator.requests) < 1.2 * (RUNS + 2 * 5) + 10
    assert f"Asked for one by one: {RUNS + 5} runs, since Tallyfy" in said()


def test_lists_are_read_in_pages_and_only_runs_that_hide_tasks_are_asked_for(emulator, export, tmp_path, said):
    export(str(tmp_path), tables=RUN_TABLES)
    lists = [each for each in emulator.requests if each.path.endswith("/runs")]
    assert len(lists) <= 6
    assert len(emulator.requests) - len(lists) == 5
    assert "Asked for one by one: 5 runs, since the list hides tasks of theirs that a rule skips." in said()


def test_small_tables_have_their_own_endpoints(emulator, export, tmp_path):
    export(str(tmp_path), tables="people,checklists,steps")
    found = tables_in(tmp_path)
    assert {row["person_id"] for row in found["people"] if row["kind"] == "user"} == set(
        map(str, emulator.people.values())
    )
    assert {row["kind"] for row in found["people"]} == {"user", "guest", "group"}
    assert {row["id"] for row in found["checklists"]} == set(emulator.checklists.values())
    assert {row["checklist_id"] for row in found["steps"]} <= {row["id"] for row in found["checklists"]}
    assert not [each for each in emulator.requests if each.path.endswith("/runs")]
    assert emulator.guest_secret not in "".join(part.read_text() for part in tmp_path.rglob("part-*"))


def test_tables_join_by_their_ids(emulator, export, tmp_path):
    export(str(tmp_path), tables=list(TABLES))
    found = {name: {row["id"]: row for row in rows} for name, rows in tables_in(tmp_path).items()}
    people = {(row["kind"], row["person_id"]) for row in found["people"].values()}
    for row in found["answers"].values():
        assert row["run_id"] in found["runs"]
        assert row["task_id"] is None or found["tasks"][row["task_id"]]["run_id"] == row["run_id"]
    assert {row["step_id"] for row in found["tasks"].values()} <= set(found["steps"])
    assert {(row["kind"], row["person_id"]) for row in found["assignees"].values()} <= people
    assert {("user", row["author_id"]) for row in found["comments"].values()} <= people


def test_guest_links_are_in_no_table(emulator, export, tmp_path):
    export(str(tmp_path), tables=RUN_TABLES, unknown_fields=True)
    text = "".join(part.read_text() for part in tmp_path.rglob("part-*"))
    assert emulator.guest_secret not in text
    assert "is_completable" in text


def test_success_says_what_is_there_and_where_the_next_export_begins(emulator, export, tmp_path):
    done = export(str(tmp_path), tables=["runs", "answers"], part_bytes=1)
    success = json.loads((tmp_path / "_SUCCESS").read_text())
    assert success["schema_version"] == 1
    assert success["next_updated_after"] == done["next_updated_after"] is not None
    for name, table in success["tables"].items():
        assert sorted(table["parts"]) == sorted(f"{name}/{part.name}" for part in (tmp_path / name).iterdir())
        assert table["rows"] == len(read(tmp_path, name)) == done["tables"][name]["rows"]
        assert table["bytes"] == sum(part.stat().st_size for part in (tmp_path / name).iterdir())
    assert done["tables"]["answers"]["parts"] > 2


def test_parquet_has_types_and_says_what_columns_hold(emulator, export, tmp_path):
    from pyarrow import parquet

    export(str(tmp_path), tables=list(TABLES), file_format="parquet")
    for name, table in TABLES.items():
        (part,) = (tmp_path / name).iterdir()
        schema = parquet.read_schema(part)
        assert schema.names == list(table.names)
        described = {field.name: field.metadata[b"description"].decode() for field in schema}
        assert described == {column.name: column.description for column in table.columns}
    answers = parquet.read_schema(next((tmp_path / "answers").iterdir()))
    assert str(answers.field("value_date").type) == "timestamp[us, tz=UTC]"
    assert str(answers.field("option_ids").type).startswith("list<")
    assert [row["value_date"].tzinfo is not None for row in read(tmp_path, "answers") if row["value_date"]]


def test_a_table_without_rows_has_a_part_with_its_columns(emulator, export, tmp_path):
    for file_format in ("csv", "parquet"):
        export(str(tmp_path), tables=["comments"], filters={"status": "archived"}, file_format=file_format)
        assert read(tmp_path, "comments") == []


@pytest.fixture(params=["local", "folders", "bucket"])
def place(request, tmp_path):
    """A directory in each kind of store, and what can be seen there: names to contents."""
    if request.param == "local":
        return f"file://{tmp_path}/out", lambda: {
            str(each.relative_to(tmp_path)): each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()
        }
    if request.param == "folders":
        store = Folders()
        seen = lambda: {name.removeprefix("/exports/"): data for name, data in store.files.items()}  # noqa: E731
        return f"memory://{attached('memory', store)}@exports/out", seen
    bucket = Bucket()
    return f"s3://{attached('s3', bucket)}@bucket/out", partial(files_in, bucket)


def files_in(bucket: Bucket) -> dict[str, bytes]:
    return {name.removeprefix("bucket/"): data for name, data in bucket.objects.items()}


def is_whole(files: dict[str, bytes]) -> bool:
    """Tell whether there is a _SUCCESS; then its parts, and no others, must be there with what it says."""
    if "out/_SUCCESS" not in files:
        return False
    told = json.loads(files["out/_SUCCESS"])["tables"]
    parts = {f"out/{part}" for table in told.values() for part in table["parts"]}
    seen = {name for name in files if "/part-" in name}
    assert seen == parts
    for table in told.values():
        assert sum(files[f"out/{part}"].count(b"\n") for part in table["parts"]) == table["rows"]
    return True


def test_a_directory_is_whole_and_a_retry_replaces_it(emulator, export, place):
    path, seen = place
    export(path, tables=["runs", "tasks"])
    before = seen()
    assert is_whole(before)
    export(path, tables=["runs", "comments"], attempt=2)
    after = seen()
    assert is_whole(after)
    assert not [name for name in after if "/tasks/" in name]
    assert not set(before) & set(after) - {"out/_SUCCESS"}


@pytest.mark.parametrize("kind", ["unreadable", "html", "status"])
def test_an_error_on_the_way_leaves_the_earlier_export_as_it_was(emulator, export, place, kind):
    path, seen = place
    export(path, tables=["runs", "tasks"], part_bytes=1)
    before = seen()
    emulator.order(Fault(kind=kind, status=400 if kind == "status" else None, path="/runs", after=4))
    with pytest.raises(TallyfyError) as raised:
        export(path, tables=["runs", "tasks"], part_bytes=1, attempt=2)
    assert "GET" in str(raised.value)
    assert seen() == before


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(emulator, export):
    store = Folders(room=30_000)
    with pytest.raises(TallyfyExportError, match="There is no space left there: make room"):
        export(f"memory://{attached('memory', store)}@exports/out", tables=["tasks"])
    assert store.files == {}


class FailingOnce(Bucket):
    """A bucket in which the change of one number fails, an upload or a removal."""

    def __init__(self) -> None:
        super().__init__()
        self.fails_at = math.inf
        self.changes = 0

    def raise_what_is_wrong(self, path: str) -> None:
        self.changes += 1
        if self.changes == self.fails_at:
            raise OSError(errno.EIO, "We encountered an internal error")

    def rm_file(self, path: str) -> None:
        self.raise_what_is_wrong(path)
        super().rm_file(path)


def test_whichever_change_fails_no_success_names_parts_that_are_not_there(emulator, export):
    bucket = FailingOnce()
    path = f"s3://{attached('s3', bucket)}@bucket/out"
    failed, outcomes = 0, set()
    while bucket.fails_at:
        bucket.fails_at = math.inf
        export(path, tables=["runs", "tasks"], part_bytes=20_000)
        before = files_in(bucket)
        failed += 1
        bucket.changes, bucket.fails_at = 0, failed
        try:
            export(path, tables=["runs", "tasks"], part_bytes=20_000, attempt=2)
        except TallyfyExportError:
            outcomes.add((is_whole(files_in(bucket)), files_in(bucket) == before))
        else:
            assert is_whole(files_in(bucket))
            bucket.fails_at = 0 if bucket.changes < failed else bucket.fails_at
    assert outcomes == {(True, True), (False, False)}


@pytest.mark.parametrize("below", ["", "sub/folder"])
def test_a_file_where_the_directory_has_to_be_is_an_error_before_anything_is_asked(emulator, export, tmp_path, below):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(TallyfyExportError, match="A file is where a folder has to be"):
        export(str(tmp_path / "file" / below), tables=["runs"])
    assert emulator.requests == []
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("dialect", ["bare", "null", "steps not counted"])
def test_includes_may_be_bare_or_null_and_steps_not_counted(emulator, export, tmp_path, monkeypatch, dialect):
    def listed(rows):
        for run in rows:
            whole = {**run, **{name: run[name]["data"] for name in ("tasks", "checklist") if name in run}}
            if dialect == "null" and int(run["id"], 16) % 2:
                whole |= {"tasks": None, "ko_form_fields": None}
            if dialect == "steps not counted":
                whole["checklist"] = None
            yield whole

    read_rows = runs_api.read_rows
    monkeypatch.setattr(runs_api, "read_rows", lambda *given, **more: listed(read_rows(*given, **more)))
    export(str(tmp_path), tables=RUN_TABLES)
    assert shown(tmp_path) == truth(emulator)


def test_a_missing_bucket_is_found_before_anything_is_asked(emulator, export):
    bucket = Bucket(FileNotFoundError(errno.ENOENT, "The specified bucket does not exist"))
    bucket.info = lambda path, **kwargs: bucket.raise_what_is_wrong(path)
    with pytest.raises(TallyfyExportError, match="Such a bucket, container or folder is not there"):
        export(f"s3://{attached('s3', bucket)}@nowhere/out", tables=["runs"])
    assert emulator.requests == []


class Killed(BaseException):
    """What stops a task at once; nothing of it may run afterwards."""


@pytest.mark.parametrize("moment", range(0, 34, 3))
@pytest.mark.parametrize("after_another", [False, True])
def test_killed_at_any_moment_it_is_whole_or_has_no_success_and_a_retry_is_whole(tmp_path, moment, after_another):
    """Without Tallyfy: only the file system matters here. A process that is killed is in test_killed.py."""
    tables = [TABLES["runs"], TABLES["comments"]]

    def run(number: int) -> None:
        path = ObjectStoragePath(f"file://{tmp_path}/out")
        directory = TableDirectory(path, tables, Format("jsonl"), Attempt("task", number), part_bytes=1)
        with directory.writing():
            for index in range(3):
                for files in directory.tables.values():
                    files.write({"id": f"{number} {index}", "long": "x" * 200_000})
            directory.complete({})

    def seen() -> dict[str, bytes]:
        return {str(each.relative_to(tmp_path)): each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}

    if after_another:
        run(1)
    steps = iter(range(moment))

    def counted(function):
        def call(*arguments, **more):
            if next(steps, None) is None:
                raise Killed
            return function(*arguments, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        # What is killed cleans nothing up: neither the directory nor the file that is being written.
        patch.setattr(TableDirectory, "_undo", lambda self, error: None)
        patch.setattr("tallyfy_provider.transfers.atomic_file._LocalFile.discard", lambda self, file: file.close())
        for name in ("replace", "remove", "fsync"):
            patch.setattr(os, name, counted(getattr(os, name)))
        with contextlib.suppress(Killed):
            run(2)
    is_whole({name: data for name, data in seen().items() if not name.rpartition("/")[2].startswith(".")})
    run(3)
    assert is_whole(seen())
    assert not [name for name in seen() if name.rpartition("/")[2].startswith(".")]
    assert all(b'"3 ' in data for name, data in seen().items() if "/part-" in name)


def test_numbers_keep_the_digits_that_tallyfy_gave(connect, task_context, tmp_path):
    digits = "-1234567890123456789012345678901234567890.120"
    run = {"id": "r", "created_at": "2026-01-01", "tasks": [], "checklist": {"steps_count": 0}}
    run |= {"custom_fields": {"n": ["DIGITS"]}, "ko_form_fields": [{"id": "f", "field_value": "DIGITS"}]}
    run["ko_form_fields"][0]["field_type"] = "text"
    page = {"data": [run], "meta": {"pagination": {"total": 1, "total_pages": 1}}}
    body = json.dumps(page).replace('"DIGITS"', digits)
    with raw_server(lambda request: [response(body=body.encode())]) as server:
        connect(host=server.base_url)
        operator = TallyfyToObjectStorageOperator(task_id="t", path=str(tmp_path), tables=["runs", "answers"])
        operator.execute(task_context())
    (answer,), (row,) = read(tmp_path, "answers"), read(tmp_path, "runs")
    assert {answer[name] for name in ("value_text", "value_json", "value_number")} == {digits}
    assert row["custom_fields"] == f'{{"n":[{digits}]}}'
