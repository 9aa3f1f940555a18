"""Started by events of Tallyfy, for the end-to-end test: returns the events that started it."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from airflow.sdk import Asset, AssetWatcher, dag, task

from tallyfy_provider.triggers.events import RunEventTrigger

reviewed = Asset(
    "contract_reviewed",
    watchers=[
        AssetWatcher(
            name="contract_review_completed",
            trigger=RunEventTrigger(
                events=["completed"], checklist_id=os.environ["TALLYFY_TEST_CHECKLIST"], poke_interval=1
            ),
        )
    ],
)


@dag(schedule=[reviewed], start_date=datetime(2026, 1, 1))
def reactions():
    @task
    def payloads(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        return [event.extra["payload"] for events in triggering_asset_events.values() for event in events]

    payloads()


reactions()
