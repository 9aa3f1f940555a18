"""Servers that keep to less than Tallyfy documents: no run is missed, or it is said."""

from __future__ import annotations

import math

import pytest
from tallyfy_provider.client.paging.newest_first import NewestFirst
from tallyfy_provider.client.paging.oldest_first import OldestFirst

from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.paging.base import PageAfterPage
from tallyfy_provider.client.paging.page import Page, no_page, read_page
from tallyfy_provider.exceptions import TallyfyNotFoundError, TallyfyValidationError
from tests.client.paging.test_lossless import World, follow, ids_of, second_of

WALKS = [OldestFirst, NewestFirst]


class OtherWorld(World):
    """A list on a server of another kind."""

    def __init__(self, seed: int, kind: str, *, size: int = 130, cap: int = 10, churn: float = 0.0) -> None:
        super().__init__(seed, size=size, cap=cap, asked=cap, churn=churn, ties=False)
        self.kind = kind

    def page(self, number: int, *, newest_first: bool) -> Page:
        if self.there_at_first is None:
            self.there_at_first = {run["id"] for run in self.runs}
        self.requests += 1
        kind = self.kind
        asked = number
        rows = self.runs[::-1] if newest_first or kind == "always newest first" else list(self.runs)
        pages = max(1, math.ceil(len(rows) / self._cap))
        if number > pages and kind == "refuses pages behind the end":
            self.something_happens()
            return no_page(number, TallyfyValidationError("There is no such page."))
        if number > pages and kind == "gives the last page for those behind it":
            number = pages
        found = rows[(number - 1) * self._cap : number * self._cap]
        link = {"next": "https://elsewhere.example"} if number < pages else []
        meta = {"total": len(rows), "per_page": self._cap, "total_pages": pages, "links": link}
        if kind == "caps without saying so":
            meta |= {"per_page": 100, "total_pages": math.ceil(len(rows) / 100)}
        elif kind == "only links":
            meta = {"links": link}
        elif kind == "too many total_pages":
            meta = {"total_pages": 40 * pages, "links": link}
        elif kind == "too few total_pages":
            meta = {"total_pages": 1, "links": link}
        elif kind == "only a total":
            meta = {"total": len(rows)}
        answer = read_page({"data": found, "meta": {"pagination": meta}}, number=asked, what="runs")
        self.something_happens()
        return answer


LOSSLESS = [
    "caps without saying so",
    "refuses pages behind the end",
    "gives the last page for those behind it",
    "too many total_pages",
    "only a total",
]


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("kind", [*LOSSLESS, "only links", "too few total_pages", "always newest first"])
def test_on_a_list_that_does_not_move_all_runs_are_given_once(walk, kind):
    for size in (0, 1, 9, 10, 11, 95, 101, 130):
        world = OtherWorld(1, kind, size=size)
        rows = follow(walk("runs", per_page=100), world, ahead=True)
        assert len(rows) == len(ids_of(rows)) == size


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("churn", [0.1, 0.6])
def test_nothing_that_stays_is_missed_while_others_leave(walk, kind, churn):
    for seed in range(40):
        world = OtherWorld(seed, kind, churn=churn)
        rows = follow(walk("runs", per_page=100), world, ahead=bool(seed % 2))
        assert world.stayed <= ids_of(rows), seed
        assert len(rows) == len(ids_of(rows)), seed


def test_oldest_first_links_alone_are_enough():
    for seed in range(40):
        world = OtherWorld(seed, "only links", churn=0.3)
        assert world.stayed <= ids_of(follow(OldestFirst("runs", per_page=10), world, ahead=True)), seed


@pytest.mark.parametrize("kind", ["only links", "always newest first"])
def test_newest_first_it_is_said_where_runs_may_slip_past(kind):
    walk = NewestFirst("runs", per_page=10)
    follow(walk, OtherWorld(1, kind), ahead=True)
    assert "another may slip past between two pages" in " ".join(walk.warnings)


@pytest.mark.parametrize("walk", WALKS)
@pytest.mark.parametrize("ahead_of_all", [True, False])
def test_a_run_out_of_order_takes_none_with_it(walk, ahead_of_all):
    for place in range(0, 130, 7):
        world = OtherWorld(1, "like any other")
        world.runs[place]["created_at"] = "2035-01-01T00:00:00Z" if ahead_of_all else "2015-01-01T00:00:00Z"
        rows = follow(walk("runs", per_page=10), world, ahead=True)
        assert len(rows) == len(ids_of(rows)) == 130, place


def test_a_refusal_in_the_middle_is_no_end():
    class Refusing(OtherWorld):
        def page(self, number, *, newest_first):
            page = super().page(number, newest_first=newest_first)
            return no_page(number, TallyfyValidationError("No.")) if number == 5 else page

    for walk in WALKS:
        with pytest.raises(TallyfyValidationError):
            follow(walk("runs", per_page=10), Refusing(1, "like any other"), ahead=True)


def test_page_after_page_a_refusal_is_an_error():
    world = OtherWorld(1, "refuses pages behind the end")
    world.kind = "like any other"
    assert len(follow(PageAfterPage("runs", per_page=10), world, ahead=False)) == 130
    refusal = TallyfyNotFoundError("No.", code=ENDPOINT_NOT_FOUND)
    assert no_page(3, refusal).refusal is refusal


def test_the_end_of_far_too_many_pages_is_found_in_few_requests():
    world = OtherWorld(1, "too many total_pages")
    walk = OldestFirst("runs", per_page=10)
    follow(walk, world, ahead=True)
    assert world.requests < 60
    assert len(walk.warnings) == 1
    assert second_of(world.runs[0]) < second_of(world.runs[-1])
