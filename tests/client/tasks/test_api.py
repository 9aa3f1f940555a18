"""Listing all tasks, changing only the named fields, and completing once."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import (
    TallyfyIndeterminateError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyResponseError,
    TallyfyValidationError,
)

FORM = [
    {"label": "Name"},
    {"label": "Story", "field_type": "textarea"},
    {"label": "Day", "field_type": "date"},
    {"label": "Mail", "field_type": "email"},
    {"label": "Colour", "field_type": "radio", "options": ["Red", "Blue"]},
    {"label": "Region", "field_type": "dropdown", "options": ["North", "South"]},
    {"label": "Topics", "field_type": "multiselect", "options": ["Price", "Term", "Law"]},
    {"label": "Table", "field_type": "table", "columns": ["A", "B"]},
    {"label": "Who", "field_type": "assignees_form"},
    {"label": "Papers", "field_type": "file"},
]
STEPS = [
    {"title": "Fill", "form_fields": FORM},
    {"title": "Hidden", "auto_skipped": True},
    {"title": "Approve", "task_type": "approval"},
]


@pytest.fixture
def checklist(emulator):
    return emulator.add_checklist("Contract", steps=STEPS)


@pytest.fixture
def run(client, checklist):
    return client.runs.launch({"checklist_id": checklist["id"], "name": "Acme"})


@pytest.fixture
def task(emulator, run):
    return emulator.task(run["id"], "Fill")


@pytest.fixture
def update(client, run, task):
    """Update the task."""
    return partial(client.tasks.update, run["id"], task["id"])


@pytest.fixture
def answer(emulator, task):
    """Let Tallyfy answer with the task and changes of it."""

    def answer(method="GET", **changes):
        emulator.order(Fault(kind="status", status=200, body={"data": {**task, **changes}}, method=method))

    return answer


@pytest.fixture
def form(client, task):
    """Read the values of the task by label."""

    def form():
        fields = client.tasks.get(task["id"], include=["form_fields"])["form_fields"]["data"]
        return {each["label"]: each.get("field_value", each.get("value")) for each in fields}

    return form


@pytest.fixture
def field(task):
    """The ids of the fields by label."""
    return {each["label"]: each["id"] for each in task["form_fields"]["data"]}


@pytest.fixture
def values(field, people):
    """A value for each field, by id."""
    by_label = {
        "Name": "Jane",
        "Story": "Once\nupon a time",
        "Day": "2026-10-31",
        "Mail": "jane@x.example",
        "Colour": "Blue",
        "Region": {"id": 2, "text": "South"},
        "Topics": [{"id": 1, "text": "Price", "selected": True}, {"id": 3, "text": "Law", "selected": True}],
        "Table": [{"A": "1"}, {"B": "2"}],
        "Who": {"users": people[:1], "guests": ["g@x.example"], "groups": []},
        "Papers": [{"id": "asset-1", "filename": "a.pdf"}],
    }
    return {field[label]: value for label, value in by_label.items()}


@pytest.fixture
def people(emulator):
    return sorted(emulator.people.values())


@pytest.fixture
def group(emulator):
    return min(emulator.groups.values())


def owners_of(task):
    return {bucket: task["owners"][bucket] for bucket in ("users", "guests", "groups")}


@pytest.fixture
def one_off(client, people):
    """A task that belongs to no run."""
    body = {
        "title": "Call Jane",
        "task_type": "task",
        "deadline": "2026-12-01 09:00:00",
        "owners": {"users": people[:1], "guests": ["g@x.example"], "groups": []},
    }
    return client.request("POST", "tasks", json=body)["data"]


def test_all_tasks_of_a_run_are_listed_including_hidden_ones(client, run):
    tasks = list(client.tasks.list_of_run(run["id"]))
    assert [(task["title"], task["status"]) for task in tasks] == [
        ("Fill", "active"),
        ("Hidden", "auto-skipped"),
        ("Approve", "not-started"),
    ]


def test_every_page_of_tasks_is_read(emulator, client, asked):
    steps = [{"title": f"Step {number}"} for number in range(25)]
    checklist = emulator.add_checklist("Long", steps=steps)
    run = client.runs.launch({"checklist_id": checklist["id"], "name": "Long"})
    emulator.quirks = Quirks(per_page_cap=10)
    tasks = list(client.tasks.list_of_run(run["id"]))
    assert [task["title"] for task in tasks] == [step["title"] for step in steps]
    assert len(asked("GET")) == 3
    assert [task["title"] for task in client.tasks.list_of_run(run["id"], {"page": 2})] == [
        step["title"] for step in steps[10:20]
    ]
    assert len(list(client.tasks.list_of_run(run["id"], {"without_pagination": True}))) == 25


def test_filters_and_includes_are_encoded_for_tallyfy(emulator, client, run, group):
    filters = {
        "status": "has-problem",
        "owners": [1, 2],
        "unassigned": True,
        "groups": group,
        "guests": "",
        "deadline_before": datetime(2026, 10, 31, 9),
        "deadline_after": date(2026, 10, 1),
        "sort": "-deadline",
    }
    list(client.tasks.list_of_run(run["id"], filters, include=["form_fields", "step"]))
    query = emulator.requests[-1].query
    assert query == {
        "status": "hasproblem",
        "owners": "1,2",
        "unassigned": "true",
        "groups": group,
        "deadline_before": "2026-10-31",
        "deadline_after": "2026-10-01",
        "sort": "-deadline",
        "with": "form_fields,step",
        "page": "1",
        "per_page": "100",
    }


@pytest.mark.parametrize(
    ("asked_for", "found"),
    [
        ("complete", ["Fill"]),
        ("completed", ["Fill"]),
        ("incomplete", ["Approve"]),
        ("all", ["Fill", "Hidden", "Approve"]),
    ],
)
def test_tasks_are_filtered_by_status(emulator, client, run, asked_for, found):
    emulator.complete_task(emulator.task(run["id"], "Fill")["id"])
    assert [task["title"] for task in client.tasks.list_of_run(run["id"], {"status": asked_for})] == found


def test_tasks_of_the_whole_organization_are_listed(emulator, client, checklist, run, one_off):
    other = client.runs.launch({"checklist_id": checklist["id"], "name": "Globex"})
    found = {(task["run_id"], task["title"]) for task in client.tasks.list()}
    assert {(run["id"], "Fill"), (other["id"], "Fill"), (None, "Call Jane")} <= found
    list(client.tasks.list({"q": "x", "created": "2026-10-01:2026-10-31", "is_oneoff": False}, include="run"))
    assert emulator.requests[-1].query == {
        "q": "x",
        "created": "2026-10-01:2026-10-31",
        "is_oneoff": "false",
        "with": "run",
        "page": "1",
        "per_page": "100",
    }


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"owner": 1}, r"filters\['owner'\] is not a Tallyfy filter of this list; did you mean 'owners'\?"),
        ({"limit": 5}, "did you mean 'per_page'"),
        ({"include": "step"}, "did you mean 'with'"),
        ({"zzz": 5}, "the filters are status, owners"),
        ({"q": "x"}, "is not a Tallyfy filter of this list"),
        ({"status": "done"}, r"filters\['status'\] cannot be 'done'"),
        ({"status": "auto-skipped"}, "would return every task but those"),
        ({"status": ["all", "overdue"]}, "cannot mix 'all'"),
        ({"owners": "jane"}, "numeric user ids"),
        ({"unassigned": "yes"}, "takes true or false"),
        ({"deadline_on": "31.10.2026"}, "takes a day such as"),
        ({"deadline_on": "2026-02-30"}, "takes a day such as"),
        ({"sort": "newest"}, r"filters\['sort'\] cannot be 'newest'"),
        ({"per_page": 101}, "from 1 to 100"),
        ("status=active", "takes a dict"),
    ],
)
def test_an_invalid_filter_is_refused_before_any_request(emulator, client, filters, words):
    with pytest.raises(TallyfyInputError, match=words):
        client.tasks.list_of_run("a" * 32, filters)
    assert emulator.requests == []


@pytest.mark.parametrize("created", ["yesterday", "2026-10-01:2026-10-02:2026-10-03", "2026-10-01:"])
def test_an_invalid_range_of_days_is_refused(emulator, client, created):
    with pytest.raises(TallyfyInputError, match="two with a colon between them"):
        client.tasks.list({"created": created})
    assert emulator.requests == []


def test_a_task_is_read_with_and_without_its_run(client, asked, run, task):
    assert client.tasks.get(task["id"], run["id"], include="form_fields")["form_fields"]["data"]
    assert client.tasks.get(task["id"])["title"] == "Fill"
    assert asked("GET") == [f"GET /runs/{run['id']}/tasks/{task['id']}", f"GET /tasks/{task['id']}"]
    with pytest.raises(TallyfyNotFoundError):
        client.tasks.get("b" * 32, run["id"])


def test_an_update_of_one_kind_of_owners_keeps_the_others(emulator, update, sent, run, people, group):
    everybody = {"users": people[:2], "guests": ["g@x.example"], "groups": [group]}
    update({"owners": everybody})
    changed = update({"owners": {"users": people[2:3]}})
    assert owners_of(changed) == {**everybody, "users": people[2:3]}
    # Owners are sent only if they are named: sending those that were read could undo another change.
    update({"summary": "Hurry"})
    assert sent() == {"summary": "Hurry"}
    assert owners_of(emulator.task(run["id"], "Fill")) == owners_of(changed)


def test_owners_are_read_from_objects(answer, update, sent):
    owners = {
        "users": [{"id": 10201, "full_name": "Priya", "email": "p@x.example"}],
        "guests": [{"id": "abc", "email": "g@x.example"}],
        "groups": [{"id": "f" * 32, "name": "Legal"}],
        "taskUrls": [{"url": "https://go.tallyfy.com/guest?code=secret"}],
    }
    answer(owners=owners)
    answer("PUT")
    update({"owners": {"groups": []}})
    assert sent() == {"owners": {"users": [10201], "guests": ["g@x.example"], "groups": []}}


@pytest.mark.parametrize("owners", [None, {}, [], {"users": [1], "guests": [{"id": "no address"}], "groups": []}])
def test_nothing_is_sent_if_the_owners_cannot_be_read(answer, update, asked, owners):
    answer(owners=owners)
    with pytest.raises(TallyfyResponseError, match=r"which guests are assigned to task .* Nothing was sent"):
        update({"owners": {"users": [1], "groups": []}})
    assert asked("PUT") == []


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize(
    "written", [{"form_value_key": "field_value"}, {"form_value_key": "value"}, {"form_readback": "rendered"}], ids=str
)
def test_an_update_of_one_value_keeps_the_others(emulator, update, form, field, values, replaces, written):
    emulator.quirks = Quirks(taskdata_replaces=replaces, **written)
    update({"taskdata": values})
    before = form()
    assert None not in before.values()
    update({"taskdata": {field["Name"]: "John"}})
    assert form() == {**before, "Name": "John"}


def test_a_value_can_be_emptied(update, form, field, values):
    update({"taskdata": values})
    update({"taskdata": {field["Name"]: ""}})
    assert not form()["Name"]


@pytest.mark.parametrize(
    ("field_type", "value"),
    [
        ("file", [{"url": "https://x.example/a.pdf"}]),
        ("dropdown", {"id": 9, "text": "Gone"}),
        ("radio", "Gone"),
        ("table", ["one too few"]),
        ("signature", "of a type that nobody knows"),
    ],
)
def test_a_value_that_might_change_is_not_sent_and_logged(answer, update, sent, said, field_type, value):
    options = {"options": [{"id": 1, "text": "Red"}], "columns": [{"id": 1, "label": "A"}, {"id": 2, "label": "B"}]}
    odd = {"id": "f2", "label": "Odd one", "field_type": field_type, "field_value": value, **options}
    fields = [{"id": "f1", "label": "Name", "field_type": "text"}, odd]
    answer("", form_fields={"data": fields})
    said()
    update({"taskdata": {"f1": "John"}})
    assert sent() == {"taskdata": {"f1": "John"}}
    logged = said()
    assert "the value of 'Odd one'" in logged
    assert str(value) not in logged


def test_a_value_of_an_unknown_field_is_refused(update, asked):
    with pytest.raises(TallyfyInputError, match=r"has no field with the id 'Name'.*would drop the value") as raised:
        update({"taskdata": {"Name": "secret-word"}})
    assert "secret-word" not in str(raised.value)
    assert asked("PUT") == []


def test_only_the_given_values_are_sent_if_the_fields_are_unknown(emulator, update, sent, task):
    emulator.order(Fault(kind="status", status=200, body={"data": {"id": task["id"], "title": "Fill"}}))
    update({"taskdata": {"f1": "John"}})
    assert sent() == {"taskdata": {"f1": "John"}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "changes is empty"),
        ({"status": "completed"}, r"use complete\(\)"),
        *[({"taskdata": wrong}, "takes a dict of values by field id") for wrong in ([{"a": 1}], "text", None)],
        *[({"owners": wrong}, r"changes\['owners'\] takes a dict of") for wrong in ([1], "1", None, {"user": [1]})],
    ],
)
def test_an_invalid_change_is_refused(update, asked, changes, words):
    with pytest.raises(TallyfyInputError, match=words):
        update(changes)
    assert asked("PUT") == []


def test_a_completed_task_is_not_changed(emulator, update, task):
    emulator.complete_task(task["id"])
    with pytest.raises(TallyfyValidationError):
        update({"title": "Too late"})


def test_a_validation_error_does_not_quote_the_value(emulator, update, field):
    emulator.order(Fault(kind="status", status=422, body={"errors": {"taskdata": ["Jane Public!? no"]}}, method="PUT"))
    with pytest.raises(TallyfyValidationError) as raised:
        update({"taskdata": {field["Name"]: "Jane Public!?"}})
    assert raised.value.fields == {"taskdata": "*** no"}
    assert "Jane" not in str(raised.value)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_update_without_response_is_retried(emulator, update, asked, when):
    emulator.order(Fault(kind="reset", method="PUT", times=1, when=when))
    assert update({"title": "Fill it"})["title"] == "Fill it"
    assert len(asked("PUT")) == 2


def test_a_one_off_task_keeps_its_title_deadline_and_owners(client, asked, one_off):
    changed = client.tasks.update(None, one_off["id"], {"summary": "Ask for the contract"})
    assert changed["title"] == "Call Jane"
    assert changed["deadline"] == one_off["deadline"]
    assert owners_of(changed) == owners_of(one_off)
    assert asked("PUT") == [f"PUT /tasks/{one_off['id']}"]


def test_a_task_is_completed_and_reopened(emulator, client, asked, run, task, people):
    done = client.tasks.complete(run["id"], task["id"], override_user=people[3])
    assert done["completed_at"]
    assert done["completer_id"] == people[3]
    assert "tasks_changed_by_rules" in done
    assert client.tasks.reopen(run["id"], task["id"])["completed_at"] is None
    assert emulator.task(run["id"], "Fill")["completed_at"] is None
    home = f"/runs/{run['id']}/completed-tasks"
    assert asked("POST", "DELETE")[-2:] == [f"POST {home}", f"DELETE {home}/{task['id']}"]


def test_a_one_off_task_is_completed_and_reopened(client, asked, one_off):
    assert client.tasks.complete(None, one_off["id"])["completed_at"]
    assert client.tasks.reopen(None, one_off["id"])["completed_at"] is None
    assert asked("POST", "DELETE")[-2:] == ["POST /completed-tasks", f"DELETE /completed-tasks/{one_off['id']}"]


@pytest.mark.parametrize("decision", [True, False])
def test_an_approval_needs_a_decision(emulator, client, sent, run, decision):
    approval = emulator.task(run["id"], "Approve")
    assert client.tasks.complete(run["id"], approval["id"], decision)["is_approved"] is decision
    assert sent() == {"task_id": approval["id"], "is_approved": decision}


def test_an_approval_without_a_decision_is_refused(emulator, client, run):
    with pytest.raises(TallyfyValidationError) as raised:
        client.tasks.complete(run["id"], emulator.task(run["id"], "Approve")["id"])
    assert list(raised.value.fields) == ["is_approved"]


def completions(emulator):
    return [each["event"] for each in emulator.fired].count("task.completed")


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "status", "status": 502}, {"kind": "html"}], ids=str)
def test_a_completion_without_response_is_indeterminate_and_sent_once(emulator, client, asked, run, task, fault):
    before = len(asked("POST"))
    emulator.order(Fault(when="after", **fault))
    with pytest.raises(TallyfyIndeterminateError):
        client.tasks.complete(run["id"], task["id"])
    assert len(asked("POST")) == before + 1
    assert completions(emulator) == 1


def test_a_rate_limited_completion_is_retried(emulator, client, run, task):
    emulator.order(Fault(kind="status", status=429, times=2))
    assert client.tasks.complete(run["id"], task["id"])["completed_at"]
    assert completions(emulator) == 1


def test_an_empty_completion_response_reads_the_task(emulator, client, run, task):
    emulator.order(Fault(kind="status", status=200, body="", method="POST", when="after"))
    assert client.tasks.complete(run["id"], task["id"])["completed_at"]


@pytest.mark.parametrize("status", [404, 422])
def test_a_refusal_to_reopen_an_open_task_succeeds(emulator, client, run, task, status):
    emulator.order(Fault(kind="status", status=status, method="DELETE"))
    assert client.tasks.reopen(run["id"], task["id"])["id"] == task["id"]


@pytest.mark.parametrize("word", ["completed", "complete"])
def test_a_refusal_to_reopen_a_completed_task_is_an_error(emulator, client, run, task, word):
    emulator.quirks = Quirks(task_done_status=word)
    emulator.complete_task(task["id"])
    emulator.order(Fault(kind="status", status=422, method="DELETE"))
    with pytest.raises(TallyfyValidationError):
        client.tasks.reopen(run["id"], task["id"])
