"""Arguments of Dag authors, as templates render them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import is_literal, moment, names, whole_number

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
    assert moment("since", value) == NINE


def test_a_day_is_its_first_second():
    assert moment("since", "2026-10-31") == moment("since", date(2026, 10, 31)) == datetime(2026, 10, 31, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", " ", "None"])
def test_nothing_is_no_moment_and_no_number(value):
    assert moment("since", value) is None
    assert whole_number("count", value) is None


@pytest.mark.parametrize("value", ["yesterday", "31.10.2026", 20261031, 1.5, [], True])
def test_what_is_no_moment_is_refused(value):
    with pytest.raises(TallyfyInputError, match="since takes a moment such as"):
        moment("since", value)


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
