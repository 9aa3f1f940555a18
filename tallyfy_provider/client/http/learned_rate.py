"""
Learn from refusals how many requests a second are allowed. Pure.

Tallyfy's limits are published in several versions, and a proxy before it may have its own, so nothing is assumed about
the kind of limiter: fixed or sliding window, token or leaky bucket. A steady pace just below the allowed rate passes
all of them; what has to be found is that rate. It is searched for between two rates, one that was accepted for a while
and one that was refused.

*What a refusal says.* Between the first request that was accepted after a pause and the first one that is accepted
after the next pause lies a period. In it, ``accepted`` requests took ``elapsed`` seconds until one was refused, and
nothing was left for at least ``gap_min`` and at most ``gap_max`` further seconds: the bounds come from ``Retry-After``,
which is rounded up, or from the requests that were refused and accepted while probing.

- All limiters: ``accepted / (elapsed + gap_max)`` was allowed, so the rate is hardly lower.
- Windows and token buckets: at most ``accepted / (elapsed + gap_min)``, since nothing was left in between. A bucket
  without burst does not save what was not used, but its gap is one interval: at most ``1 / gap_min``. The larger of
  the two bounds holds for all limiters, and so does the pace at which the refusal came.

*How long a pace is tried.* A window tells only at its end that a pace is too high, so each is tried for as many
requests as windows seem to have. And the next refusal has a price, the requests that its pause will cost: the less
there is to gain, the longer it is put off. When hardly anything is left to gain, the pace stays, four times as long
each time that a look beyond it is refused. A look that is not refused is followed by larger ones, since then the limit
was raised, or others have stopped using it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: A pace whose refused neighbour is not further away than this stays.
_PRECISION = 1.05
#: The rate that was refused, divided by the lowest one that is looked for at first.
_SPAN = 16
#: Fewest and most requests for which a pace is tried; and where it is hardly more than a guess.
_MIN_TRIAL, _MAX_TRIAL, _VAGUE_TRIAL = 5, 256, 2
#: Accepted requests for which a pace stays at first, and at most; and seconds, where requests are rare.
_FIRST_STAY, _MAX_STAY, _MAX_STAY_SECONDS = 512, 4096, 600.0
#: The first step beyond a pace that stayed; the next ones are twice as large each, up to the largest.
_FIRST_STEP, _LARGE_STEP, _MAX_STEP = 0.025, 0.2, 0.5
#: Part by which a pace is lowered that had been accepted for a while; twice as much each time until one is accepted.
_CUT, _MAX_CUT = 0.02, 0.5
#: Part of what a refusal costs that has to be gained before it is risked.
_PRICE = 0.25
#: Fewer requests than these say nothing where it is unknown how much was left at the beginning.
_MIN_SAMPLE = 5
#: Slowest pace, in requests a second. A pause that Tallyfy asks for may be longer.
MIN_RATE = 1 / 60
#: At this pace nothing is held back any more.
_MAX_RATE = 500.0


@dataclass
class LearnedRate:
    """
    The pace of one kind of request.

    :param rate: Requests a second; 0 as long as no limit is known.
    :param passed: The highest rate that was accepted for a while.
    :param allowed: The rate that was accepted in all between the last pauses.
    :param refused: The lowest rate that was refused; 0 where none is known that still counts.
    :param trial: Accepted requests for which the present pace is tried, or stays.
    :param tried: Accepted requests at the present pace.
    :param stay: Accepted requests for which a pace stays that was found.
    :param step: The last step beyond a pace that stayed; 0 while none is made.
    :param sample: The requests that were accepted until the last refusal: hardly more has a window, or a bucket saved;
        0 if unknown.
    :param cuts: Refusals of paces that had been accepted, since one was accepted again.
    :param price: Seconds that the last refusal took.
    :param since: When the first request of this period was sent.
    :param accepted: Accepted requests of this period.
    :param from_empty: Whether nothing was left when the period began.
    """

    rate: float = 0.0
    passed: float = 0.0
    allowed: float = 0.0
    refused: float = 0.0
    trial: float = _MIN_TRIAL
    tried: int = 0
    stay: float = _FIRST_STAY
    step: float = 0.0
    cuts: int = 0
    sample: int = 0
    price: float = 0.0
    since: float = 0.0
    accepted: int = 0
    from_empty: bool = False

    @property
    def interval(self) -> float:
        """Seconds between two requests."""
        return 1 / self.rate if self.rate else 0.0

    def begin_period(self, now: float, *, from_empty: bool) -> None:
        """Begin a period with a request that is sent now."""
        self.since, self.accepted, self.from_empty = now, 0, from_empty

    def record_success(self, *, was_paced: bool) -> None:
        """Count an accepted request; enough of those that had to wait for their turn raise the pace."""
        self.accepted += 1
        if not self.rate or not was_paced:
            return
        self.tried += 1
        if self.tried < self.trial:
            return
        self.passed = self.rate
        if self._is_found and not self.step and self.trial < self._stay:
            self._try(self.rate, self._stay)
        elif self.refused and not self._is_found:
            self._search()
        else:
            self._look_beyond()

    @property
    def _is_found(self) -> bool:
        return 0 < self.refused <= self._lowest * _PRECISION

    @property
    def _lowest(self) -> float:
        return max(self.passed, self.allowed)

    @property
    def _stay(self) -> float:
        return min(self.stay, max(_MIN_TRIAL, _MAX_STAY_SECONDS * self.rate))

    @property
    def _trial(self) -> float:
        return max(_MIN_TRIAL, min(2 * self.sample, _MAX_TRIAL)) if self.sample else _VAGUE_TRIAL

    def _try(self, rate: float, trial: float) -> None:
        self.rate, self.trial, self.tried = max(MIN_RATE, rate), trial, 0
        if self.rate > _MAX_RATE:
            self.rate = self.refused = self.passed = 0.0

    def _search(self) -> None:
        """Try a pace between the two that are known."""
        rate = math.sqrt(max(self._lowest, self.refused / _SPAN) * self.refused)
        gain = self.refused / rate - 1
        self._try(rate, max(self._trial, _PRICE * self.price * rate / gain))

    def _look_beyond(self) -> None:
        """Try a pace that is higher than the one that stayed."""
        self.step = min(_MAX_STEP, self.step * 2 or _FIRST_STEP)
        self.refused, self.cuts = 0.0, 0
        self._try(self.rate * (1 + self.step), self._trial)

    def learn(self, elapsed: float, gap_min: float, gap_max: float) -> None:
        """
        Set the pace at the end of a pause.

        :param elapsed: Seconds from the beginning of the period to its first refusal.
        :param gap_min: Seconds after it for which nothing was left at least.
        :param gap_max: Seconds after which something was left at the latest.
        """
        is_vague = not self.rate and self.accepted < _MIN_SAMPLE and gap_min > elapsed
        allowed, refused = self._bounds(elapsed, gap_min, gap_max)
        self.price, self.sample = gap_max, self.accepted
        self.refused = max(MIN_RATE, refused)
        if self.step:
            self.stay = min(_MAX_STAY, self.stay * 4) if self.step < _LARGE_STEP else _FIRST_STAY
            self.step = 0.0
        if self.passed >= self.refused / (1 + _FIRST_STEP / 2):  # what was accepted before is not any more
            self.passed = self.refused * (1 - min(_MAX_CUT, _CUT * 2**self.cuts))
            self.cuts += 1
        self.allowed = min(allowed, self.refused)
        if is_vague:  # a pause so soon may have any reason: look far beyond before long
            self.step, self.sample = _MAX_STEP, 0
            self._try(self.refused, self._trial)
            self.refused = 0.0
        elif self._is_found:
            self._try(self._lowest, self._stay)
        elif not self._lowest:  # a pace just below: it is right for a window, and tells all if it is refused, too
            self._try(self.refused * (1 - _CUT), self._trial)
        else:
            self._search()

    def _bounds(self, elapsed: float, gap_min: float, gap_max: float) -> tuple[float, float]:
        """Return a rate that was allowed, and one that was not."""
        if self.rate and self.accepted < _MIN_SAMPLE and (self.passed or not self.from_empty):
            return 0.0, self.rate  # somebody else may have used it up, or a window moves over what was sent long ago
        # What a bucket had saved before the first refusal says nothing; a window leaves a longer gap.
        is_saved = not self.from_empty and gap_min < elapsed
        allowed = 0.0 if is_saved else self.accepted / max(elapsed + gap_max, 1e-3)
        over_period = max(1, self.accepted) / max(elapsed + gap_min, 1e-3)
        if not self.rate:
            return allowed, max(over_period, 1 / gap_min if gap_min else 0.0)
        return allowed, min(self.rate, max(over_period, 1 / gap_min)) if gap_min else self.rate
