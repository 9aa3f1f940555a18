"""A whole form: names are resolved, one error names every problem, and no error quotes a value."""

from __future__ import annotations

import json
import traceback

import pytest

from tallyfy_provider.client.forms.encode import EncodedForm, encode_form
from tallyfy_provider.client.forms.fields import FormField, Option, find_field, read_fields
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError
from tests.client.forms.kickoff_form import FORM, PRERUN, described, options

CUSTOMER = {"Customer": "Acme"}


def values(fields, given, **how):
    return dict(encode_form(fields, given, require=False, **how).values)


def error_of(fields, given, **how):
    with pytest.raises(TallyfyInputError) as refused:
        encode_form(fields, given, **how)
    return str(refused.value)


@pytest.mark.parametrize(
    "key", ["f-text", "f-text-alias", "Customer", " Customer ", "customer", "CUSTOMER", "F-Text-Alias"]
)
def test_a_field_is_named_by_id_alias_or_label(key):
    assert values(FORM, {key: "Acme"}) == {"f-text": "Acme"}


def test_white_space_within_a_label_does_not_matter():
    form = read_fields([described("1", "Start  date", "text")])
    assert values(form, {"start date": "x"}) == {"1": "x"}


def test_an_id_that_is_a_number_names_its_field():
    form = read_fields([{"id": 7, "label": "Seven", "field_type": "text"}])
    assert values(form, {7: "x"}) == values(form, {"7": "x"}) == {"7": "x"}


def test_ids_aliases_labels_and_other_case_are_tried_in_this_order():
    form = (
        FormField("a", alias="x", label="b"),
        FormField("b", alias="a", label="x"),
        FormField("c", alias="B", label="X"),
    )
    assert [find_field(form, key).id for key in ("a", "b", "x", "X", "B")] == ["a", "b", "a", "c", "c"]


def test_an_ambiguous_name_is_refused_with_both_fields():
    form = read_fields([described("f1", "Budget", "text"), described("f2", "Budget", "date")])
    message = error_of(form, {"budget": "x"})
    assert "kickoff['budget']: 'budget' is the name of 2 fields" in message
    assert "'Budget' (alias 'f1-alias', text), id 'f1'; 'Budget' (alias 'f2-alias', date), id 'f2'" in message
    assert "Say which by alias or id." in message


def test_an_unknown_name_is_refused_with_a_suggestion_and_all_fields():
    message = error_of(FORM, {"costumer": "Acme", "zzz": 1})
    assert "kickoff['costumer']: the form has no field 'costumer'; did you mean 'Customer'?" in message
    assert "kickoff['zzz']: the form has no field 'zzz'.\n" in message
    listed = message.partition("The form's fields:\n")[2]
    assert [line.split("'")[1] for line in listed.splitlines()] == [field["label"] for field in PRERUN]
    assert "- 'Priority' (alias 'f-radio-alias', radio) takes one of 'High', 'Low'." in listed
    assert "- 'Services' (alias 'f-multiselect-alias', multiselect) takes any of 'Audit'," in listed
    assert "one entry for each column, or a dict by column: 'Item', 'Price'." in listed


def test_a_form_without_fields_is_named():
    assert "The form has no fields." in error_of((), {"Customer": "x"})


def test_a_field_without_an_id_cannot_be_filled():
    form = read_fields([{"label": "Customer", "field_type": "text"}])
    assert "the form has no field 'Customer'" in error_of(form, CUSTOMER)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_name_is_refused(blank):
    form = (FormField("1", alias="", label=" "),)
    assert "the form has no field ''" in error_of(form, {blank: "x"})


def test_two_names_of_one_field_are_refused_even_where_they_agree():
    message = error_of(FORM, {"Customer": "Acme", "f-text": "Acme"})
    assert "kickoff['Customer'] and kickoff['f-text'] both name 'Customer' (alias 'f-text-alias', text)" in message


@pytest.mark.parametrize("nothing", [None, "", "  ", "None", " None ", [], {}, ()])
@pytest.mark.parametrize("field", [field["label"] for field in PRERUN])
def test_an_empty_value_is_not_sent(field, nothing):
    assert values(FORM, {field: nothing}) == {}


@pytest.mark.parametrize(
    ("field", "nothing"),
    [
        ("Services", [None, ""]),
        ("Services", [{"id": 1, "text": "Audit", "selected": False}]),
        ("Services", ", ,"),
        ("Team", {"users": [], "guests": "", "groups": None}),
        ("Team", [None, "None"]),
        ("Team", "[]"),
        ("Papers", "[]"),
    ],
)
def test_a_list_without_entries_is_not_sent(field, nothing):
    assert values(FORM, {field: nothing}) == {}


def test_zero_and_false_are_values():
    assert values(FORM, {"Customer": 0, "Notes": False}) == {"f-text": "0", "f-textarea": "False"}


def test_an_option_named_none_is_sent_with_a_note():
    form = read_fields([described("1", "Allergies", "radio", options=options("Nuts", "None"))])
    encoded = encode_form(form, {"Allergies": "None"})
    assert encoded.values == {"1": "None"}
    assert encoded.notes == ("'Allergies' (alias '1-alias', radio): 'None' is sent as its option of that name.",)
    assert encode_form(form, {"Allergies": None}).values == {}


