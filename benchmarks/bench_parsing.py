"""
What importing an example Dag costs over Airflow itself: a Dag of Airflow's own operators is parsed first.

Claim: at most 50 ms. The alternative beside it is the same Dag on the provider's heavy parts imported at once,
which is what operators that import their hook at the top of the file cost.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
PROBE = """
import json, runpy, sys, time
from datetime import datetime
import airflow.triggers.base  # what every trigger, and so every asset watcher, is made of
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator, dag, task

@dag(schedule="0 7 * * MON", start_date=datetime(2026, 1, 1), params={"a": "b"})
def of_airflow_alone():
    @task
    def use(value): ...
    use.expand(value=BaseOperator(task_id="a").output)
    BaseSensorOperator.partial(task_id="b").expand(timeout=[1, 2])

of_airflow_alone()
started = time.process_time()
runpy.run_path(sys.argv[1])
lazy = time.process_time() - started
started = time.process_time()
import tallyfy_provider.hooks.tallyfy, tallyfy_provider.triggers.runs
print("RESULT" + json.dumps([lazy * 1000, (time.process_time() - started) * 1000]))
"""


def measure(path: Path) -> tuple[float, float]:
    """
    Parse a Dag file in a fresh process.

    :param path: The file.
    :return: CPU milliseconds of the file itself, and of what it leaves for later.
    """
    command = [sys.executable, "-c", PROBE, str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    (line,) = [line for line in output.splitlines() if line.startswith("RESULT")]
    lazy, later = json.loads(line.removeprefix("RESULT"))
    return lazy, later


def main() -> None:
    """Measure each example and print a table."""
    print(f"\nCPU of parsing an example Dag over Airflow itself, median of {ROUNDS} fresh processes")
    print(f"{'':42} {'as it is':>10} {'with hook and trigger imported at once':>40}")
    for path in sorted((ROOT / "example_dags").glob("tallyfy_*.py")):
        rounds = [measure(path) for _ in range(ROUNDS)]
        lazy = statistics.median(first for first, _ in rounds)
        eager = statistics.median(first + second for first, second in rounds)
        print(f"{path.name:42} {lazy:7.0f} ms {eager:37.0f} ms")


if __name__ == "__main__":
    main()
