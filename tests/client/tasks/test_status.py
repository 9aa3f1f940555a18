"""The state of a task in each notation of Tallyfy."""

from __future__ import annotations

import pytest

from tallyfy_provider.client.runs.status import describe, statuses_of
from tallyfy_provider.client.tasks.status import (
    compact_task,
    completer_of,
    decision_of,
    describe_completion,
    describe_task,
    is_completed,
    is_hidden,
)

DONE = {"id": "t", "title": "Approve", "status": "completed", "completed_at": "2026-10-31 09:00:00"}
OPEN = {"id": "t", "title": "Approve", "status": "active"}


@pytest.mark.parametrize(
    ("task", "decision"),
    [
        ({"task_type": "approval", "is_approved": True}, "approved"),
        ({"task_type": "approval", "is_approved": False}, "rejected"),
        ({"task_type": "approval", "is_approved": None, "status_label": "Rejected"}, "rejected"),
        ({"task_type": "approval", "is_approved": None, "status_label": "completed"}, None),
        ({"task_type": "expiring", "is_approved": False}, "expired"),
        ({"task_type": "expiring_email", "status_label": "acknowledged"}, "acknowledged"),
        ({"task_type": "task", "is_approved": False}, None),
        ({}, None),
    ],
)
def test_the_decision_on_a_completed_task(task, decision):
    assert decision_of({**DONE, **task}) == decision
    assert decision_of({**OPEN, **task}) is None


@pytest.mark.parametrize(
    ("task", "who", "name"),
    [
        ({"completer_id": 12}, 12, None),
        ({"completer_id": None, "completer_guest": "g@x.example"}, "g@x.example", None),
        ({"completer_id": 12, "completer": {"data": {"id": 12, "full_name": "Jo Doe"}}}, 12, "Jo Doe"),
        ({"completer": {"id": 12, "first_name": "Jo", "last_name": "Doe"}}, 12, "Jo Doe"),
        ({"completer_guest": {"email": "g@x.example"}}, "g@x.example", None),
        ({"completer_id": 12, "completer": []}, 12, None),
        ({}, None, None),
    ],
)
def test_who_completed_a_task(task, who, name):
    assert completer_of({**DONE, **task}) == (who, name)
    assert compact_task({**DONE, **task})["completed_by"] == who


def test_the_description_of_a_completion():
    assert describe_completion({**DONE, "completer_id": 12}) == "completed by 12 at 2026-10-31 09:00:00"
    text = describe_completion({"status": "complete", "completer": {"id": 1, "full_name": "Jo"}})
    assert text == "completed by Jo (1) at a time that Tallyfy does not tell"


@pytest.mark.parametrize("status", [["completed"], {"name": "complete"}, [], 5, 1.5, True, None])
def test_a_status_of_another_type_says_nothing(status):
    task = {**OPEN, "status": status}
    assert not is_completed(task)
    assert not is_hidden(task)
    assert compact_task(task)["decision"] is None
    assert describe_task(task).startswith("'Approve' (t): ")
    assert "complete" not in statuses_of({"id": "r", "status": status})
    assert describe({"id": "r", "name": "x", "status": status}).startswith("'x' (r): ")
