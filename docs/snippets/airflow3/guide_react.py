"""What the guide on events shows: Airflow 3."""

# --8<-- [start:react]
from datetime import datetime

from airflow.sdk import Asset, AssetWatcher, dag, task

from tallyfy_provider.triggers.events import RunEventTrigger

onboarded = Asset(
    "customer_onboarded",
    watchers=[
        AssetWatcher(
            name="onboarding_completed",
            trigger=RunEventTrigger(
                events=["completed"],
                checklist_id="0b04d21ca0f38d044755e667de3ca05e",  # the template "Customer onboarding"
                poke_interval=60,
            ),
        )
    ],
)


@dag(schedule=[onboarded], start_date=datetime(2026, 1, 1), catchup=False)
def bill_onboarded_customers():
    @task
    def completed_onboardings(triggering_asset_events=None):
        events = [
            event for events in triggering_asset_events.values() for event in events
        ]
        # After a crash an event may come again, with the same event_id: bill nobody twice.
        payloads = {
            event.extra["payload"]["event_id"]: event.extra["payload"]
            for event in events
        }
        return [payload["run"] for payload in payloads.values()]

    @task
    def bill(run):
        print("Bill", run["name"], "onboarded at", run["completed_at"])

    bill.expand(run=completed_onboardings())


bill_onboarded_customers()
# --8<-- [end:react]
