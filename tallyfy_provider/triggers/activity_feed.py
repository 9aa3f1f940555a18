"""
The activity feed: which runs had something happen to them since some time, and which events a Dag can start on.

Tallyfy has no filter for "changed since" on runs; the feed is the only list of what happened (docs/tallyfy-api.md,
"Activity feed"). Its rows have days as their finest filter, come newest first, and may come late, twice, or about a
task where one would expect them about the run. So a reader overlaps what it reads, remembers rows by id, and takes a
row only as a hint to look at the run, which confirms the event.

A Dag file with a watcher imports this module whenever it is parsed, so nothing here imports an HTTP client.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.redaction import shown
from tallyfy_provider.client.runs.status import ARCHIVED, COMPLETE, compact, statuses_of
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
)
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.suggestions import did_you_mean
from tallyfy_provider.utils.timestamps import is_date, parse_timestamp

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient
    from tallyfy_provider.triggers.executor import ConnectionExecutor

log = logging.getLogger(__name__)

LAUNCHED, COMPLETED, ARCHIVED_EVENT, REOPENED, PROBLEM = "launched", "completed", "archived", "reopened", "problem"
EVENTS = (LAUNCHED, COMPLETED, ARCHIVED_EVENT, REOPENED, PROBLEM)

#: Tallyfy's words for them. ``launched`` is what one page calls what another calls ``created``.
_EVENTS_OF_VERBS: Mapping[str, str] = {
    "created": LAUNCHED,
    "launched": LAUNCHED,
    "completed": COMPLETED,
    "archived": ARCHIVED_EVENT,
    "re-opened": REOPENED,
    "reopened": REOPENED,
    "unarchived": REOPENED,
    "issue-reported": PROBLEM,
}
_RUN_NAMES = frozenset({"run", "process"})

#: Seconds by which a row may come late: rows are read again for as long, and known by their ids.
SETTLING = 600.0
#: Seconds that a row which could not be acted on holds the reader back, at most.
LONGEST_HOLD = 86_400.0
_SECONDS_BETWEEN_WARNINGS = 600.0


def check_events(events: Iterable[str]) -> list[str]:
    """
    Return names of events, of a list or of text with commas, each once.

    A name that does not exist is refused, and the nearest suggested.
    """
    names = arguments.names("events", sorted(events, key=str) if isinstance(events, (set, frozenset)) else events) or []
    for name in names:
        if name not in EVENTS:
            hint = did_you_mean(str(name), EVENTS) or f"; the events are {', '.join(EVENTS)}."
            raise TallyfyInputError(f"events: {arguments.as_written(name)} is not an event of a run{hint}")
    if not names:
        raise TallyfyInputError(f"events is empty; the events are {', '.join(EVENTS)}.")
    return names


@dataclass(frozen=True)
class Activity:
    """That something happened to a run, or to something in it; ``at`` is 0 where the row does not say when."""

    row_id: str
    verb: str
    run_id: str
    at: float
    is_about_the_run: bool = True

    @property
    def event(self) -> str | None:
        """The event that the row hints at, or None."""
        return _EVENTS_OF_VERBS.get(self.verb)


def read_row(row: Mapping[str, Any]) -> Activity | None:
    """
    Read a row of the feed; None where it is about no run.

    Most of its columns are lists of one. Both documented namings of what it is about are accepted:
    ``auditable``/``parentable`` and ``entity``.
    """
    names = [name for name in ("auditable", "entity", "parentable") if _is_run(row, name)]
    verb = _one(row.get("verb"))
    if not names or not verb:
        return None
    return Activity(
        row_id=str(row["id"]),
        verb=str(verb).lower(),
        run_id=str(_one(row[f"{names[0]}_id"])),
        at=_moment(row),
        is_about_the_run=names[0] != "parentable",
    )


def _moment(row: Mapping[str, Any]) -> float:
    """Return when a row says that something happened; 0 where it does not, or makes no sense."""
    moment = parse_timestamp(_one(row.get("created_at"))) or 0.0
    # A date in the far future would put the cursor there, and everything that happens until then behind it.
    return moment if 0 < moment < time.time() + LONGEST_HOLD else 0.0


def _is_run(row: Mapping[str, Any], name: str) -> bool:
    kind = str(_one(row.get(f"{name}_type")) or "")
    run_id = _one(row.get(f"{name}_id"))
    is_id = isinstance(run_id, (str, int)) and not isinstance(run_id, bool) and run_id != ""
    return is_id and kind.replace("\\", "/").rpartition("/")[2].lower() in _RUN_NAMES


def _one(value: Any) -> Any:
    return (value[0] if value else None) if isinstance(value, list) else value


def confirm(activity: Activity, run: Mapping[str, Any], organization_id: str) -> dict[str, Any] | None:
    """
    Return the event that an activity hints at, if the run confirms it.

    A row of the feed may be about a task of the run, or be overtaken: a run that is not complete any more when it is
    read has not "completed" for anybody who would act on it now.
    """
    event = activity.event
    statuses = set(statuses_of(run))
    holds = {
        LAUNCHED: activity.is_about_the_run,
        COMPLETED: COMPLETE in statuses,
        ARCHIVED_EVENT: ARCHIVED in statuses,
        REOPENED: activity.is_about_the_run and statuses.isdisjoint({COMPLETE, ARCHIVED}),
        PROBLEM: not statuses.isdisjoint({"problem", "issue"}),
    }
    if event is None or not holds[event]:
        return None
    # The run's own time where it has one: rows about the run and about its last task then make one event.
    names = {LAUNCHED: "created_at", COMPLETED: "completed_at", ARCHIVED_EVENT: "archived_at"}
    told = run.get(names.get(event, ""))
    occurred_at = told if is_date(told) else None
    return {
        "event": event,
        "event_id": f"{activity.run_id}:{event}:{occurred_at or activity.row_id}",
        "occurred_at": occurred_at or datetime.fromtimestamp(activity.at, UTC).isoformat(),
        "organization_id": organization_id,
        "run_id": activity.run_id,
        "run": compact(run),
    }


@dataclass(frozen=True)
class Cursor:
    """How far the feed has been read: all before ``since``, and rows and events since then by their ids."""

    since: float
    seen: Mapping[str, float] = field(default_factory=dict)
    reported: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def after(cls, activities: list[Activity]) -> Cursor:
        """
        Return the cursor of a new watcher: all that has happened is past.

        By Tallyfy's own clock, so that a wrong clock here neither repeats nor misses anything.
        """
        return cls(max(0.0, newest_of(activities) - SETTLING)).advance(activities)

    def unread(self, activities: Iterable[Activity]) -> list[Activity]:
        """Return the activities that have not been read yet, the oldest first, each row once."""
        new = {one.row_id: one for one in activities if one.row_id not in self.seen and not self._is_past(one)}
        return sorted(new.values(), key=lambda one: (one.at, len(one.row_id), one.row_id))

    def _is_past(self, activity: Activity) -> bool:
        return bool(activity.at) and activity.at < self.since

    def advance(self, read: Iterable[Activity], held: Iterable[Activity] = (), reported: Iterable[str] = ()) -> Cursor:
        """Return the cursor after activities have been acted on."""
        held = list(held)
        read = [one for one in read if one not in held]
        seen = {**self.seen, **{one.row_id: one.at or self.since for one in read}}
        newest = max([self.since + SETTLING, *(one.at for one in read)])
        since = newest - SETTLING
        if held:
            since = min(since, max(min(one.at or since for one in held), newest - LONGEST_HOLD))
        since = max(since, self.since)
        all_reported = {**self.reported, **dict.fromkeys(reported, newest)}
        return Cursor(
            since,
            {row_id: at for row_id, at in seen.items() if at >= since},
            {event_id: at for event_id, at in all_reported.items() if at >= since},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the cursor as JSON primitives."""
        return {"since": self.since, "seen": dict(self.seen), "reported": dict(self.reported)}

    @classmethod
    def from_dict(cls, data: Any) -> Cursor | None:
        """Return the cursor that :meth:`to_dict` wrote; None where something else was stored."""
        try:
            return cls(float(data["since"]), dict(data["seen"]), dict(data["reported"]))
        except (TypeError, KeyError, ValueError):
            return None


