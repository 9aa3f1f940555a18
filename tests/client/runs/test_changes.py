"""Runs are launched once, and changed without touching what nobody named."""

from __future__ import annotations

import html
from datetime import date

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import (
    TallyfyIndeterminateError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyResponseError,
    TallyfyServerError,
    TallyfyValidationError,
)

KICKOFF = [
    {"label": "Customer", "required": True},
    {"label": "Region", "field_type": "dropdown", "options": ["North", "South"]},
    {"label": "Topics", "field_type": "multiselect", "options": ["Price", "Term", "Law"]},
    {"label": "Until", "field_type": "date"},
]


@pytest.fixture
def checklist(emulator):
    return emulator.add_checklist("Contract", kickoff=KICKOFF, steps=[{"title": "Read"}, {"title": "Sign"}])


@pytest.fixture
def field(checklist):
    """Give the id of a field by its label."""
    return {each["label"]: each["id"] for each in checklist["prerun"]}


@pytest.fixture
def people(emulator):
    return sorted(emulator.people.values())[:2]


@pytest.fixture
def groups(emulator):
    return sorted(emulator.groups.values())[:2]


@pytest.fixture
def run(emulator, people, groups):
    return emulator.add_run(name="Contract review", users=people, groups=groups)


def body_for(checklist, field, **more):
    return {"checklist_id": checklist["id"], "name": "Acme", "prerun": {field["Customer"]: "Acme Ltd"}, **more}


def test_a_run_is_launched_with_what_was_given(emulator, client, checklist, field, people):
    run = client.runs.launch(body_for(checklist, field, summary="From a Dag", users=people))
    assert run == {**emulator.run(run["id"]), **run}
    assert (run["name"], run["summary"], run["users"]) == ("Acme", "From a Dag", people)
    assert run["prerun"] == {field["Customer"]: "Acme Ltd"}
    assert [each["id"] for each in emulator.launched] == [run["id"]]


LOST = [
    Fault(kind="reset", when="after"),
    Fault(kind="truncate"),
    Fault(kind="unreadable"),
    Fault(kind="html", when="after"),
    Fault(kind="status", status=502, when="after"),
    Fault(kind="status", status=504, when="after"),
    Fault(kind="status", status=408, when="after"),
    Fault(kind="status", status=520, when="after"),
    Fault(kind="status", status=201, body={"data": []}, when="after"),
    Fault(kind="status", status=200, body={"data": {"name": "Acme"}}, when="after"),
]


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_a_launch_whose_answer_is_lost_is_in_doubt_and_not_sent_again(emulator, client, asked, checklist, field, fault):
    emulator.order(fault)
    with pytest.raises(TallyfyIndeterminateError, match="may or may not have happened"):
        client.runs.launch(body_for(checklist, field))
    assert asked() == ["POST /runs"]
    assert len(emulator.launched) == 1


def test_a_launch_that_was_refused_for_its_rate_is_sent_again(emulator, client, asked, checklist, field):
    emulator.order(Fault(kind="status", status=429, times=2))
    client.runs.launch(body_for(checklist, field))
    assert asked() == ["POST /runs"] * 3
    assert len(emulator.launched) == 1


def test_a_launch_that_could_not_be_sent_is_tried_again(emulator, client, checklist, field, monkeypatch):
    monkeypatch.setattr(client.session, "base_url", "http://127.0.0.1:9")
    with pytest.raises(Exception, match=r"No connection could be made .*after 3 attempts"):
        client.runs.launch(body_for(checklist, field))
    assert emulator.launched == []


@pytest.mark.parametrize("checklist_id", [None, "", "  "])
def test_a_launch_of_nothing_is_refused(emulator, client, checklist_id):
    with pytest.raises(TallyfyInputError, match=r"body\['checklist_id'\] is missing"):
        client.runs.launch({"checklist_id": checklist_id, "name": "x"})
    assert emulator.requests == []


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"secret-word"])
def test_what_is_no_json_is_told_before_anything_is_sent(emulator, client, checklist, value):
    with pytest.raises(TallyfyInputError, match="cannot be written as JSON") as raised:
        client.runs.launch({"checklist_id": checklist["id"], "prerun": {"a": value}})
    assert "secret-word" not in str(raised.value)
    assert emulator.requests == []


