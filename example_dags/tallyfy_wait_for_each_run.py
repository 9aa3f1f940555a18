"""When the contract reviews that are open now are done, collect what was decided, one task a review."""

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
    params={"process": "Contract review"},
    doc_md=__doc__,
    tags=["tallyfy", "example"],
)
def tallyfy_wait_for_each_run() -> None:
    open_reviews = ListRunsOperator(
        task_id="list_open_reviews",
        filters={"q": "{{ params.process }}", "status": "active"},
        fields=["id", "name"],
        max_runs=20,
        on_empty="skip",
    )

    # One mapped task a run, each with its own log, retries and place in the grid.
    review = RunStatusSensor.partial(
        task_id="wait_for_review",
        deferrable=True,
        retries=2,
        poke_interval=3,  # seconds; short for trying it out, minutes will do for people
        timeout=timedelta(days=14).total_seconds(),
    ).expand(run_id=open_reviews.output["run_ids"])

    @task
    def collect(reviews: list[list[dict[str, Any]]]) -> list[str]:
        """Name the reviews that are done, in the order in which they were listed."""
        return [f"{run['name']} was done at {run['completed_at']}" for runs in reviews for run in runs]

    collect(review.output)


tallyfy_wait_for_each_run()
