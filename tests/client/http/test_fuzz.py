"""
Random answers through every way of asking: always a result or an error of the provider's, in time, without a secret.

A few hundred cases; ``TALLYFY_FUZZ_CASES=20000`` takes as many, ``TALLYFY_FUZZ_SEED`` others.
"""

from __future__ import annotations

import json
import os
import time
from itertools import islice

import pytest

from tallyfy_provider.client import ClientSettings, build_client
from tallyfy_provider.client.runs.status import compact, statuses_of
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.activity_feed import read_feed
from tallyfy_provider.waiting.run_reader import RunReader
from tallyfy_provider.waiting.task_reader import TaskReader, read_task
from tests.clock import Clock
from tests.poison import RUN, SECRET, TASK, Poison
from tests.raw_server import raw_server

CASES = int(os.environ.get("TALLYFY_FUZZ_CASES", "300"))
SEED = int(os.environ.get("TALLYFY_FUZZ_SEED", "1"))
#: Seconds after which a case counts as one that hangs: far beyond its timeouts, as machines are busy at times.
LONGEST = 30.0


def ask(client, number):
    """Ask in one of the ways."""
    seen = {}
    ways = [
        lambda: client.runs.get(RUN),
        lambda: list(islice(client.runs.list(), 5)),
        lambda: client.request("POST", "runs", json={"name": "x"}),
        lambda: client.request("GET", "/me"),
        lambda: [(compact(run), statuses_of(run)) for run in client.runs.list({"status": "complete"}, max_runs=3)],
        lambda: RunReader(seen.update).read(client, {f"{n:032x}": lambda run: False for n in range(9)} | {RUN: bool}),
        lambda: TaskReader(seen.update).read(client, {RUN: bool}),
        lambda: read_task(client, RUN, "t"),
        lambda: read_feed(client, None),
        lambda: read_feed(client, 1.0),
        lambda: client.runs.archive(RUN),
        lambda: client.runs.update(RUN, {"name": "y"}),
        lambda: client.tasks.get(TASK, RUN),
        lambda: client.runs.count(_encoded()),
        lambda: client.comments.list(TASK) if hasattr(client.comments, "list") else None,
        lambda: list(islice(client.checklists.list(), 3)) if hasattr(client.checklists, "list") else None,
    ]
    return ways[number % len(ways)]()


def _encoded():
    from tallyfy_provider.client.runs.filters import encode

    return encode({"status": "active"})


def check(error, case):
    """Check that an error keeps to its bounds, and holds no secret."""
    said = str(error) + json.dumps(error.to_dict())
    assert SECRET.lower() not in said.lower(), case
    assert error.retry_after is None or 0 <= error.retry_after <= 3600, case


@pytest.mark.random_cases
@pytest.mark.timeout(3600)  # 20,000 cases on a busy machine
def test_every_answer_is_a_result_or_an_error_of_the_provider():
    poison = Poison(SEED)
    with raw_server(poison.answer) as server:
        for number in range(CASES):
            poison.random.seed(f"{SEED} {number}")
            grant = {"client_id": "1"} if number % 5 == 0 else {}
            settings = ClientSettings("org", SECRET, base_url=server.base_url, timeout=0.2, max_attempts=2, **grant)
            clock = Clock()
            client = build_client(settings, sleep=clock.sleep, clock=clock)
            started = time.monotonic()
            try:
                ask(client, number)
            except TallyfyError as error:
                check(error, f"case {number} of seed {SEED}: {error!r}")
            except Exception as error:
                raise AssertionError(f"case {number} of seed {SEED} raised {error!r}") from error
            finally:
                client.close()
            assert time.monotonic() - started < LONGEST, f"case {number} of seed {SEED} took too long"
