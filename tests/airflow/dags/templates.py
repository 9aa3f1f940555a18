"""Filters, fields and limits that come from parameters and from other tasks."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.sensors.runs import RunStatusSensor


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"status": "complete", "nothing": None, "limit": 2},
)
def templates():
    @task
    def choose_process() -> str:
        return "Customer onboarding"

    @task
    def choose_includes() -> list[str]:
        return ["tags", "checklist"]

    listed = ListRunsOperator(
        task_id="list_by_templates",
        filters={
            "q": "{{ ti.xcom_pull('choose_process') }}",
            "status": "{{ params.status }}",
            "owners": "{{ params.nothing }}",
            "tag": "{{ '' }}",
            "with": choose_includes(),
        },
        max_runs="{{ params.limit }}",
        tallyfy_conn_id="{{ 'tallyfy' ~ '_default' }}",
    )
    process = choose_process()
    process >> listed

    # Text with one id, a list of ids, and a second XCom of the listing: each is a run_id.
    first_id = "{{ ti.xcom_pull('list_by_templates', key='run_ids')[0] }}"
    listed >> RunStatusSensor(task_id="wait_for_text", run_id=first_id)
    RunStatusSensor(task_id="wait_for_list", run_id=listed.output["run_ids"])
    RunStatusSensor(task_id="wait_rescheduled", run_id=listed.output["run_ids"], mode="reschedule")

    @task
    def count(runs, run_ids, number) -> list[int]:
        return [len(runs), len(run_ids), number]

    count(listed.output, listed.output["run_ids"], listed.output["count"])


templates()
