"""A trigger that counts runs: it asks and reports, and decides nothing; the sensor does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.runs.filters import encode
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.executor import ConnectionExecutor, executor_for
from tallyfy_provider.waiting.counts import CountRule
from tallyfy_provider.waiting.tolerance import DEFAULT_TOLERANCE, FaultTolerance


class RunCountTrigger(BaseTrigger):
    """
    Ask how many runs match filters until the number is in a range.

    Reports one event: ``{"status": "ended" | "timeout" | "error", "seen": number}``. It holds no secret.

    :param tallyfy_conn_id: The Airflow connection.
    :param filters: Filters in Tallyfy's form.
    :param at_least: The smallest number, or None.
    :param at_most: The largest number, or None.
    :param strict_filters: Fail when the row that comes back is not what was asked for.
    :param poke_interval: Seconds between two looks.
    :param deadline: When to stop, in seconds since the epoch.
    :param fault_tolerance: Seconds that transient faults may last.
    :param silent_fail: Bear with every error until the deadline.
    :param not_before: When Tallyfy wants to be asked again, in seconds since the epoch, if it said so.
    """

    def __init__(
        self,
        *,
        tallyfy_conn_id: str,
        filters: dict[str, str],
        at_least: int | None,
        at_most: int | None,
        poke_interval: float,
        deadline: float,
        strict_filters: bool = False,
        fault_tolerance: float = DEFAULT_TOLERANCE,
        silent_fail: bool = False,
        not_before: float = 0.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own lacks types
        self.tallyfy_conn_id = tallyfy_conn_id
        self.filters = filters
        self.at_least = at_least
        self.at_most = at_most
        self.strict_filters = strict_filters
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.fault_tolerance = fault_tolerance
        self.silent_fail = silent_fail
        self.not_before = not_before

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """
        Describe the trigger for another process.

        :return: Its class path and its arguments, JSON primitives all.
        """
        names = (
            "tallyfy_conn_id",
            "filters",
            "at_least",
            "at_most",
            "strict_filters",
            "poke_interval",
            "deadline",
            "fault_tolerance",
            "silent_fail",
            "not_before",
        )
        return "tallyfy_provider.triggers.counts.RunCountTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Count until the wait is over.

        :return: One event.
        """
        async with executor_for(self.tallyfy_conn_id) as thread:
            yield TriggerEvent(await self._wait(thread))  # type: ignore[no-untyped-call]  # as above

    async def _wait(self, thread: ConnectionExecutor) -> dict[str, Any]:
        rule = CountRule(self.at_least, self.at_most)
        tolerance = FaultTolerance(self.fault_tolerance, everything=self.silent_fail)
        seen: int | None = None
        pause = max(self.poke_interval, self.not_before - time.time())
        while True:
            # The worker, or the triggerer before a restart, has just looked: wait first.
            await asyncio.sleep(min(pause, max(0.0, self.deadline - time.time())))
            is_last_look = time.time() >= self.deadline
            pause = self.poke_interval
            try:
                count = await thread.call(self._count)
            except TallyfyError as fault:
                try:
                    lasted = tolerance.bear(fault)
                except TallyfyError as lasting:
                    return {"status": "error", "error": lasting.to_dict(), "seen": seen}
                if lasted == 0:
                    self.log.warning("Tallyfy cannot be asked; the wait goes on: %s", fault)
                pause = max(pause, fault.retry_after or 0.0)
            else:
                tolerance.clear()
                if rule.holds_for(count):
                    return {"status": "ended", "seen": count}
                if count != seen:
                    self.log.info("Waiting for %s: %d match.", rule, count)
                seen = count
            if is_last_look:
                return {"status": "timeout", "seen": seen}

    def _count(self, client: TallyfyClient) -> int:
        return client.runs.count(encode(self.filters), strict=self.strict_filters)
