from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import dag, task

from tallyfy_provider.operators.runs import LaunchRunOperator
from tallyfy_provider.sensors.tasks import TaskStatusSensor


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def ask_before_paying():
    ask = LaunchRunOperator(
        task_id="ask_for_approval",
        checklist_id="cd8db581a921d9ece9a10659115405cf",  # the template "Expense approval"
        kickoff={
            "Amount": "1,840.00 EUR",
            "Reason": "Licences",
        },  # its kick-off form
        retries=3,  # a retry finds the process that was launched before
    )
    decision = TaskStatusSensor(
        task_id="wait_for_approval",
        run_id=ask.output,
        step="approve",  # alias, title or id of the step
        on_rejection="skip",
        deferrable=True,  # waits in the triggerer; without one, write mode="reschedule"
        poke_interval=5,  # seconds; minutes will do for people
        timeout=timedelta(days=14).total_seconds(),
        retries=2,
    )

    @task
    def pay(decision):
        print(
            "Approved by",
            decision["completed_by"],
            "to be paid by",
            decision["values"]["pay-by"],
        )

    pay(decision.output)


ask_before_paying()
