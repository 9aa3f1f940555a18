"""
Clients that list under a rate limit, in virtual time: the emulator's limiters, the provider's budget or another way.

Everything is an event in a queue, so an hour passes in a second, and each run is the same as the last one.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tallyfy_emulator.middleware.limit_kinds import KINDS
from tallyfy_provider.client.http.budget import Budgets, Priority

#: Seconds from a request to its response.
LATENCY = 0.08
#: When virtual time begins.
START = 1_000_000.0
#: Questions to a policy after which a run is given up.
_MAX_QUESTIONS = 2_000_000


class Policy(Protocol):
    """How clients keep to a limit."""

    def ask(self, client: int, request: str, now: float) -> tuple[str, float]:
        """Return ``go`` after some seconds, ``ask`` again after them, or ``fail``."""

    def confirm(self, client: int, request: str, now: float) -> bool:
        """Return whether a request that was to go after a delay may go now."""

    def accept(self, client: int, request: str, now: float, remaining: int | None) -> None:
        """Take the response to an accepted request, with what remains."""

    def refuse(self, client: int, request: str, now: float, hint: float | None) -> None:
        """Take the response to a refused request, with a hint how long to wait, or without."""


class Shared:
    """The provider's way: one budget for all clients, or, with ``alone``, one for each."""

    def __init__(self, seed: int, *, kind: str = "reads", alone: bool = False) -> None:
        self.random = random.Random(seed)
        self.budgets: dict[int, Budgets] = {}
        self.kind = kind
        self.alone = alone
        self.priorities: dict[int, Priority] = {}

    def _of(self, client: int) -> Budgets:
        return self.budgets.setdefault(client if self.alone else 0, Budgets())

    def ask(self, client: int, request: str, now: float) -> tuple[str, float]:
        """Ask the budget."""
        priority = self.priorities.get(client, Priority.LIST)
        turn = self._of(client).ask(self.kind, request, now, priority, self.random.uniform)
        return ("go" if turn.granted else "ask"), turn.delay

    def confirm(self, client: int, request: str, now: float) -> bool:
        """Ask the budget."""
        return self._of(client).confirm(self.kind, request, now)

    def accept(self, client: int, request: str, now: float, remaining: int | None) -> None:
        """Tell the budget."""
        self._of(client).of(self.kind).record_success(request, now, remaining)

    def refuse(self, client: int, request: str, now: float, hint: float | None) -> None:
        """Tell the budget."""
        self._of(client).record_refusal(self.kind, request, now, hint, self.random.uniform)


@dataclass
class Outcome:
    """What a run showed."""

    seconds: float = 0.0
    accepted: int = 0
    refused: int = 0
    #: Refused requests beyond the first one of a pause.
    beyond_first: int = 0
    failed: int = 0
    questions: int = 0
    #: When each client's requests were accepted.
    times: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class Run:
    """
    One run.

    :param limit: Requests and seconds.
    :param hints: as the emulator's: ``seconds``, ``date``, ``headers`` or ``none``.
    :param clients: Processes; each has four threads.
    :param total: Requests that all clients share.
    :param latency: Seconds from a request to its response.
    """

    kind: str
    limit: tuple[int, float]
    hints: str
    clients: int
    total: int
    threads: int = 4
    seed: int = 1
    latency: float = LATENCY

    def simulate(self, policy: Policy) -> Outcome:
        """Let the clients list, and return what was seen."""
        events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        order = itertools.count()
        chance = random.Random(self.seed)
        limiter = KINDS[self.kind](self.limit[0], self.limit[1])
        outcome = Outcome()
        left, names = [self.total], itertools.count()
        last_refusal = [-math.inf]
        failed: set[int] = set()

        def at(when: float, action: Callable[..., None], *args: Any) -> None:
            heapq.heappush(events, (when, next(order), action, args))

        def begin(now: float, client: int) -> None:
            if left[0] > 0 and client not in failed:
                left[0] -= 1
                ask(now, client, f"r{next(names)}")

        def ask(now: float, client: int, request: str) -> None:
            outcome.questions += 1
            word, delay = policy.ask(client, request, now)
            if word == "fail":
                failed.add(client)
            elif word == "ask":
                at(now + delay, ask, client, request)
            elif delay > 0:
                at(now + delay, confirm, client, request)
            else:
                send(now, client, request)

        def confirm(now: float, client: int, request: str) -> None:
            (send if policy.confirm(client, request, now) else ask)(now, client, request)

        def send(now: float, client: int, request: str) -> None:
            at(now + self.latency * chance.uniform(0.2, 0.25), arrive, client, request, now)

        def arrive(now: float, client: int, request: str, sent_at: float) -> None:
            wait = limiter.admit(now)
            remaining = limiter.remaining(now) if self.hints in {"seconds", "headers"} else None
            at(now + self.latency * chance.uniform(0.7, 0.8), answer, client, request, sent_at, wait, remaining)

        def answer(now: float, client: int, request: str, sent_at: float, wait: float, remaining: int | None) -> None:
            if not wait:
                outcome.accepted += 1
                outcome.seconds = now - START
                outcome.times.setdefault(client, []).append(now - START)
                policy.accept(client, request, now, remaining)
                begin(now, client)
                return
            outcome.refused += 1
            outcome.beyond_first += sent_at <= last_refusal[0]
            if sent_at > last_refusal[0]:
                last_refusal[0] = now
            policy.refuse(client, request, now, self._hint(wait, now))
            ask(now, client, request)

        for thread in range(self.clients * self.threads):
            at(START + chance.uniform(0, 0.02), begin, thread % self.clients)
        while events and outcome.questions < _MAX_QUESTIONS:
            when, _, action, args = heapq.heappop(events)
            action(when, *args)
        outcome.failed = len(failed)
        return outcome

    def _hint(self, wait: float, now: float) -> float | None:
        if self.hints == "none":
            return None
        if self.hints == "date":  # counted from a Date that is rounded down
            return float(max(1, math.ceil(now + wait) - math.floor(now)))
        return float(max(1, math.ceil(wait)))

    def share(self, outcome: Outcome) -> float:
        """Return the share of the allowed rate; the burst that a limiter allows at first may make it more than 1."""
        requests, seconds = self.limit
        return outcome.accepted * seconds / requests / max(outcome.seconds, 1e-9)
