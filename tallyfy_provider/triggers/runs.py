"""Triggers on runs: they poll and report, and decide nothing; the sensor does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.connection import get_async_connection
from airflow.triggers.base import BaseTrigger, TriggerEvent

from tallyfy_provider.client.errors import TallyfyError
from tallyfy_provider.client.faults import DEFAULT_TOLERANCE, FaultTolerance
from tallyfy_provider.client.lookup import look_up_run
from tallyfy_provider.client.outcomes import Outcome, StatusRule, compact, describe
from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.triggers.threads import in_thread_of

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient


class RunStatusTrigger(BaseTrigger):
    """
    Ask for runs until they are what a rule waits for.

    Reports one event: ``{"status": "ended", "runs": […]}``, ``{"status": "timeout", "runs": […]}`` with what was last
    seen, or ``{"status": "error", "error": {…}, "runs": […]}``. It holds no secret: a connection id, never a token.

    :param tallyfy_conn_id: The Airflow connection.
    :param run_ids: Ids of the runs.
    :param allowed_statuses: Statuses that are a success.
    :param failed_statuses: Statuses that are a failure.
    :param skipped_statuses: Statuses that skip the task.
    :param wait_for: ``all`` or ``any``.
    :param poke_interval: Seconds between two looks.
    :param deadline: When to stop, in seconds since the epoch: a restarted triggerer must not begin anew.
    :param fault_tolerance: Seconds that transient faults may last.
    :param silent_fail: Bear with every error until the deadline.
    :param not_before: When Tallyfy wants to be asked again, in seconds since the epoch, if it said so.
    """

    def __init__(
        self,
        *,
        tallyfy_conn_id: str,
        run_ids: list[str],
        allowed_statuses: list[str],
        failed_statuses: list[str],
        skipped_statuses: list[str],
        wait_for: str,
        poke_interval: float,
        deadline: float,
        fault_tolerance: float = DEFAULT_TOLERANCE,
        silent_fail: bool = False,
        not_before: float = 0.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own lacks types
        self.tallyfy_conn_id = tallyfy_conn_id
        self.run_ids = run_ids
        self.allowed_statuses = allowed_statuses
        self.failed_statuses = failed_statuses
        self.skipped_statuses = skipped_statuses
        self.wait_for = wait_for
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
        return (
            "tallyfy_provider.triggers.runs.RunStatusTrigger",
            {
                "tallyfy_conn_id": self.tallyfy_conn_id,
                "run_ids": self.run_ids,
                "allowed_statuses": self.allowed_statuses,
                "failed_statuses": self.failed_statuses,
                "skipped_statuses": self.skipped_statuses,
                "wait_for": self.wait_for,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                "fault_tolerance": self.fault_tolerance,
                "silent_fail": self.silent_fail,
                "not_before": self.not_before,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Poll until the wait is over.

        :return: One event.
        """
        yield TriggerEvent(await self._wait())  # type: ignore[no-untyped-call]  # as above

    async def _wait(self) -> dict[str, Any]:
        rule = StatusRule(
            tuple(self.allowed_statuses),
            tuple(self.failed_statuses),
            tuple(self.skipped_statuses),
            self.wait_for,
        )
        tolerance = FaultTolerance(self.fault_tolerance, everything=self.silent_fail)
        runs: list[dict[str, Any]] = []
        client: TallyfyClient | None = None
        pause = max(self.poke_interval, self.not_before - time.time())
        while True:
            # The worker, or the triggerer before a restart, has just looked: wait first.
            await asyncio.sleep(min(pause, max(0.0, self.deadline - time.time())))
            is_last_look = time.time() >= self.deadline
            try:
                client = client or await self._connect()
                runs = await in_thread_of(self.tallyfy_conn_id, self._look, client)
            except TallyfyError as fault:
                try:
                    lasted = tolerance.bear(fault)
                except TallyfyError as lasting:
                    return {"status": "error", "error": lasting.to_dict(), "runs": runs}
                self.log.warning("Tallyfy cannot be asked (for %.0f s now): %s", lasted, fault)
                pause = max(self.poke_interval, fault.retry_after or 0.0)
            else:
                tolerance.clear()
                pause = self.poke_interval
                if rule.judge_all(runs) is not Outcome.WAITING:
                    return {"status": "ended", "runs": runs}
                self.log.info("Waiting for %s of: %s.", self.wait_for, "; ".join(describe(run) for run in runs[:5]))
            if is_last_look:
                return {"status": "timeout", "runs": runs}

    async def _connect(self) -> TallyfyClient:
        hook = TallyfyHook(self.tallyfy_conn_id)
        connection = await get_async_connection(self.tallyfy_conn_id, hook)
        return await in_thread_of(self.tallyfy_conn_id, hook.client_from, connection)

    def _look(self, client: TallyfyClient) -> list[dict[str, Any]]:
        return [compact(look_up_run(client, run_id)) for run_id in self.run_ids]
