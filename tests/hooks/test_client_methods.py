"""The hook launches and steers runs by the client's own methods: what a task of a Dag calls, end to end."""

from __future__ import annotations

import inspect

import pytest

from tallyfy_emulator import Fault
from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.exceptions import TallyfyIndeterminateError, TallyfyInputError
from tallyfy_provider.hooks.steering import Steering

METHODS = [name for name, member in vars(Steering).items() if inspect.isfunction(member) and name != "get_conn"]
STEPS = [
    {
        "title": "Fill",
        "form_fields": [{"label": "Name"}, {"label": "Colour", "field_type": "radio", "options": ["Red"]}],
    },
    {"title": "Approve", "task_type": "approval"},
]


@pytest.fixture
def checklist(emulator):
    return emulator.add_checklist("Contract", kickoff=[{"label": "Customer", "required": True}], steps=STEPS)


@pytest.fixture
def hook(connect):
    return connect()


@pytest.fixture
def run(hook, checklist):
    (field,) = hook.get_kickoff_fields(checklist["id"])
    return hook.launch_run({"checklist_id": checklist["id"], "name": "Acme", "prerun": {field["id"]: "Acme Ltd"}})


@pytest.mark.parametrize("name", METHODS)
def test_the_hooks_methods_are_called_as_the_clients_are(name):
    assert inspect.signature(getattr(Steering, name)) == inspect.signature(getattr(TallyfyClient, name))


def test_a_run_is_launched_filled_approved_and_archived(emulator, hook, run):
    fill, approve = hook.list_run_tasks(run["id"], include=["form_fields"])
    name, colour = fill["form_fields"]["data"]
    hook.update_task(run["id"], fill["id"], {"taskdata": {name["id"]: "Jane", colour["id"]: "Red"}})
    hook.update_task(run["id"], fill["id"], {"taskdata": {name["id"]: "John"}})
    assert hook.get_task(fill["id"], run["id"])["taskdata"] == {name["id"]: "John", colour["id"]: "Red"}
    hook.complete_task(run["id"], fill["id"])
    assert hook.complete_task(run["id"], approve["id"], is_approved=False)["is_approved"] is False
    assert emulator.run(run["id"])["status"] == "complete"
    assert hook.reopen_task(run["id"], approve["id"])["is_approved"] is None
    assert hook.archive_run(run["id"])["archived_at"]
    assert hook.activate_run(run["id"])["archived_at"] is None
    assert len(emulator.launched) == 1


def test_a_run_is_changed_and_talked_about(emulator, hook, run):
    people = sorted(emulator.people.values())[:2]
    hook.update_run(run["id"], {"users": people})
    assert hook.update_run(run["id"], {"summary": "Changed"})["users"] == people
    task = emulator.task(run["id"], "Fill")
    hook.comment_on_run(run["id"], "First", label="improvement")
    hook.comment_on_task(task["id"], "Second", state="collapsed")
    hook.report_problem_on_task(task["id"], "Third")
    assert emulator.run(run["id"])["status"] == "problem"
    hook.report_problem_on_run(run["id"], "Fourth")
    assert emulator.run(run["id"])["status"] == "issue"
    assert {thread["content"] for thread in emulator.threads(run["id"])} >= {"First", "Fourth"}


def test_checklists_are_found(hook, checklist):
    (found,) = [each for each in hook.list_checklists({"q": "Contract"}) if each["title"] == "Contract"]
    assert hook.get_checklist(found["id"], include="steps")["steps"]["data"][0]["title"] == "Fill"


def test_any_endpoint_can_be_asked(emulator, hook):
    ids = emulator.add_runs(3)
    assert hook.request("GET", "/me")["data"]["email"] == emulator.username
    assert [row["id"] for row in hook.paginate("runs", {"sort": "created_at"}, max_rows=2)] == ids[:2]


def test_a_launch_in_doubt_is_told_as_such_and_sent_once(emulator, hook, checklist):
    (field,) = hook.get_kickoff_fields(checklist["id"])
    emulator.order(Fault(kind="reset", method="POST", when="after"))
    with pytest.raises(TallyfyIndeterminateError):
        hook.launch_run({"checklist_id": checklist["id"], "name": "Acme", "prerun": {field["id"]: "Acme Ltd"}})
    assert len(emulator.launched) == 1


def test_no_form_value_is_logged_and_no_guests_link(emulator, hook, run, said):
    said()
    task = emulator.task(run["id"], "Fill")
    name = task["form_fields"]["data"][0]
    hook.update_task(run["id"], task["id"], {"owners": {"guests": ["guest@x.example"]}})
    hook.update_task(run["id"], task["id"], {"taskdata": {name["id"]: "Jane Public"}})
    emulator.order(Fault(kind="status", status=422, body={"message": "Bad: Jane Doe"}, method="PUT"))
    with pytest.raises(Exception, match=r"Bad: \*\*\*"):
        hook.update_task(run["id"], task["id"], {"taskdata": {name["id"]: "Jane Doe"}})
    with pytest.raises(TallyfyInputError):
        hook.update_task(run["id"], task["id"], {"taskdata": {"no field": "Jane Doe"}})
    words = said()
    assert "Jane" not in words
    assert emulator.guest_secret not in words
