"""How a file gets into its place: whole or not at all, in every kind of store."""

from __future__ import annotations

import errno
import gc
import os

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import TallyfyExportError, TallyfyServerError
from tallyfy_provider.transfers.atomic_file import Attempt, _LocalFile, replacing

from .conftest import Bucket, Folders, attached

FIRST, SECOND = Attempt("task"), Attempt("task", 2)


class Stop(Exception):
    """Whatever ends an export early."""


@pytest.fixture(params=["local", "folders", "bucket"])
def place(request, tmp_path):
    """A path in each kind of store, and what can be seen there: names to contents."""
    if request.param == "local":
        path = ObjectStoragePath(f"file://{tmp_path}/runs.csv")
        return path, lambda: {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    if request.param == "folders":
        store = Folders()
        path = ObjectStoragePath(f"memory://{attached('memory', store)}@exports/runs.csv")
        return path, lambda: {name.rpartition("/")[2]: data for name, data in store.files.items()}
    store = Bucket()
    path = ObjectStoragePath(f"s3://{attached('s3', store)}@bucket/runs.csv")
    return path, lambda: {name.rpartition("/")[2]: data for name, data in store.objects.items()}


def write(path, data, attempt=FIRST, then=None):
    with replacing(path, attempt) as sink:
        sink.write(data)
        if then is not None:
            then()
    return sink


def test_the_file_is_there_when_it_is_whole_and_not_before(place):
    path, seen = place
    before = []
    sink = write(path, b"whole", then=lambda: before.append(seen()))
    assert "runs.csv" not in before[0]
    assert not [name for name in before[0] if name.endswith(".csv") or not name.startswith(".")]
    assert seen() == {"runs.csv": b"whole"}
    assert sink.count == 5


def test_what_was_there_is_replaced(place):
    path, seen = place
    write(path, b"a longer one that was there before")
    write(path, b"new", SECOND)
    assert seen() == {"runs.csv": b"new"}


@pytest.mark.parametrize("size", [3, 20 * 1024 * 1024])
def test_a_failure_in_the_middle_leaves_what_was_there_and_nothing_else(place, size):
    path, seen = place
    write(path, b"old")

    def stop():
        raise Stop

    with pytest.raises(Stop):
        write(path, b"x" * size, then=stop)
    gc.collect()  # a file that is still open must not be completed when it is thrown away
    assert seen() == {"runs.csv": b"old"}


def test_an_upload_that_failed_is_cancelled():
    store = Bucket()
    path = ObjectStoragePath(f"s3://{attached('s3', store)}@bucket/runs.csv")

    def stop():
        assert store.under_way == {"bucket/runs.csv"}
        raise Stop

    with pytest.raises(Stop):
        write(path, b"x" * 20 * 1024 * 1024, then=stop)
    assert store.under_way == set()


def test_what_a_killed_attempt_left_is_removed_by_the_next_one(place):
    path, seen = place
    left = replacing(path, FIRST)
    left.__enter__().write(b"half of it")  # and then nothing more is ever heard of it
    write(path, b"whole", SECOND)
    assert seen() == {"runs.csv": b"whole"}


def test_two_tasks_that_write_to_one_path_do_not_mix(place):
    path, seen = place
    with replacing(path, Attempt("one")) as one, replacing(path, Attempt("two")) as two:
        for sink, letter in ((one, b"1"), (two, b"2")) * 3:
            sink.write(letter)
    assert seen() == {"runs.csv": b"111"}  # the first that began was the last that ended


def test_an_attempt_that_lives_on_after_the_next_one_began_does_no_harm(tmp_path):
    path = ObjectStoragePath(f"file://{tmp_path}/runs.csv")
    with pytest.raises(TallyfyExportError):
        write(path, b"first", FIRST, then=lambda: write(path, b"second", SECOND))
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"runs.csv": b"second"}


def test_a_part_is_named_after_the_task_so_that_it_can_be_found_and_after_nothing_that_a_reader_looks_for():
    assert FIRST.part_of("runs.csv") == Attempt("task", 1).part_of("runs.csv") != Attempt("other").part_of("runs.csv")
    assert SECOND.earlier_parts_of("runs.csv") == [FIRST.part_of("runs.csv")]
    assert FIRST.part_of("runs.csv").startswith(".runs.csv.")
    assert FIRST.part_of("runs.csv").endswith("-1.part")
    assert len(FIRST.part_of("é" * 255).encode()) < 255


def test_folders_are_made_on_disk(tmp_path):
    write(ObjectStoragePath(f"file://{tmp_path}/runs/dt=2026-10-31/runs.csv"), b"x")
    assert (tmp_path / "runs" / "dt=2026-10-31" / "runs.csv").read_bytes() == b"x"


def test_a_name_with_letters_that_mean_something_to_globs_is_only_a_name():
    store = Folders()
    path = ObjectStoragePath(f"memory://{attached('memory', store)}@exports/runs[1]*.csv")
    write(path, b"x")
    write(path, b"y", SECOND)
    assert store.files == {path.path: b"y"}


