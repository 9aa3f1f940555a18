"""The activity feed of a connection, read once for all watchers that share it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.exceptions import TallyfyError, TallyfyNotFoundError, TallyfyPermissionError
from tallyfy_provider.triggers.activities import SETTLING, Activity, Cursor, read_feed
from tallyfy_provider.triggers.executor import ConnectionExecutor
from tallyfy_provider.triggers.run_events import confirm

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_WARNINGS = 600.0


@dataclass
class Batch:
    """
    What one reading of the feed brought, with the runs looked up once for all who ask.

    :param thread: The connection's thread.
    :param activities: All that was read, the rows that were read before included.
    """

    thread: ConnectionExecutor
    activities: list[Activity]
    _runs: dict[str, asyncio.Task[dict[str, Any] | None]] = field(default_factory=dict)

    def with_activities(self, activities: list[Activity]) -> Batch:
        """
        Give a batch of other activities, looked at by the same thread.

        :param activities: The activities.
        :return: The batch.
        """
        return Batch(self.thread, activities)

    async def event(self, activity: Activity) -> dict[str, Any] | None:
        """
        Make an event of an activity, if its run bears it out.

        :param activity: One of the activities.
        :return: What a Dag gets, or None.
        :raises TallyfyError: The run cannot be looked at now.
        """
        task = self._runs.get(activity.run_id)
        if task is None:
            task = self._runs[activity.run_id] = asyncio.create_task(self.thread.call(_look_up, activity.run_id))
        # Shielded: a watcher that ends must not take the look from the others.
        found = await asyncio.shield(task)
        return confirm(activity, found["run"], found["organization_id"]) if found else None


def _look_up(client: TallyfyClient, run_id: str) -> dict[str, Any] | None:
    try:
        return {"run": client.runs.find(run_id), "organization_id": client.organization_id}
    except (TallyfyNotFoundError, TallyfyPermissionError) as error:
        log.info("An activity tells of run %s, which cannot be seen: %s", run_id, error)
        return None


async def read_batches(thread: ConnectionExecutor, interval: float) -> AsyncIterator[Batch]:
    """
    Read the feed forever, from now on.

    A fault never ends the feed, since it would end all watchers that share it: it is told in the log, and what was
    missed meanwhile is read when Tallyfy is back.

    :param thread: The connection's thread.
    :param interval: Seconds between two readings.
    :return: A batch for each reading; the first one holds what there was before and is for orientation only.
    """
    since: float | None = None
    last_warning = float("-inf")
    while True:
        pause = interval
        try:
            activities = await thread.call(read_feed, since)
        except TallyfyError as fault:
            pause = max(pause, fault.retry_after or 0.0)
            if time.monotonic() - last_warning >= _SECONDS_BETWEEN_WARNINGS:
                last_warning = time.monotonic()
                log.warning("Tallyfy's activity feed cannot be read; it is tried again and again: %s", fault)
        else:
            last_warning = float("-inf")
            newest = max((activity.at for activity in activities), default=0.0)
            since = max(since or 0.0, newest - SETTLING) if newest or since is not None else time.time() - SETTLING
            yield Batch(thread, activities)
        await asyncio.sleep(pause)


def orientation(activities: list[Activity]) -> Cursor:
    """
    Give the cursor of a watcher that is new: all that has happened is past.

    :param activities: The newest activities.
    :return: The cursor. By Tallyfy's own clock, so that a wrong clock here neither repeats nor misses anything.
    """
    newest = max((activity.at for activity in activities), default=0.0)
    return Cursor(max(0.0, newest - SETTLING)).advance(activities)
