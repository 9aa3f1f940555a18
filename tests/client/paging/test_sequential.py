"""The walk from page to page, for lists that cannot be read in a better way."""

from __future__ import annotations

from tallyfy_provider.client.paging.page import Page, read_page
from tallyfy_provider.client.paging.sequential import ForwardWalk


def page(*ids: int, number: int, total: int = 3) -> Page:
    meta = {"pagination": {"total": total, "per_page": 2, "total_pages": 2}}
    return read_page({"data": [{"id": id} for id in ids], "meta": meta}, number=number, what="runs")


def test_a_row_that_comes_twice_is_given_once():
    walk = ForwardWalk("runs", 2)
    first = walk.accept(page(1, 2, number=1))
    second = walk.accept(page(2, 3, number=2))
    assert [row["id"] for row in first + second] == [1, 2, 3]
    assert walk.over
    assert walk.finish() == []


def test_a_list_that_shrinks_while_it_is_read_is_warned_of():
    walk = ForwardWalk("runs", 2)
    walk.accept(page(1, 2, number=1, total=4))
    walk.accept(page(4, number=2, total=3))
    (warning,) = walk.finish()
    assert "Tallyfy announced 4 runs and gave 3 different ones" in warning
