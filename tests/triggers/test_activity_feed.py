"""The activity feed: read so that no row is missed and none is acted on twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyfy_emulator import Quirks
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.triggers.activity_feed import (
    SETTLING,
    Activity,
    Cursor,
    check_events,
    confirm,
    read_feed,
    read_row,
)
from tallyfy_provider.utils.timestamps import parse_timestamp

RUN = r"App\Models\Run"
NOON = parse_timestamp("2026-11-24T12:00:00Z")


@pytest.mark.parametrize(
    ("row", "about_the_run"),
    [
        ({"verb": ["completed"], "auditable_type": RUN, "auditable_id": "r"}, True),
        ({"verb": "completed", "entity_type": "run", "entity_id": "r"}, True),
        (
            {
                "verb": ["issue-reported"],
                "auditable_type": r"App\Models\Thread",
                "auditable_id": 4,
                "parentable_type": RUN,
                "parentable_id": "r",
            },
            False,
        ),
        ({"verb": ["Completed"], "auditable_type": ["Process"], "auditable_id": "r"}, True),
    ],
)
def test_a_row_about_a_run_is_read_in_each_of_its_shapes(row, about_the_run):
    activity = read_row({"id": 7, "created_at": ["2026-11-24 12:00:00"], **row})
    assert activity == Activity(
        "7", row["verb"][0].lower() if isinstance(row["verb"], list) else row["verb"], "r", NOON, about_the_run
    )


@pytest.mark.parametrize(
    "row",
    [
        {"verb": ["created"], "auditable_type": r"App\Models\Checklist", "auditable_id": "c"},
        {"verb": [], "auditable_type": RUN, "auditable_id": "r"},
        {"verb": ["created"], "auditable_type": RUN, "auditable_id": None},
        {},
    ],
)
def test_a_row_about_no_run_is_left_alone(row):
    assert read_row({"id": 7, **row}) is None


@pytest.mark.parametrize(
    "date", ["2026-11-24T12:00:00Z", "2026-11-24T12:00:00.000Z", "2026-11-24 12:00:00", "2026-11-24T13:00:00+01:00"]
)
def test_dates_in_each_of_their_shapes(date):
    assert parse_timestamp(date) == NOON
    assert parse_timestamp("soon") is None


def activity(number, at=NOON):
    return Activity(str(number), "completed", f"run-{number}", at)


def test_a_row_that_was_read_is_not_unread_again_even_when_it_comes_late_or_twice():
    cursor = Cursor(NOON - SETTLING).advance([activity(1), activity(3, NOON + 5)])
    late = activity(2, NOON - 100)
    assert cursor.unread([activity(3, NOON + 5), late, late, activity(1)]) == [late]


def test_what_lies_before_the_cursor_is_past():
    cursor = Cursor(NOON).advance([activity(1, NOON + 5000)])
    assert cursor.unread([activity(2, NOON + 5000 - SETTLING - 1)]) == []


def test_a_row_that_was_held_is_unread_again():
    cursor = Cursor(NOON - SETTLING).advance([activity(1), activity(2, NOON + 5000)], held=[activity(1)])
    assert cursor.unread([activity(1), activity(2, NOON + 5000)]) == [activity(1)]


def test_it_does_not_hold_the_reader_back_for_more_than_a_day():
    cursor = Cursor(NOON).advance([activity(1, NOON + 1), activity(2, NOON + 90_000)], held=[activity(1, NOON + 1)])
    assert cursor.since == NOON + 90_000 - 86_400


def test_a_cursor_survives_as_json_and_nonsense_is_none():
    cursor = Cursor(NOON - SETTLING).advance([activity(1)], reported=["run-1:completed:x"])
    assert Cursor.from_dict(cursor.to_dict()) == cursor
    for nonsense in (None, "x", {}, {"since": "x", "seen": {}, "reported": {}}, [1]):
        assert Cursor.from_dict(nonsense) is None


@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, int(SETTLING) - 1)), max_size=6), max_size=8))
def test_every_row_is_unread_exactly_once_whatever_the_order_and_overlap(batches):
    """Rows may come late by less than the settling time, and again and again."""
    cursor = Cursor(0.0)
    reported = []
    arrived = {}
    for number, batch in enumerate(batches):
        for row_id, lateness in batch:
            arrived.setdefault(row_id, activity(row_id, max(1.0, 10_000.0 + number * 60 - lateness)))
        news = cursor.unread(arrived.values())
        reported += [one.row_id for one in news]
        cursor = cursor.advance(news)
    late_enough = {one.row_id for one in arrived.values() if one.at >= 10_000 + 60 * len(batches) - SETTLING}
    assert len(reported) == len(set(reported))
    assert late_enough <= set(reported)


@pytest.mark.parametrize(
    "quirks",
    [Quirks(), Quirks(feed_dates="iso"), Quirks(feed_duplicates=True), Quirks(links="null"), Quirks(per_page_cap=7)],
)
def test_the_feed_is_read_back_to_a_moment_across_pages(emulator, connect, quirks):
    emulator.quirks = quirks
    ids = [emulator.add_run()["id"] for _ in range(60)]
    for run_id in ids:
        emulator.complete_run(run_id)
    activities = read_feed(connect().get_conn(), since=NOON - 10**9)
    completed = [one.run_id for one in activities if one.verb == "completed" and one.is_about_the_run]
    assert sorted(completed) == sorted(ids)


def test_an_event_is_confirmed_by_the_run():
    run = {"id": "r", "name": "A", "status": "complete", "completed_at": "2026-11-24T12:00:00Z", "checklist_id": "c"}
    event = confirm(Activity("7", "completed", "r", NOON), run, "org")
    assert (event["event"], event["event_id"]) == ("completed", "r:completed:2026-11-24T12:00:00Z")
    assert event["run"]["checklist_id"] == "c"
    assert confirm(Activity("7", "re-opened", "r", NOON), run, "org") is None
    assert confirm(Activity("7", "completed", "r", NOON), {"id": "r", "status": "active"}, "org") is None
    assert confirm(Activity("7", "commented", "r", NOON), run, "org") is None


def test_rows_about_a_run_and_about_its_last_task_make_one_event():
    run = {"id": "r", "status": "complete", "completed_at": "2026-11-24T12:00:00Z"}
    events = [confirm(Activity(row, "completed", "r", NOON), run, "org") for row in ("7", "8")]
    assert events[0]["event_id"] == events[1]["event_id"]


@pytest.mark.parametrize(
    ("events", "words"),
    [(["complete"], "did you mean 'completed'?"), (["xyz"], "the events are launched"), ([], "empty")],
)
def test_a_misspelt_event_is_refused_with_the_nearest_right_one(events, words):
    with pytest.raises(TallyfyInputError) as refused:
        check_events(events)
    assert words in str(refused.value)


def test_what_happened_to_a_task_of_a_run_did_not_happen_to_the_run():
    run = {"id": "r", "status": "active", "created_at": "2026-11-24T12:00:00Z"}
    for verb in ("created", "re-opened", "unarchived"):
        assert confirm(Activity("7", verb, "r", NOON, is_about_the_run=False), run, "org") is None
        assert confirm(Activity("7", verb, "r", NOON), run, "org")


@pytest.mark.parametrize("odd", [{"a": 1}, [{"a": 1}], [], None, "", True, 1.5], ids=str)
def test_a_row_about_what_is_no_id_is_about_no_run(odd):
    assert read_row({"id": "1", "verb": "completed", "auditable_type": "Run", "auditable_id": odd}) is None


def test_the_id_of_the_run_may_be_a_list_of_one():
    row = {"id": "1", "verb": ["completed"], "auditable_type": ["Run"], "auditable_id": ["a"]}
    assert read_row(row).run_id == "a"
