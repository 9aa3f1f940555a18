"""Start an incident process in Tallyfy when this Dag fails, as it does here, so that somebody takes care."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.notifications.tallyfy import TallyfyNotifier

# The template's id is in its address in Tallyfy: https://go.tallyfy.com/…/bb70211661e8841e30898f3fec0e2bb7
INCIDENT = "bb70211661e8841e30898f3fec0e2bb7"

start_incident = TallyfyNotifier(
    checklist_id=INCIDENT,
    name="{{ dag.dag_id }} failed",
    # By the labels of the kick-off form's fields. These names are there whatever the Dag run failed of.
    kickoff={
        "What failed": "Dag {{ dag.dag_id }}, run {{ run_id }}",
        "Severity": "high",
        "Details": "Airflow says: {{ reason }}. What depends on the orders is as of yesterday.",
    },
)


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={"orders": 0},
    on_failure_callback=start_incident,
    doc_md=__doc__,
    tags=["tallyfy", "example", "fails on purpose"],
)
def tallyfy_incident_when_a_dag_fails() -> None:
    @task
    def count_orders(params: dict[str, Any] | None = None) -> int:
        """Count what arrived over night; a real Dag would ask the warehouse."""
        return int((params or {})["orders"])

    @task
    def check_orders(number: int) -> None:
        """Refuse to go on without orders: a day without any has never been."""
        if number == 0:
            raise ValueError("No orders arrived over night.")

    @task
    def load_orders(number: int) -> str:
        """Load them; a real Dag would fill a table."""
        return f"loaded {number} orders"

    number = count_orders()
    check_orders(number) >> load_orders(number)


tallyfy_incident_when_a_dag_fails()
