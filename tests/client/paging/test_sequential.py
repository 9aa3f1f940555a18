"""Reading from page to page, for lists that cannot be read in a better way."""

from __future__ import annotations

import pytest

from tallyfy_provider.client.paging.order import Range
from tallyfy_provider.client.paging.page import Page, PageRequest, read_page
from tallyfy_provider.client.paging.sequential import SequentialPaginator
from tallyfy_provider.exceptions import TallyfyNotFoundError, TallyfyResponseError
from tests.client.paging.worlds import World, ids_of, read


def page(*ids: int, number: int, total: int = 3, pages: int = 2) -> Page:
    meta = {"pagination": {"total": total, "per_page": 2, "total_pages": pages}}
    return read_page({"data": [{"id": id} for id in ids], "meta": meta}, number=number, what="runs")


class Canned(World):
    """A list of pages that were written down."""

    def __init__(self, *pages: Page) -> None:
        super().__init__(1, size=0)
        self._pages = pages

    def page(self, request: PageRequest) -> Page:
        self.requests.append(request)
        return self._pages[len(self.requests) - 1]


def test_a_row_that_comes_twice_is_given_once():
    paginator = SequentialPaginator("runs", per_page=2)
    canned = Canned(page(1, 2, number=1), page(2, 3, number=2), page(number=3))  # its rows contradict its total
    assert ids_of(read(paginator, canned)) == [1, 2, 3]
    assert (paginator.warnings, paginator.doubts) == ([], 0)


def test_a_list_that_shrinks_while_it_is_read_is_warned_of():
    paginator = SequentialPaginator("runs", per_page=2)
    rows = read(paginator, Canned(page(1, 2, number=1, total=4), page(4, number=2, total=3)))
    assert ids_of(rows) == [1, 2, 4]
    assert "Tallyfy announced 4 runs and gave 3 different ones" in paginator.warnings[-1]
    assert paginator.doubts == 1


def test_it_stops_where_enough_rows_were_given():
    world = World(1, size=500, cap=10)
    assert ids_of(read(SequentialPaginator("runs", per_page=10, wanted=Range(count=25)), world)) == list(range(25))
    assert len(world.requests) == 3


def test_rows_that_were_given_before_are_passed_over():
    world = World(1, size=500, cap=10)
    given = {hash(str(number)) for number in range(300)}
    assert ids_of(read(SequentialPaginator("runs", per_page=10, given=given), world)) == list(range(300, 500))


def test_a_page_that_comes_again_and_again_is_an_error():
    pages = [page(1, 2, number=number, total=100, pages=50) for number in range(1, 60)]
    with pytest.raises(TallyfyResponseError, match="does not move on"):
        read(SequentialPaginator("runs", per_page=2), Canned(*pages))


def test_a_list_without_an_end_is_an_error():
    pages = [page(2 * n, 2 * n + 1, number=n, total=10, pages=n + 1) for n in range(1, 200)]
    world = Canned(*pages)
    with pytest.raises(TallyfyResponseError, match="has no end"):
        read(SequentialPaginator("runs", per_page=2), world)
    assert len(world.requests) < 100


def test_a_refusal_behind_the_end_is_the_end():
    refused = Page([], refusal=TallyfyNotFoundError("No such page."))
    world = Canned(page(1, 2, number=1, total=4), refused, page(1, 2, number=1, total=2, pages=1))
    assert ids_of(read(SequentialPaginator("runs", per_page=2), world)) == [1, 2]


def test_a_refusal_in_the_middle_is_an_error():
    refused = Page([], refusal=TallyfyNotFoundError("No such page."))
    world = Canned(page(1, 2, number=1, total=4), refused, page(1, 2, number=1, total=4))
    with pytest.raises(TallyfyNotFoundError):
        read(SequentialPaginator("runs", per_page=2), world)
