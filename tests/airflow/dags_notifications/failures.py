"""A Dag that fails, and tells people in Tallyfy of all that becomes of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.notifications.tallyfy import TallyfyNotifier

start_incident = TallyfyNotifier(
    checklist_id="1" * 32, kickoff={"What failed": "{{ dag.dag_id }}", "Details": "{{ run_id }}"}
)


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"run_id": ""},
    on_failure_callback=start_incident,
    default_args={"retry_delay": timedelta(seconds=1)},
)
def failures():
    @task(
        retries=1,
        on_retry_callback=start_incident,
        on_failure_callback=[start_incident, TallyfyNotifier(run_id="{{ params.run_id }}")],
    )
    def fails() -> None:
        raise ValueError("swordfish")

    @task(on_success_callback=start_incident)
    def succeeds() -> None: ...

    fails()
    succeeds()


failures()
