"""Exports in a real Airflow: templates, a file that others wait for, a failure, and one export after another."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import Asset, ObjectStoragePath, dag, task

from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

FOLDER = os.path.join(os.environ["AIRFLOW_HOME"], "exports")
RUNS = Asset("tallyfy_exported_runs")


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, params={"folder": FOLDER, "status": "active"})
def exports() -> None:
    by_templates = TallyfyToObjectStorageOperator(
        task_id="by_templates",
        path="{{ params.folder }}/status={{ params.status }}/runs.csv.gz",
        filters={"status": "{{ params.status }}"},
        fields=["id", "name", "progress.percent"],
        created_before="{{ dag_run.start_date }}",
        max_runs="{{ 2 + 1 }}",
        updated_after=None,
        outlets=[RUNS],
    )
    by_path = TallyfyToObjectStorageOperator(
        task_id="by_path", path=ObjectStoragePath(f"file://{FOLDER}/{{{{ params.status }}}}.jsonl")
    )
    skipped = TallyfyToObjectStorageOperator(
        task_id="skipped",
        path=f"{FOLDER}/skipped.csv",
        filters={"q": "no such process"},
        on_empty="skip",
        outlets=[RUNS],
    )
    since = TallyfyToObjectStorageOperator(
        task_id="since",
        path=f"{FOLDER}/since.jsonl",
        updated_after="{{ ti.xcom_pull(task_ids='by_path')['next_updated_after'] }}",
    )

    @task
    def read(exported: dict[str, Any]) -> list[str]:
        with ObjectStoragePath(exported["path"]).open("rt", compression="gzip") as file:
            return file.read().splitlines()

    read(by_templates.output)
    by_path >> since
    by_templates >> skipped


exports()
