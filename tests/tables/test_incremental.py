"""Which runs belong to an export, and where the next one has to begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tallyfy_provider.tables.incremental import SETTLING, Bounds, Selection, text_of

NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)


def run(minutes: float, **changes):
    """A run that changed so many minutes after noon."""
    moment = text_of(NOON + timedelta(minutes=minutes))
    return {"id": str(minutes), "created_at": "2026-10-01T00:00:00Z", "last_updated": moment, **changes}


def exported(runs, *, started, bounds=None, max_runs=None):
    selection = Selection(bounds or Bounds(), max_runs)
    ids = [each["id"] for each in selection.of(runs)]
    return ids, selection.next_updated_after((NOON + timedelta(minutes=started)).timestamp())


def test_a_change_that_was_made_while_pages_were_read_is_in_the_next_export():
    # Read at 12:30 on the first page, changed at 12:31, and another that changed at 12:32 read on the last page.
    _, bound = exported([run(-300), run(32)], started=30)
    changed = run(31)
    ids, _ = exported([changed], started=60, bounds=Bounds(updated_after=datetime.fromisoformat(bound)))
    assert ids == [changed["id"]]


def test_the_next_bound_is_the_newest_change_where_that_has_settled():
    assert exported([run(-300), run(-120), run(-200)], started=0)[1] == "2026-10-31T10:00:00Z"


def test_the_next_bound_is_never_later_than_the_settling_time_before_the_export():
    assert exported([run(500)], started=0)[1] == text_of(NOON - timedelta(seconds=SETTLING))


def test_the_next_bound_never_goes_back():
    bounds = Bounds(updated_after=NOON - timedelta(seconds=30))
    assert exported([run(0)], started=0, bounds=bounds)[1] == text_of(NOON - timedelta(seconds=30))


def test_the_next_bound_stays_where_an_export_saw_none_or_not_all():
    bounds = Bounds(updated_after=NOON - timedelta(days=1))
    assert exported([], started=0, bounds=bounds)[1] == "2026-10-30T12:00:00Z"
    assert exported([run(-300), run(-200)], started=0, bounds=bounds, max_runs=1)[1] == "2026-10-30T12:00:00Z"
    assert exported([], started=0)[1] is None


@pytest.mark.parametrize("runs", [[], [run(90)], [run(-60)]], ids=["none", "newer still", "older"])
def test_the_next_bound_is_never_in_the_future(runs):
    bounds = Bounds(updated_after=NOON + timedelta(hours=1))
    assert exported(runs, started=0, bounds=bounds)[1] == text_of(NOON)


def test_an_unreadable_date_does_not_count_and_is_not_left_out():
    ids, bound = exported([run(0, last_updated="?"), run(-60)], started=60, bounds=Bounds(updated_after=NOON))
    assert ids == ["0"]
    assert bound == text_of(NOON)
