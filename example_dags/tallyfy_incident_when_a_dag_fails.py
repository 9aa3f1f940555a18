"""
Start an incident process in Tallyfy when a task fails, as one does here, so that somebody takes care.

**What it is for.** A failure that people have to repair: the notifier launches a process from your template, with
what failed in its kick-off form. It works for Dags as well as for tasks, and launches one process for a failure,
however often the callback is called.

**What to press.** Trigger, and leave the number of orders at 0: the task `check_orders` fails, which is what is shown
here.

**What to look at.** The last lines of the log of `check_orders` name the process that was launched, with its address.
With more than 0 orders, nothing fails and nothing is launched.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from tallyfy_provider.notifications.tallyfy import TallyfyNotifier

# The template's id is in its address in Tallyfy: https://go.tallyfy.com/…/bb70211661e8841e30898f3fec0e2bb7
INCIDENT = "bb70211661e8841e30898f3fec0e2bb7"

start_incident = TallyfyNotifier(
    checklist_id=INCIDENT,
    name="{{ dag.dag_id }} failed",
    # By the labels of the kick-off form's fields.
    kickoff={
        "What failed": "Task {{ ti.task_id }} of {{ dag.dag_id }}, run {{ run_id }}",
        "Severity": "high",
        "Details": "Airflow says: {{ exception }} What depends on the orders is as of yesterday.",
    },
)


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={
        "orders": Param(0, type="integer", minimum=0, title="Orders", description="How many arrived; 0 is a failure.")
    },
    doc_md=__doc__,
    tags=["tallyfy", "example", "fails on purpose"],
)
def tallyfy_incident_when_a_dag_fails() -> None:
    @task
    def count_orders(params: dict[str, Any] | None = None) -> int:
        """Count what arrived over night; a real Dag would ask the warehouse."""
        return int((params or {})["orders"])

    @task(on_failure_callback=start_incident)  # or for the whole Dag: @dag(on_failure_callback=…)
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
