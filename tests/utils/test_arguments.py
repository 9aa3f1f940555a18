"""Arguments of Dag authors, as templates render them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import choice, interval, is_literal, names, seconds, timestamp, whole_number

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
    for nothing in ([], "", " , "):
        with pytest.raises(TallyfyInputError, match="names nothing"):
            names("fields", nothing)


def test_only_text_without_a_template_is_known_when_a_dag_is_parsed():
    assert is_literal("2026-10-31")
    assert not any(is_literal(value) for value in ("{{ ds }}", "{% if x %}", None, 1, []))


@pytest.mark.parametrize("value", [90, 90.0, timedelta(minutes=1, seconds=30)])
def test_a_duration_is_seconds_or_a_timedelta(value):
    assert seconds("timeout", value) == interval("timeout", value) == 90.0


@pytest.mark.parametrize("value", ["90", None, True, -1, float("nan"), float("inf"), timedelta(days=-1)])
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(TallyfyInputError, match="timeout takes seconds or a timedelta"):
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
