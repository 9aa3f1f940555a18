"""What a trigger keeps of the runs that it waits for, and what wakes it: a change, an error, the end of its time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tallyfy_provider.client.runs.status import describe, is_over, statuses_of
from tallyfy_provider.client.tasks.status import describe_task, is_hidden
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.waiting.conditions import StatusRule
from tallyfy_provider.waiting.run_reader import Snapshot
from tallyfy_provider.waiting.task_reader import UNCHANGED


class Wait:
    """
    One trigger's part of the poller.

    :param run_ids: The runs that it waits for.
    :param interval: Seconds between two polls.
    :param rule: What it waits for.
    :param due: When to poll first, by the event loop's clock.
    :param is_alone: Whether the first poll is sooner than the interval, and so not shared with the other waits.
    :param patience: Seconds for which it tolerates an outage.
    """

    def __init__(
        self,
        run_ids: Iterable[str],
        interval: float,
        rule: StatusRule,
        due: float,
        *,
        is_alone: bool = False,
        patience: float = math.inf,
    ) -> None:
        self.run_ids = tuple(run_ids)
        self.interval = interval
        self.rule = rule
        self.due = due
        self.is_alone = is_alone
        self.patience = patience
        #: When a run was seen last, in seconds since the epoch.
        self.seen_at = 0.0
        #: Whether all runs were seen since the last error.
        self.recovered = True
        self._runs: dict[str, dict[str, Any]] = {}
        self._fault: TallyfyError | None = None
        self._rounds = 0
        self._updated = asyncio.Event()
        self._expedited = asyncio.Event()
        self._unseen: set[str] = set(self.run_ids)

    def on_update(self, run_id: str, snapshot: Snapshot) -> None:
        """Keep a snapshot; wake the trigger when the run has changed, or when the first round is over."""
        if snapshot.fault is not None:
            self.on_error(snapshot.fault)
            return
        self.seen_at = time.time()
        previous = self._runs.get(run_id)
        run = self._runs[run_id] = _with_known_issue(snapshot.run or {}, previous)
        self._unseen.discard(run_id)
        if not self._unseen:
            self._unseen.update(self.run_ids)
            self._rounds += 1
            self.recovered = True
            if self._rounds == 1:
                self._updated.set()
        if previous is None or self.state_of(previous) != self.state_of(run):
            self._updated.set()

    @staticmethod
    def state_of(run: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what matters to those who wait for the run, the same however Tallyfy writes it."""
        return describe(run), *statuses_of(run)

    def on_error(self, fault: TallyfyError) -> None:
        """Keep the error of a poll, and wake the trigger."""
        self._fault = fault
        self._updated.set()

    def finish_expedited(self) -> None:
        """Signal that the expedited poll has finished."""
        self._expedited.set()

    async def wait_for_expedited(self, timeout: float) -> None:
        """Wait until the expedited poll has finished, or time is over."""
        await wait_for_event(self._expedited, timeout)

    async def wait(self, timeout: float) -> None:
        """Wait for an update or an error, or until time is over."""
        await wait_for_event(self._updated, timeout)
        self._updated.clear()

    def take_fault(self) -> TallyfyError | None:
        """Return the error since the last call, if any."""
        fault, self._fault = self._fault, None
        return fault

    @property
    def is_complete(self) -> bool:
        """Whether each of the runs has been seen."""
        return len(self._runs) == len(set(self.run_ids))

    @property
    def seen(self) -> list[dict[str, Any]]:
        """The runs that have been seen, in their compact form."""
        return [self._runs[run_id] for run_id in self.run_ids if run_id in self._runs]


class TaskWait(Wait):
    """The part of a trigger that waits for a task: its run, with all tasks of it."""

    def on_update(self, run_id: str, snapshot: Snapshot) -> None:
        """Keep a snapshot; one of a run whose tasks were not read only tells that Tallyfy can be reached."""
        if snapshot is UNCHANGED:
            self.seen_at, self.recovered = time.time(), True
            return
        super().on_update(run_id, snapshot)

    @staticmethod
    def state_of(run: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what matters to those who wait for the run's tasks, the same however Tallyfy writes it."""
        tasks = sorted((describe_task(task), is_hidden(task), bool(task["problem"])) for task in run["tasks"])
        return (*Wait.state_of(run), *tasks)


def _with_known_issue(run: dict[str, Any], previous: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a pending run with what a list said of its issues: the response for it alone may not tell."""
    if not previous or run.get("has_open_issue") is not None or is_over(run):
        return run
    return {**run, "has_open_issue": previous.get("has_open_issue")}


async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
    """
    Wait for an event, or until time is over.

    Not with ``asyncio.wait_for``: on Python 3.11 it loses a cancellation that comes just after its event, and a
    trigger that was cancelled would run on.
    """
    try:
        async with asyncio.timeout(None if seconds == float("inf") else seconds):
            await event.wait()
    except TimeoutError:
        return
