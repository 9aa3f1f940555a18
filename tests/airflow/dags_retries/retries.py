"""Tasks that fail once, each in its way; what Airflow makes of it is the test's."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.operators.runs import ListRunsOperator
from tallyfy_provider.policies.retry import TallyfyRetryPolicy
from tallyfy_provider.sensors.runs import RunStatusSensor


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={"retries": 3, "retry_delay": timedelta(hours=1), "retry_policy": TallyfyRetryPolicy()},
    params={"run_id": ""},
)
def retries():
    ListRunsOperator(task_id="forbidden", filters={"q": "forbidden"})
    ListRunsOperator(task_id="limited", filters={"q": "limited"})
    ListRunsOperator(task_id="broken", filters={"q": "broken"})
    ListRunsOperator(task_id="misspelt", filters={"status": "{{ 'unheard of' }}"})
    ListRunsOperator(task_id="without_policy", filters={"q": "forbidden"}, retry_policy=None)
    ListRunsOperator(task_id="limited_and_without_retries", filters={"q": "limited"}, retries=0)
    ListRunsOperator.partial(task_id="mapped").expand(filters=[{"q": "forbidden"}, {"q": "limited"}])
    RunStatusSensor(
        task_id="refused_while_deferred", run_id="{{ params.run_id }}", deferrable=True, poke_interval=0.1, timeout=60
    )

    @task
    def wrapped() -> None:
        try:
            list(TallyfyHook().list_runs({"q": "limited"}))
        except Exception as error:
            raise RuntimeError("no report today") from error

    wrapped()


retries()