def newest_of(activities: Iterable[Activity]) -> float:
    """Return the time of the newest activity, 0 where there is none."""
    return max((activity.at for activity in activities), default=0.0)


def read_feed(client: TallyfyClient, since: float | None) -> list[Activity]:
    """Read the feed back to a time, or by the settling time from the newest row on; the newest first, each row once."""
    activities: list[Activity] = []
    after = None if since is None else datetime.fromtimestamp(since, UTC) - timedelta(days=1)
    for rows in client.activity_feed.pages(created_after=after.date() if after else None):
        activities += [activity for row in rows if (activity := read_row(row))]
        oldest = min((at for row in rows if (at := _moment(row))), default=None)
        if since is None:
            since = newest_of(activities) - SETTLING
        if oldest is not None and oldest < since:
            break
    return activities


@dataclass
class Batch:
    """What one reading of the feed brought; each run is requested once for all watchers."""

    executor: ConnectionExecutor
    activities: list[Activity]
    _runs: dict[str, asyncio.Task[dict[str, Any] | None]] = field(default_factory=dict)

    async def event(self, activity: Activity) -> dict[str, Any] | None:
        """Return the event of one of the activities, if its run confirms it."""
        task = self._runs.get(activity.run_id)
        if task is None:
            task = self._runs[activity.run_id] = asyncio.create_task(self.executor.call(_find_run, activity.run_id))
        # Shielded: a watcher that ends must not cancel the request of the others.
        found = await asyncio.shield(task)
        return confirm(activity, found["run"], found["organization_id"]) if found else None


def _find_run(client: TallyfyClient, run_id: str) -> dict[str, Any] | None:
    try:
        return {"run": client.runs.find(run_id), "organization_id": client.organization_id}
    except (TallyfyInputError, TallyfyNotFoundError, TallyfyPermissionError) as error:
        log.info("The activity feed names run %s, which cannot be read: %s", shown(run_id), error)
        return None


async def read_batches(executor: ConnectionExecutor, interval: float) -> AsyncIterator[Batch]:
    """
    Read the feed forever, from now on; the first batch holds what there was before and only sets the cursor.

    An error never ends the feed, since it would end all watchers that share it: it is logged, and what was missed
    meanwhile is read when Tallyfy is back.
    """
    since: float | None = None
    last_warning = float("-inf")
    while True:
        pause = interval
        try:
            activities = await executor.call(read_feed, since)
        except TallyfyError as fault:
            pause = max(pause, executor.pause_left())
            if time.monotonic() - last_warning >= _SECONDS_BETWEEN_WARNINGS:
                last_warning = time.monotonic()
                log.warning("Tallyfy's activity feed cannot be read, and is tried again: %s", fault)
        else:
            last_warning = float("-inf")
            newest = newest_of(activities)
            since = max(since or 0.0, newest - SETTLING) if newest or since is not None else time.time() - SETTLING
            yield Batch(executor, activities)
        await asyncio.sleep(pause)
