"""The trigger for asset watchers, which starts Dags when processes are launched, end, or get into trouble."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Hashable, Iterable
from typing import Any

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from tallyfy_provider.client.redaction import quoted, shown
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.activity_feed import Activity, Batch, Cursor, check_events, read_batches, read_feed
from tallyfy_provider.utils import arguments

#: How the cursor's key in the asset's state store begins.
CURSOR_KEY = "tallyfy_run_events"
#: Seconds by which a run may be behind the feed: Tallyfy reads from replicas.
_LAG = 120.0


class RunEventTrigger(BaseEventTrigger):
    """
    Report events of runs (processes), for an :class:`~airflow.sdk.AssetWatcher`; needs Airflow 3.

    Each event is confirmed by the run itself and reported once, with a stable ``event_id``; what a Dag gets is in
    ``docs/guides/react.md``. The watcher begins with what happens after it first starts. From Airflow 3.3.2 on it
    stores its cursor in the asset's state store, and continues from there after a restart of the triggerer. Before, it
    begins anew at each start, and what happened meanwhile is missed.

    An event is reported before the cursor is stored. A triggerer that dies within one ``poke_interval`` after an event
    may therefore report it again, with the same ``event_id``.

    :param events: Any of ``launched``, ``completed``, ``archived``, ``reopened`` and ``problem``.
    :param checklist_id: Only runs of this checklist (template); None means all.
    :param poke_interval: Seconds between two requests for the activity feed. Watchers with the same connection and
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
        self.checklist_id = None if arguments.is_nothing(checklist_id) else arguments.checklist_id(checklist_id)
        self.poke_interval = arguments.interval("poke_interval", poke_interval)
        self.event_spacing = arguments.seconds("event_spacing", event_spacing)
        self.tallyfy_conn_id = tallyfy_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the trigger's class path and arguments, JSON primitives all, for another process."""
        names = ("events", "checklist_id", "poke_interval", "event_spacing", "tallyfy_conn_id")
        return "tallyfy_provider.triggers.events.RunEventTrigger", {name: getattr(self, name) for name in names}

    def shared_stream_key(self) -> Hashable | None:
        """Return the key by which watchers of the same connection and interval share the feed."""
        return ("tallyfy-activities", self.tallyfy_conn_id, self.poke_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Read the feed for all watchers that share it."""
        # Imported in the triggerer only: it loads the HTTP client, which parsing a Dag must not.
        from tallyfy_provider.triggers.executor import executor_for

        async with executor_for(kwargs["tallyfy_conn_id"]) as executor:
            async for batch in read_batches(executor, kwargs["poke_interval"]):
                yield batch

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Report the events that this watcher is for."""
        self._cursor = await self._stored_cursor()
        is_saved = True
        async for batch in shared_stream:
            if self._cursor is None:
                self._cursor, is_saved = Cursor.after(batch.activities), False
                self.log.info("Watching for %s from now on.", ", ".join(self.events))
                continue
            if not is_saved:
                # What was reported with the batch before has reached Airflow's database by now.
                await self._store(self._cursor)
                is_saved = True
            batch = await self._with_missed(batch, self._cursor)
            events, moved = await self._events(batch, self._cursor)
            for event in events:
                await self._space_out()
                self.log.info(
                    "Run %s: %s (%s).", quoted(event["run"]["name"]), event["event"], shown(event["event_id"])
                )
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's own lacks types
            is_saved = moved == self._cursor
            self._cursor = moved

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch with a feed of its own, on an Airflow that does not share streams."""
        async for event in self.filter_shared_stream(type(self).open_shared_stream(self.serialize()[1])):
            yield event

    async def _with_missed(self, batch: Batch, cursor: Cursor) -> Batch:
        """Read the feed back to the cursor where the shared reading does not reach so far: after a restart."""
        oldest = min((activity.at for activity in batch.activities if activity.at), default=0.0)
        if self._has_caught_up or (oldest and oldest < cursor.since):
            self._has_caught_up = True
            return batch
        try:
            activities = await batch.executor.call(read_feed, cursor.since)
        except TallyfyError as fault:
            self.log.warning("What happened since the watcher's last run cannot be read yet: %s", fault)
            return Batch(batch.executor, [])
        self._has_caught_up = True
        return Batch(batch.executor, activities)

    _cursor: Cursor | None = None
    _has_caught_up = False
    _last_event_at = float("-inf")

    async def _space_out(self) -> None:
        await asyncio.sleep(max(0.0, self._last_event_at + self.event_spacing - time.monotonic()))
        self._last_event_at = time.monotonic()

    @property
    def _cursor_key(self) -> str:
        """The key of the cursor; watchers of one asset that differ have cursors of their own."""
        identity = json.dumps([self.tallyfy_conn_id, sorted(self.events), self.checklist_id])
        return f"{CURSOR_KEY}_{hashlib.sha256(identity.encode()).hexdigest()[:12]}"

    async def _events(self, batch: Batch, cursor: Cursor) -> tuple[list[dict[str, Any]], Cursor]:
        """Return the events of a batch, and the cursor after it."""
        unread = cursor.unread(batch.activities)
        events: dict[str, dict[str, Any]] = {}
        held: list[Activity] = []
        for activity in unread:
            if activity.event not in self.events:
                continue
            try:
                event = await batch.event(activity)
            except TallyfyError as fault:
                self.log.warning("Run %s cannot be read now, and is tried again: %s", shown(activity.run_id), fault)
                held.append(activity)
                continue
            if event is None and activity.is_about_the_run and time.time() - activity.at < _LAG:
                held.append(activity)
            if event and self._wants(event) and event["event_id"] not in cursor.reported:
                events.setdefault(event["event_id"], event)
        return list(events.values()), cursor.advance(unread, held, reported=events)

    def _wants(self, event: dict[str, Any]) -> bool:
        return self.checklist_id is None or str(event["run"]["checklist_id"]) == str(self.checklist_id)

    def _stores(self) -> list[Any]:
        """Return the state stores of the watched assets: several where watchers of equal arguments share a trigger."""
        store = getattr(self, "asset_state_store", None)
        by_name = getattr(store, "_by_name", None) or {}
        stores = [by_name[name] for name in sorted(by_name)]
        return [one for one in stores if hasattr(one, "aget")]

    async def _stored_cursor(self) -> Cursor | None:
        for store in self._stores():
            if cursor := Cursor.from_dict(await store.aget(self._cursor_key)):
                self.log.info("Watching for %s from the stored cursor on.", ", ".join(self.events))
                return cursor
        return None

    async def _store(self, cursor: Cursor) -> None:
        for store in self._stores():
            await store.aset(self._cursor_key, cursor.to_dict())
