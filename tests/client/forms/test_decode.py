"""The values of a form by alias, as plain Python."""

from __future__ import annotations

import json

import pytest

from tallyfy_provider.client.forms.decode import values_by_alias
from tests.client.forms.kickoff_form import PRERUN, described, options

TRAINING_ONLY = [
    {"id": 1, "text": "Audit", "selected": False},
    {"id": 2, "text": "Training", "selected": True},
]


def answer(kind, value, **more):
    (found,) = values_by_alias([described("1", "Field", kind, field_value=value, **more)]).values()
    return found


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", "Acme", "Acme"),
        ("text", '["as it is"]', '["as it is"]'),
        ("text", "None", "None"),
        ("text", 7, 7),
        ("textarea", "<p>as it is</p>", "<p>as it is</p>"),
        ("date", "2026-10-31T09:00:00Z", "2026-10-31T09:00:00Z"),
        ("email", "jo@example.com", "jo@example.com"),
        ("radio", "High", "High"),
        ("radio", {"id": 1, "text": "High"}, "High"),
        ("dropdown", {"id": 1, "text": "North", "value": None}, "North"),
        ("dropdown", "North", "North"),
        ("dropdown", {"id": "2"}, "Second"),
        ("dropdown", 2, "Second"),
        ("dropdown", "1", "1"),  # the text, though it is also an id
        ("dropdown", '{"id": 1, "text": "North"}', "North"),
        ("dropdown", [{"id": 1, "text": "North", "selected": True}], "North"),
        ("multiselect", TRAINING_ONLY, ["Training"]),
        ("multiselect", json.dumps(TRAINING_ONLY), ["Training"]),
        ("multiselect", [{"id": 1, "text": "Audit"}, {"id": 2, "text": "Training"}], ["Audit", "Training"]),
        ("multiselect", ["Audit"], ["Audit"]),
        ("multiselect", "Audit", ["Audit"]),
        ("multiselect", [{"id": 1, "text": "Audit", "selected": False}], None),
        ("table", [["Bolt"], [5]], [["Bolt"], [5]]),
        ("table", '["Bolt", 5]', ["Bolt", 5]),
        ("assignees_form", {"users": [12], "guests": []}, {"users": [12], "guests": [], "groups": []}),
        ("assignees_form", {"users": [], "guests": [], "groups": []}, None),
        ("file", [{"id": "a1"}], [{"id": "a1"}]),
        ("signature", {"drawn": 1}, {"drawn": 1}),
    ],
)
def test_a_value_is_decoded(kind, value, expected):
    more = {"options": options("First", "Second", "1")} if kind == "dropdown" else {}
    assert answer(kind, value, **more) == expected


@pytest.mark.parametrize("nothing", [None, "", " ", [], {}])
@pytest.mark.parametrize("kind", [field["field_type"] for field in PRERUN])
def test_an_empty_field_is_none(kind, nothing):
    assert answer(kind, nothing) is None


@pytest.mark.parametrize(
    ("keys", "stored", "expected"),
    [
        ({"value": "x"}, None, "x"),
        ({"value": "x", "field_value": None}, None, "x"),
        ({"value": "x", "field_value": "y"}, None, "y"),
        # The default of a template is not a value of the run.
        ({"value": "default"}, [], None),
        ({"value": "default"}, {}, None),
    ],
)
def test_the_value_has_either_key(keys, stored, expected):
    assert values_by_alias([described("1", "Field", "text", **keys)], stored) == {"1-alias": expected}


@pytest.mark.parametrize("rows", [PRERUN, {"data": PRERUN}, None, [], {"data": []}])
def test_every_field_of_the_form_is_returned(rows):
    fields = PRERUN if rows and rows != {"data": []} else []
    assert values_by_alias(rows) == {field["alias"]: None for field in fields}


def test_the_values_of_a_kickoff_form_are_in_the_run():
    stored = {"f-text": "Acme", "f-dropdown": {"id": 2, "text": "South"}, "unknown": "x"}
    found = values_by_alias(PRERUN, stored)
    assert {name: value for name, value in found.items() if value is not None} == {
        "f-text-alias": "Acme",
        "f-dropdown-alias": "South",
    }


def test_without_an_alias_the_label_and_then_the_id_is_the_name():
    rows = [
        {"id": "1", "alias": None, "label": "Decision", "field_type": "text", "value": "a"},
        {"id": "2", "alias": "", "label": "", "field_type": "text", "value": "b"},
        {"label": " ", "field_type": "text", "value": "c"},
    ]
    assert values_by_alias(rows) == {"Decision": "a", "2": "b", "field 3": "c"}


def test_two_fields_of_one_name_keep_both_values_and_the_first_keeps_the_name():
    rows = [
        {"id": "1", "label": "budget", "value": "by label"},
        {"id": "2", "alias": "budget", "label": "Second", "value": "first of the alias"},
        {"id": "3", "alias": "budget", "label": "Third", "value": "second of the alias"},
        {"id": "4", "alias": "budget", "label": "Third", "value": "third of the alias"},
    ]
    assert values_by_alias(rows) == {
        "1": "by label",
        "budget": "first of the alias",
        "Third": "second of the alias",
        "4": "third of the alias",
    }
