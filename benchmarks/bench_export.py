"""
Exporting 1,000,000 runs with the operator in each format, beside listing them by hand and dumping the list.

Every export is a process of its own; the runs are made up by the emulator while they are asked for. Claim: the most
memory that a process has is at most 80 MB above what it had when Airflow and the operator were imported, and nothing
was done yet. Parquet is written with pyarrow, whose import alone is measured too.

``--runs 50000`` tries it with fewer; ``--only parquet`` with one format, or ``--only hand``; both only print.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emulator_process import EmulatorProcess, emulator_with

PROGRAM = Path(__file__).resolve().parent / "export_task.py"
RESULTS = Path(__file__).resolve().parent / "results" / "export.json"
RUNS = 1_000_000
MEGABYTE = 1_000_000

PYARROW = "importing pyarrow alone"
PARQUET = "runs.parquet"
BY_HAND = "requests loop and json.dump"
#: Names of files to how they are made.
WAYS = {
    "runs.jsonl": ("operator", "runs.jsonl"),
    "runs.jsonl.gz": ("operator", "runs.jsonl.gz"),
    "runs.csv": ("operator", "runs.csv"),
    PYARROW: ("import_pyarrow", "runs.parquet"),
    PARQUET: ("operator", "runs.parquet"),
    BY_HAND: ("by_hand", "runs.json"),
}


def measure(way: str, emulator: EmulatorProcess, folder: Path) -> dict[str, Any]:
    """
    Export once, in a process of its own.

    :param way: Which of the ways.
    :param emulator: Whom to ask.
    :param folder: Where the file goes; it is empty again afterwards.
    :return: What was measured: bytes and seconds.
    """
    how, name = WAYS[way]
    emulator.forget()
    environment = {**os.environ, "AIRFLOW_CONN_TALLYFY_DEFAULT": emulator.connection}
    command = [sys.executable, str(PROGRAM), how, str(folder / name)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith("RESULT")]
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT"))
    files = [(path.name, path.stat().st_size) for path in folder.iterdir()]
    assert [found for found, _ in files] == ([] if way == PYARROW else [name]), files
    for found, _ in files:
        (folder / found).unlink()
    return {
        "way": way,
        **result,
        "bytes": sum(size for _, size in files),
        "requests": len(emulator.asked()),
    }


def ways(only: str | None) -> list[str]:
    """Give the ways that are wanted and can be gone."""
    chosen = [way for way in WAYS if not only or only in way]
    if importlib.util.find_spec("pyarrow") is not None:
        return chosen
    print("Parquet is left out: pyarrow is not installed.")
    return [way for way in chosen if way not in (PYARROW, PARQUET)]


def measure_all(runs: int, only: str | None) -> dict[str, Any]:
    """
    Measure.

    :param runs: How many runs there are.
    :param only: A part of the name of the one way that is wanted.
    :return: The results, with what they were measured on.
    """
    began = time.monotonic()
    results: list[dict[str, Any]] = []
    print(f"\nExporting {runs:,} runs")
    print(f"{'':28} {'peak above idle':>16} {'rows a second':>14} {'wall':>8} {'CPU':>8} {'requests':>9} {'file':>10}")
    with emulator_with(0, generated=runs) as emulator, tempfile.TemporaryDirectory(prefix="tallyfy-export-") as folder:
        for way in ways(only):
            results.append(measure(way, emulator, Path(folder)))
            assert results[-1]["rows"] == (0 if way == PYARROW else runs)
            print(line(results[-1]), flush=True)
    return {
        "runs": runs,
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "seconds": time.monotonic() - began,
        "cores": os.cpu_count(),
        "airflow": version("apache-airflow"),
        "results": results,
    }


def line(each: dict[str, Any]) -> str:
    """Write a line of the table."""
    memory = f"{each['way']:28} {(each['peak'] - each['idle']) / MEGABYTE:13.1f} MB"
    if not each["rows"]:
        return memory
    return (
        f"{memory} {each['rows'] / each['wall']:14,.0f}"
        f" {each['wall']:6.1f} s {each['cpu']:6.1f} s {each['requests']:9,} {each['bytes'] / MEGABYTE:7.1f} MB"
    )


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description="Measure exports.")
    parser.add_argument("--runs", type=int, default=RUNS, help="how many runs there are (default: %(default)s)")
    parser.add_argument("--only", help="one way of exporting, by a part of its name")
    options = parser.parse_args()
    measured = measure_all(options.runs, options.only)
    print(
        f"An idle process has {measured['results'][0]['idle'] / MEGABYTE:.0f} MB. In {measured['seconds']:.0f} seconds"
    )
    if options.only or options.runs != RUNS:
        return
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    main()
