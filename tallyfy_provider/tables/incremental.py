"""Which of the listed runs belong to an export, and where the next one has to begin. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tallyfy_provider.tables.values import text_of
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Seconds before the beginning of an export within which a change may not have been seen by it: a change that is made
#: while pages are read, a list that lags behind, and clocks that differ.
SETTLING = 600


@dataclass(frozen=True)
class Bounds:
    """The bounds of an export, each None for no bound."""

    #: Runs created then or later.
    created_after: datetime | None = None
    #: Runs created earlier than that.
    created_before: datetime | None = None
    #: Runs changed then or later.
    updated_after: datetime | None = None

    @property
    def of_creation(self) -> dict[str, datetime]:
        """The bounds on ``created_at`` that are set, as the client takes them."""
        bounds = {"created_after": self.created_after, "created_before": self.created_before}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    @property
    def shown(self) -> dict[str, str]:
        """The bounds that are set, for people."""
        bounds = {**self.of_creation, "updated_after": self.updated_after}
        return {name: text_of(bound) for name, bound in bounds.items() if bound is not None}


@dataclass
class Selection:
    """
    Takes the runs that lie within bounds, and remembers what a user should know about them.

    A run whose date is missing or cannot be read is taken: it is better written twice than lost.
    """

    bounds: Bounds
    #: Take no more than so many; None takes all.
    max_runs: int | None = None
    #: Whether runs that have not changed since ``updated_after`` are taken as well.
    takes_unchanged: bool = False
    #: Runs that were taken.
    taken: int = 0
    #: Runs that were left out because they had not changed since ``updated_after``.
    unchanged: int = 0
    #: The newest ``last_updated`` of those taken, in seconds since the epoch.
    newest: float | None = None
    #: Whether ``max_runs`` ended it, so that there may be more.
    cut_short: bool = False
    _edges: tuple[float, float, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._edges = (
            _seconds(self.bounds.created_after, -math.inf),
            _seconds(self.bounds.created_before, math.inf),
            _seconds(self.bounds.updated_after, -math.inf),
        )

    def of(self, runs: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the runs within the bounds."""
        for run in runs:
            if not self._admits(run):
                continue
            self.taken += 1
            yield run
            if self.taken == self.max_runs:
                self.cut_short = True
                return

    def _admits(self, run: Mapping[str, Any]) -> bool:
        created_after, created_before, updated_after = self._edges
        created = parse_timestamp(run.get("created_at"))
        if created is not None and not created_after <= created < created_before:
            return False
        updated = parse_timestamp(run.get("last_updated"))
        if updated is None:
            return True
        if updated < updated_after and not self.takes_unchanged:
            self.unchanged += 1
            return False
        if self.newest is None or updated > self.newest:
            self.newest = updated
        return True

    @property
    def last_updated(self) -> str | None:
        """The newest ``last_updated`` of the runs taken, in ISO 8601 and UTC."""
        return None if self.newest is None else text_of(datetime.fromtimestamp(self.newest, UTC))

    def next_updated_after(self, started: float) -> str | None:
        """
        Return the ``updated_after`` with which the next export loses no change between the two.

        It is the newest change seen, but no later than the settling time before this export ``started``, when the first
        page was requested: a run that changed after its page was read has an older ``last_updated`` than one that was
        read later. An export that may not have seen all, or that saw none, keeps the bound, unless that lies in the
        future: then the bound is the start of this export. None where there was no bound and nothing was seen.
        """
        before = self.bounds.updated_after
        beginning = datetime.fromtimestamp(math.floor(started), UTC)
        if self.newest is None or self.cut_short:
            return None if before is None else text_of(min(before, beginning))
        seen = datetime.fromtimestamp(math.floor(min(self.newest, started - SETTLING)), UTC)
        return text_of(seen if before is None else min(max(before, seen), beginning))


def _seconds(timestamp: datetime | None, otherwise: float) -> float:
    return otherwise if timestamp is None else timestamp.timestamp()
