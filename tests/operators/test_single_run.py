"""Operators on one run: they change what they name, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from jinja2 import Undefined

from tallyfy_emulator import Quirks
from tallyfy_provider.client.runs.launch_marker import LaunchMarker
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyNotFoundError
from tallyfy_provider.operators.runs import (
    ActivateRunOperator,
    ArchiveRunOperator,
    GetRunOperator,
    UpdateRunOperator,
)

KICKOFF = [
    {"label": "Customer", "alias": "customer", "field_type": "text", "required": True},
    {"label": "Region", "alias": "region", "field_type": "radio", "options": ["North", "South"]},
]


@pytest.fixture
def act(connect, task_context):
    connect()

    def act(operator_class, run_id, **arguments):
        context = task_context()
        run = operator_class(task_id="act", run_id=run_id, **arguments).execute(context=context)
        assert context["ti"].pushed["_link_TallyfyRunLink"].endswith(f"/tracker/{run_id}")
        return run

    return act


@pytest.fixture
def launched(emulator, connect):
    """A run with people on it and a filled form."""
    checklist = emulator.add_checklist("Onboarding", kickoff=KICKOFF, steps=[{"title": "Sign", "alias": "sign"}])
    ids = {field["alias"]: field["id"] for field in checklist["prerun"]}
    people, groups = list(emulator.people.values())[:2], list(emulator.groups.values())[:1]
    run = connect().launch_run(
        {
            "checklist_id": checklist["id"],
            "name": "Acme",
            "summary": "By hand",
            "users": people,
            "groups": groups,
            "prerun": {ids["customer"]: "Acme", ids["region"]: "North"},
        }
    )
    return SimpleNamespace(id=run["id"], fields=ids, people=people, groups=groups, before=emulator.run(run["id"]))


def unchanged(run, before, *names):
    left_out = {"last_updated", *names}
    return {key: value for key, value in run.items() if key not in left_out} == {
        key: value for key, value in before.items() if key not in left_out
    }


def test_a_run_is_got_whole_or_in_part(emulator, act, launched):
    assert act(GetRunOperator, launched.id)["name"] == "Acme"
    assert act(GetRunOperator, launched.id, fields="id,status") == {"id": launched.id, "status": "active"}
    assert act(GetRunOperator, launched.id, include="tasks")["tasks"]["data"][0]["alias"] == "sign"


def test_no_guest_link_is_returned(emulator, act, launched):
    assert emulator.guest_secret not in repr(act(GetRunOperator, launched.id, include=["tasks"]))


def test_an_archived_run_is_got_too(emulator, act):
    run = emulator.add_run(status="archived")
    emulator.quirks = Quirks(archived_run_status=404)
    assert act(GetRunOperator, run["id"])["id"] == run["id"]


def test_a_new_name_leaves_everything_else_and_everybody_as_it_was(emulator, act, launched):
    act(UpdateRunOperator, launched.id, name="Acme Inc.")
    after = emulator.run(launched.id)
    assert after["name"] == "Acme Inc."
    assert unchanged(after, launched.before, "name")


def test_people_are_added_and_nobody_is_unassigned(emulator, act, launched):
    another = list(emulator.people.values())[2]
    act(UpdateRunOperator, launched.id, add_users=f"{another},{launched.people[0]}")
    after = emulator.run(launched.id)
    assert sorted(after["users"]) == sorted([*launched.people, another])
    assert unchanged(after, launched.before, "users", "collaborators")


def test_one_value_of_the_form_is_changed_and_the_others_stay(emulator, act, launched):
    act(UpdateRunOperator, launched.id, kickoff={"region": "South"})
    after = emulator.run(launched.id)
    assert after["prerun"] == {launched.fields["customer"]: "Acme", launched.fields["region"]: "South"}
    assert unchanged(after, launched.before, "prerun")


def test_a_new_summary_keeps_the_line_by_which_a_retry_finds_its_run(emulator, act, launched):
    marker = LaunchMarker.build("Launched by Airflow: dag 'x'", "x")
    emulator.update_run(launched.id, summary=marker.written_into("Before"))
    act(UpdateRunOperator, launched.id, summary="<p>After</p>")
    after = emulator.run(launched.id)
    assert after["summary"].endswith("<p>After</p>")
    assert marker.is_in(after)


def test_a_number_becomes_a_name_and_a_summary(emulator, act, launched):
    act(UpdateRunOperator, launched.id, name=12345, summary=67890)
    after = emulator.run(launched.id)
    assert after["name"] == "12345"
    assert after["summary"].endswith("67890")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "There is nothing to change"),
        ({"name": "None", "summary": ""}, "There is nothing to change"),
        ({"name": "x" * 551}, "551 characters"),
        ({"starred": "maybe"}, "starred takes true or false"),
        ({"kickoff": {"regoin": "South"}}, "did you mean"),
        ({"add_users": {"id": 1}}, "add_users takes a list of ids"),
        ({"add_users": "['1', '2']"}, "add_users is the text of a list"),
        ({"name": {"a": 1}}, "name takes text, not a dict"),
        ({"summary": {"a": 1}}, "summary takes text, not a dict"),
        ({"owner_id": Undefined(name="boss")}, "'boss' is undefined"),
    ],
)
def test_what_cannot_be_changed_is_refused_and_nothing_is(emulator, act, launched, arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        act(UpdateRunOperator, launched.id, **arguments)
    assert emulator.run(launched.id) == launched.before


def test_archiving_and_bringing_back_are_done_once_and_then_done_already(emulator, act, launched):
    for _ in range(2):
        assert act(ArchiveRunOperator, launched.id)["id"] == launched.id
        assert emulator.run(launched.id)["archived_at"]
    for _ in range(2):
        assert act(ActivateRunOperator, launched.id)["id"] == launched.id
        assert not emulator.run(launched.id)["archived_at"]


@pytest.mark.parametrize("operator", [GetRunOperator, ArchiveRunOperator, ActivateRunOperator])
def test_a_run_that_does_not_exist_is_an_error(act, operator):
    with pytest.raises(TallyfyNotFoundError):
        act(operator, "f" * 32)


@pytest.mark.parametrize("run_id", ["", None, "None"])
def test_an_empty_run_id_is_refused(act, run_id):
    with pytest.raises(TallyfyInputError, match="run_id is empty"):
        act(GetRunOperator, run_id)


def test_whether_to_reapply_rules_is_true_or_false():
    with pytest.raises(TallyfyInputError, match="reapply_rules takes True or False, not 'False'"):
        UpdateRunOperator(task_id="update", run_id="a", name="x", reapply_rules="False")
