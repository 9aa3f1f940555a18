"""Every hour, export what people have written, and show the answers as a table that a person would read."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Asset, ObjectStoragePath, dag, task

from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

# A folder that exists wherever Airflow does; a real Dag writes to a bucket: "s3://my_aws@my-bucket/tallyfy".
FOLDER = os.path.join(os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow")), "tallyfy-exports")

# Dags with schedule=[ANSWERS] start when there are new answers.
ANSWERS = Asset("tallyfy_answers")


@dag(
    schedule=timedelta(hours=1),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # each export begins where the one before ended
    params={"folder": FOLDER},
    doc_md=__doc__,
    tags=["tallyfy", "example"],
)
def tallyfy_export_answers() -> None:
    export = TallyfyToObjectStorageOperator(
        task_id="export_tables",
        path="{{ params.folder }}/tables/{{ run_id }}",
        tables=["runs", "tasks", "answers", "comments", "people"],
        filters={"archived": "true"},
        incremental=True,
        outlets=[ANSWERS],
        retries=3,
    )

    @task
    def show_answers(exported: dict[str, Any]) -> list[str]:
        """Join answers with the names of their runs, as SQL would, and show the first of them."""
        folder = ObjectStoragePath(exported["path"])
        runs = {run["id"]: run["name"] for run in rows(folder, "runs")}
        found = [row for row in rows(folder, "answers") if row["value_text"]]
        lines = [f"{runs[row['run_id']]:.36} | {row['field_label']:.20} | {row['value_text']!r:.60}" for row in found]
        return [f"{len(lines)} answers: process | question | answer", *lines[:20]]

    show_answers(export.output)


def rows(folder: ObjectStoragePath, table: str) -> list[dict[str, Any]]:
    """Read a table: _SUCCESS names its parts, and is there when all of them are."""
    parts = json.loads((folder / "_SUCCESS").read_text())["tables"][table]["parts"]
    return [json.loads(line) for part in parts for line in (folder / part).read_text().splitlines()]


tallyfy_export_answers()
