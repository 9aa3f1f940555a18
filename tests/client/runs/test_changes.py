"""Launching runs once, and changing only the named fields."""

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
    """The ids of the fields by label."""
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


def test_a_run_is_launched_with_the_given_values(emulator, client, checklist, field, people):
    run = client.runs.launch(body_for(checklist, field, summary="From a Dag", users=people))
    assert run == {**emulator.run(run["id"]), **run}
    assert (run["name"], run["summary"], run["users"]) == ("Acme", "From a Dag", people)
    assert run["prerun"] == {field["Customer"]: "Acme Ltd"}
    assert [each["id"] for each in emulator.launched] == [run["id"]]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="reset", when="after"),
        Fault(kind="truncate"),
        Fault(kind="unreadable"),
        Fault(kind="html", when="after"),
        *[Fault(kind="status", status=status, when="after") for status in (502, 504, 408, 520)],
        Fault(kind="status", status=201, body={"data": []}, when="after"),
        Fault(kind="status", status=200, body={"data": {"name": "Acme"}}, when="after"),
        *[Fault(kind="status", status=200, body={"data": {"id": no_id}}, when="after") for no_id in ([1], True, 1.5)],
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_launch_without_response_is_indeterminate_and_sent_once(emulator, client, asked, checklist, field, fault):
    emulator.order(fault)
    with pytest.raises(TallyfyIndeterminateError, match="may or may not have happened"):
        client.runs.launch(body_for(checklist, field))
    assert asked() == ["POST /runs"]
    assert len(emulator.launched) == 1


def test_a_rate_limited_launch_is_retried(emulator, client, asked, checklist, field):
    emulator.order(Fault(kind="status", status=429, times=2))
    client.runs.launch(body_for(checklist, field))
    assert asked() == ["POST /runs"] * 3
    assert len(emulator.launched) == 1


def test_a_launch_without_connection_is_retried(emulator, client, checklist, field, monkeypatch):
    monkeypatch.setattr(client.session, "base_url", "http://127.0.0.1:9")
    with pytest.raises(Exception, match=r"No connection could be made .*after 3 attempts"):
        client.runs.launch(body_for(checklist, field))
    assert emulator.launched == []


@pytest.mark.parametrize("checklist_id", [None, "", "  "])
def test_a_launch_without_checklist_is_refused(emulator, client, checklist_id):
    with pytest.raises(TallyfyInputError, match=r"body\['checklist_id'\] is missing"):
        client.runs.launch({"checklist_id": checklist_id, "name": "x"})
    assert emulator.requests == []


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"secret-word"])
def test_a_value_that_is_not_json_is_refused(emulator, client, checklist, value):
    with pytest.raises(TallyfyInputError, match="cannot be written as JSON") as raised:
        client.runs.launch({"checklist_id": checklist["id"], "prerun": {"a": value}})
    assert "secret-word" not in str(raised.value)
    assert emulator.requests == []


def test_a_date_is_sent_as_text(client, sent, checklist, field):
    client.runs.launch(body_for(checklist, field, prerun={field["Customer"]: "x", field["Until"]: date(2026, 10, 31)}))
    assert sent()["prerun"][field["Until"]] == "2026-10-31"


def test_a_validation_error_names_the_fields(client, checklist):
    with pytest.raises(TallyfyValidationError, match="Customer is required") as raised:
        client.runs.launch({"checklist_id": checklist["id"], "name": "x"})
    assert list(raised.value.fields.values()) == ["Customer is required"]


PERSONAL = "Jane Q. Public, born 1970"