def test_a_date_is_sent_as_text(client, sent, checklist, field):
    client.runs.launch(body_for(checklist, field, prerun={field["Customer"]: "x", field["Until"]: date(2026, 10, 31)}))
    assert sent()["prerun"][field["Until"]] == "2026-10-31"


def test_a_refusal_says_which_fields_are_wrong(client, checklist):
    with pytest.raises(TallyfyValidationError, match="Customer is required") as raised:
        client.runs.launch({"checklist_id": checklist["id"], "name": "x"})
    assert list(raised.value.fields.values()) == ["Customer is required"]


PERSONAL = "Jane Q. Public, born 1970"


@pytest.fixture
def refusal(emulator, client, checklist, field):
    """Launch with a value of the form, let Tallyfy refuse that with some words, and give all that the error shows."""

    def refusal(said, value=PERSONAL, status=422):
        emulator.order(Fault(kind="status", status=status, body={"message": said, "errors": {"prerun": {"a": [said]}}}))
        with pytest.raises((TallyfyValidationError, TallyfyIndeterminateError)) as raised:
            client.runs.launch(body_for(checklist, field, prerun={field["Customer"]: value}))
        return f"{raised.value} {raised.value.args} {raised.value.fields}"

    return refusal


@pytest.mark.parametrize(
    "said",
    [
        f"The value {PERSONAL} is invalid",
        f"{'x' * 250} {PERSONAL} {'y' * 250}",
        f"{'x' * 275} {PERSONAL}",
        f"{'x' * 283} {PERSONAL}",
        f"{'x' * 294} {PERSONAL}",
    ],
)
@pytest.mark.parametrize("status", [422, 500])
def test_a_value_that_a_refusal_quotes_is_hidden(refusal, said, status):
    shown = refusal(said, status=status)
    assert "Jane" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "quoted",
    [
        PERSONAL.lower(),
        PERSONAL.upper(),
        "Jane Q. Pub...",
        "jane q. pub…",
        "&#74;ane&nbsp;Q. Public, born 1970",
        PERSONAL.replace("a", "&#97;"),
        PERSONAL.replace("a", "\\u0061"),
        PERSONAL.replace("J", "\\u004A"),
    ],
)
def test_a_value_that_is_quoted_in_another_form_is_hidden(refusal, quoted):
    shown = refusal(f"The value '{quoted}' is invalid ... see below").lower()
    assert "jane" not in html.unescape(shown)
    assert "q. pub" not in shown
    assert "is invalid ... see below" in shown
    assert "the value '***" in shown


def test_a_value_that_is_cut_where_the_message_ends_is_hidden(refusal):
    shown = refusal(f"Bad: {PERSONAL[:9]}...")
    assert "Bad: ***" in shown
    assert "Jane" not in shown


def test_a_short_value_is_hidden_as_a_word_and_leaves_other_words_alone(refusal):
    assert "*** is not an answer to Notice" in refusal("No is not an answer to Notice", value="No")


def test_an_update_leaves_everybody_assigned(emulator, client, run, people, groups):
    changed = client.runs.update(run["id"], {"name": "Renamed"})
    assert (changed["name"], changed["users"], changed["groups"]) == ("Renamed", people, groups)
    assert emulator.run(run["id"])["users"] == people


def test_an_update_that_names_the_users_leaves_the_groups(client, run, people, groups):
    changed = client.runs.update(run["id"], {"users": people[:1]})
    assert (changed["users"], changed["groups"]) == (people[:1], groups)


