"""What the guides on answers, steps and any endpoint show."""

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from tallyfy_provider.operators.api import TallyfyAPIOperator
from tallyfy_provider.operators.runs import LaunchRunOperator
from tallyfy_provider.operators.tasks import (
    CommentOperator,
    CompleteTaskOperator,
    ListTasksOperator,
    ReopenTaskOperator,
    UpdateTaskOperator,
)
from tallyfy_provider.sensors.tasks import TaskStatusSensor

EXPENSE_APPROVAL = "cd8db581a921d9ece9a10659115405cf"
INCIDENT = "bb70211661e8841e30898f3fec0e2bb7"

with DAG("guide_steps", schedule=None, start_date=datetime(2026, 1, 1)):
    ask = LaunchRunOperator(
        task_id="ask",
        checklist_id=EXPENSE_APPROVAL,
        kickoff={"Amount": "12", "Reason": "Tea"},
    )

    # --8<-- [start:answer]
    approval = TaskStatusSensor(
        task_id="wait_for_approval",
        run_id=ask.output,
        step="approve",
        deferrable=True,
        poke_interval=timedelta(minutes=5).total_seconds(),
        timeout=timedelta(days=14).total_seconds(),
        retries=2,
    )

    @task.branch
    def choose(approval):
        if approval["decision"] == "rejected":
            return "send_back"
        return (
            "pay_with_payroll"
            if approval["values"]["pay-by"] == "payroll"
            else "pay_by_transfer"
        )

    # --8<-- [end:answer]
    @task
    def pay_by_transfer(): ...

    @task
    def pay_with_payroll(): ...

    @task
    def send_back(): ...

    choose(approval.output) >> [pay_by_transfer(), pay_with_payroll(), send_back()]

    incident = LaunchRunOperator(
        task_id="incident", checklist_id=INCIDENT, kickoff={"What failed": "Load"}
    )

    # --8<-- [start:list]
    open_steps = ListTasksOperator(
        task_id="list_steps",
        run_id=incident.output,
        filters={"status": "active"},
        fields=["id", "title"],
    )
    remind = CommentOperator.partial(
        task_id="remind", content="The data is here."
    ).expand(step=open_steps.output["task_ids"])
    # --8<-- [end:list]
    # --8<-- [start:update]
    fill_in = UpdateTaskOperator(
        task_id="fill_in_cause",
        run_id=incident.output,
        step="Write down the cause",
        values={"Cause": "The source had no data."},
        deadline="2027-01-31T17:00:00Z",
        add_users=[10203],
    )
    # --8<-- [end:update]
    # --8<-- [start:complete]
    repaired = CompleteTaskOperator(
        task_id="repaired", run_id=incident.output, step="Repair"
    )
    approve = CompleteTaskOperator(
        task_id="acknowledge",
        run_id=incident.output,
        step="Acknowledge",
        decision="acknowledge",  # for an approval: "approve" or "reject"
    )
    # --8<-- [end:complete]
    # --8<-- [start:reopen]
    again = ReopenTaskOperator(
        task_id="repair_again", run_id=incident.output, step="Repair"
    )
    stop = CommentOperator(
        task_id="stop",
        run_id=incident.output,
        step="Repair",
        kind="problem",
        content="Not repaired: @[10203]",
    )
    # --8<-- [end:reopen]
    open_steps >> fill_in >> repaired >> approve >> again >> stop

    # --8<-- [start:any]
    tags = TallyfyAPIOperator(
        task_id="tags", path="tags", paginate=True, max_rows=500
    )
    new_tag = TallyfyAPIOperator(
        task_id="new_tag",
        method="POST",
        path="tags",
        json={"title": "month-end"},
        retries=0,
    )
    # --8<-- [end:any]
