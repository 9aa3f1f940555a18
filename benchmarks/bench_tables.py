"""
Exporting everything that people wrote in 10,000 runs of 12 tasks of 5 fields: tasks, answers, comments, assignees.

Every export is a process of its own; the runs are made up by the emulator while they are asked for. Claims: at most 400
requests where Tallyfy gives includes in lists, and the most memory that a process has is at most 120 MB above what it
had when Airflow and the operator were imported. Beside it: lists that leave includes out or refuse them, so that each
run is asked for by itself, and a loop of `requests` that does so always. Every export is compared row for row with what
the emulator itself holds.

Then 100,000 runs of one task, of which 500 have changed, by the list, by the activity feed, which hides 20 of them, and
by a sweep, which has to count these.

``--runs 1000`` tries it with fewer, and with ten times as many for the changes; ``--only parquet`` with one way; both
only print.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from digest import Digest
from emulator_process import EmulatorProcess, emulator_with

PROGRAM = Path(__file__).resolve().parent / "export_task.py"
RESULTS = Path(__file__).resolve().parent / "results" / "tables.json"
RUNS, STEPS = 10_000, 12
MEGABYTE = 1_000_000
CHANGED, HIDDEN = 500, 20
SINCE = "2026-06-01T00:00:00Z"
LONG_AGO = 1_700_000_000.0

#: Names of ways: how, the format, and what lists do with includes.
WAYS: dict[str, tuple[str, str, str]] = {
    "jsonl": ("tables", "jsonl", "given"),
    "jsonl.gz": ("tables", "jsonl.gz", "given"),
    "csv": ("tables", "csv", "given"),
    "parquet": ("tables", "parquet", "given"),
    "jsonl, includes left out": ("tables", "jsonl", "left out"),
    "jsonl, includes refused": ("tables", "jsonl", "refused"),
    "requests, run by run": ("run_by_run", "", "given"),
}


def run(emulator: EmulatorProcess, how: str, folder: str, *more: str) -> dict[str, Any]:
    """
    Export once, in a process of its own.

    :param emulator: Whom to ask.
    :param how: The way, as ``export_task.py`` takes it.
    :param folder: Where to.
    :param more: The arguments of that way.
    :return: What was measured: bytes and seconds.
    """
    emulator.forget()
    environment = {**os.environ, "AIRFLOW_CONN_TALLYFY_DEFAULT": emulator.connection}
    command = [sys.executable, str(PROGRAM), how, folder, *more]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    result: dict[str, Any] = {}
    for found in finished.stdout.splitlines():
        if found.startswith("RESULT"):
            result |= json.loads(found.removeprefix("RESULT"))
        if found.startswith("NOT_IN_FEED"):
            result["not_in_feed"] = json.loads(found.removeprefix("NOT_IN_FEED"))
    size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {**result, "bytes": size, "requests": len(emulator.asked())}


def rows_in(folder: Path, table: str) -> Iterator[dict[str, Any]]:
    """
    Read a table of an export.

    :param folder: The export.
    :param table: The name of the table.
    :return: Its rows, with None for empty text, which CSV does not tell from none.
    """
    for name in json.loads((folder / "_SUCCESS").read_text())["tables"][table]["parts"]:
        part = folder / name
        if part.suffix == ".parquet":
            from pyarrow import parquet

            for batch in parquet.ParquetFile(part).iter_batches(columns=list(KEPT[table])):
                yield from batch.to_pylist()
            continue
        with (gzip.open if part.suffix == ".gz" else open)(part, "rt", encoding="utf-8", newline="") as file:
            found = csv.DictReader(file) if ".csv" in name else map(json.loads, file)
            for row in found:
                yield {column: row[column] or None for column in KEPT[table]}


#: What is compared of each table: enough to tell any two rows apart, and each value that people wrote.
KEPT: dict[str, tuple[str, ...]] = {
    "runs": ("id", "name", "status", "checklist_id"),
    "tasks": ("id", "run_id", "title", "completed_at"),
    "answers": ("run_id", "task_id", "field_label", "value_text"),
    "comments": ("id", "run_id", "task_id", "content"),
    "assignees": ("task_id", "kind", "person_id"),
}


def digests_of(folder: Path) -> dict[str, list[int]]:
    """Digest the rows of each table of an export, as the emulator does with its own."""
    found = {}
    for table, names in KEPT.items():
        digest = Digest()
        for row in rows_in(folder, table):
            values = [row[name] for name in names]
            if table == "tasks":
                values[-1] = values[-1] is not None
            digest.add(*values)
        found[table] = list(digest.result)
    return found


def measure_all(runs: int, only: str | None) -> dict[str, Any]:
    """
    Measure.

    :param runs: How many runs there are.
    :param only: A part of the name of the one way that is wanted.
    :return: The results, with what they were measured on.
    """
    results: list[dict[str, Any]] = []
    print(f"\nExporting the tables of {runs:,} runs of {STEPS} tasks of 5 fields")
    print(f"{'':28} {'rows':>9} {'peak above idle':>16} {'rows a second':>14} {'wall':>8} {'CPU':>8} {'requests':>9}")
    with emulator_with(0, generated=runs, steps=STEPS) as emulator:
        truth = {name: list(digest) for name, digest in emulator.truth().items()}
        for way, (how, file_format, includes) in WAYS.items():
            if only and only not in way:
                continue
            emulator.includes(includes)
            with tempfile.TemporaryDirectory(prefix="tallyfy-tables-") as folder:
                result = run(emulator, how, folder, *([file_format] if file_format else []))
                if how == "tables":
                    assert digests_of(Path(folder)) == truth, way
                    result["is_equal_to_the_emulators_own"] = True
            results.append({"way": way, **result})
            print(line(results[-1]), flush=True)
    return {
        "runs": runs,
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cores": os.cpu_count(),
        "airflow": version("apache-airflow"),
        "results": results,
        "changes": [] if only else measure_changes(10 * runs),
    }


def measure_changes(runs: int) -> list[dict[str, Any]]:
    """
    Export what has changed in each way.

    :param runs: How many runs there are that have not changed.
    :return: What each way took.
    """
    results = []
    print(f"\n{CHANGED} of {runs:,} runs have changed; the activity feed hides {HIDDEN} of these")
    with emulator_with(0, generated=runs, steps=1, since=LONG_AGO) as emulator:
        ids = emulator.change(CHANGED, shown=CHANGED - HIDDEN)
        for find_changes, expected in (("list", CHANGED), ("feed", CHANGED - HIDDEN), ("sweep", CHANGED)):
            with tempfile.TemporaryDirectory(prefix="tallyfy-tables-") as folder:
                result = run(emulator, "changed", folder, SINCE, find_changes)
                found = {row["id"] for row in rows_in(Path(folder), "runs")} & ids
            assert len(found) == expected, (find_changes, len(found))
            results.append({"way": find_changes, **result})
            hidden = "" if result["not_in_feed"] is None else f", {result['not_in_feed']} counted as not in the feed"
            print(f"{find_changes:8} {result['requests']:6,} requests, {result['wall']:6.1f} s{hidden}", flush=True)
    assert results[-1]["not_in_feed"] == HIDDEN
    return results


def line(each: dict[str, Any]) -> str:
    """Write a line of the table."""
    return (
        f"{each['way']:28} {each['rows']:9,} {(each['peak'] - each['idle']) / MEGABYTE:13.1f} MB"
        f" {each['rows'] / each['wall']:14,.0f} {each['wall']:6.1f} s {each['cpu']:6.1f} s {each['requests']:9,}"
    )


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description="Measure exports of tables.")
    parser.add_argument("--runs", type=int, default=RUNS, help="how many runs there are (default: %(default)s)")
    parser.add_argument("--only", help="one way of exporting, by a part of its name")
    options = parser.parse_args()
    measured = measure_all(options.runs, options.only)
    if options.only or options.runs != RUNS:
        return
    for each in measured["results"]:
        if WAYS[each["way"]][2] == "given" and WAYS[each["way"]][0] == "tables":
            assert each["requests"] <= 400, each
        assert each["peak"] - each["idle"] <= 120 * MEGABYTE or WAYS[each["way"]][0] != "tables", each
    assert measured["changes"][1]["requests"] <= 700, measured["changes"]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    main()
