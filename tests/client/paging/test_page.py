"""A page of a list, whatever its shape: what is no page is an error, and the larger number of pages is believed."""

from __future__ import annotations

import pytest

from tallyfy_provider.client.paging.page import read_page
from tallyfy_provider.exceptions import TallyfyResponseError


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
    page = read_page(page_of(1, total=250, per_page=100), number=2, what="runs")
    assert (page.last, page.more) == (3, True)


def test_a_first_page_that_is_smaller_than_announced_tells_the_size_of_the_others():
    page = read_page(page_of(1, 2, total=7, per_page=100, total_pages=1), number=1, what="runs")
    assert (page.last, page.more) == (4, True)
