"""
Thousands of deferred waits in Airflow's TriggerRunner: the shared poller beside one poll for each wait.

For each number of waits and each way of waiting a fresh emulator and a fresh triggerer are started. When all triggers
run and each had its first look, these are measured: an interval in which nothing happens, a trickle of completions,
and a wave of them at one moment. Claims, for the shared poller:

- requests from one round to the next: at most ceil(unfinished / 100) + runs that changed + 5;
- from a run's completion to its trigger's event: at most the interval and 2 s;
- longest stall of the event loop once all triggers run: under 50 ms.

A full measurement writes results/waits.json, and from that the table and the picture in docs/design/shared-polling.md;
``--quick`` takes a minute and only prints; ``--draw`` writes the documentation from the numbers that are there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import requests
import waits_report
from emulator_process import EmulatorProcess, emulator_with
from machine import Machine
from waits_triggerer import Triggerer, triggerer_with

RESULTS = Path(__file__).resolve().parent / "results" / "waits.json"
#: Seconds without a request that part two rounds of the shared poller.
PAUSE_BETWEEN_ROUNDS = 0.7


@dataclass(frozen=True)
class Plan:
    """How much is measured; times in seconds."""

    waits: tuple[int, ...] = (1_000, 5_000)
    interval: float = 10.0
    quiet: float = 10.0
    trickle: float = 12.0
    trickled: int = 100
    #: The part of the runs that complete at one moment.
    wave: float = 0.1
    longest_start: float = 60.0
    longest_wave: float = 14.0


QUICK = Plan(waits=(500,), interval=4.0, quiet=4.0, trickle=5.0, trickled=25, longest_start=20.0, longest_wave=8.0)


@dataclass(frozen=True)
class Way:
    """
    One way of waiting.

    :param name: What it is called in the results.
    :param trigger: Of emulator, run id and interval: class path and arguments.
    :param done: What is changed of a run to complete it.
    :param archived: Whether runs are archived before.
    """

    name: str
    trigger: Callable[[EmulatorProcess, str, float], tuple[str, dict[str, Any]]]
    done: Mapping[str, Any]
    archived: bool = False


def shared(emulator: EmulatorProcess, run_id: str, interval: float) -> tuple[str, dict[str, Any]]:
    """Wait with this provider's trigger."""
    return "tallyfy_provider.triggers.runs.RunStatusTrigger", {
        "tallyfy_conn_id": "tallyfy_default",
        "run_ids": [run_id],
        "allowed_statuses": ["complete"],
        "failed_statuses": ["archived"],
        "skipped_statuses": [],
        "wait_for": "all",
        "poke_interval": interval,
        "deadline": time.time() + 86_400,
    }


def one_poll_each(emulator: EmulatorProcess, run_id: str, interval: float) -> tuple[str, dict[str, Any]]:
    """Wait as triggers of most providers do."""
    arguments = {"tallyfy_conn_id": "tallyfy_default", "run_id": run_id, "poke_interval": interval}
    return "waits_triggers.OnePollEach", arguments


def http_sensor(emulator: EmulatorProcess, run_id: str, interval: float) -> tuple[str, dict[str, Any]]:
    """
    Wait with the trigger of Airflow's deferrable HttpSensor.

    It cannot read an answer, it waits for one that is not 404. So its runs are archived, which this emulator answers
    with 404, until they are done.
    """
    return "airflow.providers.http.triggers.http.HttpSensorTrigger", {
        "endpoint": f"organizations/{emulator.organization_id}/runs/{run_id}",
        "http_conn_id": "tallyfy_http",
        "poke_interval": interval,
    }


def sleeper(emulator: EmulatorProcess, run_id: str, interval: float) -> tuple[str, dict[str, Any]]:
    """Wait for nothing."""
    return "waits_triggers.Sleeper", {"seconds": interval}


COMPLETE = {"status": "complete"}
NOTHING = Way("nothing", sleeper, COMPLETE)
WAYS = (
    Way("shared poller", shared, COMPLETE),
    Way("one poll each", one_poll_each, COMPLETE),
    Way("HttpSensor", http_sensor, {"archived_at": None}, archived=True),
)


