"""What the guide on launching shows."""

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from tallyfy_provider.operators.runs import (
    ActivateRunOperator,
    ArchiveRunOperator,
    GetRunOperator,
    LaunchRunOperator,
    UpdateRunOperator,
)

EXPENSE_APPROVAL = "cd8db581a921d9ece9a10659115405cf"
EMPLOYEE_ONBOARDING = "dc4db6c7a17f2d27d7076068d2efff30"

with DAG(
    "guide_launch",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"invoice": "2026-117"},
):
    # --8<-- [start:launch]
    ask = LaunchRunOperator(
        task_id="ask_for_approval",
        checklist_id=EXPENSE_APPROVAL,
        name="Approve invoice {{ params.invoice }}",
        kickoff={
            "Amount": "1,840.00 EUR",
            "Reason": "Licences",
            "Cost centre": "IT",
        },
        summary="From the invoice inbox.",
        tags=["7549b316d41ece6b7a18dfe80e4b79dc"],
        steps={"approve": {"deadline": "2027-01-31T17:00:00Z"}},
        retries=3,
        retry_delay=timedelta(minutes=1),
    )
    # --8<-- [end:launch]
    # --8<-- [start:each]
    onboarded = LaunchRunOperator.partial(
        task_id="onboard",
        checklist_id=EMPLOYEE_ONBOARDING,
        wait_for_completion=True,
        deferrable=True,
        poke_interval=timedelta(minutes=5),
        timeout=timedelta(days=30),
        retries=3,
    ).expand(name=["Onboard Ada", "Onboard Grace"])
    # --8<-- [end:each]
    # --8<-- [start:change]
    hand_over = UpdateRunOperator(
        task_id="hand_over",
        run_id=ask.output,
        owner_id=10202,
        add_users=[10201, 10203],
        kickoff={"Cost centre": "Sales"},
    )
    # --8<-- [end:change]
    # --8<-- [start:archive]
    cancel = ArchiveRunOperator(task_id="cancel", run_id=ask.output)
    bring_back = ActivateRunOperator(task_id="bring_back", run_id=ask.output)
    look = GetRunOperator(
        task_id="look", run_id=ask.output, fields=["id", "name", "status"]
    )
    # --8<-- [end:archive]
    hand_over >> cancel >> bring_back >> look
