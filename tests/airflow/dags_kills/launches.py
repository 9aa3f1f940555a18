"""Tasks to be killed: each Dag run launches the checklist that its conf names, over the connection that it names."""

from __future__ import annotations

import json
import os
import socket
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator

from tallyfy_provider.operators.runs import LaunchRunOperator

CHECKLIST = "{{ dag_run.conf['checklist'] }}"
CONNECTION = "{{ dag_run.conf['connection'] }}"


def announce(context: Any) -> None:
    """Tell whoever kills that this process is about to execute the task, or to resume it."""
    told = {
        "pid": os.getpid(),
        "checklist": context["dag_run"].conf["checklist"],
        "try_number": context["ti"].try_number,
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
        mouth.sendto(json.dumps(told).encode(), ("127.0.0.1", int(os.environ["TALLYFY_TEST_EAR"])))


class PostRunOperator(BaseOperator):
    """What one writes without a thought of crashes: a request in a task that is retried."""

    template_fields = ("checklist_id", "tallyfy_conn_id")

    def __init__(self, *, checklist_id: str, tallyfy_conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checklist_id = checklist_id
        self.tallyfy_conn_id = tallyfy_conn_id

    def execute(self, context: Any) -> str:
        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        body = {"checklist_id": self.checklist_id, "name": "Posted"}
        return TallyfyHook(self.tallyfy_conn_id).client.runs.launch(body)["id"]


def dag_of(dag_id: str, retries: int) -> DAG:
    return DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1),
        max_active_runs=64,
        max_active_tasks=64,
        default_args={"retries": retries, "retry_delay": timedelta(0), "pre_execute": announce},
    )


for dag_id, deferrable in (("launch_in_place", False), ("launch_deferred", True)):
    with dag_of(dag_id, retries=10) as dag:
        LaunchRunOperator(
            task_id="launch",
            checklist_id=CHECKLIST,
            tallyfy_conn_id=CONNECTION,
            lookup_timeout=float(os.environ.get("TALLYFY_TEST_PATIENCE", "30")),
            wait_for_completion=True,
            deferrable=deferrable,
            poke_interval=0.5,
        )
    globals()[dag_id] = dag

with dag_of("post_and_retry", retries=2) as post_and_retry:
    PostRunOperator(task_id="launch", checklist_id=CHECKLIST, tallyfy_conn_id=CONNECTION)
