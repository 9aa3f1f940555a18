"""What the middleware knows about requests, besides the organization."""

from __future__ import annotations

from dataclasses import dataclass

from tallyfy_emulator.middleware.faults import FaultQueue
from tallyfy_emulator.middleware.rate_limit import RateLimit, RateLimiter
from tallyfy_emulator.middleware.recorder import RequestLog
from tallyfy_emulator.store.clock import Clock


@dataclass(frozen=True)
class Traffic:
    """The ordered faults, the rate limits (of all requests, and of comments) and the record of requests."""

    faults: FaultQueue
    limiter: RateLimiter
    comment_limiter: RateLimiter
    log: RequestLog

    @classmethod
    def begin(cls, clock: Clock, rate_limit: RateLimit | None, comment_limit: RateLimit | None = None) -> Traffic:
        """Build it without faults and requests."""
        return cls(FaultQueue(), RateLimiter(clock, rate_limit), RateLimiter(clock, comment_limit), RequestLog(clock))
