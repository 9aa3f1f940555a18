"""
What a list loses that changes while it is read: 3,000 active runs, of which three complete during each request.

Counted are the runs that were active from beginning to end and are not in the result. Claim: this provider misses none;
a hand-written loop, Airflow's HttpOperator with a pagination function and Tallyfy's own SDK do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from emulator_process import EmulatorProcess, emulator_with
from ways_of_listing import by_hand, by_hook, by_http_operator, by_sdk

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "loss.json"
RUNS = 3_000
COMPLETING = 3
SDK = "tallyfy==3.1.0"

#: Lists, and gives the ids that it read, and the error that it ended in.
Way = Callable[[EmulatorProcess], tuple[list[str], str | None]]


@contextmanager
def sdk() -> Iterator[Path | None]:
    """
    Install Tallyfy's SDK for a while.

    :return: Where it is; None if it can't be installed.
    """
    uv = shutil.which("uv") or str(ROOT / ".environments" / "uv" / "bin" / "uv")
    with tempfile.TemporaryDirectory(prefix="tallyfy-sdk-") as folder:
        command = [uv, "pip", "install", "--quiet", "--target", folder, SDK]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"Tallyfy's SDK is left out, it can't be installed: {error}")
            yield None
            return
        yield Path(folder)


def ids(way: Callable[[EmulatorProcess], list[dict[str, Any]]]) -> Way:
    """Make of a way that gives runs one that gives their ids."""
    return lambda emulator: ([str(run["id"]) for run in way(emulator)], None)


def measure(way: Way) -> dict[str, Any]:
    """
    List once from an emulator that changes meanwhile.

    :param way: How.
    :return: What was missed, and more.
    """
    # Written alike, since the SDK can't read a run whose progress is a number.
    with emulator_with(RUNS, completing=COMPLETING, alike=True) as emulator:
        found, error = way(emulator)
        stayed = set(emulator.run_ids) - emulator.completed()
        return {
            "requests": len(emulator.asked()),
            "stayed": len(stayed),
            "missed": len(stayed - set(found)),
            "twice": len(found) - len(set(found)),
            "error": error,
        }


def main() -> None:
    """Measure, print and keep the results."""
    results: dict[str, Any] = {"runs": RUNS, "completing": COMPLETING, "sdk": SDK, "results": {}}
    results["measured"] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    with sdk() as folder:
        ways: dict[str, Way] = {
            "HttpOperator with pagination": ids(by_http_operator),
            "hand-written requests loop": ids(by_hand),
            **({"Tallyfy's SDK": partial(by_sdk, folder=folder)} if folder else {}),
            "TallyfyHook.list_runs, 4 at a time": ids(partial(by_hook, concurrency=4)),
            "TallyfyHook.list_runs, 1 at a time": ids(partial(by_hook, concurrency=1)),
        }
        results["results"] = {name: measure(way) for name, way in ways.items()}
    print(f"\n{RUNS:,} active runs, 100 to a page, {COMPLETING} complete during each request")
    print(f"{'':36} {'requests':>9} {'active throughout':>18} {'missed':>7} {'twice':>6}   error")
    for name, each in results["results"].items():
        print(
            f"{name:36} {each['requests']:9} {each['stayed']:18,} {each['missed']:7} {each['twice']:6}"
            f"   {each['error'] or 'none'}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    main()
