"""The walk over pages: all rows, each once, and always an end."""

from __future__ import annotations

import logging

import pytest

from tallyfy_provider.client.errors import TallyfyInputError, TallyfyResponseError
from tallyfy_provider.client.listing import Walk, read_page
from tallyfy_provider.emulator import Fault, Quirks


def page_of(*ids, **pagination):
    payload = {"data": [{"id": id} for id in ids]}
    if pagination:
        payload["meta"] = {"pagination": pagination}
    return payload


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        {},
        {"data": None},
        {"data": {}},
        {"data": {"id": 1}},
        {"data": ["x"]},
        {"data": [{"name": "no id"}]},
        {"data": [{"id": None}]},
        {"error": True, "message": "no"},
    ],
)
def test_what_is_no_page_is_an_error_and_never_an_empty_page(payload):
    with pytest.raises(TallyfyResponseError, match="Page 3 of runs cannot be read"):
        read_page(payload, number=3, what="runs")


@pytest.mark.parametrize("meta", [None, [], {}, {"pagination": []}, {"pagination": None}, {"pagination": {}}])
def test_without_pagination_there_is_one_page(meta):
    page = read_page({"data": [{"id": 1}], "meta": meta}, number=1, what="runs")
    assert not page.more


@pytest.mark.parametrize("links", [[], None, {}, {"next": None}, {"previous": "x", "next": None}])
def test_without_total_pages_and_without_a_next_link_it_is_the_last_page(links):
    assert not read_page(page_of(1, links=links), number=1, what="runs").more


def test_without_total_pages_a_next_link_tells_that_there_is_more():
    page = read_page(page_of(1, links={"next": "https://elsewhere.example/?page=2"}), number=1, what="runs")
    assert page.more


def test_the_larger_number_of_pages_is_believed():
    assert read_page(page_of(1, total=95, per_page=10, total_pages=2), number=2, what="runs").last == 10
    assert read_page(page_of(1, total=95, per_page=100, total_pages=10), number=2, what="runs").last == 10
    assert read_page(page_of(1, total="95", per_page="10", total_pages="10"), number=2, what="runs").last == 10


def test_pages_are_counted_where_tallyfy_does_not_number_them():
    page = read_page(page_of(1, total=250, per_page=100), number=1, what="runs")
    assert (page.last, page.more) == (3, True)


def test_a_row_that_comes_twice_is_given_once():
    walk = Walk("runs", 2)
    first = walk.accept(read_page(page_of(1, 2, total=3, per_page=2, total_pages=2), number=1, what="runs"))
    second = walk.accept(read_page(page_of(2, 3, total=3, per_page=2, total_pages=2), number=2, what="runs"))
    assert [row["id"] for row in first + second] == [1, 2, 3]
    assert walk.over
    assert walk.finish() == []


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
def test_every_run_is_listed_once_whatever_the_shape_of_meta(emulator, connect, quirks):
    ids = emulator.add_runs(33)
    emulator.add_runs(5, status="delayed")
    emulator.quirks = quirks
    hook = connect(extra={"page_size": 10})
    assert sorted(run["id"] for run in hook.list_runs({"status": "active"})) == sorted(ids)
    assert {request.query.get("status") for request in emulator.requests} == {"active"}


def test_without_meta_the_one_page_is_all(emulator, connect, said):
    emulator.add_runs(5)
    emulator.quirks = Quirks(meta=False)
    assert len(list(connect().list_runs())) == 5
    assert len(emulator.requests) == 1
    assert "is full" not in said()


def test_a_full_page_without_meta_is_warned_of(emulator, connect, caplog):
    emulator.add_runs(5)
    emulator.quirks = Quirks(meta=False)
    assert len(list(connect(extra={"page_size": 3}).list_runs())) == 3
    assert "Page 1 of runs is full and Tallyfy does not say whether there are more" in caplog.text


def test_a_list_that_shrinks_while_it_is_read_is_warned_of(emulator, connect, caplog):
    ids = emulator.add_runs(10)
    runs = connect(extra={"page_size": 5}).list_runs({"status": "active"})
    first = [next(runs) for _ in range(5)]
    emulator.complete_run(ids[0])
    given = {run["id"] for run in [*first, *runs]}
    assert len(given) == 9
    assert "Tallyfy announced 10 runs and gave 9 different ones" in caplog.text


