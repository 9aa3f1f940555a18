"""Record every request, with the status of its response."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallyfy_emulator.model.wire import encode, parse_query
from tallyfy_emulator.store.clock import Clock

_KEPT_REQUESTS = 100_000

logger = logging.getLogger("tallyfy_emulator")


@dataclass
class RequestRecord:
    """
    One request.

    ``query`` holds the last value of each parameter, ``headers`` have lower-case names, ``at`` is when it
    came in, in seconds since 1970-01-01 UTC by the emulator's clock. ``status`` is None while, or if, there
    is no answer.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int | None
    at: float
    body: bytes


class RequestLog:
    """The newest 100,000 requests. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._records: deque[RequestRecord] = deque(maxlen=_KEPT_REQUESTS)
        self._under_way: set[int] = set()
        self.most_at_once = 0
        self.listener: Callable[[RequestRecord], None] | None = None

    def open(self, scope: Scope, body: bytes) -> RequestRecord:
        """Record a request."""
        record = RequestRecord(
            method=scope["method"],
            path=scope["path"],
            query=parse_query(scope["query_string"]),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            status=None,
            at=self._clock.now(),
            body=body,
        )
        with self._lock:
            self._records.append(record)
            self._under_way.add(id(record))
            self.most_at_once = max(self.most_at_once, len(self._under_way))
        return record

    def answered(self, record: RequestRecord, status: int) -> None:
        """Record the status of a response."""
        with self._lock:
            record.status = status
            self._under_way.discard(id(record))

    def finished(self, record: RequestRecord) -> None:
        """Notify the listener, if there is one, that a request is over."""
        with self._lock:
            self._under_way.discard(id(record))
        if self.listener is not None:
            self.listener(record)

    def all(self) -> list[RequestRecord]:
        """List the requests."""
        with self._lock:
            return [replace(each) for each in self._records]

    def clear(self) -> None:
        """Remove all requests."""
        with self._lock:
            self._records.clear()
            self.most_at_once = len(self._under_way)


class RecorderMiddleware:
    """
    Keeps every request and gives every answer an ``X-Request-Id``.

    A bug of the emulator becomes a 500 and a log line.
    """

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record a request, and pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        record = self._log.open(scope, body)
        request_id = f"emulator-{next(self._numbers):08d}".encode()

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._log.answered(record, message["status"])
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, replay(body, receive), send_recorded)
        except Exception:
            logger.exception("The Tallyfy emulator failed to answer %s %s", record.method, record.path)
            if record.status is None:
                await _send_failure(send_recorded)
        finally:
            self._log.finished(record)


async def _send_failure(send: Send) -> None:
    body = encode({"error": True, "message": "The emulator failed; its log says why."})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Receive) -> bytes:
    """Parse a request's whole body."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a source of messages that delivers a body again."""
    pending = [body]

    async def receive_again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return receive_again
