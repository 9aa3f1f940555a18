"""
Pay an invoice only after a person has approved it, and in the way that they chose.

**What it is for.** A step of a pipeline that a person has to decide: Airflow launches a process in Tallyfy with what
is known of the invoice, waits for days without a worker slot, and goes on with the decision and with what was written
into the step's form.

**What to press.** Trigger, and an invoice number; each run of the Dag launches one process, also when its task is
retried.

**What to look at.** The task `wait_for_approval` is deferred, and its log says what is waited for, with the address
of the process. The link *Tallyfy process* leads there as well: a button in the task's details on Airflow 2, under
*Details* on Airflow 3. Approve or reject the step there; then see which of the three last tasks ran.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from tallyfy_provider.operators.runs import LaunchRunOperator
from tallyfy_provider.sensors.tasks import TaskStatusSensor

# The template's id is in its address in Tallyfy: https://go.tallyfy.com/…/cd8db581a921d9ece9a10659115405cf
EXPENSE_APPROVAL = "cd8db581a921d9ece9a10659115405cf"
# What the demo sets is shorter.
POKE_INTERVAL = float(os.environ.get("TALLYFY_EXAMPLES_POKE_INTERVAL", 300))


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={
        "invoice": Param(
            "2026-117", type="string", title="Invoice", description="The number of the invoice that is to be paid."
        )
    },
    doc_md=__doc__,
    tags=["tallyfy", "example"],
)
def tallyfy_approve_before_payment() -> None:
    @task
    def read_invoice(params: dict[str, Any] | None = None) -> dict[str, str]:
        """Read what is to be paid; a real Dag would ask the warehouse."""
        number = (params or {})["invoice"]
        return {"number": number, "amount": "1,840.00 EUR", "reason": f"Invoice {number} of Northwind"}

    invoice = read_invoice()

    ask = LaunchRunOperator(
        task_id="ask_for_approval",
        checklist_id=EXPENSE_APPROVAL,
        name="Approve invoice {{ params.invoice }}",
        # Values go by the labels of the kick-off form's fields, options by their text.
        kickoff={"Amount": invoice["amount"], "Reason": invoice["reason"], "Cost centre": "IT"},
        retries=3,  # a retry finds the process that it launched before, and asks nobody twice
    )

    decision = TaskStatusSensor(
        task_id="wait_for_approval",
        run_id=ask.output,
        step="approve",  # the step's alias; its title or id will do as well
        deferrable=True,
        poke_interval=POKE_INTERVAL,  # seconds: minutes will do for people
        timeout=timedelta(days=14).total_seconds(),
    )

    @task.branch
    def choose(decision: dict[str, Any]) -> str:
        """Go on with what was decided, and with what was written into the step's form."""
        if decision["decision"] != "approved":
            return "send_back"
        return "pay_with_payroll" if decision["values"]["pay-by"] == "payroll" else "pay_by_transfer"

    @task
    def pay_by_transfer(invoice: dict[str, str], decision: dict[str, Any]) -> str:
        """Pay; a real Dag would tell the bank."""
        return f"{invoice['number']} is paid, approved by {decision['completed_by']}"

    @task
    def pay_with_payroll(invoice: dict[str, str], decision: dict[str, Any]) -> str:
        """Put it on the next payroll; a real Dag would write into a table."""
        return f"{invoice['number']} is on the next payroll, approved by {decision['completed_by']}"

    @task
    def send_back(invoice: dict[str, str], decision: dict[str, Any]) -> str:
        """Tell whoever sent the invoice."""
        return f"{invoice['number']} goes back: {decision['values']['note']}"

    choose(decision.output) >> [
        pay_by_transfer(invoice, decision.output),
        pay_with_payroll(invoice, decision.output),
        send_back(invoice, decision.output),
    ]


tallyfy_approve_before_payment()
