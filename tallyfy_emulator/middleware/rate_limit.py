"""Limit the requests in a time window."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallyfy_emulator.api.responses import error_response, rate_limited
from tallyfy_emulator.store.clock import Clock

_COMMENTS = ("/comment", "/problem", "/resolved-threads")


@dataclass(frozen=True)
class RateLimit:
    """
    How many requests are allowed in how much time.

    :param requests: the most requests in one window; 1 or more.
    :param seconds: the length of a window, in seconds; more than zero.
    :raises ValueError: if a number can't be used.
    """

    requests: int
    seconds: float

    def __post_init__(self) -> None:
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
        Parse a limit such as ``100/60``: 100 requests in 60 seconds.

        :param text: the number of requests, a slash, the seconds.
        :return: the limit.
        :raises ValueError: if it can't be read.
        """
        requests, slash, seconds = text.partition("/")
        try:
            return cls(int(requests), float(seconds))
        except ValueError as error:
            hint = "" if slash else " (there is no slash)"
            raise ValueError(f"{text!r} is no rate limit{hint}: give N/SECONDS, such as 100/60.") from error


class RateLimiter:
    """Counts requests in windows that begin with the first request after the last window's end."""

    def __init__(self, clock: Clock, limit: RateLimit | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._limit = limit
        self._began = -math.inf
        self._used = 0

    @property
    def limit(self) -> RateLimit | None:
        """The limit in force; setting it begins a new window."""
        return self._limit

    @limit.setter
    def limit(self, limit: RateLimit | None) -> None:
        with self._lock:
            self._limit = limit
            self._began = -math.inf

    def admit(self) -> Admission:
        """Count a request."""
        with self._lock:
            if self._limit is None:
                return Admission(True)
            now = self._clock.now()
            if now >= self._began + self._limit.seconds:
                self._began, self._used = now, 0
            if self._used >= self._limit.requests:
                wait = math.ceil(self._began + self._limit.seconds - now)
                return Admission(False, 0, max(1, wait))
            self._used += 1
            return Admission(True, self._limit.requests - self._used)


@dataclass(frozen=True)
class Admission:
    """Whether a request is admitted; ``remaining`` is None without a limit; ``retry_after`` is in seconds."""

    admitted: bool
    remaining: int | None = None
    retry_after: int = 0


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
        admission = self._limiter.admit()
        refused = admission
        if admission.admitted and scope["method"] == "POST" and scope["path"].endswith(_COMMENTS):
            refused = self._comment_limiter.admit()
        if not refused.admitted:
            error = error_response(rate_limited(refused.retry_after), Headers(scope=scope).get("accept", ""))
            await error(scope, receive, send)
            return

        async def send_with_remaining(message: Message) -> None:
            if message["type"] == "http.response.start" and admission.remaining is not None:
                remaining = str(admission.remaining).encode()
                message["headers"] = [*message.get("headers", []), (b"x-ratelimit-remaining", remaining)]
            await send(message)

        await self._app(scope, receive, send_with_remaining)
