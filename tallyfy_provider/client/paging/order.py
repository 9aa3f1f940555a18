"""Where a run stands in a list that is sorted by ``created_at``. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tallyfy_provider.client.paging.page import Row
from tallyfy_provider.utils.timestamps import parse_timestamp


@dataclass(frozen=True)
class Range:
    """
    The part of a list that is wanted.

    :param count: At most so many rows; None means all.
    :param after: Only runs created at this moment or later, in seconds since the epoch.
    :param before: Only runs created before this moment, in seconds since the epoch.
    """

    count: int | None = None
    after: float | None = None
    before: float | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether it has a bound in time."""
        return self.after is not None or self.before is not None

    def holds(self, row: Row) -> bool:
        """Tell whether a run lies between the bounds; one without a readable ``created_at`` is not lost for that."""
        if not self.is_bounded:
            return True
        moment = parse_timestamp(row.get("created_at"))
        if moment is None:
            return True
        return (self.after is None or moment >= self.after) and (self.before is None or moment < self.before)


class Order:
    """
    The order of runs by ``created_at``, to the second: not all rows say more (docs/tallyfy-api.md, "Run object").

    :param newest_first: Whether the newest run comes first.
    """

    def __init__(self, *, newest_first: bool = False) -> None:
        self._sign = -1 if newest_first else 1

    def key(self, moment: float) -> int:
        """Return a number for a moment (seconds since the epoch) that is larger for what comes later in the list."""
        return self._sign * math.floor(moment)

    def keys(self, rows: Sequence[Row]) -> list[int] | None:
        """Return the keys of rows; None where a row has no readable ``created_at``, or they are not in this order."""
        keys: list[int] = []
        for row in rows:
            moment = parse_timestamp(row.get("created_at"))
            if moment is None:
                return None
            keys.append(self.key(moment))
        return keys if all(one <= other for one, other in pairwise(keys)) else None


class Bookmark:
    """
    The place in the order up to which a list is covered: a second, and the ids of the runs of that second.

    :param key: The key of that second.
    :param ids: The ids; None means all runs of that second.
    """

    def __init__(self, key: float = -math.inf, ids: Iterable[str] | None = None) -> None:
        self.key = key
        self._ids = None if ids is None else set(ids)

    def covers(self, key: int, row: Row) -> bool:
        """Tell whether a row lies at this place or before it."""
        if key == self.key:
            return self._ids is None or str(row["id"]) in self._ids
        return key < self.key

    def move_to(self, key: int, row: Row) -> None:
        """Move on to a row that is not covered."""
        if self._ids is None or key > self.key:
            self.key, self._ids = key, set()
        self._ids.add(str(row["id"]))

    def copy(self) -> Bookmark:
        """Return a bookmark at the same place."""
        return Bookmark(self.key, self._ids)