def measure(way: Way, waits: int, plan: Plan) -> dict[str, Any]:
    """
    Measure one way with one number of waits.

    :param way: The way.
    :param waits: How many triggers, for one run each.
    :param plan: How long.
    :return: What was measured.
    """
    trouble = waits // 15
    runs = {"active": waits - 3 * trouble, "delayed": trouble, "problem": trouble, "issue": trouble}
    with emulator_with(runs, archived=way.archived) as emulator:
        run_ids = random.Random(waits).sample(emulator.run_ids, waits)
        triggers = [way.trigger(emulator, run_id, plan.interval) for run_id in run_ids]
        with triggerer_with(triggers, connections_to(emulator)) as triggerer:
            return Measurement(way, plan, emulator, triggerer, run_ids).run()


def connections_to(emulator: EmulatorProcess) -> dict[str, str]:
    """Give the Airflow connections that the ways need."""
    headers = {"Authorization": f"Bearer {emulator.token}", "X-Tallyfy-Client": "APIClient"}
    over_http = {"conn_type": "http", "host": emulator.base_url, "extra": headers | {"Accept": "application/json"}}
    return {"tallyfy_default": emulator.connection, "tallyfy_http": json.dumps(over_http)}


class Measurement:
    """
    The measurement of one triggerer against one emulator.

    :param way: The way of waiting.
    :param plan: How long.
    :param emulator: The emulator.
    :param triggerer: The triggerer, not started yet.
    :param run_ids: The run of each trigger.
    """

    def __init__(
        self, way: Way, plan: Plan, emulator: EmulatorProcess, triggerer: Triggerer, run_ids: Sequence[str]
    ) -> None:
        self.way = way
        self.plan = plan
        self.emulator = emulator
        self.triggerer = triggerer
        self.run_ids = run_ids
        self.controls = requests.Session()
        #: Triggers to the moments at which their runs completed.
        self.completed: dict[int, float] = {}
        self.machine = Machine(emulator=emulator.pid, triggerer=triggerer.pid)

    def run(self) -> dict[str, Any]:
        """Start, measure, and give the results."""
        start = self.start()
        windows = {"quiet": self.window(lambda: time.sleep(self.plan.quiet))}
        waves = 0
        if self.way is not NOTHING:
            windows["trickle"] = self.window(self.trickle)
            waves = len(self.completed)
            windows["wave"] = self.window(self.wave)
        state = self.triggerer.ask("state")
        result = {
            "way": self.way.name,
            "waits": len(self.run_ids),
            "start": start,
            "windows": windows,
            "failed": state["failed"],
            "first_failure": state["first_failure"],
        }
        if self.way is NOTHING:
            return result
        asked = self.emulator.requests()
        events = dict(reversed(self.triggerer.ask("events")))
        order = list(self.completed)
        return result | {
            "requests": self.requests_in(asked, windows["quiet"]),
            "rounds": self.rounds(asked, windows) if self.way is WAYS[0] else [],
            "answers": _count(status for _, status in asked),
            "trickle": self.delays(events, order[:waves]),
            "wave": self.delays(events, order[waves:]),
        }

    def start(self) -> dict[str, Any]:
        """Start all triggers, and wait until each has had its first look."""
        began, give_up = time.monotonic(), time.monotonic() + self.plan.longest_start
        while (state := self.triggerer.ask("state"))["started"] < len(self.run_ids) and time.monotonic() < give_up:
            time.sleep(0.2)
        took = time.monotonic() - began
        time.sleep(1 if self.way is NOTHING else self.plan.interval + 1)
        return {"took": took, "started": state["started"], **self.triggerer.ask("measure")}

    def window(self, happens: Callable[[], None]) -> dict[str, Any]:
        """Measure the triggerer while something happens."""
        self.triggerer.ask("measure")
        self.machine.begin()
        began = time.time()
        happens()
        measured = self.triggerer.ask("measure")
        return {"began": began, "ended": time.time(), **measured, "machine": self.machine.end()}

    def trickle(self) -> None:
        """Complete some runs one after the other, as people do."""
        pause = self.plan.trickle / self.plan.trickled
        began = time.monotonic()
        for number in range(self.plan.trickled):
            self.completed[number] = time.time()
            self.change(number)
            time.sleep(max(0.0, began + (number + 1) * pause - time.monotonic()))

    def wave(self) -> None:
        """Complete many runs at one moment, and wait for their events."""
        first = len(self.completed)
        wave = range(first, first + int(self.plan.wave * len(self.run_ids)))
        moment = time.time() + 0.5 + len(wave) / 200
        for number in wave:
            self.completed[number] = moment
            self.change(number, after=max(0.0, moment - time.time()))
        give_up = moment + self.plan.longest_wave
        while self.triggerer.ask("state")["events"] < len(self.completed) and time.time() < give_up:
            time.sleep(0.25)

    def change(self, number: int, after: float | None = None) -> None:
        """Do to a run what people do who complete it, now or in some seconds."""
        url = f"{self.emulator.base_url}/_emulator/runs/{self.run_ids[number]}"
        params = None if after is None else {"after": str(after)}
        self.controls.patch(url, json=dict(self.way.done), params=params, timeout=60).raise_for_status()

    def requests_in(self, asked: Sequence[tuple[float, int]], window: Mapping[str, Any]) -> float:
        """Count the requests of an interval in which nothing happens."""
        count = sum(window["began"] <= at < window["ended"] for at, _ in asked)
        return count * self.plan.interval / (window["ended"] - window["began"])

    def rounds(self, asked: Sequence[tuple[float, int]], windows: Mapping[str, Any]) -> list[dict[str, float]]:
        """Part the shared poller's requests into rounds, and hold each against what is claimed."""
        rounds = [[asked[0][0]]]
        for (before, _), (at, _) in pairwise(asked):
            if at - before > PAUSE_BETWEEN_ROUNDS:
                rounds.append([])
            rounds[-1].append(at)
        found = []
        for previous, this in pairwise(rounds):
            if this[0] < windows["quiet"]["began"]:
                continue
            unfinished = len(self.run_ids) - sum(at < this[0] for at in self.completed.values())
            changed = sum(previous[0] <= at <= this[-1] for at in self.completed.values())
            bound = math.ceil(unfinished / 100) + changed + 5
            found.append({"requests": len(this), "seconds": this[-1] - this[0], "changed": changed, "bound": bound})
        return found

    def delays(self, events: Mapping[int, float], numbers: Sequence[int]) -> dict[str, float | None]:
        """Summarize how long events took; None where so many did not come that it cannot be told."""
        delays = sorted(events[each] - self.completed[each] if each in events else math.inf for each in numbers)
        summary = {
            "median": statistics.median_high(delays),
            "p99": delays[math.ceil(0.99 * len(delays)) - 1],
            "max": delays[-1],
        }
        known = {name: None if math.isinf(value) else value for name, value in summary.items()}
        return {**known, "runs": len(delays), "without_event": sum(math.isinf(each) for each in delays)}


