"""The hook launches and steers runs by the client's own methods: what a task of a Dag calls, end to end."""

from __future__ import annotations

import inspect

import pytest

from tallyfy_emulator import Fault
from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.runs.api import RunsResource
from tallyfy_provider.exceptions import TallyfyIndeterminateError, TallyfyInputError
from tallyfy_provider.hooks.tallyfy import TallyfyHook

METHODS = {
    "list_runs": RunsResource.list,
    "get_run": RunsResource.get,
    "launch_run": RunsResource.launch,
    "request": TallyfyClient.request,
    "paginate": TallyfyClient.paginate,
}
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
    (field,) = hook.client.checklists.get_kickoff_fields(checklist["id"])
    return hook.launch_run({"checklist_id": checklist["id"], "name": "Acme", "prerun": {field["id"]: "Acme Ltd"}})


@pytest.mark.parametrize("name", METHODS)
def test_the_hooks_methods_are_called_as_the_clients_are(name):
    parameters, of_the_client = (
        [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]
        for method in (getattr(TallyfyHook, name), METHODS[name])
    )
    assert parameters == of_the_client


def test_a_run_is_launched_filled_approved_and_archived(emulator, hook, run):
    fill, approve = hook.client.tasks.list_of_run(run["id"], include=["form_fields"])
    name, colour = fill["form_fields"]["data"]
    hook.client.tasks.update(run["id"], fill["id"], {"taskdata": {name["id"]: "Jane", colour["id"]: "Red"}})
    hook.client.tasks.update(run["id"], fill["id"], {"taskdata": {name["id"]: "John"}})
    assert hook.client.tasks.get(fill["id"], run["id"])["taskdata"] == {name["id"]: "John", colour["id"]: "Red"}
    hook.client.tasks.complete(run["id"], fill["id"])
    assert hook.client.tasks.complete(run["id"], approve["id"], is_approved=False)["is_approved"] is False
    assert emulator.run(run["id"])["status"] == "complete"
    assert hook.client.tasks.reopen(run["id"], approve["id"])["is_approved"] is None
    assert hook.client.runs.archive(run["id"])["archived_at"]
    assert hook.client.runs.activate(run["id"])["archived_at"] is None
    assert len(emulator.launched) == 1


def test_a_run_is_changed_and_talked_about(emulator, hook, run):
    people = sorted(emulator.people.values())[:2]
    hook.client.runs.update(run["id"], {"users": people})
    assert hook.client.runs.update(run["id"], {"summary": "Changed"})["users"] == people
    task = emulator.task(run["id"], "Fill")
    hook.client.comments.add_to_run(run["id"], "First", label="improvement")
    hook.client.comments.add_to_task(task["id"], "Second", state="collapsed")
    hook.client.comments.report_problem_on_task(task["id"], "Third")
    assert emulator.run(run["id"])["status"] == "problem"
    hook.client.comments.report_problem_on_run(run["id"], "Fourth")
    assert emulator.run(run["id"])["status"] == "issue"
    assert {thread["content"] for thread in emulator.threads(run["id"])} >= {"First", "Fourth"}


def test_checklists_are_found(hook, checklist):
    (found,) = [each for each in hook.client.checklists.list({"q": "Contract"}) if each["title"] == "Contract"]
    assert hook.client.checklists.get(found["id"], include="steps")["steps"]["data"][0]["title"] == "Fill"


def test_any_endpoint_can_be_requested(emulator, hook):
    ids = emulator.add_runs(3)
    assert hook.request("GET", "/me")["data"]["email"] == emulator.username
    assert [row["id"] for row in hook.paginate("runs", {"sort": "created_at"}, max_rows=2)] == ids[:2]


def test_an_indeterminate_launch_is_an_error_and_sent_once(emulator, hook, checklist):
    (field,) = hook.client.checklists.get_kickoff_fields(checklist["id"])
    emulator.order(Fault(kind="reset", method="POST", when="after"))
    with pytest.raises(TallyfyIndeterminateError):
        hook.launch_run({"checklist_id": checklist["id"], "name": "Acme", "prerun": {field["id"]: "Acme Ltd"}})
    assert len(emulator.launched) == 1


def test_no_form_value_is_logged_and_no_guests_link(emulator, hook, run, said):
    said()
    task = emulator.task(run["id"], "Fill")
    name = task["form_fields"]["data"][0]
    hook.client.tasks.update(run["id"], task["id"], {"owners": {"guests": ["guest@x.example"]}})
    hook.client.tasks.update(run["id"], task["id"], {"taskdata": {name["id"]: "Jane Public"}})
    emulator.order(Fault(kind="status", status=422, body={"message": "Bad: Jane Doe"}, method="PUT"))
    with pytest.raises(Exception, match=r"Bad: \*\*\*"):
        hook.client.tasks.update(run["id"], task["id"], {"taskdata": {name["id"]: "Jane Doe"}})
    with pytest.raises(TallyfyInputError):
        hook.client.tasks.update(run["id"], task["id"], {"taskdata": {"no field": "Jane Doe"}})
    words = said()
    assert "Jane" not in words
    assert emulator.guest_secret not in words
