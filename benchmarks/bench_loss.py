"""
What a list loses that changes while it is read: 3,000 active runs, and something happens during each request.

Counted are the runs that were active from beginning to end and are not in the result. Claim: this provider misses none;
a hand-written loop, Airflow's HttpOperator with a pagination function, Tallyfy's own SDK and dlt's REST source do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from emulator_process import EmulatorProcess, emulator_with
from ways_of_listing import by_dlt, by_hand, by_hook, by_http_operator, by_sdk

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "loss.json"
RUNS = 3_000
SDK, DLT = "tallyfy==3.1.0", "dlt==1.31.0"

#: Kinds of worlds: what happens during each request.
WORLDS: dict[str, dict[str, int]] = {
    "nothing": {},
    "3 complete": {"completing": 3},
    "1 is reopened": {"reopening": 1},
    "1 completes, 1 is reopened": {"completing": 1, "reopening": 1},
    "3 complete, 3 are reopened, 1 is launched": {"completing": 3, "reopening": 3, "launching": 1},
}

#: Lists, and gives the ids that it read, and the error that it ended in.
Way = Callable[[EmulatorProcess], tuple[list[str], str | None]]


@contextmanager
def installed(package: str) -> Iterator[Path | None]:
    """
    Install a package for a while.

    :param package: Its name and version.
    :return: Where it is; None if it can't be installed.
    """
    uv = shutil.which("uv") or str(ROOT / ".environments" / "uv" / "bin" / "uv")
    with tempfile.TemporaryDirectory(prefix="tallyfy-bench-") as folder:
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", folder, package]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=240)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{package} is left out, it can't be installed: {error}")
            yield None
            return
        yield Path(folder)


def ids(way: Callable[[EmulatorProcess], list[dict[str, Any]]]) -> Way:
    """Make of a way that gives runs one that gives their ids."""
    return lambda emulator: ([str(run["id"]) for run in way(emulator)], None)


def measure(way: Way, happens: dict[str, int]) -> dict[str, Any]:
    """
    List once from an emulator that changes meanwhile.

    :param way: How.
    :param happens: What happens during each request.
    :return: What was missed, and more.
    """
    # Written alike, since the SDK can't read a run whose progress is a number.
    with emulator_with(RUNS, alike=True, **happens) as emulator:
        found, error = way(emulator)
        stayed = set(emulator.run_ids) - emulator.completed()
        requests = len(emulator.asked())
        return {
            "requests": requests,
            "requests_a_page": requests / (len(found) / 100),
            "stayed": len(stayed),
            "missed": len(stayed - set(found)),
            "twice": len(found) - len(set(found)),
            "error": error,
        }


def main() -> None:
    """Measure, print and keep the results."""
    results: dict[str, Any] = {"runs": RUNS, "packages": [SDK, DLT], "results": {}}
    results["measured"] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    with installed(SDK) as sdk, installed(DLT) as dlt:
        ways: dict[str, Way] = {
            "hand-written requests loop": ids(by_hand),
            "HttpOperator with pagination": ids(by_http_operator),
            **({"Tallyfy's SDK": partial(by_sdk, folder=sdk)} if sdk else {}),
            **({"dlt's REST source": partial(by_dlt, folder=dlt)} if dlt else {}),
            "TallyfyHook.list_runs, warn": ids(partial(by_hook, on_incomplete="warn")),
            "TallyfyHook.list_runs, fail": ids(partial(by_hook, on_incomplete="fail")),
        }
        for world, happens in WORLDS.items():
            results["results"][world] = {name: measure(way, happens) for name, way in ways.items()}
            show(world, results["results"][world])
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def show(world: str, measured: dict[str, dict[str, Any]]) -> None:
    """Print what was measured in a world."""
    print(f"\n{RUNS:,} runs, 100 to a page; during each request: {world}")
    print(f"{'':30} {'requests':>9} {'a page':>7} {'throughout':>11} {'missed':>7} {'twice':>6}   error")
    for name, each in measured.items():
        print(
            f"{name:30} {each['requests']:9} {each['requests_a_page']:7.2f} {each['stayed']:11,} {each['missed']:7}"
            f" {each['twice']:6}   {each['error'] or 'none'}"
        )


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    main()
