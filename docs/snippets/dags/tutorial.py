# --8<-- [start:all]
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.operators.runs import LaunchRunOperator
from tallyfy_provider.sensors.tasks import TaskStatusSensor
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

EXPENSE_APPROVAL = "cd8db581a921d9ece9a10659115405cf"


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={"amount": "1,840.00 EUR"},
)
def my_first_approval():
    ask = LaunchRunOperator(
        task_id="ask",
        checklist_id=EXPENSE_APPROVAL,
        name="Licences for {{ params.amount }}",
        kickoff={
            "Amount": "{{ params.amount }}",
            "Reason": "Licences",
            "Cost centre": "IT",
        },
        retries=3,
    )
    decision = TaskStatusSensor(
        task_id="wait",
        run_id=ask.output,
        step="approve",
        deferrable=True,
        poke_interval=5,
        timeout=timedelta(days=14).total_seconds(),
        retries=2,
    )

    @task.branch
    def choose(decision):
        return "pay" if decision["decision"] == "approved" else "send_back"

    @task
    def pay(decision):
        print("Pay by", decision["values"]["pay-by"])

    @task
    def send_back(decision):
        print("Not approved:", decision["values"]["note"])

    export = TallyfyToObjectStorageOperator(
        task_id="export",
        path="/tmp/tallyfy/approvals.csv",
        filters={"checklist_id": EXPENSE_APPROVAL},
        fields=["id", "name", "status", "created_at"],
        trigger_rule="none_failed_min_one_success",  # after whichever branch ran
    )
    (
        choose(decision.output)
        >> [pay(decision.output), send_back(decision.output)]
        >> export
    )


my_first_approval()
# --8<-- [end:all]
