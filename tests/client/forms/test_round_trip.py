"""Properties of every form and every value."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.decode import values_by_alias
from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import FormField, read_fields
from tallyfy_provider.exceptions import TallyfyInputError
from tests.client.forms.kickoff_form import FORM, PRERUN

NAMES = st.text(st.sampled_from("abAB -1"), max_size=3)
TEXTS = st.text(max_size=12).filter(lambda text: text.strip() not in ("", "None", "null"))
ADDRESSES = st.from_regex(r"[a-z0-9.+]{1,8}@[a-z0-9]{1,8}\.[a-z]{2,3}", fullmatch=True)
CELLS = st.one_of(st.none(), TEXTS, st.integers(), st.booleans())
FITTING = {
    "f-text": st.one_of(TEXTS, st.integers(), st.booleans()),
    "f-textarea": TEXTS,
    "f-date": st.one_of(st.dates(), st.datetimes(), st.dates().map(str), st.datetimes().map(str)),
    "f-email": ADDRESSES,
    "f-radio": st.sampled_from(["High", "Low", 1, 2, {"id": 1}, "low"]),
    "f-dropdown": st.sampled_from(["North", "far east", 1, "2", {"text": "South"}]),
    "f-multiselect": st.one_of(
        st.lists(st.sampled_from(["Audit", 2, {"id": 3}]), min_size=1), st.just("audit, support")
    ),
    "f-table": st.one_of(st.tuples(CELLS, CELLS), st.fixed_dictionaries({"Item": CELLS, "Price": CELLS})),
    "f-people": st.lists(st.one_of(ADDRESSES, st.integers(1, 10**9)), min_size=1),
    "f-file": st.lists(st.fixed_dictionaries({"id": TEXTS}), min_size=1),
}
FORMS = st.fixed_dictionaries({}, optional=FITTING)
ANYTHING = st.recursive(
    st.one_of(CELLS, st.floats(), st.dates(), st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


def encoded(values: Any, fields: Any = FORM) -> dict[str, Any]:
    return dict(encode_form(fields, values, require=False).values)


def encoded_or_error(values: Any, fields: Any = FORM) -> dict[str, Any] | TallyfyInputError:
    """Any other error fails the test."""
    try:
        return encoded(values, fields)
    except TallyfyInputError as error:
        return error


@given(FORMS)
def test_names_by_label_alias_and_id_are_equivalent(values):
    labels = {field.id: field.label for field in FORM}
    aliases = {field.id: field.alias for field in FORM}
    by_id = encoded(values)
    assert by_id.keys() == values.keys()
    assert encoded({labels[key]: value for key, value in values.items()}) == by_id
    assert encoded({aliases[key].upper(): value for key, value in values.items()}) == by_id


@given(FORMS)
def test_encoding_is_idempotent_and_json(values):
    once = encoded(values)
    assert json.loads(json.dumps(once)) == once
    assert encoded(once) == once


@given(FORMS)
def test_equal_values_are_no_difference(values):
    sent = encoded(values)
    as_json = {key: json.dumps(value) if isinstance(value, (list, dict)) else value for key, value in sent.items()}
    assert compare(sent, sent, FORM) == []
    assert compare(sent, as_json, FORM) == []


@given(FORMS, st.data())
def test_every_dropped_value_is_found(values, data):
    sent = encoded(values)
    kept = data.draw(st.sets(st.sampled_from(sorted(sent)))) if sent else set()
    found = compare(sent, {key: value for key, value in sent.items() if key in kept}, FORM)
    assert [each.field_id for each in found if each.is_dropped] == [key for key in sent if key not in kept]
    assert all(each.is_dropped for each in found)


@given(FORMS)
def test_every_sent_value_can_be_read_by_alias(values):
    sent = encoded(values)
    found = values_by_alias(PRERUN, sent)
    assert {name for name, value in found.items() if value is not None} == {f"{key}-alias" for key in sent}


@given(st.dictionaries(st.sampled_from([field.label for field in FORM]), ANYTHING, max_size=3))
def test_any_value_is_sent_by_field_id_or_refused(values):
    sent = encoded_or_error(values)
    if isinstance(sent, TallyfyInputError):
        assert sent.__context__ is None
    else:
        assert sent.keys() <= {field.id for field in FORM}
        assert json.loads(json.dumps(sent, allow_nan=False)) == sent


@given(st.dictionaries(st.sampled_from([field.label for field in FORM[2:]]), st.text(max_size=9), min_size=1))
def test_no_error_quotes_a_value(values):
    refused = encoded_or_error({key: f"§ {value} §" for key, value in values.items()})
    assert isinstance(refused, TallyfyInputError)
    assert "§" not in str(refused)


@given(st.lists(st.builds(FormField, id=NAMES, alias=NAMES, label=NAMES), max_size=4, unique_by=lambda f: f.id), NAMES)
def test_a_name_matches_one_field_or_is_refused(fields, name):
    sent = encoded_or_error({name: "x"}, fields)
    if isinstance(sent, TallyfyInputError):
        return
    (field,) = (field for field in fields if field.id in sent)
    called = {" ".join(each.split()).casefold() for each in (field.id, field.alias, field.label)}
    assert " ".join(name.split()).casefold() in called


@given(st.lists(st.fixed_dictionaries({}, optional={"id": NAMES, "alias": NAMES, "label": NAMES})))
def test_every_field_has_a_unique_name(rows):
    assert len(values_by_alias(rows)) == len(rows)


@given(st.one_of(st.dates(), st.datetimes(), st.datetimes(timezones=st.timezones())))
def test_a_date_is_sent_as_text_that_tallyfy_reads(moment):
    form = read_fields([{"id": "1", "label": "When", "field_type": "date"}])
    sent = encoded_or_error({"When": moment}, form)
    if isinstance(sent, TallyfyInputError):
        assert moment.year in (1, 9999)
    elif isinstance(moment, datetime) and moment.tzinfo:
        # Moments that a clock skips or repeats are never equal to another zone's, so seconds are compared.
        assert datetime.fromisoformat(sent["1"]).timestamp() == moment.replace(microsecond=0).timestamp()
    elif isinstance(moment, datetime):
        assert datetime.fromisoformat(sent["1"]) == moment.replace(microsecond=0)
    else:
        assert date.fromisoformat(sent["1"]) == moment
