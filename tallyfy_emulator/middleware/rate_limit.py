"""Limit the requests in a time window."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallyfy_emulator.api.responses import error_response, rate_limited
from tallyfy_emulator.middleware.limit_kinds import KINDS, Counter
from tallyfy_emulator.store.clock import Clock

#: What responses may say about a limit.
HINTS = ("seconds", "date", "headers", "none")
_COMMENTS = ("/comment", "/problem", "/resolved-threads")


@dataclass(frozen=True)
class RateLimit:
    """
    How many requests are allowed in how much time.

    :param requests: the most requests in one window; 1 or more.
    :param seconds: the length of a window, in seconds; more than zero.
    :param kind: the kind of limiter: ``fixed`` or ``sliding`` window, ``token`` or ``leaky`` bucket.
    :param hints: what a response says: ``seconds`` (``Retry-After``, and what remains), ``date`` (``Retry-After``),
        ``headers`` (``X-RateLimit-Limit``, ``-Remaining`` and ``-Reset``), or ``none``.
    :raises ValueError: if a number can't be used.
    """

    requests: int
    seconds: float
    kind: str = "fixed"
    hints: str = "seconds"

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.hints not in HINTS:
            raise ValueError(f"A rate limit is of a kind ({', '.join(KINDS)}) and has hints ({', '.join(HINTS)}).")
        if self.requests < 1 or not self.seconds > 0 or not math.isfinite(self.seconds):
            raise ValueError(f"A rate limit of {self.requests} requests in {self.seconds} seconds makes no sense.")

    @classmethod
    def of(cls, limit: RateLimit | str | None) -> RateLimit | None:
        """
        Parse a limit in any of the forms in which a caller may give it.

        :param limit: a limit, text for :meth:`parse`, or None for no limit.
        :return: the limit, or None.
        :raises ValueError: if the text can't be read.
        """
        return cls.parse(limit) if isinstance(limit, str) else limit

    @classmethod
    def parse(cls, text: str) -> RateLimit:
        """
        Parse a limit such as ``100/60``: 100 requests in 60 seconds; or ``100/60:sliding:date``.

        :param text: the number of requests, a slash, the seconds; then, each after a colon, kind and hints.
        :return: the limit.
        :raises ValueError: if it can't be read.
        """
        numbers, *rest = text.split(":")
        requests, slash, seconds = numbers.partition("/")
        try:
            return cls(int(requests), float(seconds), *rest)
        except (TypeError, ValueError) as error:
            hint = "" if slash else " (there is no slash)"
            raise ValueError(f"{text!r} is no rate limit{hint}: give N/SECONDS, such as 100/60.") from error


class RateLimiter:
    """Counts requests as the limit in force wants it."""

    def __init__(self, clock: Clock, limit: RateLimit | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._limit = limit
        self._counter = _counter(limit)

    @property
    def limit(self) -> RateLimit | None:
        """The limit in force; setting it begins a new window."""
        return self._limit

    @limit.setter
    def limit(self, limit: RateLimit | None) -> None:
        with self._lock:
            self._limit = limit
            self._counter = _counter(limit)

    def admit(self) -> Admission:
        """Count a request."""
        with self._lock:
            if self._limit is None or self._counter is None:
                return Admission(True)
            now = self._clock.now()
            wait = self._counter.admit(now)
            return Admission(not wait, _headers(self._limit, self._counter.remaining(now), wait, now))


def _counter(limit: RateLimit | None) -> Counter | None:
    return KINDS[limit.kind](limit.requests, limit.seconds) if limit else None


@dataclass(frozen=True)
class Admission:
    """Whether a request is admitted, and what the response's headers say about it."""

    admitted: bool
    headers: Mapping[str, str] = field(default_factory=dict)


def _headers(limit: RateLimit, remaining: int, wait: float, now: float) -> dict[str, str]:
    seconds = max(1, math.ceil(wait))
    if limit.hints == "none":
        return {}
    if limit.hints == "date":
        return {"retry-after": formatdate(math.ceil(now + wait), usegmt=True)} if wait else {}
    if limit.hints == "headers":
        reset = str(seconds if wait else math.ceil(limit.seconds))
        return {
            "x-ratelimit-limit": str(limit.requests),
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-reset": reset,
        }
    return {"x-ratelimit-remaining": str(remaining), **({"retry-after": str(seconds)} if wait else {})}


class RateLimitMiddleware:
    """
    Answer 429 beyond a limit, and send how many requests remain below that of all requests.

    The limit of comments is a layer apart: it refuses comments, problems and their resolutions, and nothing else.
    """

    def __init__(self, app: ASGIApp, limiter: RateLimiter, comment_limiter: RateLimiter) -> None:
        self._app = app
        self._limiter = limiter
        self._comment_limiter = comment_limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        admission = refused = self._limiter.admit()
        if admission.admitted and scope["method"] == "POST" and scope["path"].endswith(_COMMENTS):
            refused = self._comment_limiter.admit()
        if not refused.admitted:
            error = error_response(rate_limited(refused.headers), Headers(scope=scope).get("accept", ""))
            await error(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in admission.headers.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)
