"""Triggers that the shared poller is held against."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tallyfy_provider.hooks.tallyfy import TallyfyHook


class OnePollEach(BaseTrigger):
    """
    Polls a run by itself, as triggers of most providers do: a hook each, and its blocking call in a thread.

    :param tallyfy_conn_id: The Airflow connection.
    :param run_id: The run.
    :param poke_interval: Seconds between two looks.
    """

    def __init__(self, *, tallyfy_conn_id: str, run_id: str, poke_interval: float) -> None:
        super().__init__()
        self.arguments = {"tallyfy_conn_id": tallyfy_conn_id, "run_id": run_id, "poke_interval": poke_interval}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give class path and arguments."""
        return "waits_triggers.OnePollEach", self.arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the run is complete."""
        hook = TallyfyHook(self.arguments["tallyfy_conn_id"])
        while True:
            run = await asyncio.to_thread(hook.get_run, self.arguments["run_id"])
            if run["status"] == "complete":
                yield TriggerEvent({"status": "ended"})
                return
            await asyncio.sleep(self.arguments["poke_interval"])


class Sleeper(BaseTrigger):
    """
    Does nothing: what Airflow itself costs.

    :param seconds: How long to sleep at once.
    """

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give class path and arguments."""
        return "waits_triggers.Sleeper", {"seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep for ever."""
        while True:
            await asyncio.sleep(self.seconds)
        yield TriggerEvent(None)
