"""What is stored while Airflow waits: the tasks that are deferred, and the Tallyfy that they wait for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tallyfy_emulator import Emulator
from tallyfy_provider.operators.runs import LaunchRunOperator
from tallyfy_provider.sensors.runs import RunCountSensor, RunStatusSensor
from tallyfy_provider.sensors.tasks import TaskStatusSensor

#: When everything was stored, in seconds since the epoch.
STORED_AT = 1_767_600_000.0
CHECKLIST = "1" * 32
CONTRACT, OTHER_CONTRACT, DINNER = "a" * 32, "b" * 32, "c" * 32


@dataclass(frozen=True)
class Case:
    """A task that waits in the triggerer."""

    name: str
    #: Build the operator, as the Dag file does in each process.
    build: Callable[[], Any]
    #: What people do in Tallyfy that ends the wait.
    finish: Callable[[Emulator], object]


def add_runs(emulator: Emulator) -> None:
    """Add the runs that the tasks wait for."""
    steps = [{"title": "Approve it", "alias": "approve", "task_type": "approval"}]
    emulator.add_checklist("Dinner", steps=steps, checklist_id=CHECKLIST)
    for run_id, name in ((CONTRACT, "Contract of Ada"), (OTHER_CONTRACT, "Contract of Bob"), (DINNER, "Dinner")):
        emulator.add_run(name=name, id=run_id, checklist_id=CHECKLIST)


def finish_launched(emulator: Emulator) -> None:
    """Complete the run that the task has launched: the youngest."""
    emulator.complete_run(str(emulator.launched[-1]["id"]))


CASES = (
    Case(
        "run_status",
        lambda: RunStatusSensor(task_id="wait", run_id=CONTRACT, deferrable=True),
        lambda emulator: emulator.complete_run(CONTRACT),
    ),
    Case(
        "any_of_two_runs",
        lambda: RunStatusSensor(
            task_id="wait",
            run_id=[CONTRACT, OTHER_CONTRACT],
            wait_for="any",
            failed_statuses=["archived"],
            skipped_statuses=["problem"],
            deferrable=True,
        ),
        lambda emulator: emulator.complete_run(OTHER_CONTRACT),
    ),
    Case(
        "run_count",
        lambda: RunCountSensor(
            task_id="wait", filters={"status": "active", "q": "Contract of Ada"}, exactly=0, deferrable=True
        ),
        lambda emulator: emulator.complete_run(CONTRACT),
    ),
    Case(
        "task_status",
        lambda: TaskStatusSensor(task_id="wait", run_id=DINNER, step="approve", on_rejection="fail", deferrable=True),
        lambda emulator: emulator.complete_task(emulator.task(DINNER, "approve")["id"], is_approved=True),
    ),
    Case(
        "launch_and_wait",
        lambda: LaunchRunOperator(
            task_id="launch",
            checklist_id=CHECKLIST,
            wait_for_completion=True,
            deferrable=True,
            archive_on_kill=True,
        ),
        finish_launched,
    ),
)
