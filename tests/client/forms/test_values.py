"""Values of each type: every accepted form, and errors that name what the field takes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import read_fields
from tallyfy_provider.exceptions import TallyfyInputError
from tests.client.forms.kickoff_form import FORM, described, options

NORTH = {"id": 1, "text": "North"}
AUDIT = {"id": 1, "text": "Audit", "selected": True}
TRAINING = {"id": 2, "text": "Training", "selected": True}
NOBODY = {"users": [], "guests": [], "groups": []}
VIENNA = timezone(timedelta(hours=2))


def sent(label, value, form=FORM):
    (encoded,) = encode_form(form, {label: value}, require=False).values.values()
    return encoded


def error_of(label, value, form=FORM):
    with pytest.raises(TallyfyInputError) as refused:
        encode_form(form, {label: value}, require=False)
    return str(refused.value)


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("Customer", "Acme", "Acme"),
        ("Customer", " as it is ", " as it is "),
        ("Customer", 7, "7"),
        ("Customer", 0.5, "0.5"),
        ("Customer", Decimal("10.50"), "10.50"),
        ("Customer", True, "True"),
        ("Customer", date(2026, 10, 31), "2026-10-31"),
        ("Customer", "x" * 200, "x" * 200),
        ("Customer", "é" * 100, "é" * 100),
        ("Customer", "[not json", "[not json"),
        ("Customer", "[1]", "[1]"),
        ("Notes", "line\nline", "line\nline"),
        ("Notes", "x" * 30_000, "x" * 30_000),
        ("Start", date(2026, 10, 31), "2026-10-31"),
        ("Start", datetime(2026, 10, 31, 9), "2026-10-31T09:00:00"),
        ("Start", datetime(2026, 10, 31, 9, 0, 0, 123, tzinfo=UTC), "2026-10-31T09:00:00Z"),
        ("Start", datetime(2026, 10, 31, 9, tzinfo=VIENNA), "2026-10-31T07:00:00Z"),
        ("Start", " 2026-10-31 ", "2026-10-31"),
        ("Start", "2026-10-31 09:00:00", "2026-10-31 09:00:00"),
        ("Start", "2026-10-31T09:00:00Z", "2026-10-31T09:00:00Z"),
        ("Start", "2026-10-31T09:00:00.000Z", "2026-10-31T09:00:00.000Z"),
        ("Start", "2026-10-31T00:00:00+00:00", "2026-10-31T00:00:00+00:00"),
        ("Contact", " jo@example.com ", "jo@example.com"),
        ("Contact", "jo+a@mail.example.com", "jo+a@mail.example.com"),
        ("Priority", "High", "High"),
        ("Priority", " high ", "High"),
        ("Priority", 2, "Low"),
        ("Priority", "2", "Low"),
        ("Priority", {"id": 2, "text": "Low"}, "Low"),
        ("Priority", ["Low"], "Low"),
        ("Region", "North", NORTH),
        ("Region", "NORTH", NORTH),
        ("Region", 1, NORTH),
        ("Region", "1", NORTH),
        ("Region", {"id": "1"}, NORTH),
        ("Region", {"text": "north"}, NORTH),
        ("Region", {"id": 1, "text": "North", "value": None}, NORTH),
        ("Region", '{"id": 1, "text": "North"}', NORTH),
        ("Region", ["North"], NORTH),
        ("Services", ["Audit", "Training"], [AUDIT, TRAINING]),
        ("Services", "Audit, training", [AUDIT, TRAINING]),
        ("Services", "Training,Audit,Audit", [AUDIT, TRAINING]),
        ("Services", '["Audit", 2]', [AUDIT, TRAINING]),
        ("Services", "1,2", [AUDIT, TRAINING]),
        ("Services", 1, [AUDIT]),
        ("Services", ("Audit", None, ""), [AUDIT]),
        ("Services", {"id": 1}, [AUDIT]),
        ("Services", [AUDIT, {"id": 3, "text": "Support", "selected": False}], [AUDIT]),
        ("Contract", ["Bolt", 5], ["Bolt", 5]),
        ("Contract", ("Bolt", None), ["Bolt", None]),
        ("Contract", {"price": 5, "Item": "Bolt"}, ["Bolt", 5]),
        ("Contract", {"1": "Bolt", 2: 5}, ["Bolt", 5]),
        ("Contract", '["Bolt", 5]', ["Bolt", 5]),
        ("Contract", '{"Item": "Bolt", "Price": 5}', ["Bolt", 5]),
        ("Contract", [{"Item": "Bolt"}, {"Price": 5}], [{"Item": "Bolt"}, {"Price": 5}]),
        ("Team", [12, "13", "jo@example.com"], {"users": [12, 13], "guests": ["jo@example.com"], "groups": []}),
        ("Team", "12, jo@example.com", {"users": [12], "guests": ["jo@example.com"], "groups": []}),
        ("Team", 12, {**NOBODY, "users": [12]}),
        ("Team", "[12, 12]", {**NOBODY, "users": [12]}),
        ("Team", {"groups": ["g1", 2]}, {**NOBODY, "groups": ["g1", "2"]}),
        ("Team", {"users": "12,13", "guests": "a@b.c"}, {"users": [12, 13], "guests": ["a@b.c"], "groups": []}),
        (
            "Team",
            {"users": [{"id": 12, "full_name": "Jo"}], "guests": [{"email": "a@b.c"}], "groups": [{"id": "g"}]},
            {"users": [12], "guests": ["a@b.c"], "groups": ["g"]},
        ),
        ("Papers", [{"id": "a1", "filename": "x.pdf"}], [{"id": "a1", "filename": "x.pdf"}]),
        ("Papers", {"id": "a1"}, [{"id": "a1"}]),
        ("Papers", {"id": "a1", "url": "https://a.example/x"}, [{"id": "a1", "url": "https://a.example/x"}]),
        ("Papers", '[{"id": "a1"}]', [{"id": "a1"}]),
        (
            "Papers",
            [{"url": "https://example.com/files/x.pdf?token=1"}],
            [{"url": "https://example.com/files/x.pdf?token=1", "filename": "x.pdf", "source": "url"}],
        ),
        (
            "Papers",
            [{"url": "https://example.com", "filename": "Home"}],
            [{"url": "https://example.com", "filename": "Home", "source": "url"}],
        ),
    ],
)
def test_a_value_is_encoded_for_tallyfy(label, value, expected):
    assert sent(label, value) == expected


WRONG = [
    ("Customer", ["Acme"], "is a list of 1."),
    ("Customer", {"a": 1}, "is a dict of 1."),
    ("Customer", b"Acme", "is a bytes."),
    ("Customer", "<generator object sync_do_map at 0x7f0e09df4bd0>", "is the text of a generator: end the template"),
    ("Customer", "x" * 201, "is text of 201 characters, 201 bytes in UTF-8, which is 1 too many."),
    ("Customer", "é" * 101, "is text of 101 characters, 202 bytes in UTF-8, which is 2 too many."),
    ("Notes", "x" * 30_001, "30,001 bytes in UTF-8, which is 1 too many."),
    ("Start", 1761901200, "is a number; seconds since 1970 are no date to Tallyfy."),
    ("Start", "1761901200", "is a number; seconds since 1970 are no date to Tallyfy."),
    ("Start", 1761901200.5, "is a number; seconds since 1970 are no date to Tallyfy."),
    ("Start", "31/10/2026", "is text of 10 characters, which is no date."),
    ("Start", "2026-02-30", "is text of 10 characters, which is no date."),
    ("Start", "tomorrow", "is text of 8 characters, which is no date."),
    ("Start", True, "is true or false."),
    ("Start", ["2026-10-31"], "is a list of 1."),
    ("Start", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "is a datetime outside of the calendar."),
    ("Contact", "jo", "is text of 2 characters, which is no email address."),
    ("Contact", "jo@", "is text of 3 characters, which is no email address."),
    ("Contact", "a@b.c, d@e.f", "which is no email address."),
    ("Contact", "Jo <jo@example.com>", "which is no email address."),
    ("Contact", 7, "is a number, which is no email address."),
    ("Priority", "Middle", "is text of 6 characters, which is none of its options."),
    ("Priority", 3, "is a number, which is none of its options."),
    ("Priority", True, "is true or false, which is none of its options."),
    ("Priority", ["High", "Low"], "is a list of 2; it takes one option."),
    ("Priority", {"id": 1, "text": "Low"}, "has the id of one option and the text of another, or of none."),
    ("Priority", {"name": "Low"}, "is a dict of 1, which is none of its options."),
    ("Region", "West", "is text of 4 characters, which is none of its options."),
    ("Region", {"id": 9, "text": "North"}, "has the id of one option and the text of another, or of none."),
    ("Region", ["North", "South"], "is a list of 2; it takes one option."),
    ("Services", ["Audit", "Cleaning"], "is text of 8 characters, which is none of its options."),
    ("Services", "Audit;Training", "is text of 14 characters, which is none of its options."),
    ("Services", "[" * 100_000, "is text of 100000 characters, which is none of its options."),
    ("Services", "['Audit']", "is text of 9 characters, which is none of its options."),
    ("Services", [["Audit"]], "is a list of 1, which is none of its options."),
    ("Contract", ["Bolt"], "is a list of 1 for 2 columns."),
    ("Contract", ["Bolt", 5, 6], "is a list of 3 for 2 columns."),
    ("Contract", {"Item": "Bolt"}, "lacks the column 'Price'."),
    ("Contract", {"Item": "Bolt", "Price": 5, "Colour": 6}, "is a dict of 3 for 2 columns."),
    ("Contract", {"Item": "Bolt", "item": "Nut", "Price": 5}, "is a dict of 3 for 2 columns."),
    ("Contract", "Bolt, 5", "is text of 7 characters; a list or dict in a template is written with '| tojson'."),
    ("Contract", 5, "is a number; a list or dict in a template is written with '| tojson'."),
    ("Contract", [{"Item": "Bolt", "Price": 5}, {"Item": "Nut", "Price": 1}], "is a list of rows; Tallyfy takes an"),
    ("Contract", ["Bolt", object()], "is a list of 2 with something in it that JSON has no form for."),
    ("Contract", ["Bolt", float("nan")], "is a list of 2 with something in it that JSON has no form for."),
    ("Team", "Jo", "of which 1 is neither a user id nor an email address; groups go into {'groups': […]}."),
    ("Team", ["Jo", "Al", 12], "is a list of 3, of which 2 are neither a user id nor an email address"),
    ("Team", [True], "of which 1 is neither"),
    ("Team", [0], "of which 1 is neither"),
    ("Team", ["9" * 5000], "of which 1 is neither"),
    ("Team", {"people": [12]}, "is a dict of 1, of which 1 is not users, guests or groups."),
    ("Team", {"users": ["jo@example.com"]}, "has something other than user ids in 'users'."),
    ("Team", {"guests": [12]}, "has something other than email addresses in 'guests'."),
    ("Team", {"groups": [True]}, "has something other than group ids in 'groups'."),
    ("Papers", "report.pdf", "is text of 10 characters; upload the file to Tallyfy first and give what it answered"),
    ("Papers", ["report.pdf"], "is a list of 1, not of files."),
    ("Papers", 7, "is a number, not of files."),
    ("Papers", [{"filename": "report.pdf"}], "has a file without id and without url."),
]


@pytest.mark.parametrize(("label", "value", "message"), WRONG)
def test_a_wrong_value_is_refused_with_the_field_and_what_it_takes(label, value, message):
    error = error_of(label, value)
    (field,) = (field for field in FORM if field.label == label)
    assert error.startswith(f"kickoff cannot be used, and nothing was sent:\n- kickoff[{label!r}] ")
    assert message in error
    assert error.endswith(f"{field.name} takes {field.takes}.")


def test_every_type_has_a_wrong_value_in_the_table():
    assert {label for label, *_ in WRONG} == {field.label for field in FORM}


@pytest.fixture
def tricky():
    return read_fields(
        [
            described("r", "Radio", "radio", options=options("2", "1", "Open", "OPEN")),
            described("d", "Dropdown", "dropdown", options=options("2", "1", "Open", "OPEN")),
            described("m", "Multiselect", "multiselect", options=options("Red", "Green, light", "Blue")),
            described("same", "Twins", "dropdown", options=options("Same", "Same")),
            described("same-r", "Radio twins", "radio", options=options("Same", "Same")),
            described("padded", "Padded", "dropdown", options=options(" Padded ")),
        ]
    )


def test_a_radio_prefers_the_text_to_the_id_of_another_option(tricky):
    assert sent("Radio", "1", tricky) == "1"
    assert sent("Radio", {"id": 1}, tricky) == "2"


def test_a_dropdown_refuses_the_text_of_one_option_that_is_the_id_of_another(tricky):
    error = error_of("Dropdown", "1", tricky)
    assert "can mean more than one option ('1' with id 2, '2' with id 1); say which with {'id': …} or {'text'" in error
    assert sent("Dropdown", {"text": "1"}, tricky) == {"id": 2, "text": "1"}
    assert sent("Dropdown", {"id": "1"}, tricky) == {"id": 1, "text": "2"}


@pytest.mark.parametrize("label", ["Radio", "Dropdown"])
def test_the_exact_case_decides_between_options_that_differ_by_case_alone(tricky, label):
    assert sent(label, "OPEN", tricky) in ("OPEN", {"id": 4, "text": "OPEN"})
    assert "can mean more than one option ('Open' with id 3, 'OPEN' with id 4)" in error_of(label, "open", tricky)


def test_options_of_the_same_text_are_distinguished_by_id(tricky):
    assert "can mean more than one option" in error_of("Twins", "Same", tricky)
    assert sent("Twins", {"id": 2}, tricky) == {"id": 2, "text": "Same"}
    assert sent("Radio twins", "Same", tricky) == "Same"


def test_an_option_is_sent_exactly_as_the_template_has_it(tricky):
    assert sent("Padded", "padded", tricky) == {"id": 1, "text": " Padded "}


def test_text_is_not_split_at_commas_if_an_option_has_one(tricky):
    green = {"id": 2, "text": "Green, light", "selected": True}
    assert sent("Multiselect", "green, light", tricky) == [green]
    assert sent("Multiselect", ["Green, light", "Red"], tricky) == [{"id": 1, "text": "Red", "selected": True}, green]
    assert "as one of its options has a comma, it takes a list" in error_of("Multiselect", "Red,Blue", tricky)


@pytest.fixture
def bare():
    """Fields without listed options and columns."""
    return read_fields([described(kind, kind, kind) for kind in ("radio", "dropdown", "multiselect", "table")])


def test_without_options_a_choice_is_sent_as_it_is_and_noted(bare):
    encoded = encode_form(
        bare, {"radio": "x", "dropdown": {"id": "2", "text": "y"}, "multiselect": [{"id": 3, "text": "z"}]}
    )
    assert encoded.values == {
        "radio": "x",
        "dropdown": {"id": 2, "text": "y"},
        "multiselect": [{"id": 3, "text": "z", "selected": True}],
    }
    assert len(encoded.notes) == 3
    assert all("Tallyfy lists no options for it" in note for note in encoded.notes)


@pytest.mark.parametrize("kind", ["dropdown", "multiselect"])
def test_without_options_a_text_cannot_become_an_option(bare, kind):
    assert "as Tallyfy lists no options for it, it takes {'id': …, 'text': …}" in error_of(kind, "x", bare)


def test_without_options_a_radio_takes_text_alone(bare):
    assert sent("radio", {"id": 1, "text": "x"}, bare) == "x"
    assert "is a dict of 1, which is no option" in error_of("radio", {"id": 1}, bare)


def test_without_columns_a_table_takes_any_list_but_no_dict(bare):
    assert sent("table", [1, 2, 3], bare) == [1, 2, 3]
    assert "as Tallyfy lists no columns for it, it takes a list" in error_of("table", {"a": 1}, bare)
