"""
Decide when a request of one kind may be sent: paces, pauses and what is under way. Pure, and as JSON in any store.

All clients of an organization share one :class:`Budgets`, through a store that lets one of them change it at a time
(:mod:`tallyfy_provider.client.http.budget_store`). A client asks; it is granted a time, or told when to ask again.

- A refusal (429) pauses its kind of request only. Where a second kind is refused during that pause, both share a limit
  for all that is known, and everything pauses until the earlier end of the two.
- After a pause one request goes first; the others follow when it was accepted, at the learnt pace
  (:mod:`tallyfy_provider.client.http.learned_rate`). Without a hint how long to wait, pauses double,
  as long as it is not known from the last time about how long they are.
- Before anything was refused, the number of requests under way rises from one, so that the first refusal is one of few.
- A client reserves its turn only so far ahead as its priority allows, so that a wait passes a hundred exports.
- A client that ends without a word loses its place after some seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.http.learned_rate import LearnedRate
from tallyfy_provider.client.http.request_kind import Priority
from tallyfy_provider.client.http.responses import DEFAULT_MAX_PAUSE

#: The longest pause in seconds, whatever a store says. Then one request looks whether it still holds.
MAX_PAUSE = DEFAULT_MAX_PAUSE
#: The first pause without a hint, in seconds; the shortest one once a pace is known; and the factor of the next one.
_FIRST_PAUSE, _SHORTEST_PAUSE, _PAUSE_FACTOR = 0.5, 0.2, 2.0
#: Without a hint, the part of the last pause after which is looked again, as long as this one is not longer.
_LAST_PAUSE_SHARE = 0.125
#: A pause is at most so many times longer than the hint that turned out to be wrong.
_MAX_DOUBT = 8.0
#: The end of a pause is spread over this share of it, and at most so many seconds.
_SPREAD, _MAX_SPREAD = 0.02, 2.0
#: A ``Retry-After`` is rounded up by at most so many seconds, as a date and with the date of the response.
_ROUNDING = 2.0
#: Seconds after which a request that was not heard of again no longer counts as under way.
_LEASE = 30.0
#: Accepted requests before more than one is under way at a time; and how many of those are added one by one.
_ALONE, _FAST_START, _SLOW_START, _MAX_WINDOW = 3, 4, 0.25, 256.0
#: Equal numbers of remaining requests, one after the other, that are believed.
_MAX_UNCHANGED = 3
#: Seconds after which is looked again whether fewer are under way.
_LOOK_AGAIN = 0.04
#: Seconds by which a clock may go back without anything being moved.
_MAX_STEP_BACK = 1.0
#: Turns of at least so many seconds are reserved ahead.
_MIN_TURN = 0.05
#: How many may ask too early for each turn, so that one of them is in time, and over how many turns they are spread.
_MIN_CROWD, _MAX_CROWD, _MAX_TURNS, _SPREAD_STEP = 3, 6, 64.0, 1.2
#: A pace that was not used for so many turns and seconds begins a new period.
_IDLE_TURNS, _IDLE_SECONDS = 3, 1.0

#: Of what is stored; another one is not read.
VERSION = 2

Jitter = Callable[[float, float], float]


@dataclass(frozen=True)
class Turn:
    """
    The answer to a client: ``granted`` after ``delay`` seconds, or to ask again after them.

    :param is_pause: Not granted since Tallyfy wants a pause.
    :param is_full: Not granted since too many requests are under way.
    """

    granted: bool
    delay: float
    is_pause: bool = False
    is_full: bool = False


@dataclass
class Budget:
    """The budget of one kind of request."""

    learned: LearnedRate = field(default_factory=LearnedRate)
    next_at: float = 0.0
    #: When it was last heard of a request.
    used_at: float = 0.0
    paused_until: float = 0.0
    #: Number of the pause; requests that were sent before it say nothing about what came after it.
    pause: int = 0
    refused_at: float = 0.0
    #: Refusals since the last accepted request, and bounds of the seconds after the first for which nothing was left.
    refusals: int = 0
    gap_min: float = 0.0
    gap_max: float = 0.0
    #: How many requests may be under way.
    window: float = 1.0
    #: What Tallyfy said last is left, and how often in a row.
    remaining: int = -1
    unchanged: int = 0
    #: Questions since the last turn that came too early, and over how many turns those who ask are spread.
    crowd: int = 0
    spread: float = 1.0
    #: Requests under way: when each was to be sent, in which pause, and whether it had to wait for its turn.
    leases: dict[str, tuple[float, int, bool]] = field(default_factory=dict)

    def ask(self, lease: str, now: float, priority: Priority, jitter: Jitter, paused_until: float) -> Turn:
        """Grant a turn, or tell when to ask again."""
        self._forget_lost(now)
        # Kept, or the end would move along with the time.
        self.paused_until, self.next_at = (min(each, now + MAX_PAUSE) for each in (self.paused_until, self.next_at))
        until = max(self.paused_until, paused_until)
        if until > now:
            pause = until - now
            return Turn(False, pause + jitter(0.0, min(_MAX_SPREAD, pause * _SPREAD)), is_pause=True)
        if len(self.leases) >= max(1, int(self.window)):
            return Turn(False, _LOOK_AGAIN * jitter(0.5, 1.5), is_full=True)
        interval = self.learned.interval
        self._begin_period_after_idling(now, interval)
        at = max(now, self.next_at) if interval else now
        turn = max(interval, _MIN_TURN)
        too_early = at - now - priority * turn
        if too_early > 0:
            self.crowd += 1
            spread = self.spread if priority < Priority.CALL else 1.0
            return Turn(False, too_early + turn * spread * jitter(0.05, 0.9))
        self._adapt_spread()
        self.used_at = now
        self.next_at = at + interval
        self.leases[lease] = (at, self.pause, at > now)
        return Turn(True, at - now)

    def confirm(self, lease: str, now: float, paused_until: float) -> bool:
        """Return whether a turn that was granted still holds after its delay; else it is given back."""
        _, pause, _ = self.leases.get(lease, (0.0, -1, False))
        holds = pause == self.pause and max(self.paused_until, paused_until) <= now
        if not holds:
            self.leases.pop(lease, None)
        return holds

    def record_success(self, lease: str, now: float, remaining: int | None = None) -> None:
        """Count an accepted request; ``remaining`` is what Tallyfy says is left."""
        at, pause, was_paced = self.leases.pop(lease, (now, self.pause, False))
        self.used_at = now
        is_of_this_pause = pause == self.pause
        if is_of_this_pause and self.refusals:
            self._end_refusals(at)
        self.learned.record_success(was_paced=was_paced)
        if is_of_this_pause:
            self._widen()
        if remaining is not None:
            self._heed_remaining(remaining)

    def _widen(self) -> None:
        if self.learned.rate or 1 < self.window < _FAST_START or self.learned.accepted == _ALONE:
            self.window += 1
        elif self.learned.accepted > _ALONE:
            self.window += _SLOW_START / self.window
        self.window = min(self.window, _MAX_WINDOW)

    def _heed_remaining(self, remaining: int) -> None:
        self.unchanged = self.unchanged + 1 if remaining == self.remaining else 0
        self.remaining = remaining
        # A number that stays the same while requests are accepted says nothing.
        if not self.learned.rate and self.unchanged < _MAX_UNCHANGED:
            self.window = min(self.window, max(1, remaining - 1))

    def record_refusal(self, lease: str, now: float, hint: float | None, jitter: Jitter) -> None:
        """Begin or prolong a pause."""
        at, pause, _ = self.leases.pop(lease, (now, self.pause, False))
        self.used_at = now
        if pause != self.pause:  # sent before the pause began
            return
        if self.refusals == 0:
            self.refused_at, self.gap_min, self.gap_max = at, 0.0, MAX_PAUSE
        self.refusals += 1
        since_first = at - self.refused_at
        self.gap_min = max(self.gap_min, since_first, since_first + (hint or 0.0) - _ROUNDING)
        self.gap_max = since_first + hint if hint else MAX_PAUSE
        self.begin_pause(now, self._pause_length(hint, since_first), jitter)

    def begin_pause(self, now: float, seconds: float, jitter: Jitter, lease: str = "") -> None:
        """Hold back everything for a while; with the lease of the request that is the reason."""
        self.leases.pop(lease, None)
        self.used_at = now
        seconds = min(seconds, MAX_PAUSE)
        seconds += jitter(0.0, min(_MAX_SPREAD, seconds * _SPREAD))
        self.paused_until = max(self.paused_until, now + seconds)
        self.pause += 1
        self.window = 1.0

    def forget(self, lease: str) -> None:
        """Give a turn back of which nothing is known."""
        self.leases.pop(lease, None)

    def _adapt_spread(self) -> None:
        if self.crowd > _MAX_CROWD:
            self.spread = min(_MAX_TURNS, self.spread * _SPREAD_STEP)
        elif self.crowd < _MIN_CROWD:
            self.spread = max(1.0, self.spread / _SPREAD_STEP)
        self.crowd = 0

    def _pause_length(self, hint: float | None, waited: float) -> float:
        first = max(2 * self.learned.interval, _SHORTEST_PAUSE) if self.learned.rate else _FIRST_PAUSE
        own = first * _PAUSE_FACTOR ** min(self.refusals - 1, 20)
        if not hint:
            # The last pause tells about how long this one will be: its end is looked for more closely then.
            last = self.learned.price
            return min(own, max(first, last * _LAST_PAUSE_SHARE)) if waited < last else own
        # Refused again after a hint was obeyed: then the hint is wrong, and pauses grow, but not beyond all measure.
        return max(hint, min(own, _MAX_DOUBT * hint) if self.refusals > 2 else 0.0)

    def _end_refusals(self, at: float) -> None:
        gap_max = max(self.gap_min, min(self.gap_max, at - self.refused_at))
        self.learned.learn(max(0.0, self.refused_at - self.learned.since), self.gap_min, gap_max)
        self.learned.begin_period(at, from_empty=True)
        self.refusals = 0
        self.next_at = max(self.next_at, at + self.learned.interval)

    def _begin_period_after_idling(self, now: float, interval: float) -> None:
        if self.refusals or self.leases:
            return
        idle = now - max(self.next_at, self.used_at)
        if not self.learned.since or (idle > max(_IDLE_TURNS * interval, _IDLE_SECONDS)):
            self.learned.begin_period(now, from_empty=False)

    def _forget_lost(self, now: float) -> None:
        lost = [lease for lease, (at, *_) in self.leases.items() if not now - _LEASE < at < now + MAX_PAUSE]
        for lease in lost:
            del self.leases[lease]

    def move(self, seconds: float) -> None:
        """Move all times."""
        self.next_at += seconds
        self.used_at += seconds
        self.paused_until += seconds
        self.refused_at += seconds
        self.learned.since += seconds if self.learned.since else 0.0
        self.leases = {lease: (at + seconds, pause, paced) for lease, (at, pause, paced) in self.leases.items()}


@dataclass
class Budgets:
    """The budgets of all kinds of request of one organization and credential."""

    kinds: dict[str, Budget] = field(default_factory=dict)
    #: End of a pause of all kinds.
    paused_until: float = 0.0

    def of(self, kind: str) -> Budget:
        """Return the budget of a kind."""
        return self.kinds.setdefault(kind, Budget())

    def ask(self, kind: str, lease: str, now: float, priority: Priority, jitter: Jitter) -> Turn:
        """Grant a turn, or tell when to ask again."""
        self.paused_until = min(self.paused_until, now + MAX_PAUSE)
        return self.of(kind).ask(lease, now, priority, jitter, self.paused_until)

    def follow_clock(self, now: float) -> None:
        """Move all times back as the clock was, or everybody would wait for as long as it was ahead."""
        ahead = max((budget.used_at for budget in self.kinds.values()), default=now) - now
        if ahead <= _MAX_STEP_BACK:
            return
        self.paused_until -= ahead
        for budget in self.kinds.values():
            budget.move(-ahead)

    def confirm(self, kind: str, lease: str, now: float) -> bool:
        """Return whether a turn that was granted still holds after its delay; else it is given back."""
        return self.of(kind).confirm(lease, now, self.paused_until)

    def record_refusal(self, kind: str, lease: str, now: float, hint: float | None, jitter: Jitter) -> None:
        """Begin or prolong a pause of a kind; of all where another kind is paused, too."""
        budget = self.of(kind)
        was_paused = budget.paused_until > now
        budget.record_refusal(lease, now, hint, jitter)
        others = [other for name, other in self.kinds.items() if name != kind and other.paused_until > now]
        if others and not was_paused:
            self.paused_until = min(budget.paused_until, *(other.paused_until for other in others))

    def to_json(self) -> dict[str, Any]:
        """Return this as JSON."""
        kinds = {name: {**vars(budget), "learned": vars(budget.learned)} for name, budget in self.kinds.items()}
        return {"version": VERSION, "kinds": kinds, "paused_until": self.paused_until}

    @classmethod
    def from_json(cls, data: Any) -> Budgets:
        """
        Read what :meth:`to_json` wrote.

        :raises (TypeError, ValueError, KeyError, AttributeError): It was written by something else.
        """
        if data["version"] != VERSION:
            raise ValueError("another version")
        kinds = {name: _budget_from_json(budget) for name, budget in data["kinds"].items()}
        return cls(kinds, _number(data["paused_until"]))


def _budget_from_json(data: dict[str, Any]) -> Budget:
    leases = {key: (_number(at), int(pause), bool(paced)) for key, (at, pause, paced) in data["leases"].items()}
    learned = LearnedRate(**{name: _number(value) for name, value in data["learned"].items()})
    numbers = {name: _number(value) for name, value in data.items() if name not in {"leases", "learned"}}
    return Budget(learned=learned, leases=leases, **numbers)


def _number(value: Any) -> Any:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("no number")
    return value