def test_an_update_can_unassign_everybody(client, run):
    changed = client.runs.update(run["id"], {"users": [], "groups": []})
    assert (changed["users"], changed["groups"]) == ([], [])


SHAPES = [
    ([10201, 10202], [10201, 10202]),
    ([{"id": 10201, "full_name": "Priya", "email": "p@x.example"}], [10201]),
    ({"data": [{"id": 10201}]}, [10201]),
    ({"0": 10201, "2": 10203}, [10201, 10203]),
    (["10201"], ["10201"]),
    ([], []),
]


@pytest.mark.parametrize(("given", "expected"), SHAPES)
def test_assigned_people_are_understood_in_every_shape(emulator, client, sent, run, given, expected):
    emulator.order(
        Fault(kind="status", status=200, body={"data": {**run, "users": given, "groups": []}}, method="GET", times=1)
    )
    client.runs.update(run["id"], {"name": "Renamed"})
    assert sent() == {"name": "Renamed", "users": expected, "groups": []}


@pytest.mark.parametrize("users", [None, "10201", [None], [{"name": "Priya"}], 7, {"a": 1}])
def test_where_nobody_knows_who_is_assigned_nothing_is_sent(emulator, client, asked, run, users):
    emulator.order(Fault(kind="status", status=200, body={"data": {**run, "users": users}}, method="GET"))
    with pytest.raises(TallyfyResponseError, match=r"which users are assigned to run .* Nothing was sent"):
        client.runs.update(run["id"], {"name": "Renamed"})
    assert asked("PUT") == []


def test_an_update_of_nothing_is_refused(emulator, client, run):
    with pytest.raises(TallyfyInputError, match="changes is empty"):
        client.runs.update(run["id"], {})
    assert emulator.requests == []


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("readback", ["sent", "rendered"])
def test_an_update_of_one_kickoff_value_leaves_the_others(emulator, client, checklist, field, replaces, readback):
    emulator.quirks = Quirks(taskdata_replaces=replaces, form_readback=readback)
    topics = [{"id": 1, "text": "Price", "selected": True}, {"id": 3, "text": "Law", "selected": True}]
    prerun = {
        field["Customer"]: "Acme Ltd",
        field["Region"]: {"id": 2, "text": "South"},
        field["Topics"]: topics,
        field["Until"]: "2026-10-31",
    }
    before = client.runs.launch(body_for(checklist, field, prerun=prerun))
    after = client.runs.update(before["id"], {"prerun": {field["Customer"]: "Globex"}})
    assert after["prerun"] == {**before["prerun"], field["Customer"]: "Globex"}


def test_an_update_of_a_field_that_the_form_does_not_have_is_refused(client, asked, checklist, field):
    run = client.runs.launch(body_for(checklist, field))
    with pytest.raises(TallyfyInputError, match=r"has no field with the id 'Customer'.*'Customer' \(alias"):
        client.runs.update(run["id"], {"prerun": {"Customer": "Globex"}})
    assert asked("PUT") == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_update_whose_answer_is_lost_is_sent_again(emulator, client, asked, run, when):
    emulator.order(Fault(kind="reset", method="PUT", times=1, when=when))
    assert client.runs.update(run["id"], {"name": "Renamed"})["name"] == "Renamed"
    assert len(asked("PUT")) == 2


def test_an_update_answered_with_nothing_reads_the_run(emulator, client, run):
    emulator.order(Fault(kind="status", status=200, body="", method="PUT", when="after"))
    assert client.runs.update(run["id"], {"name": "Renamed"})["name"] == "Renamed"


def test_a_run_goes_into_the_archive_and_comes_back(emulator, client, run):
    assert client.runs.archive(run["id"])["archived_at"]
    assert emulator.run(run["id"])["archived_at"]
    assert client.runs.activate(run["id"])["archived_at"] is None
    assert emulator.run(run["id"])["archived_at"] is None


REFUSALS = {
    404: {"message": "not found", "code": "RESOURCE_NOT_FOUND"},
    422: {"message": "already so"},
    409: {"message": "already so"},
}


