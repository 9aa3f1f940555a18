"""A page of a list, whatever its shape: what is no page is an error, and each part of ``meta`` is heard by itself."""

from __future__ import annotations

import pytest

from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.paging.page import PageRequest, page_behind_the_end, read_page
from tallyfy_provider.exceptions import TallyfyNotFoundError, TallyfyResponseError, TallyfyValidationError


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
def test_without_pagination_nothing_is_announced(meta):
    page = read_page({"data": [{"id": 1}], "meta": meta}, number=1, what="runs")
    assert page.announcements(PageRequest(1, 1)) == {}


@pytest.mark.parametrize("links", [[], None, {}, {"next": None}, {"previous": "x", "next": None}])
def test_without_a_next_link_it_announces_the_last_page(links):
    page = read_page(page_of(1, links=links), number=1, what="runs")
    assert page.announcements(PageRequest(1, 1)) == {"links.next": False}


def test_a_next_link_announces_more():
    page = read_page(page_of(1, links={"next": "https://elsewhere.example/?page=2"}), number=1, what="runs")
    assert page.announcements(PageRequest(1, 1)) == {"links.next": True}


def test_rows_with_numbers_as_keys_are_a_list():
    page = read_page({"data": {"0": {"id": 1}, "2": {"id": 3}}}, number=1, what="runs")
    assert page.rows == [{"id": 1}, {"id": 3}]


@pytest.mark.parametrize(
    ("payload", "announced"),
    [
        ({"meta": {"total": 95, "last_page": 10, "links": [{"url": None, "label": "1"}]}}, {"total", "total_pages"}),
        ({"meta": {"current_page": 1}, "links": {"next": "https://elsewhere.example/?page=2"}}, {"links.next"}),
    ],
)
def test_what_laravel_writes_by_itself_announces_more(payload, announced):
    page = read_page({"data": [{"id": 1}], **payload}, number=1, what="runs")
    assert page.announcements(PageRequest(1, 1)) == dict.fromkeys(announced, True)


def test_each_part_of_meta_is_heard_by_itself():
    page = read_page(page_of(1, 2, total=95, total_pages=2, links=[]), number=2, what="runs")
    assert page.announcements(PageRequest(2, 2)) == {"total": True, "total_pages": False, "links.next": False}


def test_a_number_that_the_rows_contradict_says_nothing():
    page = read_page(page_of(1, 2, total=1, total_pages=1), number=2, what="runs")
    assert page.announcements(PageRequest(2, 2)) == {}


def test_the_larger_number_of_pages_is_believed():
    assert read_page(page_of(1, total=95, per_page=10, total_pages=2), number=2, what="runs").page_count(10) == 10
    assert read_page(page_of(1, total=95, per_page=100, total_pages=10), number=2, what="runs").page_count(100) == 10
    assert (
        read_page(page_of(1, total="95", per_page="10", total_pages="10"), number=2, what="runs").page_count(10) == 10
    )


def test_pages_are_counted_where_tallyfy_does_not_number_them():
    assert read_page(page_of(1, total=250, per_page=100), number=2, what="runs").page_count(100) == 3


@pytest.mark.parametrize(
    "nonsense", [None, True, -1, 1.5, "1.5", "x", "-3", "9" * 40, 10**40, [], {}, {"value": 3}, [3], "", "٣"]
)
def test_a_number_that_is_none_says_nothing(nonsense):
    page = read_page(page_of(1, total=nonsense, total_pages=nonsense), number=1, what="runs")
    assert (page.total, page.last) == (None, None)


@pytest.mark.parametrize("error", [TallyfyNotFoundError("No."), TallyfyValidationError("No.")])
def test_a_refusal_behind_the_first_page_is_a_page_without_rows(error):
    def refuse():
        raise error

    page = page_behind_the_end(PageRequest(3, 10), refuse)
    assert (page.rows, page.refusal) == ([], error)
    with pytest.raises(type(error)):
        page_behind_the_end(PageRequest(1, 10), refuse)


def test_a_path_that_does_not_exist_is_no_end_of_a_list():
    def refuse():
        raise TallyfyNotFoundError("No.", code=ENDPOINT_NOT_FOUND)

    with pytest.raises(TallyfyNotFoundError):
        page_behind_the_end(PageRequest(3, 10), refuse)
