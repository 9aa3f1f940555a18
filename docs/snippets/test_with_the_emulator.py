"""What the guide on testing shows: these are tests."""

# --8<-- [start:imports]
import pytest

from tallyfy_emulator import Emulator, Fault, ManualClock
from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.operators.runs import LaunchRunOperator

# --8<-- [end:imports]


# --8<-- [start:fault]
def test_open_reviews_are_listed_although_tallyfy_stumbles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Emulator(seed=False) as emulator:
        monkeypatch.setenv(
            "AIRFLOW_CONN_TALLYFY_DEFAULT", emulator.connection_json()
        )
        emulator.add_run(name="Contract review – Acme", status="active")
        emulator.add_run(name="Contract review – Globex", status="complete")
        emulator.order(Fault(kind="status", status=503, times=1))

        runs = list(TallyfyHook().list_runs({"status": "active"}))

        assert [run["name"] for run in runs] == ["Contract review – Acme"]
        assert [request.status for request in emulator.requests] == [503, 200]


# --8<-- [end:fault]
# --8<-- [start:clock]
def test_a_run_completes_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    with Emulator(seed=False, clock=clock) as emulator:
        monkeypatch.setenv(
            "AIRFLOW_CONN_TALLYFY_DEFAULT", emulator.connection_json()
        )
        run = emulator.add_run(name="Month-end close", completes_in=3600)
        assert TallyfyHook().get_run(run["id"])["status"] == "active"

        clock.advance(3600)

        assert TallyfyHook().get_run(run["id"])["status"] == "complete"


# --8<-- [end:clock]
# --8<-- [start:template]
def test_a_discount_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(seed=False) as emulator:
        monkeypatch.setenv(
            "AIRFLOW_CONN_TALLYFY_DEFAULT", emulator.connection_json()
        )
        checklist = emulator.add_checklist(
            "Discount",
            kickoff=[
                {"label": "Customer", "alias": "customer"},
                {
                    "label": "Region",
                    "field_type": "dropdown",
                    "options": ["North", "South"],
                },
            ],
            steps=[
                {
                    "title": "Decide",
                    "task_type": "approval",
                    "form_fields": [{"label": "Percent"}],
                }
            ],
        )
        run = TallyfyHook().launch_run({"checklist_id": checklist["id"]})
        step = emulator.task(run["id"], "Decide")

        emulator.complete_task(
            step["id"], is_approved=True, values={"Percent": "5"}
        )

        assert TallyfyHook().get_run(run["id"])["status"] == "complete"


# --8<-- [end:template]


def test_wrong_answers_are_refused_before_anything_is_launched() -> None:
    operator = LaunchRunOperator(task_id="launch", checklist_id="", kickoff={})
    with pytest.raises(ValueError, match="checklist_id is empty"):
        operator.execute({})
