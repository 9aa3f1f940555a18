"""
Every hour, export what people have written, with the answers as a table that a person would read.

**What it is for.** Processes, steps, form answers and comments as typed tables that join, in a folder for each export:
the first one holds everything, each later one what has changed.

**What to press.** Trigger. Then answer a form in Tallyfy, and trigger again.

**What to look at.** The log of `export_tables` says how many rows each table has; the file that
`write_for_people` names in its XCom is a table of processes, questions and answers.
"""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Asset, ObjectStoragePath, Param, dag, task

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
    params={
        "folder": Param(
            FOLDER, type="string", title="Folder", description="Where the tables go: a folder, or a bucket's URL."
        )
    },
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
    def write_for_people(exported: dict[str, Any]) -> dict[str, Any]:
        """Join answers with the names of their processes, as SQL would, into a file that a person reads."""
        folder = ObjectStoragePath(exported["path"])
        runs = {run["id"]: run["name"] for run in rows(folder, "runs")}
        answers = [
            {"process": runs[row["run_id"]], "question": row["field_label"], "answer": row["value_text"]}
            for row in rows(folder, "answers")
            if row["value_text"]
        ]
        text = io.StringIO()
        writer = csv.DictWriter(text, ["process", "question", "answer"])
        writer.writeheader()
        writer.writerows(answers)
        file = folder / "answers-for-people.csv"
        file.write_text(text.getvalue())
        return {"path": str(file), "answers": len(answers)}

    write_for_people(export.output)


def rows(folder: ObjectStoragePath, table: str) -> list[dict[str, Any]]:
    """Read a table: _SUCCESS names its parts, and is there when all of them are."""
    parts = json.loads((folder / "_SUCCESS").read_text())["tables"][table]["parts"]
    return [json.loads(line) for part in parts for line in (folder / part).read_text().splitlines()]


tallyfy_export_answers()
