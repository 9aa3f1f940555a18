"""
Exporting everything that people wrote in 10,000 runs of 12 tasks of 5 fields: tasks, answers, comments, assignees.

Every export is a process of its own; the runs are made up by the emulator while they are asked for. Claims: at most 400
requests where Tallyfy gives includes in lists, and the most memory that a process has is at most 120 MB above what it
had when Airflow and the operator were imported. Beside it: lists that leave includes out or refuse them, so that each
run is asked for by itself, and a loop of `requests` that does so always.

``--runs 1000`` tries it with fewer; ``--only parquet`` with one way; both only print.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emulator_process import EmulatorProcess, emulator_with

PROGRAM = Path(__file__).resolve().parent / "export_task.py"
RESULTS = Path(__file__).resolve().parent / "results" / "tables.json"
RUNS, STEPS = 10_000, 12
MEGABYTE = 1_000_000

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


def measure(way: str, emulator: EmulatorProcess) -> dict[str, Any]:
    """
    Export once, in a process of its own.

    :param way: Which of the ways.
    :param emulator: Whom to ask.
    :return: What was measured: bytes and seconds.
    """
    how, file_format, _ = WAYS[way]
    emulator.forget()
    folder = tempfile.mkdtemp(prefix="tallyfy-tables-")
    environment = {**os.environ, "AIRFLOW_CONN_TALLYFY_DEFAULT": emulator.connection}
    command = [sys.executable, str(PROGRAM), how, folder, *([file_format] if file_format else [])]
    try:
        finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    finally:
        shutil.rmtree(folder)
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith("RESULT")]
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    return {"way": way, **result, "bytes": size, "requests": len(emulator.asked())}


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
    for way, (_, _, includes) in WAYS.items():
        if only and only not in way:
            continue
        with emulator_with(0, generated=runs, steps=STEPS, includes=includes) as emulator:
            results.append(measure(way, emulator))
        print(line(results[-1]), flush=True)
    return {
        "runs": runs,
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cores": os.cpu_count(),
        "airflow": version("apache-airflow"),
        "results": results,
    }


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
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    main()
