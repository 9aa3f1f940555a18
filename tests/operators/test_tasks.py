"""Tasks are listed, changed and reopened, and named by id, alias or title."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from tallyfy_emulator import Quirks
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyValidationError,
)
from tallyfy_provider.operators.tasks import ListTasksOperator, ReopenTaskOperator, UpdateTaskOperator


def form_of(task):
    fields = task["form_fields"]["data"]
    return {field["alias"]: field.get("field_value") for field in fields}


def test_the_tasks_of_a_run_are_returned_with_their_ids_and_their_count(emulator, contract, operate, task_context):
    context = task_context()
    tasks = operate(ListTasksOperator, context=context)
    assert [task["alias"] for task in tasks] == ["fill", "approve", "pay", "hidden", "file"]
    assert context["ti"].pushed["task_ids"] == [task["id"] for task in tasks]
    assert context["ti"].pushed["count"] == 5
    assert context["ti"].pushed["_link_TallyfyRunLink"].endswith(contract["id"])


def test_filters_fields_and_what_comes_along_are_sent(emulator, operate):
    tasks = operate(ListTasksOperator, filters={"status": "active"}, fields="title,form_fields", include="form_fields")
    assert emulator.requests[-1].query["status"] == "active"
    assert set(tasks[0]) == {"title", "form_fields"}
    assert form_of(tasks[0]) == {"price": None, "region": None, "start": None}


def test_a_filter_that_tallyfy_does_not_know_fails_when_the_dag_is_parsed():
    with pytest.raises(TallyfyInputError, match=r"filters\['assignee'\] .* did you mean 'owners'"):
        ListTasksOperator(task_id="x", run_id="{{ params.run }}", filters={"assignee": "{{ params.who }}"})


@pytest.mark.parametrize(("on_empty", "error"), [("skip", AirflowSkipException), ("fail", TallyfyError)])
def test_no_task_can_skip_or_fail(operate, on_empty, error):
    assert operate(ListTasksOperator, filters={"status": "complete"}) == []
    with pytest.raises(error, match=rf"No task of run \w+ matches the filters \(on_empty='{on_empty}'\)"):
        operate(ListTasksOperator, filters={"status": "complete"}, on_empty=on_empty)


def test_no_guest_link_is_returned(emulator, contract, operate, task_context):
    context = task_context()
    assert emulator.guest_secret in repr(emulator.tasks(contract["id"]))
    returned = [
        operate(ListTasksOperator, context=context),
        operate(UpdateTaskOperator, "fill", title="Fill in", context=context),
        operate(ReopenTaskOperator, "fill", context=context),
        context["ti"].pushed,
    ]
    assert emulator.guest_secret not in repr(returned)


@pytest.mark.parametrize("run_id", ["", "None", None])
def test_a_run_that_a_template_did_not_give_is_refused(emulator, contract, run_id, task_context):
    emulator.clear_requests()
    with pytest.raises(TallyfyInputError, match="run_id is empty"):
        ListTasksOperator(task_id="x", run_id=run_id).execute(context=task_context())
    assert emulator.requests == []


def test_a_task_is_named_by_alias_title_or_id(emulator, contract, operate):
    task = emulator.task(contract["id"], "fill")
    for name in ("fill", "Fill in the contract", "fill in the CONTRACT", task["id"]):
        assert operate(ReopenTaskOperator, name)["id"] == task["id"]
    assert operate(ReopenTaskOperator, task["id"], run_id=None)["id"] == task["id"]


def test_a_task_is_found_by_the_title_of_the_template_when_people_have_changed_it(emulator, contract, operate):
    task = emulator.task(contract["id"], "fill")
    operate(UpdateTaskOperator, "fill", title="Fill in Acme's contract")
    assert operate(ReopenTaskOperator, "Fill in the contract")["id"] == task["id"]
    assert operate(ReopenTaskOperator, "Fill in Acme's contract")["id"] == task["id"]


def test_a_name_that_no_task_has_is_refused_with_the_names_there_are(operate):
    with pytest.raises(TallyfyInputError, match=r"has no task 'aprove'; did you mean 'approve'\?.*alias 'fill'"):
        operate(ReopenTaskOperator, "aprove")


def test_a_name_that_several_tasks_have_is_refused(emulator, contract, operate):
    operate(UpdateTaskOperator, "fill", title="Same")
    operate(UpdateTaskOperator, "file", title="Same")
    with pytest.raises(TallyfyInputError, match=r"'Same' is the name of 2 tasks .*alias 'fill'.*alias 'file'"):
        operate(ReopenTaskOperator, "Same")


def test_a_task_of_another_run_is_not_found(emulator, contract, operate):
    other = emulator.add_run()
    stranger = emulator.tasks(other["id"])[0]["id"]
    with pytest.raises(TallyfyInputError, match=f"has no task '{stranger}'"):
        operate(ReopenTaskOperator, stranger)
    with pytest.raises(TallyfyNotFoundError):
        operate(ReopenTaskOperator, "fill", run_id="0" * 32)


def test_an_update_changes_what_it_names_and_nothing_else(emulator, contract, operate):
    emulator.fill_task(emulator.task(contract["id"], "fill")["id"], {"region": "South", "price": "7"})
    emulator.quirks = Quirks(taskdata_replaces=True)
    before = emulator.task(contract["id"], "fill")
    operate(UpdateTaskOperator, "fill", values={"Price": "12"}, deadline="2026-12-24T17:00:00+01:00")
    after = emulator.task(contract["id"], "fill")
    assert form_of(after) == {**form_of(before), "price": "12"}
    assert after["deadline"][:10] == "2026-12-24"
    assert "16:00:00" in after["deadline"]
    changed = {"deadline", "last_updated", "form_fields", "taskdata"}
    assert {name for name in after if after[name] != before[name]} <= changed


def test_people_are_added_and_nobody_is_unassigned(emulator, contract, operate):
    first, second = sorted(emulator.people.values())[:2]
    group = min(emulator.groups.values())
    operate(UpdateTaskOperator, "file", owners={"users": [first], "guests": ["g@x.example"], "groups": []})
    operate(UpdateTaskOperator, "file", add_users=f"{second}, {first}", add_groups=[group])
    owners = emulator.task(contract["id"], "file")["owners"]
    assert (owners["users"], owners["guests"], owners["groups"]) == ([first, second], ["g@x.example"], [group])


def test_owners_replace_those_of_the_kinds_that_they_name(emulator, contract, operate):
    first, second = sorted(emulator.people.values())[:2]
    operate(UpdateTaskOperator, "file", owners={"users": [first], "guests": ["g@x.example"]})
    operate(UpdateTaskOperator, "file", owners=f'{{"users": [{second}]}}')
    owners = emulator.task(contract["id"], "file")["owners"]
    assert (owners["users"], owners["guests"]) == ([second], ["g@x.example"])


@pytest.mark.parametrize("nothing", ["None", "null", "", "  ", None, ["None"], [None, ""]])
def test_a_template_that_renders_to_nothing_unassigns_nobody(emulator, contract, operate, nothing):
    first = min(emulator.people.values())
    operate(UpdateTaskOperator, "file", owners={"users": [first]})
    operate(UpdateTaskOperator, "file", owners={"users": nothing}, title="Filed")
    assert emulator.task(contract["id"], "file")["owners"]["users"] == [first]
    with pytest.raises(TallyfyInputError, match="There is nothing to change"):
        operate(UpdateTaskOperator, "file", owners={"users": nothing})


@pytest.mark.parametrize("nobody", [[], (), "[]"])
def test_an_empty_list_unassigns_all(emulator, contract, operate, nobody):
    operate(UpdateTaskOperator, "file", owners={"users": [min(emulator.people.values())]})
    operate(UpdateTaskOperator, "file", owners={"users": nobody})
    assert emulator.task(contract["id"], "file")["owners"]["users"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "There is nothing to change"),
        ({"title": {"a": 1}}, "title takes text, not a dict"),
        ({"summary": ["a"]}, "summary takes text, not a list"),
        ({"values": {}, "title": "None"}, "There is nothing to change"),
        ({"title": "x" * 601}, "601 characters"),
        ({"deadline": "tomorrow"}, "deadline takes a time"),
        ({"add_users": ["jo@x.example"]}, "belongs to guests"),
        ({"owners": {"people": [1]}}, "users, guests, groups"),
        ({"owners": {"users": [1]}, "add_users": [2]}, "keep one"),
        ({"values": {"prise": "7"}}, "did you mean 'price'"),
        ({"values": {"region": "East"}}, "'North', 'South'"),
        ({"values": {"region": ""}}, "gives no field a value"),
    ],
)
def test_what_cannot_be_changed_is_refused_before_anything_is(emulator, contract, operate, arguments, message):
    before = emulator.tasks(contract["id"])
    with pytest.raises(TallyfyInputError, match=message):
        operate(UpdateTaskOperator, "fill", **arguments)
    assert emulator.tasks(contract["id"]) == before


def test_a_completed_task_is_not_changed_and_the_message_says_how(emulator, contract, operate):
    emulator.complete_task(emulator.task(contract["id"], "file")["id"])
    with pytest.raises(TallyfyValidationError, match=r"is completed.*ReopenTaskOperator"):
        operate(UpdateTaskOperator, "file", title="Filed")


def test_values_are_not_logged_and_a_loss_is_logged_by_the_fields_name(emulator, contract, operate, said, mocker):
    said()
    mocker.patch("tallyfy_provider.client.tasks.update.shows_values", return_value=True)
    mocker.patch(
        "tallyfy_provider.client.tasks.api.TasksResource.update",
        return_value={"title": "Fill in", "taskdata": {}},
    )
    operate(UpdateTaskOperator, "fill", values={"price": "a secret price"})
    log = said()
    assert "'Price' (alias 'price', text) was not stored" in log
    assert "a secret price" not in log


def test_values_that_tallyfy_writes_in_its_own_way_are_no_loss(emulator, operate, said):
    emulator.quirks = Quirks(form_readback="rendered", form_value_key="value")
    said()
    operate(UpdateTaskOperator, "fill", values={"price": "7", "region": "north", "start": "2026-10-31"})
    assert "stored" not in said()


def test_a_completed_task_is_reopened_and_an_open_one_stays_as_it_is(emulator, contract, operate):
    task = emulator.task(contract["id"], "file")
    assert operate(ReopenTaskOperator, "file")["completed_at"] is None
    assert not any(request.method == "DELETE" for request in emulator.requests)
    emulator.complete_task(task["id"])
    assert operate(ReopenTaskOperator, "file")["completed_at"] is None
    assert emulator.task(contract["id"], "file")["completed_at"] is None
