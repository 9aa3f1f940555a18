"""Comparing stored with sent values: another notation is no difference, a lost value is one."""

from __future__ import annotations

import json

import pytest

from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.encode import encode_form
from tests.client.forms.kickoff_form import FORM, PRERUN

IDS = {field.label: field.id for field in FORM}
AUDIT = {"id": 1, "text": "Audit", "selected": True}
PEOPLE = {"users": [12], "guests": ["jo@example.com"], "groups": ["g1"]}


def differences(label, sent, stored):
    return [str(each) for each in compare({IDS[label]: sent}, {IDS[label]: stored}, FORM)]


@pytest.mark.parametrize(
    ("label", "sent", "stored"),
    [
        ("Customer", "Acme", " Acme\n"),
        ("Customer", "7", 7),
        ("Customer", "a < b & c", "a &lt; b &amp; c"),
        ("Customer", "a <b> c", "a &lt;b&gt; c"),
        ("Customer", "Acme", "\ufeffAcme"),
        ("Customer", '{"a": 1}', '{"a": 1}'),
        ("Notes", "line\nline & more", "<p>line</p><p>line &amp; more</p>"),
        ("Notes", '["a"]', '<p>["a"]</p>'),
        ("Notes", "<p>already HTML</p>", "<p>already HTML</p>"),
        ("Start", "2026-10-31", "2026-10-31"),
        ("Start", "2026-10-31", "2026-10-31T00:00:00.000Z"),
        ("Start", "2026-10-31", "2026-10-30T22:00:00Z"),
        ("Start", "2026-10-31T09:00:00Z", "2026-10-31 09:00:00"),
        ("Start", "2026-10-31T09:00:30Z", "2026-10-31T11:00:00+02:00"),
        ("Start", "2026-10-31T23:00:00", "2026-10-31"),
        ("Start", "2026-10-31T09:00:00", "2026-10-31T07:00:00.000Z"),
        ("Start", "2026-10-31", "31/10/2026 12:00 AM CET"),
        ("Contact", "jo@example.com", "jo@example.com "),
        ("Priority", "High", "High"),
        ("Priority", "High", {"id": 1, "text": "High"}),
        ("Region", {"id": 1, "text": "North"}, {"id": "1", "text": "North", "value": None}),
        ("Region", {"id": 1, "text": "North"}, "North"),
        ("Region", {"id": 1, "text": "North"}, 1),
        ("Region", {"id": 1, "text": "North"}, {"id": 1}),
        ("Region", {"id": 1, "text": "North"}, '{"id": 1, "text": "North"}'),
        ("Region", {"id": 1, "text": "North"}, [{"id": 1, "text": "North", "selected": True}]),
        ("Services", [AUDIT], [AUDIT, {"id": 2, "text": "Training", "selected": False}]),
        ("Services", [AUDIT], [{"id": "1", "text": "Audit"}]),
        ("Services", [AUDIT], ["Audit"]),
        ("Services", [AUDIT], json.dumps([AUDIT])),
        ("Services", [AUDIT, {"id": 2, "text": "Training"}], [{"id": 2, "text": "Training"}, AUDIT]),
        ("Contract", ["Bolt", 5], ["Bolt", "5"]),
        ("Contract", ["Bolt", None], ["Bolt", ""]),
        ("Contract", [{"Item": "Bolt"}, {"Price": 5}], [{"Item": "Bolt", "id": 1}, {"Price": "5", "id": 2}]),
        ("Contract", ["Bolt", 5], '["Bolt", 5]'),
        ("Team", PEOPLE, PEOPLE),
        ("Team", PEOPLE, {"users": [{"id": 12}], "guests": [{"email": "Jo@Example.com"}], "groups": [{"id": "g1"}]}),
        ("Team", PEOPLE, {"users": ["12", 13], "guests": [], "groups": ["g1"]}),
        ("Team", {**PEOPLE, "groups": []}, {"users": [12], "guests": ["jo@example.com"]}),
        ("Papers", [{"id": "a1"}], [{"id": "a1", "full_url": "https://example.com/x", "version": 1}]),
        ("Papers", [{"url": "https://a.example/x.pdf", "filename": "x.pdf"}], [{"id": 3, "filename": "x.pdf"}]),
    ],
)
def test_another_notation_is_no_difference(label, sent, stored):
    assert differences(label, sent, stored) == []


