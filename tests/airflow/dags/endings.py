"""Waits that end in every way, deferred: the task's state is what a user sees."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import dag

from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.sensors.runs import RunStatusSensor


@dag(schedule=None, start_date=datetime(2026, 1, 1))
def endings():
    shelved = ListRunsOperator(
        task_id="find_called_off_review",
        filters={"status": "archived", "q": "Contract review – Vertex merger (called off)"},
        on_empty="fail",
    )
    # One that never completes by itself, however long the tasks before take.
    active = ListRunsOperator(
        task_id="find_active_run",
        filters={"status": "active", "q": "Customer onboarding – Acme Corp"},
        on_empty="fail",
    )
    options = {"deferrable": True, "poke_interval": 0.2}
    ids = shelved.output["run_ids"]
    RunStatusSensor(task_id="fails", run_id=ids, retries=3, **options)
    RunStatusSensor(task_id="skips", run_id=ids, soft_fail=True, **options)
    RunStatusSensor(task_id="skips_by_status", run_id=ids, skipped_statuses=["archived"], **options)
    RunStatusSensor(task_id="succeeds", run_id=ids, allowed_statuses=["archived"], **options)
    RunStatusSensor(task_id="times_out", run_id=active.output["run_ids"], timeout=0.5, retries=3, **options)
    RunStatusSensor(task_id="times_out_softly", run_id=active.output["run_ids"], timeout=0.5, soft_fail=True, **options)
    RunStatusSensor(task_id="never_was", run_id="d" * 32, **options)


endings()
