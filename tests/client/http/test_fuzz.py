"""
Random answers through every way of asking: always a result or an error of the provider's, in time, without a secret.

A few hundred cases; ``TALLYFY_FUZZ_CASES=20000`` takes as many, ``TALLYFY_FUZZ_SEED`` others.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import time
from itertools import islice

from tallyfy_provider.client import ClientSettings, build_client
from tallyfy_provider.client.runs.status import compact, statuses_of
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.activity_feed import read_feed
from tallyfy_provider.waiting.run_reader import RunReader
from tallyfy_provider.waiting.task_reader import TaskReader, read_task
from tests.raw_server import raw_server, response

CASES = int(os.environ.get("TALLYFY_FUZZ_CASES", "300"))
SEED = int(os.environ.get("TALLYFY_FUZZ_SEED", "1"))
RUN, TASK = "a" * 32, "b" * 32
SECRET = "S3cret-of-the-c0nnection"
#: Seconds that the slowest case may take: the timeout of a request or two, on a machine that is shared.
LONGEST = 5.0

NUMBERS = ["0", "-1", "1", "1e9", "9" * 400, "9" * 5000, "NaN", "-Infinity", "1.5", "2099", "0x10", "٣", "1_000"]
DATES = [
    "Thu, 01 Jan 2099 00:00:00 GMT",
    "Thu, 31 Feb 2026 25:61:61 GMT",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Thu, 01 Jan 99999999999 00:00:00 GMT",
    "9999-12-31 23:59:59",
    "0001-01-01T00:00:00+23:59",
    "-0001-13-45",
]
TEXTS = [
    "",
    " ",
    "x",
    "complete",
    "active",
    "archived",
    "a" * 32,
    SECRET,
    "\u2028",
    "\ud83d\ude00",
    "//[x",
    "select from",
    "%00",
]
HEADERS = {
    "Retry-After": [*NUMBERS, *DATES],
    "Date": DATES,
    "X-RateLimit-Remaining": NUMBERS,
    "X-RateLimit-Limit": NUMBERS,
    "X-RateLimit-Reset": [*NUMBERS, *DATES],
    "X-Request-Id": [SECRET, "r" * 5000, "\x01", "ok"],
    "Location": ["//[x", "https://[::1", f"https://{SECRET}.example", "x" * 5000, "/"],
    "Content-Type": ["text/html", "application/json; charset=utf-99", "", "json" * 500],
    "Content-Encoding": ["gzip", "br", "gzip, gzip", "identity", "x" * 100],
    "Content-Length": ["0", "5", "-1", "9" * 400, "5, 6", "x"],
    "Transfer-Encoding": ["chunked", "gzip", "identity"],
    "Set-Cookie": ["a=b; expires=" + DATES[3], "x" * 9000, ";;;=", "a=b; max-age=" + "9" * 5000],
    "Connection": ["close", "keep-alive", "upgrade"],
    "WWW-Authenticate": ["Basic", "Bearer " + SECRET],
}
KEYS = ["id", "status", "data", "meta", "pagination", "total", "total_pages", "links", "next", "created_at"]
KEYS += ["completed_at", "archived_at", "last_updated", "name", "error", "errors", "message", "code", "access_token"]
KEYS += ["expires_in", "refresh_token", "tasks", "steps", "verb", "auditable_type", "auditable_id", "has_open_issue"]
KEYS += ["checklist_id", "owners", "users", "title", "alias", "is_approved", "status_label", "form_fields"]
VERBS = ["completed", ["launched"], "archived", None]


class Poison:
    """Makes up answers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, depth=0):
        pick = self.random.random()
        if depth > 4 or pick < 0.35:
            return self.random.choice(
                [*TEXTS, *DATES, None, True, False, 0, -1, 10**18, 10**400, 1.5, float("nan"), RUN]
            )
        if pick < 0.6:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(KEYS): self.value(depth + 1) for _ in range(self.random.randrange(8))}

    def row(self):
        """Give what is nearly a run, a task, or a row of the feed."""
        row = {"id": RUN, "status": "active", "created_at": "2026-01-01 00:00:00", "name": "x", "verb": "completed"}
        row |= {"auditable_type": "Run", "auditable_id": RUN, "run_id": RUN, "title": "t", "alias": "t"}
        for key in self.random.sample(KEYS, self.random.randrange(5)):
            row[key] = self.value(2)
        return row

    def payload(self):
        pick = self.random.random()
        if pick < 0.3:
            return {"data": self.row()}
        if pick < 0.6:
            meta = {"pagination": {key: self.value(3) for key in ("total", "total_pages", "links", "per_page")}}
            return {"data": [self.row() for _ in range(self.random.randrange(4))], "meta": meta}
        if pick < 0.7:
            return {"access_token": self.value(3), "expires_in": self.value(3), "data": self.value(3)}
        return self.value()

    def body(self):
        pick = self.random.random()
        if pick < 0.05:
            depth = self.random.choice([50, 600, 2000])
            return b'{"errors":' + b"[" * depth + b"]" * depth + b"}"
        if pick < 0.1:
            return self.random.randbytes(self.random.randrange(200))
        body = json.dumps(self.payload()).encode("utf-8", "surrogatepass")
        if pick < 0.15:
            return body[: self.random.randrange(len(body))]
        return gzip.compress(body) if pick < 0.25 else body

    def answer(self, request):
        if self.random.random() < 0.03:
            return [self.random.randbytes(self.random.randrange(100)) + b"\r\n\r\n"]
        statuses = [200, 200, 200, 200, 201, 204, 206, 300, 302, 400, 401, 403, 404, 408, 422, 429, 500, 503, 599]
        status = self.random.choice([*statuses, 101, 103, 999])
        body = self.body()
        headers = {name: self.random.choice(HEADERS[name]) for name in self.random.sample(sorted(HEADERS), 3)}
        if self.random.random() < 0.5:
            headers = {name: headers[name] for name in headers if not name.startswith(("Content", "Transfer"))}
        if body.startswith(b"\x1f\x8b"):
            headers["Content-Encoding"] = "gzip"
        try:
            return [response(status, body, headers)]
        except UnicodeEncodeError:
            return [response(status, body)]


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


def test_every_answer_is_a_result_or_an_error_of_the_provider():
    poison = Poison(SEED)
    with raw_server(poison.answer) as server:
        for number in range(CASES):
            poison.random.seed(f"{SEED} {number}")
            grant = {"client_id": "1"} if number % 5 == 0 else {}
            settings = ClientSettings("org", SECRET, base_url=server.base_url, timeout=0.2, max_attempts=2, **grant)
            client = build_client(settings, sleep=lambda seconds: None)
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
