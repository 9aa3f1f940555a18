"""A trigger for asset watchers: starts Dags when processes are launched, end, or get into trouble."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Hashable, Iterable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError
from tallyfy_provider.triggers.run_events import check_events, event_of

# A Dag file with a watcher imports this module whenever it is parsed. What speaks HTTP is imported where it is needed,
# which is in the triggerer only.
if TYPE_CHECKING:
    from tallyfy_provider.triggers.activities import Activity, Cursor
    from tallyfy_provider.triggers.activity_feed import Batch

#: How the name begins under which the cursor stands in the asset's state store.
CURSOR_KEY = "tallyfy_run_events"
#: Seconds by which a run may be behind what the feed says of it: Tallyfy reads from replicas.
_LAG = 120.0


class RunEventTrigger(BaseEventTrigger):
    """
    Report events of runs (processes), for an :class:`~airflow.sdk.AssetWatcher`; needs Airflow 3.

    Each event is confirmed by the run itself and reported once, with a stable ``event_id``; what a Dag gets is in
    ``docs/events.md``. The watcher begins with what happens after it first starts. From Airflow 3.3.2 on it keeps its
    place in the asset's state store: after a restart of the triggerer it goes on where it was. Before, it begins anew
    at each start, and what happened meanwhile is missed.

    An event is reported before the place is kept. A triggerer that dies within one ``poke_interval`` after an event
    may so report it again, with the same ``event_id``.

    :param events: Any of ``launched``, ``completed``, ``archived``, ``reopened`` and ``problem``.
    :param checklist_id: Only runs of this checklist (template); None means all.
    :param poke_interval: Seconds between two looks at the activity feed. Watchers with the same connection and
        interval share them, where Airflow can (3.3).
    :param event_spacing: Seconds between two events at least. Airflow 3.3 starts one Dag run for asset events that
        reach it while it has not started one for the first, and leaves the others for the event after them
        (apache/airflow, issues 54659 and 56050); spaced out, each starts a Dag run of its own.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``.
    :raises TallyfyInputError: An event is misspelt.
    """

    def __init__(
        self,
        *,
        events: Iterable[str],
        checklist_id: str | None = None,
        poke_interval: float = 60.0,
        event_spacing: float = 5.0,
        tallyfy_conn_id: str = "tallyfy_default",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own lacks types
        self.events = check_events(events)
        self.checklist_id = checklist_id
        self.poke_interval = poke_interval
        self.event_spacing = event_spacing
        self.tallyfy_conn_id = tallyfy_conn_id
        for name, seconds, least in (("poke_interval", poke_interval, 0.001), ("event_spacing", event_spacing, 0.0)):
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < least:
                raise TallyfyInputError(f"{name} takes seconds, not {seconds!r}.")

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """
        Describe the trigger for another process.

        :return: Its class path and its arguments, JSON primitives all.
        """
        return (
            "tallyfy_provider.triggers.events.RunEventTrigger",
            {
                "events": self.events,
                "checklist_id": self.checklist_id,
                "poke_interval": self.poke_interval,
                "event_spacing": self.event_spacing,
                "tallyfy_conn_id": self.tallyfy_conn_id,
            },
        )

    def shared_stream_key(self) -> Hashable | None:
        """
        Share the feed with all watchers of the same connection and interval.

        :return: What these have in common.
        """
        return ("tallyfy-activities", self.tallyfy_conn_id, self.poke_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """
        Read the feed for all who share it.

        :param kwargs: The arguments of one of them.
        :return: A :class:`~tallyfy_provider.triggers.activity_feed.Batch` for each reading.
        """
        from tallyfy_provider.triggers.activity_feed import read_batches
        from tallyfy_provider.triggers.executor import executor_for

        async with executor_for(kwargs["tallyfy_conn_id"]) as thread:
            async for batch in read_batches(thread, kwargs["poke_interval"]):
                yield batch

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """
        Report what this watcher is interested in.

        :param shared_stream: The batches.
        :return: Events.
        """
        from tallyfy_provider.triggers.activity_feed import orientation

        self._cursor = await self._stored_cursor()
        is_saved = True
        async for batch in shared_stream:
            if self._cursor is None:
                self._cursor, is_saved = orientation(batch.activities), False
                self.log.info("Watching for %s from now on.", ", ".join(self.events))
                continue
            if not is_saved:
                # What was reported with the batch before has reached Airflow's database by now.
                await self._store(self._cursor)
                is_saved = True
            batch = await self._with_what_was_missed(batch, self._cursor)
            events, moved = await self._events(batch, self._cursor)
            for event in events:
                await self._leave_space()
                self.log.info("Run %r: %s (%s).", event["run"]["name"], event["event"], event["event_id"])
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's own lacks types
            is_saved = moved == self._cursor
            self._cursor = moved

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Watch alone, on an Airflow that does not share streams.

        :return: Events.
        """
        async for event in self.filter_shared_stream(type(self).open_shared_stream(self.serialize()[1])):
            yield event

    async def _with_what_was_missed(self, batch: Batch, cursor: Cursor) -> Batch:
        """Read the feed back to the cursor where the shared reading does not reach so far: after a restart."""
        from tallyfy_provider.triggers.activities import read_feed

        oldest = min((activity.at for activity in batch.activities if activity.at), default=0.0)
        if self._has_caught_up or (oldest and oldest < cursor.since):
            self._has_caught_up = True
            return batch
        try:
            activities = await batch.thread.call(read_feed, cursor.since)
        except TallyfyError as fault:
            self.log.warning("What happened since the watcher ran last cannot be read yet: %s", fault)
            return batch.with_activities([])
        self._has_caught_up = True
        return batch.with_activities(activities)

    _cursor: Cursor | None = None
    _has_caught_up = False
    _last_event_at = float("-inf")

    async def _leave_space(self) -> None:
        await asyncio.sleep(max(0.0, self._last_event_at + self.event_spacing - time.monotonic()))
        self._last_event_at = time.monotonic()

    @property
    def _cursor_key(self) -> str:
        """Where the place is kept; watchers of one asset that differ keep places of their own."""
        identity = json.dumps([self.tallyfy_conn_id, sorted(self.events), self.checklist_id])
        return f"{CURSOR_KEY}_{hashlib.sha256(identity.encode()).hexdigest()[:12]}"

    async def _events(self, batch: Batch, cursor: Cursor) -> tuple[list[dict[str, Any]], Cursor]:
        """Give the events of a batch, and the cursor after it."""
        news = cursor.news(batch.activities)
        events: dict[str, dict[str, Any]] = {}
        held: list[Activity] = []
        for activity in news:
            if event_of(activity) not in self.events:
                continue
            try:
                event = await batch.event(activity)
            except TallyfyError as fault:
                self.log.warning("Run %s cannot be looked at now; it is tried again: %s", activity.run_id, fault)
                held.append(activity)
                continue
            if event is None and activity.is_about_the_run and time.time() - activity.at < _LAG:
                held.append(activity)
            if event and self._wants(event) and event["event_id"] not in cursor.reported:
                events.setdefault(event["event_id"], event)
        return list(events.values()), cursor.advance(news, held, reported=events)

    def _wants(self, event: dict[str, Any]) -> bool:
        return self.checklist_id is None or str(event["run"]["checklist_id"]) == str(self.checklist_id)

    def _stores(self) -> list[Any]:
        """Give the state stores of the watched assets: several where watchers of equal arguments share a trigger."""
        store = getattr(self, "asset_state_store", None)
        by_name = getattr(store, "_by_name", None) or {}
        stores = [by_name[name] for name in sorted(by_name)]
        return [one for one in stores if hasattr(one, "aget")]

    async def _stored_cursor(self) -> Cursor | None:
        from tallyfy_provider.triggers.activities import Cursor

        for store in self._stores():
            if cursor := Cursor.from_dict(await store.aget(self._cursor_key)):
                self.log.info("Watching for %s from where the watcher was.", ", ".join(self.events))
                return cursor
        return None

    async def _store(self, cursor: Cursor) -> None:
        for store in self._stores():
            await store.aset(self._cursor_key, cursor.to_dict())
