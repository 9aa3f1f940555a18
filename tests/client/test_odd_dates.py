"""Dates that say that nothing has happened, and fields of another type, in runs and tasks."""

from __future__ import annotations

import pytest

from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.client.runs.status import describe, statuses_of
from tallyfy_provider.client.tasks.status import (
    compact_task,
    decision_of,
    describe_completion,
    describe_task,
    is_completed,
)
from tallyfy_provider.utils.timestamps import is_date, parse_timestamp
from tallyfy_provider.waiting.conditions import Outcome, StatusRule, TaskRule

ZEROS = [
    "0000-00-00 00:00:00",
    "0000-00-00",
    "0000-00-00T00:00:00Z",
    "-0001-11-30T00:00:00+00:00",
    "0001-01-01T00:00:00Z",
]
ZEROS += [
    "1970-01-01 00:00:00",
    "0001-01-01T00:00:00+23:59",
    "",
    " ",
    "0",
    "null",
    None,
    False,
    True,
    0,
    1,
    [],
    ["x"],
    {},
]


@pytest.mark.parametrize("zero", ZEROS, ids=str)
def test_a_zero_date_is_no_completion_and_no_archiving(zero):
    run = {"id": "a", "status": "active", "completed_at": zero, "archived_at": zero}
    assert not is_date(zero)
    assert statuses_of(run) == ("active",)
    assert not is_archived(run)
    assert StatusRule().evaluate(run) is Outcome.WAITING
    task = {"id": "a", "status": "active", "completed_at": zero}
    assert not is_completed(task)
    assert TaskRule().result(task, run).outcome is Outcome.WAITING


@pytest.mark.parametrize("date", ["2026-10-31 09:00:00", "2026-10-31T09:00:00.000000Z", "2026-10-31T09:00:00+05:30"])
def test_a_date_is_one(date):
    assert is_completed({"completed_at": date})
    assert statuses_of({"status": "active", "completed_at": date}) == ("complete",)


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-00:01"])
def test_a_date_outside_of_the_calendar_is_none(date):
    assert parse_timestamp(date) is None


@pytest.mark.parametrize("odd", [["complete"], {"a": 1}, True, None, 5, float("nan"), "\ud800", [[]]], ids=str)
def test_a_field_of_another_type_is_no_exception(odd):
    keys = ("status", "completed_at", "archived_at", "task_type", "is_approved", "status_label", "title", "problem")
    keys += ("completer", "completer_id", "completer_guest", "has_open_issue", "name", "run_id", "alias")
    for key in keys:
        item = {"id": "a", "status": "completed", "task_type": "approval", key: odd}
        for read in (statuses_of, is_archived, describe, compact_task, decision_of, describe_completion, describe_task):
            read(item)
        TaskRule().result(item, item)
        StatusRule().result([item])
    for inner in (odd, {"data": odd}, {"data": {"full_name": odd, "id": odd}}, {"first_name": odd}):
        describe_completion({"id": "a", "completer": inner})


@pytest.mark.parametrize("digits", ["1512012312345", 1512012312345, "1767225600", 1767225600, "151201231"])
def test_seconds_and_milliseconds_are_no_dates_of_the_middle_ages(digits):
    assert parse_timestamp(digits) is None
    assert parse_timestamp("20261031") == parse_timestamp("2026-10-31T00:00:00Z")
