"""
Listing 5,000 runs from a server that takes 80 ms a request: this provider beside HttpOperator and a loop by hand.

Claims: with 4 requests at a time at least 3.6 times faster than HttpOperator with a pagination function, with four
under way from the second request to the last; with one at a time at most 1.05 times as long as a hand-written requests
loop, and at most 1.1 times its CPU; never more requests under way than allowed.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emulator_process import Asked, EmulatorProcess, emulator_with, most_at_once
from ways_of_listing import by_hand, by_hook, by_http_operator

RESULTS = Path(__file__).resolve().parent / "results" / "walk.json"
RUNS = 5_000
DELAY = 0.08
ROUNDS = 3

HTTP_OPERATOR = "HttpOperator with pagination"
BY_HAND = "hand-written requests loop"
AT_ONCE = "TallyfyHook.list_runs, 4 at a time"
ONE_BY_ONE = "TallyfyHook.list_runs, 1 at a time"
Way = Callable[[EmulatorProcess], list[dict[str, Any]]]
WAYS: dict[str, Way] = {
    HTTP_OPERATOR: by_http_operator,
    BY_HAND: by_hand,
    AT_ONCE: partial(by_hook, concurrency=4),
    ONE_BY_ONE: partial(by_hook, concurrency=1),
}


def measure(way: Way, emulator: EmulatorProcess) -> dict[str, Any]:
    """
    List once.

    :param way: How.
    :param emulator: Whom to ask.
    :return: Seconds of time and CPU, requests, and how many of them at once.
    """
    gc.collect()  # so that none pays for the rows of the one before
    emulator.forget()
    cpu, began = time.process_time(), time.perf_counter()
    rows = way(emulator)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert len({row["id"] for row in rows}) == len(rows) == RUNS
    asked = emulator.asked()
    assert {each.status for each in asked} == {200}
    return {
        "wall": wall,
        "cpu": cpu,
        "requests": len(asked),
        "at_once": most_at_once(asked),
        "timeline": timeline(asked),
    }


def timeline(asked: Sequence[Asked]) -> list[int]:
    """
    Count the requests under way at moments that are as far apart as a quarter of a request takes.

    :param asked: The requests.
    :return: How many, at each moment from the first request to the last answer.
    """
    began, ended = min(each.at for each in asked), max(each.ended for each in asked)
    moments = [began + number * DELAY / 4 for number in range(int((ended - began) / (DELAY / 4)) + 1)]
    return [sum(each.at <= moment < each.ended for each in asked) for moment in moments]


def measure_all() -> dict[str, Any]:
    """
    Measure every way in interleaved rounds.

    :return: The results, with what they were measured on.
    """
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in WAYS}
    with emulator_with(RUNS, delay=DELAY) as emulator:
        for number in range(ROUNDS + 1):
            for name, way in WAYS.items():
                result = measure(way, emulator)
                if number:  # the first round only warms up
                    measured[name].append(result)
    return {
        "runs": RUNS,
        "delay": DELAY,
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cores": os.cpu_count(),
        "airflow": version("apache-airflow"),
        "http_provider": version("apache-airflow-providers-http"),
        "results": measured,
        "times_faster_than_http_operator": ratios(measured[HTTP_OPERATOR], measured[AT_ONCE]),
        "wall_of_one_by_one_to_loop": ratios(measured[ONE_BY_ONE], measured[BY_HAND]),
        "cpu_of_one_by_one_to_loop": ratios(measured[ONE_BY_ONE], measured[BY_HAND], "cpu"),
    }


def ratios(of: list[dict[str, Any]], to: list[dict[str, Any]], what: str = "wall") -> dict[str, float]:
    """Compare times of the same round."""
    found = sorted(mine[what] / other[what] for mine, other in zip(of, to, strict=True))
    return {"median": statistics.median(found), "least": found[0], "most": found[-1]}


def show(results: dict[str, Any]) -> None:
    """Print a table."""
    print(f"\nListing {RUNS:,} runs, 100 to a page, {DELAY * 1000:.0f} ms a request, median of {ROUNDS} rounds")
    print(f"{'':36} {'wall':>8} {'CPU':>8} {'requests':>9} {'most at once':>13}")
    for name, rounds in results["results"].items():
        wall, cpu = (statistics.median(each[what] for each in rounds) for what in ("wall", "cpu"))
        requests, at_once = (max(each[what] for each in rounds) for what in ("requests", "at_once"))
        print(f"{name:36} {wall:6.2f} s {cpu:6.2f} s {requests:9.0f} {at_once:13.0f}")
    for what, key in (
        ("times faster than HttpOperator, 4 at a time", "times_faster_than_http_operator"),
        ("times the loop's time, 1 at a time", "wall_of_one_by_one_to_loop"),
        ("times the loop's CPU, 1 at a time", "cpu_of_one_by_one_to_loop"),
    ):
        each = results[key]
        print(f"{what:44} {each['median']:.2f} ({each['least']:.2f} to {each['most']:.2f})")
    print(f"Requests under way every {DELAY * 250:.0f} ms, {AT_ONCE}:")
    print("".join(str(number) for number in results["results"][AT_ONCE][-1]["timeline"]))


def main() -> None:
    """Measure, print and keep the results."""
    results = measure_all()
    show(results)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    main()
