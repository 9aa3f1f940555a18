"""
10,000 deferred waits in Airflow's TriggerRunner, a Tallyfy that takes 2 s a request, 500 runs that complete at once.

Claims:

- the last is told within the interval and 60 s;
- no turn of the event loop takes longer than 50 ms once all triggers run, garbage collection included.

``--waits 2000`` takes fewer; it only prints.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench_waits import WAYS, Measurement, Plan, connections_to
from emulator_process import emulator_with
from waits_triggerer import triggerer_with

#: Seconds that Tallyfy takes for a request.
DELAY = 2.0
FINISHED = 500
PLAN = Plan(waits=(10_000,), interval=60.0, quiet=70.0, longest_start=180.0, longest_wave=300.0)
#: Seconds for the first rounds, in which all triggers have their first look.
SETTLING = 70.0


class Wave(Measurement):
    """The measurement of a wave."""

    def run(self) -> dict[str, Any]:
        """Start, measure, and give the results."""
        start = self.start()
        time.sleep(SETTLING)
        windows = {"quiet": self.window(lambda: time.sleep(self.plan.quiet)), "wave": self.window(self.wave)}
        state = self.triggerer.ask("state")
        events = dict(reversed(self.triggerer.ask("events")))
        asked = self.emulator.requests()
        return {
            "start": start,
            "windows": windows,
            "requests": {name: _requests_in(asked, window) for name, window in windows.items()},
            "delays": self.delays(events, list(self.completed)),
            "failed": state["failed"],
            "first_failure": state["first_failure"],
        }


def _requests_in(asked: list[tuple[float, int]], window: Mapping[str, Any]) -> int:
    return sum(window["began"] <= at < window["ended"] for at, _ in asked)


def measure(plan: Plan) -> dict[str, Any]:
    """Measure a wave among so many waits as the plan says."""
    (waits,) = plan.waits
    trouble = waits // 15
    runs = {"active": waits - 3 * trouble, "delayed": trouble, "problem": trouble, "issue": trouble}
    with emulator_with(runs, delay=DELAY) as emulator:
        run_ids = random.Random(waits).sample(emulator.run_ids, waits)
        triggers = [WAYS[0].trigger(emulator, run_id, plan.interval) for run_id in run_ids]
        with triggerer_with(triggers, connections_to(emulator)) as triggerer:
            return Wave(WAYS[0], plan, emulator, triggerer, run_ids).run()


def describe(window: Mapping[str, Any], requests: int) -> str:
    """Describe what was measured in a window."""
    stall, cpu = 1000 * window["longest_stall"], 1000 * window["cpu_in_longest_stall"]
    parts = (
        f"{window['seconds']:.0f} s, {requests} requests, CPU {window['cpu']:.1%} of a core",
        f"longest turn {stall:.0f} ms ({cpu:.0f} ms of CPU), {window['stalls_over_50_ms']} over 50 ms",
        f"{window['full_collections']} full collections, the longest {1000 * window['longest_collection']:.0f} ms",
        f"{window['memory'] / 1024**2:.0f} MiB; beside it {window['machine']}",
    )
    return ", ".join(parts)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure a wave of completions among thousands of deferred waits.")
    parser.add_argument("--waits", type=int, default=PLAN.waits[0])
    options = parser.parse_args()
    plan = replace(PLAN, waits=(options.waits,), wave=FINISHED / options.waits)
    result = measure(plan)
    delays = result["delays"]
    print(f"{options.waits:,} waits, interval {plan.interval:g} s, {DELAY:g} s a request, {FINISHED} complete at once")
    print(f"started in {result['start']['took']:.1f} s; failed: {result['failed']} {result['first_failure'] or ''}")
    print("completion to event:", {name: value and round(value, 1) for name, value in delays.items()})
    for name, window in result["windows"].items():
        print(f"{name}: {describe(window, result['requests'][name])}")
    told = delays["max"]
    bound = plan.interval + 60
    verdict = "holds" if told is not None and told <= bound else "DOES NOT HOLD"
    print(f"the last is told within the interval and 60 s: {verdict}")


if __name__ == "__main__":
    main()
