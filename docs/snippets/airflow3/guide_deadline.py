"""A notifier on a deadline: Airflow 3.1."""

# --8<-- [start:deadline]
from datetime import datetime, timedelta

from airflow.sdk import dag, task
from airflow.sdk.definitions.deadline import (
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
)

from tallyfy_provider.notifications.tallyfy import TallyfyNotifier

is_late = AsyncCallback(
    TallyfyNotifier,
    kwargs={
        "checklist_id": "bb70211661e8841e30898f3fec0e2bb7",
        "kickoff": {
            "What failed": "{{ dag_run.dag_id }} is late",
            "Severity": "low",
        },
    },
)


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=2),
        callback=is_late,
    ),
)
def orders_in_time():
    # --8<-- [end:deadline]
    @task
    def load(): ...

    load()


orders_in_time()