def test_a_list_holds_its_rows_against_the_filters(emulator, connect, caplog):
    run = emulator.add_run(name="Stray", status="active")
    emulator.order(Fault(kind="status", status=200, body={"data": [run]}))
    assert list(connect().list_runs({"status": "complete"})) == [run]
    assert "1 of the runs came back although filters['status'] does not allow them" in caplog.text


def test_pages_are_asked_for_by_number_with_everything_else_unchanged(emulator, connect):
    emulator.add_runs(25)
    list(connect(extra={"page_size": 10}).list_runs({"status": "active"}))
    assert [request.query for request in emulator.requests] == [
        {"sort": "created_at", "status": "active", "per_page": "10", "page": str(number)} for number in (1, 2, 3)
    ]


def test_one_page_is_asked_for_when_a_page_is_named(emulator, connect):
    ids = emulator.add_runs(25)
    runs = list(connect().list_runs({"page": 2, "per_page": 10, "sort": "created_at"}))
    assert [run["id"] for run in runs] == ids[10:20]
    assert len(emulator.requests) == 1


def test_per_page_alone_is_the_size_of_the_pages_of_a_whole_walk(emulator, connect):
    emulator.add_runs(25)
    assert len(list(connect().list_runs({"per_page": 5}))) == 25
    assert len(emulator.requests) == 5


def test_without_pagination_gives_all_in_one_request(emulator, connect, caplog):
    emulator.add_runs(150)
    assert len(list(connect().list_runs({"without_pagination": True}))) == 150
    assert len(emulator.requests) == 1
    assert "is full" not in caplog.text


def test_listing_is_lazy_and_stops_with_max_runs(emulator, connect):
    emulator.add_runs(50)
    hook = connect(extra={"page_size": 10})
    runs = hook.list_runs(max_runs=15)
    assert emulator.requests == []
    assert len(list(runs)) == 15
    assert len(emulator.requests) == 2
    emulator.clear_requests()
    next(hook.list_runs())
    assert len(emulator.requests) == 1


def test_a_small_max_runs_asks_for_no_more_rows_than_that(emulator, connect):
    emulator.add_runs(50)
    assert len(list(connect().list_runs(max_runs=3))) == 3
    assert emulator.requests[0].query["per_page"] == "3"


def test_a_wrong_filter_is_refused_before_anything_is_asked(emulator, connect):
    with pytest.raises(TallyfyInputError):
        connect().list_runs({"status": "completed"})
    assert emulator.requests == []


def test_a_500_in_the_middle_is_got_over_without_losing_a_row(emulator, connect):
    ids = emulator.add_runs(30)
    emulator.order(Fault(kind="status", status=500, path="page=2", times=1))
    assert [run["id"] for run in connect(extra={"page_size": 10}).list_runs()] == ids


def test_an_empty_page_before_the_end_stops_the_walk_with_a_warning(emulator, connect, caplog):
    emulator.add_runs(30)
    emulator.quirks = Quirks(empty_page=2)
    with caplog.at_level(logging.WARNING):
        runs = list(connect(extra={"page_size": 10}).list_runs())
    assert len(runs) == 10
    assert "Page 2 of runs is empty although Tallyfy announced more pages" in caplog.text
    assert "Tallyfy announced 30 runs and gave 10 different ones" in caplog.text


@pytest.mark.parametrize("rows", ["new", "repeat"])
@pytest.mark.parametrize("total_pages", [True, False])
def test_a_list_without_an_end_is_an_error(emulator, connect, monkeypatch, rows, total_pages):
    monkeypatch.setattr("tallyfy_provider.client.listing.MOST_PAGES_UNANNOUNCED", 50)
    emulator.add_runs(20)
    emulator.quirks = Quirks(endless=True, endless_rows=rows, total_pages=total_pages)
    with pytest.raises(TallyfyResponseError, match=r"has no end|does not move on"):
        list(connect(extra={"page_size": 10}).list_runs())
    assert len(emulator.requests) < 150


def test_the_token_never_goes_to_where_a_next_link_points(emulator, connect):
    emulator.add_runs(30)
    emulator.quirks = Quirks(link_base="http://127.0.0.1:1", total_pages=False)
    assert len(list(connect(extra={"page_size": 10}).list_runs())) == 30