@pytest.mark.parametrize(
    ("label", "sent", "stored"),
    [
        ("Customer", "Acme", "Acm"),
        ("Customer", "Acme", "acme"),
        ("Customer", "Acme", ["Acme"]),
        ("Notes", "x" * 20, "x" * 19),
        ("Notes", "one two", "<p>one</p>"),
        ("Start", "2026-10-31", "2026-10-30"),
        ("Start", "2026-10-31", "2026-11-01T15:00:00Z"),
        ("Start", "2026-10-31T09:00:00Z", "2026-10-31T10:00:00Z"),
        ("Start", "2026-10-31T09:00:00", "2026-11-01T09:00:00"),
        ("Start", "2026-10-31T09:00:00", "2026-10-29"),
        ("Contact", "jo@example.com", "jo@example.org"),
        ("Priority", "High", "Low"),
        ("Priority", "High", "None"),
        ("Priority", "High", {"id": 2, "text": "Low"}),
        ("Region", {"id": 1, "text": "North"}, {"id": 2, "text": "North"}),
        ("Region", {"id": 1, "text": "North"}, "South"),
        ("Region", {"id": 1, "text": "North"}, {"name": "North"}),
        ("Services", [AUDIT], [{**AUDIT, "selected": False}]),
        ("Services", [AUDIT], [AUDIT, {"id": 2, "text": "Training", "selected": True}]),
        ("Services", [AUDIT, {"id": 2, "text": "Training"}], [AUDIT]),
        ("Contract", ["Bolt", 5], ["Bolt"]),
        ("Contract", ["Bolt", 5], ["Bolt", 6]),
        ("Contract", ["Bolt", 5], [None, 5]),
        ("Team", PEOPLE, {"users": [], "guests": ["jo@example.com"], "groups": ["g1"]}),
        ("Team", PEOPLE, {"users": [12], "guests": [], "groups": ["g1"]}),
        ("Team", PEOPLE, {"users": [12], "guests": ["jo@example.com"], "groups": []}),
        ("Team", PEOPLE, {"users": [12, 13], "guests": ["jo@example.com"], "groups": ["g1"]}),
        ("Team", PEOPLE, [12]),
        ("Papers", [{"id": "a1"}], [{"id": "a2"}]),
        ("Papers", [{"id": "a1"}, {"id": "a2"}], [{"id": "a1"}]),
        ("Papers", [{"id": "a1"}], [{"id": "a1"}, {"id": "a2"}]),
    ],
)
def test_another_value_is_a_difference_that_names_only_the_field(label, sent, stored):
    (message,) = differences(label, sent, stored)
    (field,) = (field for field in FORM if field.label == label)
    assert message == f"{field.name} was stored differently than it was sent"


@pytest.mark.parametrize("nothing", [None, "", " ", [], {}])
@pytest.mark.parametrize("label", ["Customer", "Services", "Team"])
def test_a_missing_value_was_dropped(label, nothing):
    (difference,) = compare({IDS[label]: "x"}, {IDS[label]: nothing}, FORM)
    assert difference.is_dropped
    assert str(difference).endswith("was not stored")


@pytest.mark.parametrize("empty", [[], {}, None, {"data": []}])
def test_an_empty_form_lacks_everything_that_was_sent(empty):
    found = compare({"f-text": "Acme", "f-radio": "High"}, empty, FORM)
    assert [(each.field_id, each.is_dropped) for each in found] == [("f-text", True), ("f-radio", True)]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"f-text": "None"}, {"f-text": "None"}),
        ({}, {"f-text": "Acme"}),
        (encode_form(FORM, {"Customer": "Acme"}).values, {"f-text": "Acme", 7: "more"}),
        ({"7": "x"}, {7: "x"}),
        ({"other": {"a": [1]}}, {"other": '{"a": ["1"], "b": 2}'}),
    ],
)
def test_equal_and_additional_values_are_no_difference(sent, stored):
    assert compare(sent, stored, FORM) == []


def test_a_field_of_an_unknown_type_is_compared_as_it_is():
    (difference,) = compare({"other": {"a": [1]}}, {"other": {"a": [2]}}, FORM)
    assert difference.field_name == "'other' (id 'other', of no type)"


@pytest.mark.parametrize("key", ["field_value", "value"])
@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"data": rows}])
def test_values_beside_their_fields_are_read_too(key, wrap):
    rows = wrap([{**PRERUN[0], key: "Acme"}, {**PRERUN[4], key: None}])
    assert [each.field_id for each in compare({"f-text": "Acme", "f-radio": "High"}, rows, FORM)] == ["f-radio"]
