"""Deferred waits for the end-to-end test: their runs are named in the Dag run's conf."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.sensors.runs import RunStatusSensor


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"process": "No such process"})
def waits():
    listed = ListRunsOperator(
        task_id="list_runs",
        filters={"q": "{{ params.process }}", "status": "active"},
        fields=["id", "name"],
        on_empty="skip",
    )
    done = RunStatusSensor.partial(task_id="wait", deferrable=True, poke_interval=1).expand(
        run_id=listed.output["run_ids"]
    )

    @task
    def hand_on(waited) -> list[str]:
        return sorted(run["name"] for runs in waited for run in runs)

    hand_on(done.output)


waits()
