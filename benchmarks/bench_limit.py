"""
Lists under a rate limit: the share of the allowed rate, and what was refused, for each kind of limiter and of hint.

Virtual time: each of 1, 4 or 16 processes lists with four threads, the provider through one budget for all. Beside it
the provider with a budget for each process, a loop written by hand with tenacity's waits, and pyrate-limiter told the
true rate where it is installed. Real time is measured by bench_limit_real.py.

Goals: at least 95 % of the allowed rate with hints and 85 % without, at most 2 % refused, no list failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from limit_simulation import Policy, Run, Shared

RESULTS = Path(__file__).resolve().parent / "results" / "limit.json"
KINDS = ("fixed", "sliding", "token", "leaky")
LIMITS = ((1, 1), (10, 1), (60, 60), (100, 10), (1000, 3600))
HINTS = ("seconds", "date", "headers", "none")
MAX_REFUSED = 0.02
#: The limits for which the other ways are measured.
OTHERS = (("fixed", (100, 10)), ("sliding", (60, 60)), ("leaky", (10, 1)))


class ByHand:
    """A loop with tenacity: five attempts, and waits as Retry-After says or that double, spread from zero."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._attempts: dict[str, int] = {}
        self._wait: dict[str, float] = {}

    def ask(self, client: int, request: str, now: float) -> tuple[str, float]:
        """Go at once, or after the wait, or fail."""
        attempts = self._attempts.get(request, 0)
        return ("fail", 0.0) if attempts >= 5 else ("go", self._wait.pop(request, 0.0))

    def confirm(self, client: int, request: str, now: float) -> bool:
        """Go."""
        return True

    def accept(self, client: int, request: str, now: float, remaining: int | None) -> None:
        """Do nothing."""

    def refuse(self, client: int, request: str, now: float, hint: float | None) -> None:
        """Count attempts."""
        attempts = self._attempts[request] = self._attempts.get(request, 0) + 1
        self._wait[request] = hint or self._random.uniform(0, min(60.0, 2.0**attempts))


class Pyrate(ByHand):
    """pyrate-limiter, told the true rate and shared by all, with the waits of a loop for what is still refused."""

    def __init__(self, seed: int, limit: tuple[int, float]) -> None:
        super().__init__(seed)
        pyrate = import_module("pyrate_limiter")
        self._bucket = pyrate.InMemoryBucket([pyrate.Rate(limit[0], int(limit[1] * 1000))])
        self._item = pyrate.RateItem

    def ask(self, client: int, request: str, now: float) -> tuple[str, float]:
        """Ask the bucket."""
        if request in self._wait or self._attempts.get(request, 0) >= 5:
            return super().ask(client, request, now)
        item = self._item("list", int(now * 1000))
        if self._bucket.put(item):
            return "go", 0.0
        return "ask", max(0.001, self._bucket.waiting(item) / 1000)


def measure(arguments: tuple[Run, str]) -> dict[str, Any]:
    """Simulate a run in one way; tell the first half, in which the limit is learnt, from the second one."""
    run, way = arguments
    ways: dict[str, Callable[[], Policy]] = {
        "shared": lambda: Shared(1),
        "each alone": lambda: Shared(1, alone=True),
        "tenacity": lambda: ByHand(1),
        "pyrate-limiter": lambda: Pyrate(1, run.limit),
    }
    outcome = run.simulate(ways[way]())
    times = sorted(time for each in outcome.times.values() for time in each)
    half = len(times) // 2
    allowed = run.limit[0] / run.limit[1]
    learning = half / max(times[half - 1], 1e-9) / allowed if half else 0.0
    learnt = (len(times) - half) / max(times[-1] - times[half - 1], 1e-9) / allowed if half else 0.0
    return {
        "way": way,
        "kind": run.kind,
        "limit": f"{run.limit[0]}/{run.limit[1]:g}",
        "hints": run.hints,
        "clients": run.clients,
        "learning": round(learning, 3),
        "learnt": round(learnt, 3),
        "refused": round(outcome.refused / max(1, outcome.accepted + outcome.refused), 4),
        "beyond_first": outcome.beyond_first,
        "failed": outcome.failed,
    }


def goal(row: dict[str, Any]) -> float:
    """Return the share of the allowed rate that is claimed."""
    return 0.85 if row["hints"] == "none" else 0.95


def simulate(clients: list[int]) -> list[dict[str, Any]]:
    """Measure the provider for all limiters, and the others for some."""
    cells = itertools.product(KINDS, LIMITS, HINTS, clients)
    jobs = [
        (Run(kind, limit, hints, number, total=max(2400, 3 * limit[0])), "shared")
        for kind, limit, hints, number in cells
    ]
    names = ["each alone", "tenacity", *(["pyrate-limiter"] if find_spec("pyrate_limiter") else [])]
    for (kind, limit), hints, name in itertools.product(OTHERS, ("seconds", "none"), names):
        jobs.append((Run(kind, limit, hints, 4, total=2400), name))
    with ProcessPoolExecutor() as pool:
        return list(pool.map(measure, jobs, chunksize=2))


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Return the lines of a table in Markdown: each cell has the least of all numbers of clients."""
    yield "| limiter | limit | " + " | ".join(HINTS) + " |"
    yield "|---|---|" + "---|" * len(HINTS)
    shared = [row for row in rows if row["way"] == "shared"]
    for kind, limit in itertools.product(KINDS, LIMITS):
        cells = []
        for hints in HINTS:
            text = f"{limit[0]}/{limit[1]:g}"
            some = [row for row in shared if (row["kind"], row["limit"], row["hints"]) == (kind, text, hints)]
            least, refused = min(row["learnt"] for row in some), max(row["refused"] for row in some)
            learning = min(row["learning"] for row in some)
            mark = "" if least >= goal(some[0]) and refused <= MAX_REFUSED else " !"
            cells.append(f"{min(1.0, learning):.0%}, {min(1.0, least):.0%}, {refused:.1%}{mark}")
        yield f"| {kind} | {limit[0]}/{limit[1]:g} s | " + " | ".join(cells) + " |"
    yield ""
    yield "| way (4 processes) | limiter | hint | share, once learnt | refused | failed lists |"
    yield "|---|---|---|---|---|---|"
    others = [(kind, f"{limit[0]}/{limit[1]:g}") for kind, limit in OTHERS]
    for row in rows:
        if (row["kind"], row["limit"]) in others and row["clients"] == 4 and row["hints"] in {"seconds", "none"}:
            yield (
                f"| {row['way']} | {row['kind']} {row['limit']} s | {row['hints']} | {row['learnt']:.0%} | "
                f"{row['refused']:.1%} | {row['failed']} of 4 |"
            )


def main() -> None:
    """Measure, print and keep the results."""
    began = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default="1,4,16", help="numbers of processes; what is kept of others stays")
    clients = [int(number) for number in parser.parse_args().clients.split(",")]
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["results"] if RESULTS.exists() else []
    rows = [row for row in kept if row["way"] == "shared" and row["clients"] not in clients and "learnt" in row]
    rows += simulate(clients)
    print("Share of the allowed rate while it is learnt, once it is, and part refused; ! where a goal is missed\n")
    print("\n".join(table(rows)))
    shared = [row for row in rows if row["way"] == "shared"]
    met = sum(row["learnt"] >= goal(row) and row["refused"] <= MAX_REFUSED and not row["failed"] for row in shared)
    print(f"\n{met} of {len(shared)} meet every goal; {time.perf_counter() - began:.0f} s")
    RESULTS.parent.mkdir(exist_ok=True)
    measured = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    RESULTS.write_text(json.dumps({"measured": measured, "results": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
