"""Made-up answers, of which many are what no Tallyfy would give."""

from __future__ import annotations

import gzip
import json
import random

from tests.raw_server import response

RUN, TASK = "a" * 32, "b" * 32
SECRET = "S3cret-of-the-c0nnection"
GUEST_SECRET = "Gu3st-l1nk"
GUEST_LINK = f"https://go.tallyfy.com/guest/tasks/x?code={GUEST_SECRET}"

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
    GUEST_LINK,
    "\x1b[31mred\x1b[0m\r\nINFO forged\u202e",
    "\ud800",
    "0000-00-00 00:00:00",
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
