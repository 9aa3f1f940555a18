"""Arguments of Dag authors, as templates render them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from jinja2 import ChainableUndefined, StrictUndefined, Undefined

from tallyfy_provider.client import filtering
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import (
    boolean,
    checklist_id,
    choice,
    ids,
    interval,
    is_literal,
    mapping,
    names,
    one_id,
    run_id,
    run_ids,
    seconds,
    step,
    text,
    timestamp,
    user_ids,
    whole_number,
)

NINE = datetime(2026, 10, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-10-31T09:00:00Z",
        "2026-10-31T09:00:00.750Z",
        "2026-10-31 09:00:00",
        " 2026-10-31T10:00:00+01:00 ",
        NINE,
        NINE.replace(tzinfo=None),
        NINE.astimezone(timezone(timedelta(hours=5))),
    ],
)
def test_a_moment_may_be_written_in_any_of_the_usual_ways(value):
    assert timestamp("since", value) == NINE


def test_a_day_is_its_first_second():
    assert (
        timestamp("since", "2026-10-31") == timestamp("since", date(2026, 10, 31)) == datetime(2026, 10, 31, tzinfo=UTC)
    )


@pytest.mark.parametrize("value", [None, "", " ", "None"])
def test_nothing_is_no_moment_and_no_number(value):
    assert timestamp("since", value) is None
    assert whole_number("count", value) is None


@pytest.mark.parametrize("value", ["yesterday", "31.10.2026", 20261031, 1.5, [], True])
def test_what_is_no_moment_is_refused(value):
    with pytest.raises(TallyfyInputError, match="since takes a time such as"):
        timestamp("since", value)


@pytest.mark.parametrize("value", [0, -1, "many", True, 1.5, "²"])
def test_what_is_no_whole_number_from_one_is_refused(value):
    with pytest.raises(TallyfyInputError, match="count takes a whole number from 1"):
        whole_number("count", value)


def test_names_are_a_list_or_text_with_commas():
    assert names("fields", " id, name ,,id") == names("fields", ["id", "name", "id"]) == ["id", "name"]
    assert names("fields", None) is None
    assert names("fields", '["id"]') == ["id"]
    for nothing in ([], "", " , ", "None", [None], "null", [None, "null"]):
        assert names("fields", nothing) is None


@pytest.mark.parametrize("read", [names, ids])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("['id', 'name']", "x is the text of a list: .* write '| tojson' in the template"),
        ({"id"}, "x is a set, which has no order and which Airflow cannot store: use a list"),
        ({"id": 1}, "x takes a list of (names|ids), not a dict"),
        (1.5, "x takes a list of (names|ids), not a float"),
        (StrictUndefined(name="fields"), "A template names a variable that does not exist: 'fields' is undefined"),
    ],
)
def test_what_is_no_list_of_names_or_ids_is_refused(read, value, words):
    with pytest.raises(TallyfyInputError, match=words):
        read("x", value)


def test_names_are_text():
    with pytest.raises(TallyfyInputError, match=r"fields takes names, not \['id'\]"):
        names("fields", [["id"]])


@pytest.mark.parametrize(
    ("value", "expected"), [("a", "a"), (12345, "12345"), (1.5, "1.5"), (date(2026, 10, 31), "2026-10-31"), ("", None)]
)
def test_what_native_rendering_makes_of_text_becomes_text_again(value, expected):
    assert text("name", value) == expected


@pytest.mark.parametrize("value", [{"a": 1}, ["a"], True, b"a"])
def test_what_is_no_text_is_refused_by_name(value):
    with pytest.raises(TallyfyInputError, match=f"name takes text, not a {type(value).__name__}"):
        text("name", value)


def test_the_text_of_an_object_is_no_text():
    for written in (repr(each for each in ()), repr(map(str, ())), repr(object()), f" {object()!r} "):
        with pytest.raises(TallyfyInputError, match="name is the text of a "):
            text("name", written)
    for written in (f"Failed: {object()!r}", "<p>An object at 0x1</p>", "(1, 2)", "['a']"):
        assert text("name", written) == written


@pytest.mark.parametrize("read", [text, whole_number, timestamp, names, ids, mapping])
@pytest.mark.parametrize("undefined", [Undefined, StrictUndefined, ChainableUndefined])
def test_a_variable_that_a_template_misspells_is_named(read, undefined):
    with pytest.raises(TallyfyInputError, match="'parms' is undefined"):
        read("x", undefined(name="parms"))


@pytest.mark.parametrize("value", ["False", "true", 0, 1, None, "{{ params.x }}"])
def test_what_only_looks_like_a_boolean_is_refused(value):
    assert boolean("claim", True) is True
    with pytest.raises(TallyfyInputError, match="claim takes True or False, not"):
        boolean("claim", value)


ONE, TWO = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    "value",
    [
        [[ONE], [TWO]],
        [[{"id": ONE}], [{"id": TWO}, {"id": ONE}]],
        f'["{ONE}", "{TWO}"]',
        f'{{"id": "{ONE}"}}, {TWO}'.replace('{"id": "', "").replace('"}', ""),
        f"https://go.tallyfy.com/tracker/{ONE}, https://go.tallyfy.com/organizations/o/runs/{TWO}?x=1#y",
        (each for each in (ONE, TWO)),
    ],
)
def test_run_ids_are_found_in_lists_of_lists_in_json_and_in_addresses(value):
    assert run_ids(value) == [ONE, TWO]


@pytest.mark.parametrize(
    "value", [ONE, f" {ONE} ", {"id": ONE}, f'{{"id": "{ONE}"}}', f"https://go.tallyfy.com/tracker/{ONE}?from=mail"]
)
def test_the_id_of_one_run_is_found_likewise(value):
    assert run_id(value) == ONE
    assert run_ids(value) == [ONE]


@pytest.mark.parametrize("read", [run_id, run_ids])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{'id': 'a'}", "run_id is the text of a dict"),
        ("['a']", "run_id is the text of a list"),
        ("https://go.tallyfy.com/guest/tasks/1?code=secret", "run_id is a web address that names no run"),
        (None, r"Has it skipped \(on_empty='skip'\)\? Then leave out trigger_rule here"),
        (Undefined(name="launch"), "'launch' is undefined"),
    ],
)
def test_what_is_no_run_id_is_called_what_it_is(read, value, words):
    with pytest.raises(TallyfyInputError, match=words) as raised:
        read(value)
    assert "secret" not in str(raised.value)


RENDERED = {
    f"('{ONE}', '{TWO}')": "tuple",
    "(1, 2)": "tuple",
    "(1,)": "tuple",
    "<generator object sync_do_map at 0x7f0e09df4bd0>": "generator",
    "<map object at 0x7f0e09df4bd0>": "map",
    "<airflow.models.xcom.LazyXComSelectSequence object at 0x7f0e09df4bd0>": "LazyXComSelectSequence",
    "LazySelectSequence([2 items])": "LazySelectSequence",
    "LazyXComSequence(<2 items>)": "LazyXComSequence",
    "dict_keys(['a', 'b'])": "dict_keys",
    "deque(['a'])": "deque",
}


@pytest.mark.parametrize(("value", "kind"), RENDERED.items())
@pytest.mark.parametrize("read", [run_id, run_ids, checklist_id, lambda value: names("fields", value)])
def test_what_a_template_makes_of_a_generator_or_a_tuple_is_no_id(read, value, kind):
    with pytest.raises(TallyfyInputError, match=rf"is the text of a {kind}: .* write '\| list \| tojson'"):
        read(value)


@pytest.mark.parametrize(
    "value", [f" {ONE}", "o'brien@example.com", "name", "tasks.form_fields", "(EU) Contracts", "Plan([draft]) of 2026"]
)
def test_an_ordinary_name_is_the_text_of_nothing(value):
    assert ids("x", value) == [value.strip()]


def test_a_name_that_only_begins_as_a_tuple_does_is_a_name():
    assert step("(2024, final) Contract") == "(2024, final) Contract"


def test_what_to_json_writes_for_none_is_nothing():
    for empty in (run_id, run_ids):
        with pytest.raises(TallyfyInputError, match="run_id is "):
            empty("null")
    assert mapping("filters", "null") is None
    assert whole_number("max_runs", "null") is None


@pytest.mark.parametrize("nothing", ["None", "null", " None "])
def test_a_variable_that_is_none_among_others_is_no_run(nothing):
    with pytest.raises(TallyfyInputError, match="which is not an id"):
        run_ids(f"{nothing},{ONE}")
    assert run_ids(f"{ONE}, ,") == [ONE]


def test_a_task_may_be_given_as_json():
    assert step(f'{{"id": "{ONE}", "title": "x"}}') == ONE
    assert step("[Finance] approve") == "[Finance] approve"
    assert step("[1]") == "[1]"


@pytest.mark.parametrize("value", [ONE, {"id": ONE}, f"https://go.tallyfy.com/{TWO}/blueprints/{ONE}/edit", f" {ONE} "])
def test_the_id_of_a_checklist_is_found_in_its_address(value):
    assert checklist_id(value) == ONE


@pytest.mark.parametrize(
    ("value", "words"), [(None, "is empty"), (["a"], "takes text, not a list"), ("{'id': 'a'}", "the text of a dict")]
)
def test_what_is_no_checklist_id_is_refused(value, words):
    with pytest.raises(TallyfyInputError, match=rf"checklist_id (is )?{words}"):
        checklist_id(value)


def test_only_text_without_a_template_is_known_when_a_dag_is_parsed():
    assert is_literal("2026-10-31")
    assert not any(is_literal(value) for value in ("{{ ds }}", "{% if x %}", None, 1, []))


@pytest.mark.parametrize("value", [90, 90.0, timedelta(minutes=1, seconds=30)])
def test_a_duration_is_seconds_or_a_timedelta(value):
    assert seconds("timeout", value) == interval("timeout", value) == 90.0


@pytest.mark.parametrize("value", ["90", None, True, -1, float("nan"), float("inf"), timedelta(days=-1)])
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(
        TallyfyInputError, match=r"timeout takes seconds or a timedelta, not .*: a finite number from 0"
    ):
        seconds("timeout", value)


def test_an_interval_is_longer_than_zero():
    assert seconds("timeout", 0) == 0.0
    with pytest.raises(TallyfyInputError, match="more than 0 seconds"):
        interval("poke_interval", 0)


@pytest.mark.parametrize("value", ["allways", None, 1, ""])
def test_a_choice_is_one_of_the_choices(value):
    assert choice("reuse", "always", ("retry", "always")) == "always"
    with pytest.raises(TallyfyInputError, match=r"reuse is .*; it takes 'retry' or 'always'"):
        choice("reuse", value, ("retry", "always"))


def test_a_choice_that_is_misspelt_is_suggested():
    with pytest.raises(TallyfyInputError, match=r"'retry' or 'always'; did you mean 'always'\?"):
        choice("reuse", "allways", ("retry", "always"))


@pytest.mark.parametrize(
    "address",
    [
        f"https://go.tallyfy.com/tracker/{'a' * 32}?activeTask={'b' * 32}",
        f"https://go.tallyfy.com/tracker/{'a' * 32}/task/{'b' * 32}#comments",
        f" https://go.tallyfy.com/tasks/{'b' * 32}",
    ],
)
def test_the_id_of_a_task_is_found_in_its_address(address):
    assert step(address) == "b" * 32


@pytest.mark.parametrize(
    "address",
    [
        f"https://go.tallyfy.com/guest/tasks/{'b' * 32}?code=secret",
        f"https://go.tallyfy.com/tracker/{'a' * 32}",
        "https://go.tallyfy.com/tasks?code=secret",
    ],
)
def test_an_address_that_names_no_task_is_refused_and_not_quoted(address):
    with pytest.raises(TallyfyInputError, match="step is a web address that names no task") as refused:
        step(address)
    assert "secret" not in str(refused.value)


class Whole:
    """A whole number as numpy has it."""

    def __index__(self):
        return 7


@pytest.mark.parametrize("number", [7, "7", Decimal(7), Decimal("7.0"), Whole()])
def test_whole_numbers_of_databases_are_ids(number):
    assert user_ids("users", [number]) == user_ids("users", number) == [7]
    assert str(one_id("owner_id", number)) == "7"
    assert filtering.numbers("owners", [number]) == ("7",)


@pytest.mark.parametrize("number", [Decimal("7.5"), Decimal("NaN"), 7.0, True, "9" * 5000])
def test_other_numbers_are_no_ids(number):
    with pytest.raises(TallyfyInputError):
        user_ids("users", [number])


def test_an_address_with_a_comma_is_one_id():
    address = f"https://go.tallyfy.com/checklists/{'a' * 32}?tags=1,2"
    assert checklist_id(address) == "a" * 32
