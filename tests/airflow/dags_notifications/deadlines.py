"""Dags that take longer than their deadlines, and tell people in Tallyfy."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_3_PLUS

from tallyfy_provider.notifications.tallyfy import TallyfyNotifier

if AIRFLOW_V_3_1_PLUS:
    # Airflow 3.1 has these names here only; later ones in airflow.sdk, too.
    from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference, SyncCallback

    HOME = Path(os.environ["AIRFLOW_HOME"])
    ARGUMENTS = {
        "checklist_id": "1" * 32,
        "kickoff": {"What failed": "{{ dag_run.dag_id }}", "Details": "{{ run_id }}"},
    }

    def late(dag_id: str, callback: AsyncCallback | SyncCallback) -> None:
        deadline = DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(seconds=1), callback=callback
        )

        @dag(dag_id=dag_id, schedule=None, start_date=datetime(2026, 1, 1), deadline=deadline)
        def is_late():
            @task
            def take_time() -> None:
                # Until the test has seen what the deadline did, or has given up.
                given_up = time.monotonic() + 240
                while not (HOME / "let-late-tasks-end").exists() and time.monotonic() < given_up:
                    time.sleep(0.2)

            take_time()

        is_late()

    late("late_async", AsyncCallback(TallyfyNotifier, ARGUMENTS))
    if AIRFLOW_V_3_3_PLUS:  # docs/airflow-versions.md says what becomes of it before
        late("late_sync", SyncCallback(TallyfyNotifier, ARGUMENTS))
