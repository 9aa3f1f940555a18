"""Lists over HTTP: all runs, each once, lazily, and always an end."""

from __future__ import annotations

import logging

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError


@pytest.fixture
def listing(connect):
    """List runs with ten rows to a page."""
    return lambda *arguments, **options: connect(extra={"page_size": 10}).list_runs(*arguments, **options)


SHAPES = [
    Quirks(),
    Quirks(links="both"),
    Quirks(links="nulls"),
    Quirks(links="empty list"),
    Quirks(links="null"),
    Quirks(links="absent"),
    Quirks(links="next", total_pages=False),
    Quirks(links="nulls", total_pages=False),
    Quirks(per_page_cap=7),
    Quirks(total_pages_ignores_per_page=True),
    Quirks(links_keep_filters=False, total_pages=False),
    Quirks(link_base="https://elsewhere.example", total_pages=False),
]


@pytest.mark.parametrize("quirks", SHAPES, ids=str)
def test_every_run_is_listed_once_whatever_the_shape_of_meta(emulator, listing, quirks):
    ids = emulator.add_runs(33)
    emulator.add_runs(5, status="delayed")
    emulator.quirks = quirks
    assert sorted(run["id"] for run in listing({"status": "active"})) == sorted(ids)
    assert {request.query.get("status") for request in emulator.requests} == {"active"}


def test_without_meta_the_one_page_is_all(emulator, connect, said):
    emulator.add_runs(5)
    emulator.quirks = Quirks(meta=False)
    assert len(list(connect().list_runs())) == 5
    assert len(emulator.requests) == 1
    assert "is full" not in said()


def test_a_full_page_without_meta_is_followed_by_another_request(emulator, connect):
    ids = emulator.add_runs(5)
    emulator.quirks = Quirks(meta=False)
    assert [run["id"] for run in connect(extra={"page_size": 3}).list_runs()] == ids


def test_a_run_that_leaves_while_the_list_is_read_makes_no_other_slip_past(emulator, connect):
    ids = emulator.add_runs(10)
    runs = connect(extra={"page_size": 5}).list_runs({"status": "active"})
    first = [next(runs) for _ in range(5)]
    emulator.complete_run(ids[0])
    assert [run["id"] for run in [*first, *runs]] == ids


def test_a_list_holds_its_rows_against_the_filters(emulator, connect, caplog):
    run = emulator.add_run(name="Stray", status="active")
    emulator.order(Fault(kind="status", status=200, body={"data": [run]}))
    assert list(connect().list_runs({"status": "complete"})) == [run]
    assert "1 of the runs came back although filters['status'] does not allow them" in caplog.text


def test_pages_are_asked_for_by_number_with_everything_else_unchanged(emulator, listing):
    emulator.add_runs(25)
    list(listing({"status": "active"}))
    asked = [dict(request.query) for request in emulator.requests]
    assert {query.pop("page") for query in asked} == {"1", "2", "3"}
    assert max(int(query.pop("per_page")) for query in asked) == 10
    assert asked == [{"sort": "created_at", "status": "active"}] * len(asked)


def test_one_page_is_asked_for_when_a_page_is_named(emulator, connect):
    ids = emulator.add_runs(25)
    runs = list(connect().list_runs({"page": 2, "per_page": 10, "sort": "created_at"}))
    assert [run["id"] for run in runs] == ids[10:20]
    assert len(emulator.requests) == 1


def test_per_page_alone_is_the_largest_size_of_a_page(emulator, connect):
    emulator.add_runs(25)
    assert len(list(connect().list_runs({"per_page": 10}))) == 25
    assert max(int(request.query["per_page"]) for request in emulator.requests) == 10


def test_without_pagination_gives_all_in_one_request(emulator, connect, caplog):
    emulator.add_runs(150)
    assert len(list(connect().list_runs({"without_pagination": True}))) == 150
    assert len(emulator.requests) == 1
    assert "is full" not in caplog.text


def test_listing_is_lazy_and_stops_with_max_runs(emulator, listing):
    emulator.add_runs(50)
    runs = listing(max_runs=15)
    assert emulator.requests == []
    assert len(list(runs)) == 15
    assert {request.query["page"] for request in emulator.requests} == {"1", "2"}
    emulator.clear_requests()
    next(listing())
    assert len(emulator.requests) == 1


def test_a_small_max_runs_asks_for_no_more_rows_than_that(emulator, connect):
    emulator.add_runs(50)
    assert len(list(connect().list_runs(max_runs=3))) == 3
    assert emulator.requests[0].query["per_page"] == "3"


def test_a_wrong_filter_is_refused_before_anything_is_asked(emulator, connect):
    with pytest.raises(TallyfyInputError):
        connect().list_runs({"status": "completed"})
    assert emulator.requests == []


def test_a_500_in_the_middle_is_got_over_without_losing_a_row(emulator, listing):
    ids = emulator.add_runs(30)
    emulator.order(Fault(kind="status", status=500, path="page=2", times=1))
    assert [run["id"] for run in listing()] == ids


@pytest.mark.parametrize("empty", [2, 3])
@pytest.mark.parametrize("sort", ["created_at", "name"])
def test_an_empty_page_before_the_end_hides_no_other(emulator, listing, caplog, empty, sort):
    ids = emulator.add_runs(40)
    emulator.quirks = Quirks(empty_page=empty)
    with caplog.at_level(logging.WARNING):
        runs = list(listing({"sort": sort}))
    assert len(runs) >= 30
    assert {ids[0], ids[-1]} <= {run["id"] for run in runs} or sort == "name"
    assert len(runs) == 40 or f"Page {empty} of runs is empty although Tallyfy announced more rows" in caplog.text


@pytest.mark.parametrize("rows", ["new", "repeat"])
@pytest.mark.parametrize("total_pages", [True, False])
def test_a_list_without_an_end_is_an_error(emulator, listing, rows, total_pages):
    emulator.add_runs(20)
    emulator.quirks = Quirks(endless=True, endless_rows=rows, total_pages=total_pages)
    with pytest.raises(TallyfyResponseError, match=r"has no end|does not move on"):
        list(listing())
    assert len(emulator.requests) < 150


def test_the_token_never_goes_to_where_a_next_link_points(emulator, listing):
    emulator.add_runs(30)
    emulator.quirks = Quirks(link_base="http://127.0.0.1:1", total_pages=False)
    assert len(list(listing())) == 30