def test_a_full_disk_is_an_error_with_the_way_out_and_leaves_the_earlier_file(emulator, export):
    store = Folders()
    path = f"memory://{attached('memory', store)}@exports/runs.jsonl"
    emulator.add_runs(10)
    export(path)
    earlier = store.files
    emulator.add_runs(2000)
    store.room = 300_000
    with pytest.raises(TallyfyExportError) as caught:
        export(path, attempt=2)
    assert "@/exports/runs.jsonl cannot be written" in str(caught.value)
    assert f"(OSError: [Errno {errno.ENOSPC}] No space left" in str(caught.value)
    assert "make room, export less, or write elsewhere" in str(caught.value)
    assert store.files == earlier


@pytest.mark.parametrize("name", ["runs.csv.gz", "runs.parquet"])
def test_a_disk_that_is_full_at_once_is_an_error_for_every_format(emulator, export, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    store = Folders(room=10)
    emulator.add_runs(10)
    with pytest.raises(TallyfyExportError, match="There is no space left there"):
        export(f"memory://{attached('memory', store)}@exports/{name}")
    assert store.files == {}


def test_a_missing_bucket_is_an_error_before_any_request_to_tallyfy(emulator, export):
    path = f"s3://{attached('s3', Bucket())}@no-such-bucket/runs.csv"
    with pytest.raises(TallyfyExportError, match="Such a bucket, container or folder is not there"):
        export(path)
    assert emulator.requests == []


def test_credentials_that_may_not_write_are_an_error(emulator, export):
    store = Bucket(wrong=PermissionError("Access Denied"))
    emulator.add_runs(3)
    with pytest.raises(TallyfyExportError, match=r"may not write there\. \(PermissionError: Access Denied\)"):
        export(f"s3://{attached('s3', store)}@bucket/runs.csv")
    assert store.objects == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_an_error(export, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(TallyfyExportError, match="may not write there"):
        export(str(tmp_path / "runs.csv"))


def test_a_list_that_fails_in_its_middle_cancels_the_upload(emulator, export):
    store = Bucket()
    path = f"s3://{attached('s3', store)}@bucket/runs.jsonl"
    emulator.add_runs(1500)
    export(path)
    earlier = dict(store.objects)
    emulator.order(Fault(kind="status", status=500, path="page=3(&|$)"))
    with pytest.raises(TallyfyServerError):
        export(path, attempt=2)
    gc.collect()
    assert store.objects == earlier
    assert store.under_way == set()


@pytest.mark.parametrize("before", [b"old", None], ids=["to a file", "to nothing yet"])
def test_a_symbolic_link_stays_and_the_file_that_it_leads_to_is_replaced(tmp_path, before):
    target = tmp_path / "elsewhere" / "runs.csv"
    target.parent.mkdir()
    if before is not None:
        target.write_bytes(before)
    link = tmp_path / "latest.csv"
    link.symlink_to(target)
    write(ObjectStoragePath(f"file://{link}"), b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [each.name for each in target.parent.iterdir()] == ["runs.csv"]


@pytest.mark.parametrize("mode", [0o664, 0o600])
def test_the_new_file_has_the_mode_of_the_old_one_from_its_beginning(tmp_path, mode):
    path = tmp_path / "runs.csv"
    path.write_bytes(b"old")
    path.chmod(mode)
    modes = []
    write(
        ObjectStoragePath(f"file://{path}"),
        b"new",
        then=lambda: modes.extend(each.stat().st_mode & 0o777 for each in tmp_path.iterdir()),
    )
    assert modes == [mode, mode]
    assert path.stat().st_mode & 0o777 == mode
    assert path.read_bytes() == b"new"


def test_a_link_in_place_of_a_part_is_not_followed(tmp_path):
    victim = tmp_path / "precious"
    victim.write_text("precious")
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / FIRST.part_of("runs.csv")).symlink_to(victim)
    write(ObjectStoragePath(f"file://{folder}/runs.csv"), b"new")
    assert victim.read_text() == "precious"
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {"runs.csv": b"new"}


def test_a_part_that_appears_just_before_it_is_opened_is_an_error(tmp_path, monkeypatch):
    victim = tmp_path / "precious"
    victim.write_text("precious")
    monkeypatch.setattr(
        _LocalFile, "clear", lambda self: (tmp_path / FIRST.part_of("runs.csv")).symlink_to(victim), raising=True
    )
    with pytest.raises(TallyfyExportError, match="FileExistsError"):
        write(ObjectStoragePath(f"file://{tmp_path}/runs.csv"), b"new")
    assert victim.read_text() == "precious"


def test_the_same_attempt_twice_at_once_puts_no_half_file_in_place(tmp_path):
    path = ObjectStoragePath(f"file://{tmp_path}/runs.csv")
    other = replacing(path, FIRST)
    with pytest.raises(TallyfyExportError, match="replaced by another process"):
        write(path, b"first", FIRST, then=lambda: other.__enter__().write(b"half"))
    other.__exit__(None, None, None)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"runs.csv": b"half"}
