"""What ``make cluster`` has its Airflow do: wait for many runs, launch many, and export them."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from tallyfy_provider.operators.runs import LaunchRunOperator, ListRunsOperator
from tallyfy_provider.sensors.runs import RunStatusSensor
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

RETRIES = {"retries": 5, "retry_delay": timedelta(seconds=2)}


def dag_of(dag_id: str) -> DAG:
    """Make a Dag that is started by hand and may use all workers."""
    return DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1), max_active_tasks=1000, default_args=RETRIES)


def note_answer(context: dict[str, Any]) -> None:
    """Add a line for a wait that was answered: two answers to one wait are two lines."""
    path = os.path.join(os.environ["AIRFLOW_HOME"], os.environ["CLUSTER_ANSWERS"])
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{context['task'].run_id}\n")


with dag_of("waits"):
    listed = ListRunsOperator(task_id="list_runs", filters={"q": "Awaited", "status": "active"}, fields=["id"])
    run_ids = listed.output["run_ids"]  # type: ignore[index]
    RunStatusSensor.partial(task_id="wait", deferrable=True, poke_interval=2, on_success_callback=note_answer).expand(
        run_id=run_ids
    )

with dag_of("launches"):
    LaunchRunOperator.partial(task_id="launch", checklist_id=os.environ["CLUSTER_CHECKLIST"]).expand(
        name=[f"Launched {number:03}" for number in range(int(os.environ["CLUSTER_LAUNCHES"]))]
    )

with dag_of("export"):
    TallyfyToObjectStorageOperator(
        task_id="export",
        path=os.path.join(os.environ["AIRFLOW_HOME"], os.environ["CLUSTER_EXPORT"]),
        filters={"q": "Other work"},
        fields=["id", "name"],
    )