def test_one_error_names_all_missing_fields():
    form = read_fields([described(str(n), f"Field {n}", "text", required=n < 4) for n in range(1, 6)])
    message = error_of(form, {"Field 2": "", "Field 3": "x", "Field 5": "y"})
    assert "- 'Field 1' (alias '1-alias', text) is required, and it is not given. It takes text of at most" in message
    assert "- 'Field 2' (alias '2-alias', text) is required, and kickoff['Field 2'] is empty." in message
    assert "Field 3" not in message
    assert "Field 4" not in message


@pytest.mark.parametrize("required", [True, 1, "1", "true", False, 0, "0", None, "false"])
def test_required_is_read_in_every_notation(required):
    form = read_fields([described("1", "Customer", "text", required=required)])
    if str(required).lower() in ("true", "1"):
        assert "is required" in error_of(form, None)
    else:
        assert encode_form(form, {}).values == {}
    assert encode_form(form, None, require=False).values == {}


def test_one_error_names_every_problem_once():
    form = read_fields([described("1", "Start", "date", required=True), described("2", "End", "date", required=True)])
    message = error_of(form, {"Start": 1761901200, "oops": 1}, argument="form_values")
    assert message.startswith("form_values cannot be used, and nothing was sent:\n- form_values['Start'] is a number")
    assert message.count("'Start' (alias '1-alias', date) is required") == 0
    assert "form_values['oops']: the form has no field" in message
    assert "'End' (alias '2-alias', date) is required" in message


def test_no_value_appears_in_an_error_its_traceback_or_a_result():
    secret = "jo.secret@example.com, 1985-13-77"
    given = {
        field["label"]: [secret, {secret: secret}] if field["field_type"] in ("text", "textarea") else secret
        for field in PRERUN
    }
    with pytest.raises(TallyfyInputError) as refused:
        encode_form(FORM, given)
    assert str(refused.value).count("\n- ") == len(PRERUN)
    assert refused.value.__context__ is None
    shown = "".join(traceback.format_exception(refused.value, chain=True)) + repr(refused.value.to_dict())
    for part in ("jo.secret", "1985"):
        assert part not in shown
    assert "Acme" not in repr(encode_form(FORM, CUSTOMER))


def test_a_dict_can_come_as_json_from_a_template():
    assert values(FORM, json.dumps(CUSTOMER)) == {"f-text": "Acme"}


@pytest.mark.parametrize("nothing", [None, {}, "", "None", "{}"])
def test_no_form_at_all_is_an_empty_one(nothing):
    assert encode_form(FORM, nothing, require=False) == EncodedForm({}, ())


@pytest.mark.parametrize("wrong", ["Acme GmbH", 7, ["Acme GmbH"], "{'Customer': 'Acme GmbH'}"])
def test_a_form_that_is_no_dict_is_refused_without_quoting_it(wrong):
    message = error_of(FORM, wrong)
    assert "it takes a dict of field aliases, labels or ids to values" in message
    assert "tojson" in message
    assert "Acme" not in message


def test_a_value_of_an_unknown_type_is_sent_with_a_note():
    form = read_fields([described("1", "Signature", "signature")])
    encoded = encode_form(form, {"Signature": {"drawn": [1, 2]}})
    assert encoded.values == {"1": {"drawn": [1, 2]}}
    assert encoded.notes == (
        "'Signature' (alias '1-alias', signature): this version does not know its type; the value is sent as it is.",
    )


def test_fields_are_read_in_every_shape():
    assert read_fields({"data": PRERUN}) == read_fields({"0": PRERUN[0], "2": PRERUN[1]}) + FORM[2:] == FORM
    assert read_fields([]) == read_fields(None) == read_fields({"data": []}) == ()


def test_a_field_is_read_with_ids_as_numbers_or_text_and_empty_parts_as_lists():
    read = FormField.read(
        {
            "id": 12,
            "alias": None,
            "label": "Region",
            "field_type": "dropdown",
            "options": {"data": [{"id": "1", "text": "North"}, {"id": 2, "label": "South"}, {"text": "no id"}, "bare"]},
            "columns": [],
            "guidance": "<p>Where?</p>",
        }
    )
    assert read == FormField(
        "12", "", "Region", "dropdown", False, (Option(1, "North"), Option(2, "South")), (), "<p>Where?</p>"
    )
    assert FormField.read({"id": "1", "options": [], "columns": None}).options == ()


@pytest.mark.parametrize("wrong", ["text", 7, [1, 2], {"message": "Not found"}])
def test_a_response_without_list_of_fields_is_an_error(wrong):
    with pytest.raises(TallyfyResponseError, match="form fields"):
        read_fields(wrong)


def test_many_options_are_shown_in_part():
    form = read_fields([described("1", "Country", "radio", options=options(*(f"Country {n}" for n in range(30))))])
    message = error_of(form, {"Country": "Atlantis"})
    assert "'Country 19' and 10 more" in message
    assert "Country 20" not in message


@pytest.mark.parametrize("value", [{"North"}, frozenset({1, 2}), [{"North"}], {"users": {1}}], ids=str)
@pytest.mark.parametrize(
    "field_type", ["text", "radio", "multiselect", "assignees_form", "table", "of a later version"]
)
def test_a_set_is_refused_as_what_it_is(field_type, value):
    field = FormField(id="a", alias="a", field_type=field_type, options=(Option(1, "North"), Option(2, "South")))
    with pytest.raises(TallyfyInputError, match=r"set .*Airflow cannot store; use a list"):
        encode_form([field], {"a": value})
