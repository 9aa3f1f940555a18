"""Faults that a test orders: what goes wrong, for which requests, how often; and the middleware that applies them."""

from __future__ import annotations

import asyncio
import json
import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallyfy_emulator.api.responses import ApiError, error_response, html_page, unauthenticated
from tallyfy_emulator.middleware.connections import Connections
from tallyfy_emulator.store.tokens import TokenStore, bearer_token

_MESSAGES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Attempts.",
    500: "Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

FaultKind = Literal["status", "delay", "reset", "truncate", "unreadable", "html", "redirect", "expired_token"]
FaultMoment = Literal["before", "after"]

_DEFAULT_STATUS = {"status": 503, "redirect": 302}


@dataclass(frozen=True)
class Fault:
    """
    Something that goes wrong with requests, until it has happened ``times`` times.

    :param kind: ``status`` = answers with ``status`` (503 unless given); ``delay`` = answers properly, but
        ``delay`` seconds late; ``reset`` = resets the TCP connection without any answer; ``truncate`` =
        announces a Content-Length, sends half of the body and closes; ``unreadable`` = broken JSON, complete,
        with a JSON content type; ``html`` = a 200 page of HTML; ``redirect`` = 302 to ``location``;
        ``expired_token`` = the token that the request carries is expired from now on, so the request gets the
        usual 401 and so does every later one with that token.
    :param status: HTTP status of the answer, 200 to 599; None = the kind's own.
    :param delay: seconds to wait before anything is answered; goes with every kind.
    :param headers: headers to add to the fault's answer, such as ``{"Retry-After": "2"}``; unused where the
        real answer or none is given (``delay``, ``expired_token``, ``reset``).
    :param body: body of the answer in place of the kind's own: text, or an object that is sent as JSON.
    :param location: where a ``redirect`` points to.
    :param times: how many requests are hit; None = all.
    :param after: how many matching requests pass unharmed first.
    :param path: which requests: those whose path (with its query) contains this text, or matches it as a
        regular expression; empty = all.
    :param method: which requests: only those with this HTTP method; empty = all.
    :param when: ``before`` = the request has no effect; ``after`` = it has its full effect, and then the
        fault applies. ``truncate`` and ``unreadable`` spoil the real answer, so they are always ``after``
        unless ``body`` is given.
    :raises ValueError: if a value can't be used; the message names it.
    """

    kind: FaultKind
    status: int | None = None
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | Mapping[str, Any] | list[Any] | None = None
    location: str = ""
    times: int | None = None
    after: int = 0
    path: str = ""
    method: str = ""
    when: FaultMoment = "before"

    def __post_init__(self) -> None:
        kinds, moments = get_args(FaultKind), get_args(FaultMoment)
        has_status = self.status is None or _is_int(self.status, 200, 599)
        has_path = isinstance(self.path, str) and _compiles(self.path)
        self._check(self.kind in kinds, "kind", f"one of {', '.join(kinds)}")
        self._check(self.when in moments, "when", "'before' or 'after'")
        self._check(has_status, "status", "a status of 200 to 599")
        self._check(_is_duration(self.delay), "delay", "zero or more seconds, not endless")
        self._check(self.kind != "delay" or self.delay > 0, "delay", "more than zero seconds for kind 'delay'")
        self._check(self.times is None or _is_int(self.times, 1), "times", "1 or more, or None for all")
        self._check(_is_int(self.after, 0), "after", "zero or more requests")
        self._check(self.kind != "redirect" or bool(self.location), "location", "where to redirect to")
        self._check(isinstance(self.method, str), "method", "an HTTP method, or '' for all")
        self._check(has_path, "path", "text or a regular expression")
        self._check(_is_text_map(self.headers), "headers", "names and values, both text")

    def _check(self, fits: bool, name: str, wanted: str) -> None:
        if not fits:
            raise ValueError(f"Fault.{name} is {getattr(self, name)!r}: give {wanted}.")

    @property
    def effective_status(self) -> int:
        """The status of the answer, the kind's own if none was given."""
        return self.status if self.status is not None else _DEFAULT_STATUS.get(self.kind, 200)

    @property
    def needs_real_response(self) -> bool:
        """Whether the request must reach the application before the fault applies."""
        return self.when == "after" or (self.kind in ("truncate", "unreadable") and self.body is None)

    def body_bytes(self) -> bytes | None:
        """Return the ordered body as it is sent."""
        if self.body is None:
            return None
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    def matches(self, method: str, path: str, query: str) -> bool:
        """Return whether this fault is meant for a request."""
        if self.method and self.method.upper() != method.upper():
            return False
        target = f"{path}?{query}" if query else path
        return self.path in target or any(re.search(self.path, text) for text in (path, target))

    @classmethod
    def from_json(cls, values: object) -> Fault:
        """Parse a fault from the JSON that the control endpoint was sent."""
        if not isinstance(values, dict):
            raise ValueError('A fault is a JSON object such as {"kind": "status", "status": 503, "times": 1}.')
        known = [each.name for each in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ValueError(f"A fault has no {', '.join(map(repr, unknown))}. It has: {', '.join(known)}.")
        if "kind" not in values:
            raise ValueError(f"A fault needs a 'kind': one of {', '.join(get_args(FaultKind))}.")
        return cls(**values)


class FaultQueue:
    """The ordered faults, and how many requests each has hit. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[_QueuedFault] = []

    def order(self, fault: Fault) -> None:
        """Add a fault after those ordered before."""
        with self._lock:
            self._ordered.append(_QueuedFault(fault))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._ordered.clear()

    def pending(self) -> list[Fault]:
        """List the faults that can still hit a request."""
        with self._lock:
            return [each.fault for each in self._ordered if not each.spent]

    def take(self, method: str, path: str, query: str) -> Fault | None:
        """
        Return the fault that hits a request, and count the hit.

        Faults are tried in the order in which they were ordered; only the first one that is due applies,
        and those behind it do not count the request.
        """
        with self._lock:
            for each in self._ordered:
                if not each.spent and each.fault.matches(method, path, query) and each.is_due():
                    return each.fault
        return None


@dataclass
class _QueuedFault:
    fault: Fault
    passed: int = 0
    hits: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.hits >= self.fault.times

    def is_due(self) -> bool:
        if self.passed < self.fault.after:
            self.passed += 1
            return False
        self.hits += 1
        return True


def _is_int(value: object, least: int, most: int | None = None) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value >= least and (most is None or value <= most)


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_text_map(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(key, str) and isinstance(text, str) for key, text in value.items())


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


class FaultMiddleware:
    """Apply the ordered faults to requests."""

    def __init__(
        self,
        app: ASGIApp,
        plan: FaultQueue,
        tokens: TokenStore,
        connections: Connections,
        stopping: asyncio.Event,
    ) -> None:
        self._app = app
        self._plan = plan
        self._tokens = tokens
        self._connections = connections
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let a fault do it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fault = self._plan.take(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        if fault is None:
            await self._app(scope, receive, send)
            return
        await self._apply(fault, scope, receive, send)

    async def _apply(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        real = await _hold_response(self._app, scope, receive) if fault.needs_real_response else None
        if not await self._wait(fault.delay):
            await self._connections.reset(scope)
            return
        match fault.kind:
            case "delay":
                await self._pass_on(real, scope, receive, send)
            case "expired_token":
                self._tokens.revoke(bearer_token(Headers(scope=scope).get("authorization", "")))
                await self._pass_on(real, scope, receive, send)
            case "reset":
                await self._connections.reset(scope)
            case "truncate":
                await _send_half(fault, _body_to_spoil(fault, real), send)
                await self._connections.close(scope)
            case _:
                answer = _fault_response(fault, real, Headers(scope=scope))
                answer.headers.update(fault.headers)
                await answer(scope, receive, send)

    async def _pass_on(self, real: _HeldResponse | None, scope: Scope, receive: Receive, send: Send) -> None:
        if real is None:
            await self._app(scope, receive, send)
            return
        await real.send(send)

    async def _wait(self, seconds: float) -> bool:
        """Wait; return False if the server stops before the time has passed."""
        if not seconds:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return True
        return False


@dataclass
class _HeldResponse:
    """A response of the application that was held back."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def send(self, send: Send) -> None:
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})


