"""What the guide on notifications shows."""

from datetime import datetime

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.notifications.tallyfy import TallyfyNotifier

# --8<-- [start:launch]
start_incident = TallyfyNotifier(
    checklist_id="bb70211661e8841e30898f3fec0e2bb7",
    kickoff={
        "What failed": "Dag {{ dag.dag_id }}, run {{ run_id }}",
        "Severity": "high",
    },
)


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    on_failure_callback=start_incident,
)
def orders():
    # --8<-- [end:launch]
    @task
    def load(): ...

    load()


orders()

# --8<-- [start:comment]
tell_the_close = TallyfyNotifier(
    run_id="{{ params.close }}",
    step="Reconcile bank",
    comment="The bank statements are not loaded yet: @[10203] knows more.",
)
# --8<-- [end:comment]
