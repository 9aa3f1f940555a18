"""Pages, and the shapes in which Tallyfy is known to describe them."""

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


def test_the_pages_together_hold_every_run_once(caller, long_list):
    pages = [caller.listed(f"sort=created_at&page={page}") for page in (1, 2, 3, 4)]

    assert [ids(page) for page in pages] == [long_list[:10], long_list[10:20], long_list[20:], []]
    assert [page["meta"]["pagination"]["count"] for page in pages] == [10, 10, 5, 0]


@pytest.mark.parametrize(
    ("quirks", "query", "expected"),
    [
        ({}, "", {"total": 25, "count": 10, "per_page": 10, "current_page": 1, "total_pages": 3}),
        ({}, "page=4", {"count": 0, "total_pages": 3}),
        ({}, "q=nothing", {"total_pages": 1}),
        ({}, "per_page=20", {"per_page": 20}),
        ({}, "per_page=100", {"per_page": 100}),
        ({}, "per_page=500", {"per_page": 100}),
        ({}, "per_page=0", {"per_page": 10}),
        ({}, "per_page=-5", {"per_page": 10}),
        ({}, "per_page=x", {"per_page": 10}),
        ({}, "page=0", {"current_page": 1}),
        ({}, "page=-1", {"current_page": 1}),
        ({}, "page=x", {"current_page": 1}),
        ({"links": "empty list"}, "", {"links": []}),
        ({"links": "null"}, "", {"links": None}),
        ({"per_page_cap": 5}, "per_page=100", {"count": 5, "per_page": 5, "total_pages": 5}),
        ({"total_pages_ignores_per_page": True}, "per_page=5", {"total_pages": 3}),
        ({"total_pages_ignores_per_page": True}, "per_page=5&page=5", {"count": 5}),
        ({"empty_page": 2}, "page=1", {"count": 10}),
        ({"empty_page": 2}, "page=2", {"count": 0, "total_pages": 3}),
        ({"empty_page": 2}, "page=3", {"count": 5}),
    ],
)
def test_the_description_of_a_page(emulator, caller, long_list, quirks, query, expected):
    emulator.quirks = Quirks(**quirks)

    payload = caller.listed(query)

    pagination = payload["meta"]["pagination"]
    assert pagination.items() >= expected.items()
    assert len(payload["data"]) == pagination["count"]


@pytest.mark.parametrize(
    ("quirks", "missing"), [({"links": "absent"}, "links"), ({"total_pages": False}, "total_pages")]
)
def test_a_description_without_an_entry(emulator, caller, long_list, quirks, missing):
    emulator.quirks = Quirks(**quirks)

    assert missing not in page_meta(caller, "")


def test_everything_at_once(caller, long_list):
    payload = caller.listed("without_pagination=true&sort=created_at")

    assert ids(payload) == long_list
    assert "meta" not in payload


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
def test_links_where_they_exist(emulator, caller, long_list, shape, first, middle, last):
    emulator.quirks = Quirks(links=shape)

    for page, names in ((1, first), (2, middle), (3, last)):
        links = page_meta(caller, f"page={page}")["links"]
        assert list(links) == names
        assert isinstance(links, dict) is bool(names), "an empty object arrives as []"


def test_links_that_are_null_where_there_is_no_page(emulator, caller, long_list):
    emulator.quirks = Quirks(links="nulls")

    assert page_meta(caller, "page=1")["links"]["previous"] is None
    assert page_meta(caller, "page=3")["links"]["next"] is None


def test_links_to_another_host_that_lose_the_filters(emulator, caller, long_list):
    emulator.quirks = Quirks(link_base="https://elsewhere.example", links_keep_filters=False)

    link = page_meta(caller, "status=active")["links"]["next"]

    assert link == f"https://elsewhere.example{caller.runs_path}?page=2"


def test_no_meta(emulator, caller, long_list):
    emulator.quirks = Quirks(meta=False)

    assert list(caller.listed()) == ["data"]


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


def test_a_list_with_a_lag(emulator, clock, caller):
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
def test_an_invalid_quirk_names_the_field(wrong):
    with pytest.raises(ValueError, match=f"Quirks.{next(iter(wrong))} is"):
        Quirks(**wrong)
