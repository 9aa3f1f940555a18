"""What happens to the tasks after a listing that finds nothing."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.sensors.runs import RunStatusSensor


@dag(schedule=None, start_date=datetime(2026, 1, 1))
def emptiness():
    skipped = ListRunsOperator(task_id="list_and_skip", filters={"q": "no such process"}, on_empty="skip")
    RunStatusSensor(task_id="wait_after_skip", run_id=skipped.output["run_ids"])

    passed = ListRunsOperator(task_id="list_and_pass", filters={"q": "no such process"})
    RunStatusSensor.partial(task_id="wait_for_none").expand(run_id=passed.output["run_ids"])

    @task
    def size(runs) -> int:
        return len(runs)

    size(passed.output)


emptiness()
