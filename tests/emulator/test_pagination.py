"""Pages, and the many shapes in which Tallyfy is known to describe them."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Quirks


def page_meta(caller, query):
    return caller.listed(query)["meta"]["pagination"]


@pytest.fixture
def long_list(emulator):
    """25 runs, in order of creation."""
    return emulator.add_runs(25)


def ids(payload):
    return [row["id"] for row in payload["data"]]


def test_ten_rows_a_page_by_default(caller, long_list):
    payload = caller.listed("sort=created_at")

    assert ids(payload) == long_list[:10]
    meta = payload["meta"]["pagination"]
    assert meta.items() >= {"total": 25, "count": 10, "per_page": 10, "current_page": 1, "total_pages": 3}.items()


def test_the_pages_together_hold_every_run_once(caller, long_list):
    walked = [run_id for page in (1, 2, 3) for run_id in ids(caller.listed(f"sort=created_at&page={page}"))]

    assert walked == long_list


def test_past_the_end_there_is_nothing(caller, long_list):
    payload = caller.listed("page=4")

    assert payload["data"] == []
    assert payload["meta"]["pagination"]["count"] == 0
    assert payload["meta"]["pagination"]["total_pages"] == 3


@pytest.mark.parametrize(
    ("asked", "echoed"), [("20", 20), ("100", 100), ("500", 100), ("0", 10), ("-5", 10), ("x", 10)]
)
def test_per_page_is_capped_and_echoed(caller, long_list, asked, echoed):
    assert page_meta(caller, f"per_page={asked}")["per_page"] == echoed


@pytest.mark.parametrize("page", ["0", "-1", "x"])
def test_a_page_that_is_none_is_the_first(caller, long_list, page):
    assert page_meta(caller, f"page={page}")["current_page"] == 1


def test_everything_at_once(caller, long_list):
    payload = caller.listed("without_pagination=true&sort=created_at")

    assert ids(payload) == long_list
    assert "meta" not in payload


def test_an_empty_list_has_one_page(caller):
    assert page_meta(caller, "")["total_pages"] == 1


def test_following_next_walks_the_whole_list(emulator, caller, long_list):
    query, walked = "sort=created_at&q=%E2%80%93%20", []
    while query:
        payload = caller.listed(query)
        walked += ids(payload)
        links = payload["meta"]["pagination"]["links"]
        query = links["next"].partition("?")[2] if links else ""

    assert walked == long_list


@pytest.mark.parametrize(
    ("shape", "first", "middle", "last"),
    [
        ("next", ["next"], ["next"], []),
        ("both", ["next"], ["previous", "next"], ["previous"]),
    ],
)
def test_links_as_far_as_they_exist(emulator, caller, long_list, shape, first, middle, last):
    emulator.quirks = Quirks(links=shape)

    for page, names in ((1, first), (2, middle), (3, last)):
        links = page_meta(caller, f"page={page}")["links"]
        assert list(links) == names
        assert isinstance(links, dict) is bool(names), "an empty object arrives as []"


def test_links_that_are_null_where_there_is_no_page(emulator, caller, long_list):
    emulator.quirks = Quirks(links="nulls")

    assert page_meta(caller, "page=1")["links"]["previous"] is None
    assert page_meta(caller, "page=3")["links"]["next"] is None


@pytest.mark.parametrize(("shape", "value"), [("empty list", []), ("null", None), ("absent", "absent")])
def test_links_that_say_nothing(emulator, caller, long_list, shape, value):
    emulator.quirks = Quirks(links=shape)

    assert page_meta(caller, "").get("links", "absent") == value


def test_links_to_another_host_that_lose_the_filters(emulator, caller, long_list):
    emulator.quirks = Quirks(link_base="https://elsewhere.example", links_keep_filters=False)

    link = page_meta(caller, "status=active")["links"]["next"]

    assert link == f"https://elsewhere.example{caller.runs_path}?page=2"


def test_no_total_pages(emulator, caller, long_list):
    emulator.quirks = Quirks(total_pages=False)

    assert "total_pages" not in page_meta(caller, "")


def test_no_meta(emulator, caller, long_list):
    emulator.quirks = Quirks(meta=False)

    assert list(caller.listed()) == ["data"]


def test_a_lower_cap(emulator, caller, long_list):
    emulator.quirks = Quirks(per_page_cap=5)

    payload = caller.listed("per_page=100")
    assert len(payload["data"]) == 5
    assert payload["meta"]["pagination"]["per_page"] == 5
    assert payload["meta"]["pagination"]["total_pages"] == 5


def test_total_pages_that_ignore_per_page(emulator, caller, long_list):
    emulator.quirks = Quirks(total_pages_ignores_per_page=True)

    assert page_meta(caller, "per_page=5")["total_pages"] == 3
    assert ids(caller.listed("per_page=5&page=5")), "there are more pages than announced"


def test_an_empty_page_before_the_end(emulator, caller, long_list):
    emulator.quirks = Quirks(empty_page=2)

    assert [len(caller.listed(f"page={page}")["data"]) for page in (1, 2, 3)] == [10, 0, 5]
    assert page_meta(caller, "page=2")["total_pages"] == 3


@pytest.mark.parametrize(("rows", "is_new"), [("repeat", False), ("new", True)])
def test_a_list_without_end(emulator, caller, long_list, rows, is_new):
    emulator.quirks = Quirks(endless=True, endless_rows=rows)

    for page in (3, 4, 40):
        payload = caller.listed(f"page={page}")
        assert payload["data"]
        assert payload["meta"]["pagination"]["total_pages"] == page + 1
        assert payload["meta"]["pagination"]["links"]["next"]
    assert set(ids(payload)).isdisjoint(long_list) is is_new
    assert set(ids(payload)).isdisjoint(ids(caller.listed("page=41"))) is is_new


def test_a_list_that_lags_behind(emulator, clock, caller):
    emulator.quirks = Quirks(list_lag=5)
    kept, deleted = emulator.add_run("kept")["id"], emulator.add_run("deleted")["id"]
    assert caller.names() == [], "too new for the list"
    assert caller.run(kept).status_code == 200, "but there"
    clock.advance(5)
    assert sorted(caller.names()) == ["deleted", "kept"]

    emulator.complete_run(kept)
    emulator.delete_run(deleted)

    assert sorted(caller.names("status=active")) == ["deleted", "kept"]
    clock.advance(5)
    assert caller.names("status=active") == []
    assert caller.names("status=complete") == ["kept"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"links": "both ways"},
        {"archived_run_status": 500},
        {"archived_reads_as": "gone"},
        {"endless_rows": "other"},
        {"per_page_cap": 0},
        {"empty_page": 0},
        {"list_lag": -1},
        {"feed_dates": "unix"},
        {"feed_issue_entity": "step"},
        {"feed_lag": -1},
        {"form_value_key": "x"},
        {"form_readback": "x"},
        {"task_done_status": "done"},
        {"complete_twice": "never"},
    ],
)
def test_a_quirk_that_makes_no_sense_is_named(wrong):
    with pytest.raises(ValueError, match=f"Quirks.{next(iter(wrong))} is"):
        Quirks(**wrong)