def _count(statuses: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for status in statuses:
        counts[str(status)] = counts.get(str(status), 0) + 1
    return counts


def measure_all(plan: Plan, only: str | None = None) -> dict[str, Any]:
    """
    Measure every way with every number of waits.

    :param plan: How long.
    :param only: A part of the name of the one way that is wanted.
    :return: The results, with what they were measured on.
    """
    began, results = time.monotonic(), []
    for waits in plan.waits:
        for way in (NOTHING, *WAYS):
            if only and only not in way.name:
                continue
            print(f"{time.monotonic() - began:5.0f} s  {waits:,} waits, {way.name} …", flush=True)
            results.append(measure(way, waits, plan))
    return {
        "interval": plan.interval,
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "seconds": time.monotonic() - began,
        "cores": os.cpu_count(),
        "airflow": version("apache-airflow"),
        "http_provider": version("apache-airflow-providers-http"),
        "results": results,
    }


def main() -> None:
    """Measure, print, and write what belongs in the documentation."""
    parser = argparse.ArgumentParser(description="Measure thousands of deferred waits.")
    parser.add_argument("--quick", action="store_true", help="500 waits, about a minute; only prints")
    parser.add_argument("--draw", action="store_true", help="write the documentation from the numbers that are there")
    parser.add_argument("--only", help="one way of waiting, by a part of its name; only prints")
    parser.add_argument("--waits", type=int, help="one number of waits; only prints")
    options = parser.parse_args()
    if options.draw:
        waits_report.write(json.loads(RESULTS.read_text(encoding="utf-8")))
        return
    plan = QUICK if options.quick else Plan()
    if options.waits:
        plan = replace(plan, waits=(options.waits,))
    measured = measure_all(plan, options.only)
    print(waits_report.text(measured))
    if options.only or options.waits or options.quick:
        return
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    waits_report.write(measured)


if __name__ == "__main__":
    main()
