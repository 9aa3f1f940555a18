"""The trigger that waits for runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.base import PolledTrigger
from tallyfy_provider.triggers.executor import executor_for
from tallyfy_provider.triggers.poller import shared_poller
from tallyfy_provider.waiting.conditions import StatusRule, WaitResult

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient


class RunStatusTrigger(PolledTrigger):
    """
    Poll runs until they are what a rule waits for, sharing one poller with all waits on the same connection.

    Reports one event: ``{"status": "ended" | "timeout", "seen": [run, …], "run_ids": […]}`` with what was last seen,
    or ``{"status": "error", "error": {…}, "seen": […], "run_ids": […]}``.

    :param run_ids: Ids of the runs.
    :param allowed_statuses: Statuses that are a success.
    :param failed_statuses: Statuses that are a failure.
    :param skipped_statuses: Statuses that skip the task.
    :param wait_for: ``all`` or ``any``.
    :param archive_on_kill: Archive the runs when a user clears or marks the task meanwhile (Airflow 3.3 or later).
    :param kwargs: The arguments of :class:`~tallyfy_provider.triggers.base.WaitTrigger`.
    """

    own_arguments: ClassVar[tuple[str, ...]] = (
        "run_ids",
        "allowed_statuses",
        "failed_statuses",
        "skipped_statuses",
        "wait_for",
        "archive_on_kill",
    )

    def __init__(
        self,
        *,
        run_ids: list[str],
        allowed_statuses: list[str],
        failed_statuses: list[str],
        skipped_statuses: list[str],
        wait_for: str,
        archive_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_ids = run_ids
        self.allowed_statuses = allowed_statuses
        self.failed_statuses = failed_statuses
        self.skipped_statuses = skipped_statuses
        self.wait_for = wait_for
        self.archive_on_kill = archive_on_kill

    @property
    def _rule(self) -> StatusRule:
        return StatusRule(
            tuple(self.allowed_statuses), tuple(self.failed_statuses), tuple(self.skipped_statuses), self.wait_for
        )

    async def _wait(self) -> dict[str, Any]:
        async with shared_poller(
            self.tallyfy_conn_id,
            self.run_ids,
            interval=self.poke_interval,
            first_after=self._first_pause(),
            patience=self._patience,
            rule=self._rule,
        ) as (wait, poller):
            event = await self._wait_for_poller(wait, poller)
            return {**event, "seen": wait.seen, "run_ids": self.run_ids}

    @property
    def _waits_for(self) -> Sequence[str]:
        return self.run_ids

    async def _evaluate(self, runs: Sequence[dict[str, Any]]) -> WaitResult:
        return self._rule.result(runs)

    async def on_kill(self) -> None:
        """Archive the runs if asked to; Airflow calls this when a user ends the task, and only then."""
        if not self.archive_on_kill:
            return
        async with executor_for(self.tallyfy_conn_id) as executor:
            for run_id in self.run_ids:
                try:
                    await executor.call(_archive, run_id)
                    self.log.info("Archived run %s, since the task was ended.", run_id)
                except TallyfyError as error:
                    self.log.error("The task was ended, but its run %s could not be archived: %s", run_id, error)


def _archive(client: TallyfyClient, run_id: str) -> None:
    client.runs.archive(run_id)