@pytest.fixture
def refusal(emulator, client, checklist, field):
    """Launch with a value that Tallyfy refuses with a message; return all that the error shows."""

    def refusal(said, value=PERSONAL, status=422):
        emulator.order(Fault(kind="status", status=status, body={"message": said, "errors": {"prerun": {"a": [said]}}}))
        with pytest.raises((TallyfyValidationError, TallyfyIndeterminateError)) as raised:
            client.runs.launch(body_for(checklist, field, prerun={field["Customer"]: value}))
        return f"{raised.value} {raised.value.args} {raised.value.fields}"

    return refusal


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
def test_a_value_quoted_in_another_form_is_redacted(refusal, quoted):
    shown = refusal(f"The value '{quoted}' is invalid ... see below").lower()
    assert "jane" not in html.unescape(shown)
    assert "q. pub" not in shown
    assert "is invalid ... see below" in shown
    assert "the value '***" in shown


@pytest.mark.parametrize(
    "message",
    [
        f"The value {PERSONAL} is invalid",
        f"{'x' * 250} {PERSONAL} {'y' * 250}",
        f"{'x' * 275} {PERSONAL}",
        f"{'x' * 283} {PERSONAL}",
        f"{'x' * 294} {PERSONAL}",
    ],
)
@pytest.mark.parametrize("status", [422, 500])
def test_a_quoted_value_is_redacted(refusal, message, status):
    shown = refusal(message, status=status)
    assert "Jane" not in shown
    assert "***" in shown


def test_a_value_that_the_end_of_the_message_cuts_is_redacted(refusal):
    shown = refusal(f"Bad: {PERSONAL[:9]}...")
    assert "Bad: ***" in shown
    assert "Jane" not in shown


def test_a_short_value_is_redacted_as_a_whole_word(refusal):
    assert "*** is not an answer to Notice" in refusal("No is not an answer to Notice", value="No")


@pytest.mark.parametrize("changes", [{"name": "Renamed"}, {"users": [10201]}, {"users": [], "groups": []}])
def test_an_update_changes_only_the_named_assignments(emulator, client, run, changes):
    changed = client.runs.update(run["id"], changes)
    expected = {name: run[name] for name in ("name", "users", "groups")} | changes
    assert {name: changed[name] for name in expected} == expected
    assert emulator.run(run["id"])["users"] == expected["users"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([10201, 10202], [10201, 10202]),
        ([{"id": 10201, "full_name": "Priya", "email": "p@x.example"}], [10201]),
        ({"data": [{"id": 10201}]}, [10201]),
        ({"0": 10201, "2": 10203}, [10201, 10203]),
        (["10201"], ["10201"]),
        ([], []),
    ],
)
def test_assigned_users_are_read_in_every_shape(emulator, client, sent, run, given, expected):
    answer = {"data": {**run, "users": given, "groups": []}}
    emulator.order(Fault(kind="status", status=200, body=answer, method="GET", times=1))
    client.runs.update(run["id"], {"name": "Renamed"})
    assert sent() == {"name": "Renamed", "users": expected, "groups": []}


@pytest.mark.parametrize("users", [None, "10201", [None], [{"name": "Priya"}], 7, {"a": 1}])
def test_nothing_is_sent_if_the_assigned_users_cannot_be_read(emulator, client, asked, run, users):
    emulator.order(Fault(kind="status", status=200, body={"data": {**run, "users": users}}, method="GET"))
    with pytest.raises(TallyfyResponseError, match=r"which users are assigned to run .* Nothing was sent"):
        client.runs.update(run["id"], {"name": "Renamed"})
    assert asked("PUT") == []


def test_an_empty_update_is_refused(emulator, client, run):
    with pytest.raises(TallyfyInputError, match="changes is empty"):
        client.runs.update(run["id"], {})
    assert emulator.requests == []


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("readback", ["sent", "rendered"])
def test_an_update_of_one_kickoff_value_keeps_the_others(emulator, client, checklist, field, replaces, readback):
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


def test_an_update_of_an_unknown_field_is_refused(client, asked, checklist, field):
    run = client.runs.launch(body_for(checklist, field))
    with pytest.raises(TallyfyInputError, match=r"has no field with the id 'Customer'.*'Customer' \(alias"):
        client.runs.update(run["id"], {"prerun": {"Customer": "Globex"}})
    assert asked("PUT") == []


