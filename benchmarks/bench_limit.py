"""
Lists under a rate limit: the share of the allowed rate, and what was refused, for each kind of limiter and of hint.

Virtual time: each of 1, 4 or 16 processes lists with four threads, the provider through one budget for all. Beside it
the provider with a budget for each process, a loop written by hand with tenacity's waits, and pyrate-limiter told the
true rate where it is installed. Last, real time: 20 clients on two "machines" share through Redis, where
``redis-server`` and the package ``redis`` are installed.

Claims: at least 95 % of the allowed rate with hints and 85 % without, at most 2 % refused, no list failed.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from limit_simulation import Outcome, Policy, Run, Shared

RESULTS = Path(__file__).resolve().parent / "results" / "limit.json"
KINDS = ("fixed", "sliding", "token", "leaky")
LIMITS = ((1, 1), (10, 1), (60, 60), (100, 10), (1000, 3600))
HINTS = ("seconds", "date", "none")
CLIENTS = (1, 4, 16)
#: The limits for which the other ways are measured.
OTHERS = (("fixed", (100, 10)), ("sliding", (60, 60)), ("leaky", (10, 1)))
REDIS_SECONDS = 12.0


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

    def answer(self, client: int, request: str, now: float, hint: float | None) -> None:
        """Count attempts."""
        if hint is None or hint > 0:
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


def row(run: Run, way: str, outcome: Outcome) -> dict[str, Any]:
    """Return what is kept of a run."""
    return {
        "way": way,
        "kind": run.kind,
        "limit": f"{run.limit[0]}/{run.limit[1]:g}",
        "hints": run.hints,
        "clients": run.clients,
        "share": min(1.0, run.share(outcome)),
        "refused": outcome.refused / max(1, outcome.accepted + outcome.refused),
        "beyond_first": outcome.beyond_first,
        "failed": outcome.failed,
        "meets": is_met(run, outcome),
    }


def is_met(run: Run, outcome: Outcome) -> bool:
    """Return whether a run keeps what is claimed."""
    share = 0.85 if run.hints == "none" else 0.95
    refused = outcome.refused / max(1, outcome.accepted + outcome.refused)
    return run.share(outcome) >= share and refused <= 0.02 and not outcome.failed


def simulate() -> list[dict[str, Any]]:
    """Measure the provider for all limiters, and the others for some."""
    rows = []
    for kind, limit in itertools.product(KINDS, LIMITS):
        cells = []
        for hints, clients in itertools.product(HINTS, CLIENTS):
            run = Run(kind, limit, hints, clients, total=max(1500, 2 * limit[0]))
            each = row(run, "shared", run.simulate(Shared(1)))
            rows.append(each)
            cells.append(f"{each['share']:4.0%}{each['refused']:6.1%}{' ' if each['meets'] else '!'}")
        print(f"{kind:8}{limit[0]}/{limit[1]:<5g}" + " ".join(cells), flush=True)
    print("\nThe other ways, 4 processes, Retry-After in seconds (share, refused, failed lists):")
    for kind, limit in OTHERS:
        run = Run(kind, limit, "seconds", 4, total=1500)
        ways: dict[str, Policy] = {"shared": Shared(1), "each alone": Shared(1, alone=True), "tenacity": ByHand(1)}
        if find_spec("pyrate_limiter"):
            ways["pyrate-limiter"] = Pyrate(1, limit)
        for name, policy in ways.items():
            each = row(run, name, run.simulate(policy))
            rows.append(each)
            print(
                f"{kind:8}{each['limit']:8}{name:16}{each['share']:5.0%}{each['refused']:7.1%}{each['failed']:3} of 4",
                flush=True,
            )
    return rows


def through_redis() -> list[dict[str, Any]]:
    """Let 20 clients in real time, on two machines with folders of their own, share through Redis."""
    if not shutil.which("redis-server") or not find_spec("redis"):
        print("\nredis-server or the package redis is not installed: 20 clients through Redis are left out.")
        return []
    from tallyfy_emulator import Emulator

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/redis.sock"
        arguments = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        with subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL) as server:
            try:
                time.sleep(1)
                with Emulator(seed=False) as emulator:
                    rows.append(_clients(emulator, "100/10:sliding:seconds", f"unix://{socket}"))
            finally:
                server.terminate()
    return rows


CLIENT = """
import sys, time
from tallyfy_provider.client import ClientSettings, build_client
url, organization, token, redis, seconds = sys.argv[1:]
client = build_client(ClientSettings(organization, token, base_url=url, budget_url=redis, concurrency=4))
until = time.time() + float(seconds)
while time.time() < until:
    client.request("GET", "/me")
"""


def _clients(emulator: Any, limit: str, redis: str) -> dict[str, Any]:
    emulator.rate_limit = limit
    arguments = [emulator.base_url, emulator.organization_id, emulator.token, redis, str(REDIS_SECONDS)]
    clients = [subprocess.Popen([sys.executable, "-c", CLIENT, *arguments]) for _ in range(20)]
    failed = sum(_code(client) != 0 for client in clients)
    asked = sorted(emulator.requests, key=lambda each: each.at)
    accepted = sum(each.status == 200 for each in asked)
    requests, seconds = (float(number) for number in limit.split(":")[0].split("/"))
    share = min(1.0, accepted / (asked[-1].at - asked[0].at) / (requests / seconds))
    refused = 1 - accepted / len(asked)
    print(
        f"\n20 clients through Redis, {limit}: {share:.0%} of the allowed rate, {refused:.1%} refused, {failed} failed"
    )
    return {"way": "redis", "limit": limit, "clients": 20, "share": share, "refused": refused, "failed": failed}


def _code(client: subprocess.Popen[bytes]) -> int:
    try:
        return client.wait(REDIS_SECONDS + 60)
    except subprocess.TimeoutExpired:
        client.kill()
        return client.wait()


def main() -> None:
    """Measure, print and keep the results."""
    began = time.perf_counter()
    print("Share of the allowed rate and part refused, learning included; ! where a claim is missed")
    print(" " * 14 + "".join(f"{hints}, {clients}".ljust(12) for hints in HINTS for clients in CLIENTS))
    rows = simulate()
    rows += through_redis()
    shared = [each for each in rows if each["way"] == "shared"]
    met = sum(each["meets"] for each in shared)
    print(f"\n{met} of {len(shared)} meet every claim; {time.perf_counter() - began:.0f} s")
    RESULTS.parent.mkdir(exist_ok=True)
    measured = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    RESULTS.write_text(json.dumps({"measured": measured, "results": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
