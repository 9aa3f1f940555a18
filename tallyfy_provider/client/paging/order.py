"""Where a run stands in a list that is sorted by ``created_at``. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from tallyfy_provider.utils.timestamps import parse_timestamp

Row = dict[str, Any]


class Order:
    """
    An order of runs, to the second: not all rows say more (docs/tallyfy-api.md, "Run object").

    :param newest_first: Whether the newest run comes first.
    """

    def __init__(self, *, newest_first: bool = False) -> None:
        self._sign = -1 if newest_first else 1

    def key(self, moment: float) -> int:
        """
        Give the place of a moment in this order.

        :param moment: Seconds since the epoch.
        :return: A whole number that is larger for what comes later.
        """
        return self._sign * math.floor(moment)

    def keys(self, rows: Iterable[Row]) -> list[int | None]:
        """
        Give the places of rows.

        :param rows: Runs as the API gave them.
        :return: A key for each; None for a row without a readable ``created_at``.
        """
        moments = (parse_timestamp(row.get("created_at")) for row in rows)
        return [None if moment is None else self.key(moment) for moment in moments]

    def holds_for(self, rows: Sequence[Row]) -> bool:
        """
        Tell whether rows come in this order.

        :param rows: Runs as the API gave them.
        :return: False also where one of them has no readable ``created_at``.
        """
        keys = self.keys(rows)
        return None not in keys and keys == sorted(key for key in keys if key is not None)


class Place:
    """
    How far rows have been handed on: the second of the last one, and the ids of those in that second.

    :param key: The key of that second.
    :param ids: The ids; None means everything in it.
    """

    def __init__(self, key: int, ids: Iterable[str] | None = None) -> None:
        self.key = key
        self._ids = None if ids is None else set(ids)

    def covers(self, key: int | None, row: Row) -> bool:
        """
        Tell whether a row lies at this place or before it.

        :param key: The row's key; a row without one is taken to be just here.
        :param row: The row.
        :return: Whether it has been handed on, or would have been.
        """
        if key is None:
            return self._ids is not None and str(row["id"]) in self._ids
        if key == self.key:
            return self._ids is None or str(row["id"]) in self._ids
        return key < self.key

    def move_to(self, key: int | None, row: Row) -> None:
        """
        Move on to a row.

        :param key: The row's key.
        :param row: The row; it must not be covered.
        """
        if self._ids is None or (key is not None and key > self.key):
            self.key, self._ids = self.key if key is None else key, set()
        self._ids.add(str(row["id"]))
