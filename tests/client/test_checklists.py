"""Checklists: one, all of them, their steps, and their kick-off fields."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyNotFoundError, TallyfyResponseError


@pytest.fixture
def checklist(emulator):
    kickoff = [{"label": "Customer", "required": True}, {"label": "Colour", "field_type": "radio", "options": ["Red"]}]
    return emulator.add_checklist("Contract", kickoff=kickoff, steps=[{"title": f"Step {n}"} for n in range(25)])


def test_a_checklist_is_read_with_its_steps(client, checklist):
    assert "steps" not in client.checklists.get(checklist["id"])
    assert len(client.checklists.get(checklist["id"], include=["steps"])["steps"]["data"]) == 25
    with pytest.raises(TallyfyNotFoundError):
        client.checklists.get("b" * 32)


def test_every_checklist_is_listed(emulator, client):
    known = {emulator.add_checklist(f"Template {number}")["id"] for number in range(12)}
    emulator.quirks = Quirks(per_page_cap=5)
    assert known <= {each["id"] for each in client.checklists.list()}
    assert [each["title"] for each in client.checklists.list({"q": "Template 11"})] == ["Template 11"]


def test_filters_are_encoded_for_tallyfy(emulator, client):
    list(client.checklists.list({"starred": True, "tag": ["a", "b"], "archived": "only", "q": None, "owner_id": 7}))
    assert emulator.requests[-1].query == {
        "starred": "true",
        "tag": "a,b",
        "archived": "only",
        "owner_id": "7",
        "page": "1",
        "per_page": "100",
    }


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"owner": 1}, "did you mean 'owner_id'"),
        ({"sort": "title"}, "did you mean 'sort_by'"),
        ({"starred": "x"}, "true"),
    ],
)
def test_invalid_filters_are_refused_before_any_request(emulator, client, filters, words):
    with pytest.raises(TallyfyInputError, match=words):
        client.checklists.list(filters)
    assert emulator.requests == []


@pytest.mark.parametrize("cap", [10, 100])
def test_every_step_is_listed_in_order(emulator, client, checklist, cap):
    emulator.quirks = Quirks(per_page_cap=cap)
    steps = client.paginate(f"checklists/{checklist['id']}/steps")
    assert [step["title"] for step in steps] == [f"Step {number}" for number in range(25)]


def test_the_fields_of_the_kickoff_form(client, checklist):
    assert client.checklists.get_kickoff_fields(checklist["id"]) == checklist["prerun"]


@pytest.mark.parametrize(
    ("prerun", "expected"),
    [
        ([], []),
        (None, []),
        ({"data": [{"id": "a"}]}, [{"id": "a"}]),
        ({"0": {"id": "a"}, "2": {"id": "b"}}, [{"id": "a"}, {"id": "b"}]),
    ],
)
def test_the_fields_are_read_in_every_shape(emulator, client, prerun, expected):
    emulator.order(Fault(kind="status", status=200, body={"data": {"id": "c", "prerun": prerun}}))
    assert client.checklists.get_kickoff_fields("c") == expected


@pytest.mark.parametrize("answer", [{"id": "c"}, {"id": "c", "prerun": "none"}])
def test_an_unreadable_form_is_an_error(emulator, client, answer):
    emulator.order(Fault(kind="status", status=200, body={"data": answer}))
    with pytest.raises(TallyfyResponseError):
        client.checklists.get_kickoff_fields("c")
