"""What the tests of operators on tasks share: a run with steps of several kinds, and what runs one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

STEPS = [
    {
        "title": "Fill in the contract",
        "alias": "fill",
        "form_fields": [
            {"label": "Price", "alias": "price", "required": True},
            {"label": "Region", "alias": "region", "field_type": "dropdown", "options": ["North", "South"]},
            {"label": "Start", "alias": "start", "field_type": "date"},
        ],
    },
    {"title": "Approve the contract", "alias": "approve", "task_type": "approval"},
    {"title": "Pay", "alias": "pay", "task_type": "expiring"},
    {"title": "Hidden", "alias": "hidden", "auto_skipped": True},
    {"title": "File it", "alias": "file"},
]


@pytest.fixture
def contract(emulator, connect) -> dict[str, Any]:
    """A run of which nobody has done a step."""
    hook = connect()
    checklist = emulator.add_checklist("Contract", steps=STEPS)
    return hook.launch_run({"checklist_id": checklist["id"], "name": "Acme"})


@pytest.fixture
def operate(contract, task_context) -> Callable[..., Any]:
    """Run an operator on a step of the run."""

    def operate(operator: type, alias: str | None = None, context: Any = None, **arguments: Any) -> Any:
        named = {} if alias is None else {"step": alias}
        options = {"run_id": contract["id"], **named, **arguments}
        return operator(task_id="step", **options).execute(context=context or task_context())

    return operate


@pytest.fixture
def completions(emulator) -> Callable[[str], int]:
    """Give how often the message that a task is completed went out."""

    def completions(task_id: str) -> int:
        fired = [each for each in emulator.fired if each["event"] == "task.completed"]
        return sum(each["task_id"] == task_id for each in fired)

    return completions
