"""A retry policy: Airflow 3.3."""

from datetime import datetime, timedelta

from airflow.sdk import DAG

from tallyfy_provider.operators.runs import ListRunsOperator

# --8<-- [start:policy]
from tallyfy_provider.policies.retry import TallyfyRetryPolicy

with DAG(
    "guide_retries",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={
        "retries": 5,
        "retry_delay": timedelta(minutes=1),
        "retry_policy": TallyfyRetryPolicy(),
    },
):
    ListRunsOperator(task_id="list_runs", filters={"status": "active"})
# --8<-- [end:policy]
