"""What the page of recipes shows."""

# --8<-- [start:imports]
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.operators.api import TallyfyAPIOperator
from tallyfy_provider.operators.runs import (
    LaunchRunOperator,
    ListRunsOperator,
    UpdateRunOperator,
)
from tallyfy_provider.operators.tasks import UpdateTaskOperator
from tallyfy_provider.sensors.runs import RunStatusSensor
from tallyfy_provider.sensors.tasks import TaskStatusSensor

# --8<-- [end:imports]

EXPENSE_APPROVAL = "cd8db581a921d9ece9a10659115405cf"
EQUIPMENT_ORDER = "9528af245f20f3c1fe334daa48a05195"

with DAG("recipes", schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
    # --8<-- [start:yesterday]
    @task
    def created_yesterday(dag_run=None) -> list[str]:
        today = (dag_run.data_interval_end or dag_run.run_after).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        yesterday = today - timedelta(days=1)
        runs = TallyfyHook().list_runs(
            {"archived": "true"}, created_after=yesterday, created_before=today
        )
        return [run["id"] for run in runs]

    # --8<-- [end:yesterday]
    created_yesterday()

    # --8<-- [start:each]
    open_reviews = ListRunsOperator(
        task_id="open_reviews",
        filters={"q": "Contract review", "status": "active"},
        on_empty="skip",
    )
    each_done = RunStatusSensor.partial(
        task_id="each_done",
        deferrable=True,
        poke_interval=300,
        timeout=timedelta(days=14).total_seconds(),
        retries=2,
    ).expand(run_id=open_reviews.output["run_ids"])
    # --8<-- [end:each]

    # --8<-- [start:escalate]
    ask = LaunchRunOperator(
        task_id="ask",
        checklist_id=EXPENSE_APPROVAL,
        kickoff={"Amount": "12", "Reason": "Tea"},
        retries=3,
    )
    three_days = TaskStatusSensor(
        task_id="three_days",
        run_id=ask.output,
        step="approve",
        deferrable=True,
        poke_interval=300,
        timeout=timedelta(days=3).total_seconds(),
    )
    escalate = UpdateTaskOperator(
        task_id="escalate",
        run_id=ask.output,
        step="approve",
        add_users=[10202],  # the manager
        trigger_rule="all_failed",  # only when the three days are over
    )
    decision = TaskStatusSensor(
        task_id="decision",
        run_id=ask.output,
        step="approve",
        deferrable=True,
        poke_interval=300,
        timeout=timedelta(days=14).total_seconds(),
        retries=2,
        trigger_rule="all_done",  # returns at once if the step was done in time
    )
    three_days >> escalate >> decision
    # --8<-- [end:escalate]

    # --8<-- [start:find]
    @task
    def find(template: str) -> None:
        checklists = TallyfyHook().client.checklists
        for checklist in checklists.list({"q": template}):
            print(checklist["title"], checklist["id"])
            for field in checklists.get_kickoff_fields(checklist["id"]):
                options = [option["text"] for option in field.get("options") or []]
                print(
                    "  kick-off:",
                    field["alias"],
                    field["field_type"],
                    field["label"],
                    options,
                )
            for step in TallyfyHook().paginate(
                f"checklists/{checklist['id']}/steps"
            ):
                print("  step:", step["alias"], step["title"])

    # --8<-- [end:find]
    find("Equipment order")

    order = LaunchRunOperator(
        task_id="order",
        checklist_id=EQUIPMENT_ORDER,
        kickoff={
            "Item": "Laptop",
            "Budget": ["4711", "60 %"],
            "Priority": "normal",
        },
    )

    # --8<-- [start:table]
    @task
    def read_budget(order_id: str) -> dict[str, str]:
        hook = TallyfyHook()
        run = hook.get_run(order_id)
        fields = hook.client.checklists.get_kickoff_fields(run["checklist_id"])
        budget = next(field for field in fields if field["alias"] == "budget")
        columns = [column["label"] for column in budget["columns"]]
        return dict(zip(columns, run["prerun"][budget["id"]], strict=True))

    # --8<-- [end:table]
    read_budget(order.output)

    # --8<-- [start:update]
    change_answers = UpdateRunOperator(
        task_id="change_answers",
        run_id=order.output,
        kickoff={"Priority": "urgent"},
    )
    # --8<-- [end:update]

    # --8<-- [start:tag]
    tag = TallyfyAPIOperator(
        task_id="tag",
        method="POST",
        path="checklists/tags",
        json={
            "subject_id": order.output,
            "subject_type": "Run",
            "tag_id": "7549b316d41ece6b7a18dfe80e4b79dc",
            "tag_type": "Tag",
        },
    )
    file_it = TallyfyAPIOperator(
        task_id="file_it",
        method="POST",
        path="folders/add-object",
        json={
            "subject_id": order.output,
            "subject_type": "Run",
            "folder_id": "311",
        },
    )
    # --8<-- [end:tag]

    # --8<-- [start:custom]
    set_reference = TallyfyAPIOperator(
        task_id="set_reference",
        method="PATCH",
        path=f"runs/{order.output}/custom-fields/erp_reference",
        json={"value": "PO-2026-117"},
    )
    # --8<-- [end:custom]

    # --8<-- [start:oneoff]
    one_off = TallyfyAPIOperator(
        task_id="one_off",
        method="POST",
        path="tasks",
        json={
            "title": "Call the supplier",
            "task_type": "task",
            "deadline": "2027-01-31 17:00:00",
            "owners": {"users": [10203], "guests": [], "groups": []},
        },
        retries=0,  # a retry would make another one
    )
    # --8<-- [end:oneoff]

    # --8<-- [start:upload]
    @task
    def upload(checklist_id: str, path: str) -> dict:
        import requests
        from airflow.providers.common.compat.sdk import BaseHook

        connection = BaseHook.get_connection(
            "tallyfy_default"
        )  # with an access token
        host = connection.host or "https://api.tallyfy.com"
        with open(path, "rb") as file:
            answer = requests.post(
                f"{host}/organizations/{connection.login}/file",
                headers={
                    "Authorization": f"Bearer {connection.password}",
                    "Accept": "application/json",
                    "X-Tallyfy-Client": "APIClient",
                },
                data={
                    "subject_id": checklist_id,
                    "subject_type": "Checklist",
                    "uploaded_from": "ko_field",
                },
                files={"name": file},
                timeout=60,
            )
        answer.raise_for_status()
        return answer.json()["data"]

    with_quotation = LaunchRunOperator(
        task_id="with_quotation",
        checklist_id=EQUIPMENT_ORDER,
        kickoff={
            "Item": "Laptop",
            "Quotation": [upload(EQUIPMENT_ORDER, __file__)],
        },
        retries=3,
    )
    # --8<-- [end:upload]
