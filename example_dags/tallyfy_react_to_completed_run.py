"""
As soon as a customer's onboarding is complete, start to bill that customer (needs Airflow 3).

**What it is for.** A Dag that people start by finishing a process: an asset watcher in the triggerer reads Tallyfy's
activity feed and starts the Dag with the process in the event.

**What to press.** Switch the Dag on, and complete a process of the template in Tallyfy. Started by hand there is no
event, and the Dag has nothing to do.

**What to look at.** The run that appears by itself; the log of `start_billing` names the customer. The asset
`tallyfy_customer_onboarded` has the event with all that Tallyfy says of the process.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

# The template's id: the last part of its address in Tallyfy. This one is the emulator's "Customer onboarding".
CUSTOMER_ONBOARDING = "0b04d21ca0f38d044755e667de3ca05e"
# What the demo sets is shorter.
POKE_INTERVAL = float(os.environ.get("TALLYFY_EXAMPLES_POKE_INTERVAL", 60))

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import Asset, AssetWatcher

    from tallyfy_provider.triggers.events import RunEventTrigger

    onboarded = Asset(
        "tallyfy_customer_onboarded",
        watchers=[
            AssetWatcher(
                name="tallyfy_customer_onboarding_completed",
                trigger=RunEventTrigger(
                    events=["completed"],
                    checklist_id=CUSTOMER_ONBOARDING,
                    poke_interval=POKE_INTERVAL,  # seconds: a minute will do for people
                ),
            )
        ],
    )

    @dag(
        schedule=[onboarded],
        start_date=datetime(2026, 1, 1),
        catchup=False,
        doc_md=__doc__,
        tags=["tallyfy", "example"],
    )
    def tallyfy_react_to_completed_run() -> None:
        @task
        def completed_onboardings(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
            """Take the processes from the events: one, or more that were completed at about the same time.

            Started by hand there is no event, and so nothing to do.
            """
            events = [event for events in triggering_asset_events.values() for event in events]
            # An event may come again when a triggerer dies, with the same event_id: bill nobody twice.
            payloads = {event.extra["payload"]["event_id"]: event.extra["payload"] for event in events}
            return [payload["run"] for payload in payloads.values()]

        @task
        def start_billing(run: dict[str, Any]) -> str:
            """Bill one customer; a real Dag would call the billing system, with the run's id as its reference."""
            return f"billing starts for {run['name']}, onboarded at {run['completed_at']}"

        start_billing.expand(run=completed_onboardings())

    tallyfy_react_to_completed_run()
