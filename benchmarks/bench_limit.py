"""
Listing under a limit of 10 requests a second, 80 ms a request: this provider beside a loop that sleeps when told.

Some 200 pages are asked for, once with 10 requests welcome in each second, once with 100 in each 10 seconds. Claims,
for this provider with 4 requests at a time: at least 95 % of the throughput that is allowed, and no more than one
refused request for each pause.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from emulator_process import Asked, EmulatorProcess, emulator_with, most_at_once
from ways_of_listing import by_hand, by_hook

RESULTS = Path(__file__).resolve().parent / "results" / "limit.json"
RUNS = 5_000
PER_PAGE = 25
DELAY = 0.08
LIMITS = ((10, 1), (100, 10))
#: Seconds without a request that count as a pause; at 10 a second there is one every 0.1.
PAUSE = 0.5

Way = Callable[[EmulatorProcess], list[dict[str, Any]]]
WAYS: dict[str, Way] = {
    "hand-written requests loop": partial(by_hand, per_page=PER_PAGE),
    "TallyfyHook.list_runs, 4 at a time": partial(by_hook, concurrency=4, per_page=PER_PAGE),
}


def measure(way: Way, emulator: EmulatorProcess, requests: int, seconds: int) -> dict[str, float]:
    """
    List once under a limit.

    :param way: How.
    :param emulator: Whom to ask.
    :param requests: How many requests are welcome in each window.
    :param seconds: The length of a window.
    :return: What was measured.
    """
    emulator.forget()
    emulator.limit(f"{requests}/{seconds}")
    began = time.perf_counter()
    rows = way(emulator)
    wall = time.perf_counter() - began
    assert len({row["id"] for row in rows}) == len(rows) == RUNS
    asked = emulator.asked()
    arrivals = sorted(each.at for each in asked)
    return {
        "wall": wall,
        "requests": len(asked),
        "throughput": throughput(asked, seconds) / (requests / seconds),
        "refused": sum(each.status == 429 for each in asked),
        "pauses": sum(later - earlier > PAUSE for earlier, later in pairwise(arrivals)),
        "at_once": most_at_once(asked),
    }


def throughput(asked: Sequence[Asked], seconds: int) -> float:
    """
    Count the requests that were welcome each second, over the whole windows that the limiter opened.

    The last window is left out, since the list ended within it. The emulator is late with its answers before it looks
    at the limit, so a request is counted when it was answered.

    :param asked: The requests.
    :param seconds: The length of a window.
    :return: Requests a second.
    """
    answers = sorted(asked, key=lambda each: each.ended)
    opened: list[tuple[float, int]] = []  # each window's beginning, and how many were welcome before it
    welcome = 0
    for each in answers:
        if not opened or each.ended >= opened[-1][0] + seconds:
            opened.append((each.ended, welcome))
        welcome += each.status == 200
    return opened[-1][1] / (opened[-1][0] - opened[0][0])


def main() -> None:
    """Measure, print and keep the results."""
    import_module("tallyfy_provider.hooks.tallyfy")  # not while the clock runs
    results: dict[str, Any] = {"runs": RUNS, "per_page": PER_PAGE, "delay": DELAY, "results": []}
    results["measured"] = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    print(f"\nListing {RUNS:,} runs, {PER_PAGE} to a page, {DELAY * 1000:.0f} ms a request, under a rate limit")
    print(f"{'':36} {'limit':>7} {'wall':>8} {'requests':>9} {'of allowed':>11} {'refused':>8} {'pauses':>7}")
    with emulator_with(RUNS, delay=DELAY) as emulator:
        for requests, seconds in LIMITS:
            for name, way in WAYS.items():
                each = measure(way, emulator, requests, seconds)
                results["results"].append({"way": name, "limit": f"{requests}/{seconds}", **each})
                print(
                    f"{name:36} {f'{requests}/{seconds}':>7} {each['wall']:6.2f} s {each['requests']:9.0f}"
                    f" {each['throughput']:10.1%} {each['refused']:8.0f} {each['pauses']:7.0f}",
                    flush=True,
                )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    main()
