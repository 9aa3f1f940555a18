"""Every night, load what has changed in Tallyfy into DuckDB with dlt, as into any other warehouse of dlt's."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import dag, task

# dlt keeps there where the next load begins: a folder that all workers share, or that the task always finds again.
FOLDER = os.path.join(os.environ.get("AIRFLOW_HOME", os.path.expanduser("~/airflow")), "tallyfy-dlt")


@dag(
    schedule="30 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # two loads into one pipeline would overtake each other
    params={"folder": FOLDER},
    doc_md=__doc__,
    tags=["tallyfy", "example"],
)
def tallyfy_load_duckdb() -> None:
    @task(retries=3)
    def load(folder: str) -> dict[str, int]:
        """Merge the changes into the tables, and return how many rows were loaded into each."""
        import dlt

        from tallyfy_provider.dlt import tallyfy_source

        os.makedirs(folder, exist_ok=True)
        pipeline = dlt.pipeline(
            "tallyfy",
            pipelines_dir=os.path.join(folder, "pipelines"),
            destination=dlt.destinations.duckdb(os.path.join(folder, "warehouse.duckdb")),
            dataset_name="tallyfy",
        )
        pipeline.run(tallyfy_source(tables=["runs", "tasks", "answers", "comments", "people"]))
        trace = pipeline.last_trace
        counts = trace.last_normalize_info.row_counts if trace and trace.last_normalize_info else {}
        return {table: count for table, count in counts.items() if not table.startswith("_dlt")}

    load("{{ params.folder }}")


tallyfy_load_duckdb()
