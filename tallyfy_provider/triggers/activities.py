"""
The activity feed: which runs had something happen to them since a moment. Pure but for :func:`read_feed`.

Tallyfy has no filter for "changed since" on runs; the feed is the only list of what happened (docs/tallyfy-api.md,
"Activity feed"). Its rows are by the day, newest first, and may come late, twice, or about a task where one would
expect them about the run: so a reader overlaps what it reads, remembers rows by id, and only takes a row as a hint to
look at the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.paging.sequential import SequentialPaginator
from tallyfy_provider.utils.timestamps import parse_timestamp

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient

#: Seconds by which a row may come late, and still be seen: as long are rows read again and known by their ids.
SETTLING = 600.0
#: Seconds that a row which could not be acted on holds the reader back, at most.
LONGEST_HOLD = 86_400.0
_RUN_NAMES = frozenset({"run", "process"})


@dataclass(frozen=True)
class Activity:
    """
    That something happened to a run, or to something in it.

    :param row_id: The feed's own id of the row.
    :param verb: What happened, in Tallyfy's word.
    :param run_id: The run.
    :param at: When, in seconds since the epoch; 0 where the row does not say.
    :param is_about_the_run: Whether it happened to the run itself, not to a task or a comment of it.
    """

    row_id: str
    verb: str
    run_id: str
    at: float
    is_about_the_run: bool = True


def read_row(row: Mapping[str, Any]) -> Activity | None:
    """
    Read a row of the feed.

    :param row: The row; most of its columns are lists of one. Both documented namings of what it is about are taken:
        ``auditable``/``parentable`` and ``entity``.
    :return: What it says, or None where it is about no run.
    """
    names = [name for name in ("auditable", "entity", "parentable") if _is_run(row, name)]
    verb = _one(row.get("verb"))
    if not names or not verb:
        return None
    return Activity(
        row_id=str(row["id"]),
        verb=str(verb).lower(),
        run_id=str(row[f"{names[0]}_id"]),
        at=parse_timestamp(_one(row.get("created_at"))) or 0.0,
        is_about_the_run=names[0] != "parentable",
    )


def _is_run(row: Mapping[str, Any], name: str) -> bool:
    kind = str(_one(row.get(f"{name}_type")) or "")
    return kind.replace("\\", "/").rpartition("/")[2].lower() in _RUN_NAMES and row.get(f"{name}_id") not in (None, "")


def _one(value: Any) -> Any:
    return (value[0] if value else None) if isinstance(value, list) else value


@dataclass(frozen=True)
class Cursor:
    """
    How far the feed has been read.

    :param since: Everything before this moment has been read, in seconds since the epoch.
    :param seen: Ids of the rows since then that have been read, to their moments.
    :param reported: Ids of the events since then that have been reported, to their moments.
    """

    since: float
    seen: Mapping[str, float] = field(default_factory=dict)
    reported: Mapping[str, float] = field(default_factory=dict)

    def news(self, activities: Iterable[Activity]) -> list[Activity]:
        """
        Tell which activities have not been read yet.

        :param activities: Activities in any order.
        :return: The new ones, the oldest first, each row once.
        """
        new = {one.row_id: one for one in activities if one.row_id not in self.seen and not self._is_past(one)}
        return sorted(new.values(), key=lambda one: (one.at, len(one.row_id), one.row_id))

    def _is_past(self, activity: Activity) -> bool:
        return bool(activity.at) and activity.at < self.since

    def advance(self, read: Iterable[Activity], held: Iterable[Activity] = (), reported: Iterable[str] = ()) -> Cursor:
        """
        Give the cursor after activities have been acted on.

        :param read: Activities that need not be read again.
        :param held: Activities that could not be acted on: they are read again, for a day at most.
        :param reported: Ids of the events that were reported for them.
        :return: The new cursor.
        """
        held = list(held)
        read = [one for one in read if one not in held]
        seen = {**self.seen, **{one.row_id: one.at or self.since for one in read}}
        newest = max([self.since + SETTLING, *(one.at for one in read)])
        since = newest - SETTLING
        if held:
            since = min(since, max(min(one.at or since for one in held), newest - LONGEST_HOLD))
        since = max(since, self.since)
        everything = {**self.reported, **dict.fromkeys(reported, newest)}
        return Cursor(
            since,
            {row_id: at for row_id, at in seen.items() if at >= since},
            {event_id: at for event_id, at in everything.items() if at >= since},
        )

    def to_dict(self) -> dict[str, Any]:
        """
        Give the cursor as JSON primitives.

        :return: What :meth:`from_dict` takes.
        """
        return {"since": self.since, "seen": dict(self.seen), "reported": dict(self.reported)}

    @classmethod
    def from_dict(cls, data: Any) -> Cursor | None:
        """
        Read what :meth:`to_dict` gave.

        :param data: JSON primitives, or anything else that was stored.
        :return: The cursor; None where it is none.
        """
        try:
            seen, reported = dict(data["seen"]), dict(data["reported"])
            return cls(float(data["since"]), seen, reported)
        except (TypeError, KeyError, ValueError):
            return None


def read_feed(client: TallyfyClient, since: float | None) -> list[Activity]:
    """
    Read the feed back to a moment.

    :param client: The client.
    :param since: Seconds since the epoch; None reads back the settling time, from the newest row on.
    :return: What happened to runs, the newest first; a row that came twice is given once.
    :raises TallyfyError: Of the kind that fits.
    """
    walk = ForwardWalk("activities", per_page=100)
    activities: list[Activity] = []
    after = None if since is None else datetime.fromtimestamp(since, UTC) - timedelta(days=1)
    while not walk.over:
        page = client.activity_feed.get_page(walk.number, created_after=after.date() if after else None)
        rows = walk.accept(page)
        activities += [activity for row in rows if (activity := read_row(row))]
        oldest = min((moment for row in rows if (moment := parse_timestamp(_one(row.get("created_at"))))), default=None)
        if since is None:
            since = max((activity.at for activity in activities), default=0.0) - SETTLING
        if oldest is not None and oldest < since:
            break
    return activities
