"""
Learn from refusals how many requests a second are allowed. Pure.

Tallyfy's limits are published in several versions, and a proxy before it may have its own, so nothing is assumed about
the kind of limiter: fixed or sliding window, token or leaky bucket. A steady pace just below the allowed rate passes
all of them; what has to be found is that rate.

*What a refusal says.* Between the first request that was accepted after a pause and the first one that is accepted
after the next pause lies a period. In it, ``accepted`` requests took ``elapsed`` seconds until one was refused, and
nothing was left for at least ``gap_min`` and at most ``gap_max`` further seconds: the bounds come from ``Retry-After``,
which is rounded up, or from the requests that were refused and accepted while probing.

- All limiters: ``accepted / (elapsed + gap_max)`` was allowed, so the rate is hardly lower.
- Windows and token buckets: at most ``accepted / (elapsed + gap_min)``, since nothing was left in between. A bucket
  without burst does not save what was not used, but its gap is one interval: at most ``1 / gap_min``. The larger of
  the two bounds holds for all limiters, and so does the pace at which the refusal came.

*The pace* starts below the bound, rises to just below it within a few requests, stays there, and after a while rises
faster and faster, since a limit may have been raised, or others may have stopped using it (the curve of TCP CUBIC).
Each refusal that confirms the bound makes the stay four times as long, so that refusals become rare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Share of the bound at which the pace stays.
MARGIN = 0.98
#: Share of the bound at which the pace starts after a refusal, unless more was allowed for certain.
_START = 0.7
#: Factor of the pace with each accepted request, up to the margin.
_RISE = 1.04
#: Accepted requests for which the pace stays at first, and at most.
_FIRST_STAY, _MAX_STAY = 16, 4096
#: Rise of the pace beyond the bound: a step for each request, added up, at most this; more where requests are rare.
_PROBE_STEP, _MAX_PROBE_STEP, _MAX_SLOW_STEP = 0.0015, 0.02, 0.25
#: Part by which a bound is lowered that was refused before the pace stayed at it; it doubles until it does.
_CUT, _MAX_CUT = 0.03, 0.25
#: Turns are granted ahead, so that what was accepted last was still sent at a lower rate.
_LAG = 0.03
#: A bound this close to the one before confirms it.
_CONFIRMS = 0.1
#: Fewer requests than these say nothing where it is unknown how much was left at the beginning.
_MIN_SAMPLE = 5
#: Slowest pace, in requests a second. A pause that Tallyfy asks for may be longer.
MIN_RATE = 1 / 30
#: At this pace nothing is held back any more.
_MAX_RATE = 500.0


@dataclass
class LearnedRate:
    """
    The pace of one kind of request.

    :param rate: Requests a second; 0 as long as no limit is known.
    :param ceiling: The lowest rate that was refused; 0 as long as none is known.
    :param stay: Accepted requests for which the pace stays at the margin.
    :param stayed: Accepted requests since the pace reached it.
    :param since: When the first request of this period was sent.
    :param accepted: Accepted requests of this period.
    :param from_empty: Whether nothing was left when the period began.
    """

    rate: float = 0.0
    ceiling: float = 0.0
    stay: int = _FIRST_STAY
    stayed: int = 0
    since: float = 0.0
    accepted: int = 0
    from_empty: bool = False
    early: int = 2
    accepted_rate: float = 0.0

    @property
    def interval(self) -> float:
        """Seconds between two requests."""
        return 1 / self.rate if self.rate else 0.0

    def begin_period(self, now: float, *, from_empty: bool) -> None:
        """Begin a period with a request that is sent now."""
        self.since, self.accepted, self.from_empty = now, 0, from_empty

    def record_success(self, *, was_paced: bool) -> None:
        """Count an accepted request; one that had to wait for its turn raises the pace."""
        self.accepted += 1
        if not self.rate or not was_paced:
            return
        target = self.ceiling * MARGIN
        if self.rate < target:
            self.rate = min(target, self.rate * _RISE)
            return
        self.stayed += 1
        if self.stayed == _FIRST_STAY:
            self.early = 0
        beyond = self.stayed - self.stay
        if beyond > 0:
            self.accepted_rate = self.rate
            most = min(_MAX_SLOW_STEP, _MAX_PROBE_STEP * max(1.0, self.interval))
            self.rate *= 1 + min(most, _PROBE_STEP * beyond * _FIRST_STAY / self.stay)
        if self.rate > _MAX_RATE:
            self.rate = self.ceiling = 0.0

    def learn(self, elapsed: float, gap_min: float, gap_max: float) -> None:
        """
        Set the pace at the end of a pause.

        :param elapsed: Seconds from the beginning of the period to its first refusal.
        :param gap_min: Seconds after it for which nothing was left at least.
        :param gap_max: Seconds after which something was left at the latest.
        """
        before, was_probing = self.ceiling, self.stayed > self.stay
        allowed, ceiling = self._bounds(elapsed, gap_min, gap_max)
        if was_probing:
            self.early = 0
            ceiling = min(ceiling, self.accepted_rate * (1 - _LAG * math.sqrt(_FIRST_STAY / self.stay)))
        elif self.rate:  # the bound was too high
            ceiling = min(ceiling, max(allowed, self.rate * (1 - min(_MAX_CUT, _CUT * 2**self.early))))
            self.early += 1
        self.ceiling = max(ceiling, MIN_RATE)
        is_confirmed = before and abs(self.ceiling / before - 1) < _CONFIRMS
        self.stay = min(_MAX_STAY, max(self.accepted, self.stay * 4 if is_confirmed else _FIRST_STAY))
        self.stayed = 0
        self.rate = max(MIN_RATE, min(self.ceiling * MARGIN, max(allowed * MARGIN, self.ceiling * _START)))

    def _bounds(self, elapsed: float, gap_min: float, gap_max: float) -> tuple[float, float]:
        """Return a rate that was allowed, and one that was not."""
        if self.rate and not self.from_empty and self.accepted < _MIN_SAMPLE:
            return 0.0, self.rate  # somebody else may have used it up
        allowed = self.accepted / max(elapsed + gap_max, 1e-3)
        over_period = max(1, self.accepted) / max(elapsed + gap_min, 1e-3)
        if not self.rate:
            return allowed, max(over_period, 1 / gap_min if gap_min else 0.0)
        return allowed, min(self.rate, max(over_period, 1 / gap_min)) if gap_min else self.rate
