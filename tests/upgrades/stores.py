"""What stands for Airflow where a task is resumed: its task state store, and the end of a deferred task."""

from __future__ import annotations

import json
from typing import Any

from tests.upgrades.cases import Case


class TaskStateStore:
    """
    Keeps values as Airflow's task state store does: as JSON.

    :param values: What an earlier try has kept.
    """

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values = {key: json.dumps(value) for key, value in (values or {}).items()}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


def outcome_of(case: Case, method: str, event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """Resume a task with an event, and tell what it returned or raised."""
    try:
        returned = case.build().resume_execution(method, {"event": event}, context)
    except Exception as error:
        return {"raises": type(error).__name__}
    return {"returns": json.loads(json.dumps(returned))}
