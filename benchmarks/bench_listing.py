"""
CPU of listing 5,000 runs: this provider beside a hand-written requests loop over the same pages.

The loop does the least that works: no retries, no checks, no bounds. Claim: at most 1.2 times its CPU.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import requests
from emulator_process import EmulatorProcess, emulator_with

RUNS = 5_000
ROUNDS = 15


def by_hand(emulator: EmulatorProcess) -> int:
    """List with a loop as people write it."""
    session = requests.Session()
    session.headers.update(
        {
            "Authorization": f"Bearer {emulator.token}",
            "Accept": "application/json",
            "X-Tallyfy-Client": "APIClient",
        }
    )
    url = f"{emulator.base_url}/organizations/{emulator.organization_id}/runs"
    runs: list[Any] = []
    page = 1
    while True:
        answer = session.get(url, params={"sort": "created_at", "per_page": 100, "page": page}, timeout=60)
        answer.raise_for_status()
        payload = answer.json()
        runs += payload["data"]
        if page >= payload["meta"]["pagination"]["total_pages"]:
            return len(runs)
        page += 1


def by_hook(emulator: EmulatorProcess) -> int:
    """List with TallyfyHook.list_runs."""
    from tallyfy_provider.hooks.tallyfy import TallyfyHook

    return len(list(TallyfyHook().list_runs()))


def by_operator(emulator: EmulatorProcess) -> int:
    """List with ListRunsOperator, which also checks the rows and weighs the result."""
    from tallyfy_provider.operators.runs import ListRunsOperator

    context = {"ti": SimpleNamespace(xcom_push=lambda key, value: None)}
    operator = ListRunsOperator(task_id="list_runs", filters={"status": "active"})
    return len(operator.execute(context=context))  # type: ignore[arg-type]


def main() -> None:
    """Measure, interleaved, and print a table."""
    ways: dict[str, Callable[[EmulatorProcess], int]] = {
        "hand-written requests loop": by_hand,
        "TallyfyHook.list_runs": by_hook,
        "ListRunsOperator.execute": by_operator,
    }
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    with emulator_with(RUNS) as emulator:
        os.environ["AIRFLOW_CONN_TALLYFY_DEFAULT"] = emulator.connection
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                gc.collect()  # so that none pays for the rows of the one before
                started, clock = time.process_time(), time.perf_counter()
                assert way(emulator) == RUNS
                if number:  # the first round only warms up
                    cpu[name].append(time.process_time() - started)
                    wall[name].append(time.perf_counter() - clock)
    base = cpu["hand-written requests loop"]
    print(f"\nListing {RUNS:,} runs, 100 to a page, median of {ROUNDS} interleaved rounds")
    print(f"{'':28} {'CPU':>9} {'wall':>9}   CPU ratio to the loop of the same round (median, range)")
    for name in ways:
        ratios = sorted(mine / theirs for mine, theirs in zip(cpu[name], base, strict=True))
        print(
            f"{name:28} {statistics.median(cpu[name]) * 1000:6.0f} ms {statistics.median(wall[name]) * 1000:6.0f} ms"
            f"   {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    main()
