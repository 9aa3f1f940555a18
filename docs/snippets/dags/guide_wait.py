"""What the guides on listing and waiting show."""

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.sensors.runs import RunCountSensor, RunStatusSensor

with DAG(
    "guide_wait",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"owner_ids": "", "folder": "311"},
):
    # --8<-- [start:list]
    open_reviews = ListRunsOperator(
        task_id="list_open_reviews",
        filters={
            "q": "Contract review",
            "status": "active",
            "owners": "{{ params.owner_ids }}",  # not sent while the parameter is empty
        },
        fields=["id", "name", "owner_id", "due_date"],
        on_empty="skip",
    )
    # --8<-- [end:list]
    # --8<-- [start:all]
    all_done = RunStatusSensor(
        task_id="wait_for_all",
        run_id=open_reviews.output["run_ids"],
        failed_statuses=["archived", "problem", "issue"],
        deferrable=True,
        poke_interval=timedelta(minutes=5).total_seconds(),
        timeout=timedelta(days=10).total_seconds(),
        retries=2,
    )
    # --8<-- [end:all]
    # --8<-- [start:each]
    each_done = RunStatusSensor.partial(
        task_id="wait_for_review",
        map_index_template="{{ ti.xcom_pull(task_ids='list_open_reviews')[ti.map_index]['name'] }}",
        deferrable=True,
        poke_interval=timedelta(minutes=5).total_seconds(),
        timeout=timedelta(days=14).total_seconds(),
        retries=2,
    ).expand(run_id=open_reviews.output["run_ids"])
    # --8<-- [end:each]
    # --8<-- [start:count]
    no_open_problem = RunCountSensor(
        task_id="wait_until_no_problem_is_open",
        filters={"status": "problem", "folder": "{{ params.folder }}"},
        exactly=0,
        deferrable=True,
        poke_interval=timedelta(minutes=5).total_seconds(),
        timeout=timedelta(days=2).total_seconds(),
        retries=2,
    )
    # --8<-- [end:count]

    # --8<-- [start:hook]
    @task
    def count_open_runs_by_template() -> dict[str, int]:
        """Count the open runs of each template; never more than some pages are in memory."""
        counts: dict[str, int] = {}
        for run in TallyfyHook().list_runs({"status": "active"}):
            counts[run["checklist_title"]] = (
                counts.get(run["checklist_title"], 0) + 1
            )
        return counts

    # --8<-- [end:hook]
    count_open_runs_by_template()