@pytest.fixture(params=REFUSALS)
def refuse(request, emulator):
    """Let Tallyfy refuse all requests of a method; give the kind of error that is."""

    def refuse(method):
        emulator.order(Fault(kind="status", status=request.param, body=REFUSALS[request.param], method=method))
        return TallyfyNotFoundError if request.param == 404 else TallyfyValidationError

    return refuse


@pytest.mark.parametrize("answer", [200, 404])
def test_archived_already_is_archived(emulator, client, run, refuse, answer):
    emulator.archive_run(run["id"])
    emulator.quirks = Quirks(archived_run_status=answer)
    refuse("DELETE")
    assert client.runs.archive(run["id"])["id"] == run["id"]


def test_active_already_is_active(client, run, refuse):
    refuse("PUT")
    assert client.runs.activate(run["id"])["id"] == run["id"]


def test_a_refusal_to_archive_an_active_run_is_an_error(client, run, refuse):
    with pytest.raises(refuse("DELETE")):
        client.runs.archive(run["id"])


def test_a_refusal_to_activate_an_archived_run_is_an_error(emulator, client, run, refuse):
    emulator.archive_run(run["id"])
    with pytest.raises(refuse("PUT")):
        client.runs.activate(run["id"])


def test_archiving_whose_answer_was_lost_and_that_is_refused_then_is_done(emulator, client, asked, run):
    emulator.order(Fault(kind="reset", method="DELETE", times=1, when="after"))
    emulator.order(Fault(kind="status", status=404, method="DELETE"))
    assert client.runs.archive(run["id"])["archived_at"]
    assert len(asked("DELETE")) == 2


def test_archiving_in_doubt_that_did_not_happen_stays_in_doubt(emulator, client, run):
    emulator.order(Fault(kind="reset", method="DELETE"))
    with pytest.raises(TallyfyIndeterminateError):
        client.runs.archive(run["id"])


def test_archiving_in_doubt_stays_in_doubt_when_nobody_can_look(emulator, client, run):
    emulator.order(Fault(kind="reset"))
    with pytest.raises(TallyfyIndeterminateError):
        client.runs.archive(run["id"])


def test_a_refusal_is_not_believed_while_nobody_can_look(emulator, client, run):
    emulator.order(Fault(kind="status", status=404, method="DELETE"))
    emulator.order(Fault(kind="status", status=503, method="GET"))
    with pytest.raises(TallyfyServerError):
        client.runs.archive(run["id"])


@pytest.mark.parametrize("change", ["archive", "activate"])
def test_a_run_that_never_was_is_told_as_such(emulator, client, change):
    with pytest.raises(TallyfyNotFoundError, match="There is no run 'bbb"):
        getattr(client.runs, change)("b" * 32)


def test_a_wrong_address_is_not_looked_into(emulator, client, asked, run):
    emulator.order(Fault(kind="status", status=404, body={"code": "ENDPOINT_NOT_FOUND"}))
    with pytest.raises(TallyfyNotFoundError, match="The address is wrong"):
        client.runs.archive(run["id"])
    assert len(asked()) == 1


def test_who_may_not_archive_is_told_so(emulator, client, asked, run):
    emulator.order(Fault(kind="status", status=403))
    with pytest.raises(TallyfyPermissionError):
        client.runs.archive(run["id"])
    assert len(asked()) == 1


def test_a_kickoff_form_can_be_submitted_and_reopened(emulator, client, checklist, field):
    run = client.runs.launch(body_for(checklist, field))
    for task in emulator.tasks(run["id"]):
        emulator.complete_task(task["id"])
    assert emulator.run(run["id"])["status"] == "complete"
    path = f"runs/{run['id']}/complete-prerun"
    assert client.request("DELETE", path)["data"]["status"] == "active"
    assert client.request("POST", path)["data"]["status"] == "complete"
