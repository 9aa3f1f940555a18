"""What was written into a form, by alias and in plain Python, ready to be decided by."""

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
def test_a_value_comes_in_plain_python(kind, value, expected):
    more = {"options": options("First", "Second")} if kind == "dropdown" else {}
    assert answer(kind, value, **more) == expected


@pytest.mark.parametrize("nothing", [None, "", " ", [], {}])
@pytest.mark.parametrize("kind", [field["field_type"] for field in PRERUN])
def test_a_field_that_is_not_filled_gives_none(kind, nothing):
    assert answer(kind, nothing) is None


def test_a_text_that_is_also_the_id_of_another_option_is_the_text():
    assert answer("dropdown", "1", options=options("2", "1")) == "1"


def test_the_value_stands_under_either_name():
    assert values_by_alias([described("1", "Field", "text", value="x")]) == {"1-alias": "x"}
    assert values_by_alias([described("1", "Field", "text", value="x", field_value=None)]) == {"1-alias": "x"}
    assert values_by_alias([described("1", "Field", "text", value="x", field_value="y")]) == {"1-alias": "y"}


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"data": rows}])
def test_every_field_of_the_form_is_there(wrap):
    assert values_by_alias(wrap(PRERUN)) == {field["alias"]: None for field in PRERUN}


@pytest.mark.parametrize("empty", [None, [], {"data": []}])
def test_a_form_without_fields_is_empty(empty):
    assert values_by_alias(empty) == {}


def test_the_values_of_a_kickoff_form_are_in_the_run():
    stored = {"f-text": "Acme", "f-dropdown": {"id": 2, "text": "South"}, "unknown": "x"}
    found = values_by_alias(PRERUN, stored)
    assert {name: value for name, value in found.items() if value is not None} == {
        "f-text-alias": "Acme",
        "f-dropdown-alias": "South",
    }


@pytest.mark.parametrize("empty", [[], {}])
def test_a_default_of_the_template_is_not_taken_for_a_value_of_the_run(empty):
    assert values_by_alias([described("1", "Field", "text", value="default")], empty) == {"1-alias": None}


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
