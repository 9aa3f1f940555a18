"""
Every night, export the processes that have changed since the last export, and load them.

**What it is for.** Tallyfy's processes in your warehouse: the first run exports all, each later one what has changed,
as JSON lines in a file of its own. Dags that are scheduled on the asset `tallyfy_runs` start when there is a new
file.

**What to press.** Trigger, twice: the second run exports what has changed in between.

**What to look at.** The log of `export_changed_runs` says how many processes were written where; its XCom has the
path and the moment from which the next export goes on.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import Asset, ObjectStoragePath, Param, dag, task

from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

# A folder that exists wherever Airflow does; a real Dag writes to a bucket: "s3://my_aws@my-bucket/tallyfy".
FOLDER = os.path.join(os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow")), "tallyfy-exports")

# Dags with schedule=[RUNS] start when there is a new file.
RUNS = Asset("tallyfy_runs")


@dag(
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # each export begins where the one before ended
    params={
        "folder": Param(
            FOLDER, type="string", title="Folder", description="Where the files go: a folder, or a bucket's URL."
        )
    },
    doc_md=__doc__,
    tags=["tallyfy", "example"],
)
def tallyfy_export_runs() -> None:
    export = TallyfyToObjectStorageOperator(
        task_id="export_changed_runs",
        # A file for each Dag run: a second one on a day must not replace what the first one wrote.
        path="{{ params.folder }}/dt={{ (dag_run.data_interval_end or dag_run.run_after) | ds }}/{{ run_id }}.jsonl.gz",
        filters={"archived": "true"},  # to be archived is a change, too
        # Where the export before this one ended; empty for the first one, which exports everything.
        updated_after=(
            "{{ (ti.xcom_pull(task_ids='export_changed_runs', include_prior_dates=True) or {})"
            ".get('next_updated_after') or '' }}"
        ),
        outlets=[RUNS],
        retries=3,
    )

    @task
    def load(exported: dict[str, Any]) -> str:
        """Put each run in the place of the one with its id; a real Dag would merge the file into a table."""
        lines = gzip.decompress(ObjectStoragePath(exported["path"]).read_bytes()).splitlines()
        runs = {run["id"]: run for run in map(json.loads, lines)}
        return f"loaded {len(runs)} processes, the newest change of {exported['last_updated']}"

    load(export.output)


tallyfy_export_runs()
