"""Load the ledger once the people in finance have closed the month, and not before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.sensors.runs import RunStatusSensor


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={"process": "Month-end close – October 2026"},
    doc_md=__doc__,
    tags=["tallyfy", "example"],
)
def tallyfy_load_after_month_end_close() -> None:
    close = ListRunsOperator(
        task_id="find_month_end_close",
        filters={"q": "{{ params.process }}", "sort": "-created_at"},
        fields=["id", "name", "status"],
        max_runs=1,
        on_empty="fail",
    )

    # Deferred: the wait takes days and no worker slot. An archived close, or one with an open problem, fails the task.
    closed = RunStatusSensor(
        task_id="wait_until_closed",
        run_id=close.output["run_ids"],
        failed_statuses=["archived", "problem", "issue"],
        deferrable=True,
        retries=2,
        poke_interval=3,  # seconds; short for trying it out, minutes will do for people
        timeout=timedelta(days=10).total_seconds(),
    )

    @task
    def load_ledger(runs: list[dict[str, Any]]) -> str:
        """Load the month that was closed; a real Dag would copy tables here."""
        return f"loaded the ledger of {runs[0]['name']}, closed at {runs[0]['completed_at']}"

    load_ledger(closed.output)


tallyfy_load_after_month_end_close()