def test_an_unknown_field_that_is_a_guests_address_is_not_quoted(client, checklist, field):
    run = client.runs.launch(body_for(checklist, field))
    with pytest.raises(TallyfyInputError, match="has no field with the id") as raised:
        client.runs.update(run["id"], {"prerun": {"https://go.tallyfy.com/guest/tasks/x?code=Gu3st": "x"}})
    assert "Gu3st" not in str(raised.value)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_update_without_response_is_retried(emulator, client, asked, run, when):
    emulator.order(Fault(kind="reset", method="PUT", times=1, when=when))
    assert client.runs.update(run["id"], {"name": "Renamed"})["name"] == "Renamed"
    assert len(asked("PUT")) == 2


def test_an_empty_update_response_reads_the_run(emulator, client, run):
    emulator.order(Fault(kind="status", status=200, body="", method="PUT", when="after"))
    assert client.runs.update(run["id"], {"name": "Renamed"})["name"] == "Renamed"


def test_a_run_is_archived_and_activated(emulator, client, run):
    assert client.runs.archive(run["id"])["archived_at"]
    assert emulator.run(run["id"])["archived_at"]
    assert client.runs.activate(run["id"])["archived_at"] is None
    assert emulator.run(run["id"])["archived_at"] is None


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "RESOURCE_NOT_FOUND", TallyfyNotFoundError),
        (422, None, TallyfyValidationError),
        (409, None, TallyfyValidationError),
    ],
)
@pytest.mark.parametrize("archived_run_status", [200, 404])
@pytest.mark.parametrize("is_archived", [False, True])
def test_a_refusal_is_an_error_unless_the_run_has_the_state_already(
    emulator, client, run, status, code, error, archived_run_status, is_archived
):
    body = {"message": "refused", "code": code} if code else {"message": "refused"}
    for method in ("DELETE", "PUT"):
        emulator.order(Fault(kind="status", status=status, body=body, method=method))
    wrong, right = client.runs.archive, client.runs.activate
    if is_archived:
        emulator.archive_run(run["id"])
        emulator.quirks = Quirks(archived_run_status=archived_run_status)
        wrong, right = right, wrong
    assert right(run["id"])["id"] == run["id"]
    with pytest.raises(error):
        wrong(run["id"])


def test_a_retried_archive_request_that_is_refused_succeeded_before(emulator, client, asked, run):
    emulator.order(Fault(kind="reset", method="DELETE", times=1, when="after"))
    emulator.order(Fault(kind="status", status=404, method="DELETE"))
    assert client.runs.archive(run["id"])["archived_at"]
    assert len(asked("DELETE")) == 2


@pytest.mark.parametrize("method", ["DELETE", ""], ids=["not archived", "unreadable"])
def test_an_archive_request_without_response_stays_indeterminate(emulator, client, run, method):
    emulator.order(Fault(kind="reset", method=method))
    with pytest.raises(TallyfyIndeterminateError):
        client.runs.archive(run["id"])


def test_a_refusal_is_an_error_if_the_run_cannot_be_read(emulator, client, run):
    emulator.order(Fault(kind="status", status=404, method="DELETE"))
    emulator.order(Fault(kind="status", status=503, method="GET"))
    with pytest.raises(TallyfyServerError):
        client.runs.archive(run["id"])


@pytest.mark.parametrize("change", ["archive", "activate"])
def test_an_unknown_run_is_not_found(emulator, client, change):
    with pytest.raises(TallyfyNotFoundError, match="There is no run 'bbb"):
        getattr(client.runs, change)("b" * 32)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ({"status": 404, "body": {"code": "ENDPOINT_NOT_FOUND"}}, TallyfyNotFoundError, "The address is wrong"),
        ({"status": 403}, TallyfyPermissionError, None),
    ],
)
def test_other_errors_are_raised_without_reading_the_run(emulator, client, asked, run, fault, error, words):
    emulator.order(Fault(kind="status", **fault))
    with pytest.raises(error, match=words):
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
