"""A Dag that asks a person and goes on with the answer; which checklist to launch is in the Dag run's conf."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.operators.runs import LaunchRunOperator
from tallyfy_provider.sensors.tasks import TaskStatusSensor


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, params={"checklist": ""})
def approvals():
    @task.short_circuit
    def is_told(params=None):
        return bool(params["checklist"])

    ask = LaunchRunOperator(
        task_id="ask",
        checklist_id="{{ params.checklist }}",
        name="Approve it",
        kickoff={"Amount": "{{ 40 + 2 }}", "Reason": "a dinner for two"},
    )
    decision = TaskStatusSensor(task_id="wait", run_id=ask.output, step="approve", deferrable=True, poke_interval=1)

    @task.branch
    def choose(decision):
        return decision["values"]["pay-by"].replace(" ", "_")

    @task
    def payroll(decision):
        return f"{decision['decision']} by {decision['completed_by']}"

    @task
    def bank_transfer(decision):
        return "not chosen"

    is_told() >> ask
    choose(decision.output) >> [payroll(decision.output), bank_transfer(decision.output)]


approvals()
