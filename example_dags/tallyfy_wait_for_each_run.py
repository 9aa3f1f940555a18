"""
When the contract reviews that are open now are done, collect what was decided, one task a review.

**What it is for.** Many waits at once: a mapped task for each process, deferred, with its own log, retries and place
in the grid. All of them share one poller in the triggerer, so that hundreds cost a few requests.

**What to press.** Trigger, and what the names of the processes contain.

**What to look at.** The instances of `wait_for_review` carry the names of the processes: on Airflow 3 while they
wait, on Airflow 2 when they are done. The log of each has a line whenever its process changes, with the address:
finish one there.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Param, dag, task

from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.sensors.runs import RunStatusSensor

# What the demo sets is shorter.
POKE_INTERVAL = float(os.environ.get("TALLYFY_EXAMPLES_POKE_INTERVAL", 300))


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={
        "process": Param(
            "Contract review", type="string", title="Process", description="What the names of the processes contain."
        )
    },
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
        map_index_template="{{ ti.xcom_pull(task_ids='list_open_reviews')[ti.map_index]['name'] }}",
        deferrable=True,
        retries=2,
        poke_interval=POKE_INTERVAL,  # seconds: minutes will do for people
        timeout=timedelta(days=14).total_seconds(),
    ).expand(run_id=open_reviews.output["run_ids"])

    @task
    def collect(reviews: list[list[dict[str, Any]]]) -> list[str]:
        """Name the reviews that are done, in the order in which they were listed."""
        return [f"{run['name']} was done at {run['completed_at']}" for runs in reviews for run in runs]

    collect(review.output)


tallyfy_wait_for_each_run()
