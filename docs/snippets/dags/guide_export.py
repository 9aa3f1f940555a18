"""What the guide on exports shows."""

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Asset

from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

with DAG(
    "guide_export",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"folder": "/tmp/tallyfy"},
):
    # --8<-- [start:export]
    export = TallyfyToObjectStorageOperator(
        task_id="export_runs",
        path="{{ params.folder }}/runs.parquet",  # or s3://my_aws@bucket/runs.parquet
        filters={"archived": "true"},
        outlets=[Asset("tallyfy_runs")],
        retries=3,
    )
    # --8<-- [end:export]
    # --8<-- [start:window]
    day = TallyfyToObjectStorageOperator(
        task_id="export_runs_of_a_day",
        path="{{ params.folder }}/day={{ (dag_run.data_interval_end or dag_run.run_after) | ds }}.csv",
        created_after="{{ macros.ds_add((dag_run.data_interval_end or dag_run.run_after) | ds, -1) }}",
        created_before="{{ (dag_run.data_interval_end or dag_run.run_after) | ds }}",
        fields=["id", "name", "status", "progress.percent"],
    )
    # --8<-- [end:window]
    # --8<-- [start:changed]
    changed = TallyfyToObjectStorageOperator(
        task_id="export_changed_runs",
        # A file for each Dag run: a second one on a day must not replace what the first one wrote.
        path="{{ params.folder }}/changed/{{ run_id }}.jsonl.gz",
        filters={"archived": "true"},  # to be archived is a change, too
        # Where the export before this one ended; empty for the first one, which exports everything.
        updated_after=(
            "{{ (ti.xcom_pull(task_ids='export_changed_runs', include_prior_dates=True) or {})"
            ".get('next_updated_after') or '' }}"
        ),
        retries=3,
    )
    # --8<-- [end:changed]
    # --8<-- [start:sweep]
    sweep = TallyfyToObjectStorageOperator(
        task_id="sweep",
        path="{{ params.folder }}/sweep/{{ run_id }}",
        tables=["runs", "tasks", "answers", "comments"],
        find_changes="sweep",
        incremental=True,
    )
    # --8<-- [end:sweep]