async def _hold_response(app: ASGIApp, scope: Scope, receive: Receive) -> _HeldResponse:
    answer = _HeldResponse()

    async def hold_back(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.start = message
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, hold_back)
    return answer


def _body_to_spoil(fault: Fault, real: _HeldResponse | None) -> bytes:
    ordered = fault.body_bytes()
    if ordered is not None:
        return ordered
    return real.body if real is not None else b""


async def _send_half(fault: Fault, body: bytes, send: Send) -> None:
    announced = {
        "Content-Type": "application/json",
        **fault.headers,
        "Content-Length": str(max(len(body), 2)),
    }
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in announced.items()]
    await send({"type": "http.response.start", "status": fault.effective_status, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def _fault_response(fault: Fault, real: _HeldResponse | None, headers: Headers) -> Response:
    status = fault.effective_status
    ordered = fault.body_bytes()
    if status in (204, 304):
        return Response(status_code=status)  # HTTP allows these no body
    if fault.kind == "redirect":
        return Response(ordered or b"", status, {"Location": fault.location}, "text/html")
    if fault.kind == "html":
        page = ordered if ordered is not None else html_page("Sign in to Tallyfy").encode()
        return Response(page, status, media_type="text/html")
    if fault.kind == "unreadable":
        broken = ordered if ordered is not None else _body_to_spoil(fault, real)[:-1] + b'"'
        return Response(broken, status, media_type="application/json")
    if ordered is not None:
        return Response(ordered, status, media_type="application/json")
    return error_response(_default_error(status), headers.get("accept", ""))


def _default_error(status: int) -> ApiError:
    if status == 401:
        return unauthenticated()
    message = _MESSAGES.get(status, f"Answer with status {status}, as ordered.")
    if status == 429:
        return ApiError(status, {"message": message, "code": "RATE_LIMIT_EXCEEDED"})
    return ApiError(status, {"error": True, "message": message})
