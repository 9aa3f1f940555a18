"""Servers that keep to less than Tallyfy documents: no run is missed, or it is said, in few requests."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tallyfy_provider.client.paging.base import Paginator
from tallyfy_provider.client.paging.calm import CalmPaginator
from tallyfy_provider.client.paging.lossless import LosslessPaginator
from tallyfy_provider.client.paging.page import Page, PageRequest
from tallyfy_provider.client.paging.sequential import SequentialPaginator
from tallyfy_provider.client.paging.weighed import WeighedPaginator
from tallyfy_provider.exceptions import TallyfyNotFoundError, TallyfyResponseError, TallyfyValidationError
from tests.client.paging.worlds import World, ids_of, meta_of, page_of, read
from tests.conftest import THOROUGH

#: Habits of servers.
HABITS = [
    "caps without saying so",
    "refuses pages behind the end with 404",
    "refuses pages behind the end with 422",
    "gives the last page for those behind it",
    "gives page 1 for those behind the end",
    "always links to a next page",
    "too many total_pages",
    "too few total_pages",
    "only a total",
    "only links",
    "one size of pages only",
]


class OtherWorld(World):
    """A list on a server of another kind."""

    def __init__(self, seed: int, habit: str, *, size: int = 130, cap: int = 10, **details: Any) -> None:
        super().__init__(seed, size=size, cap=cap, **details)
        self.habit = habit

    def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
        habit, number = self.habit, request.number
        size = self.cap if habit == "one size of pages only" else min(request.per_page, self.cap)
        pages = max(1, math.ceil(len(rows) / size))
        if number > pages and habit.startswith("refuses pages"):
            kind = TallyfyNotFoundError if habit.endswith("404") else TallyfyValidationError
            return Page([], refusal=kind("There is no such page."))
        if number > pages and habit == "gives the last page for those behind it":
            number = pages
        if number > pages and habit == "gives page 1 for those behind the end":
            number = 1
        found = rows[(number - 1) * size : number * size]
        meta = meta_of(found, len(rows), size, number, pages)
        if habit == "caps without saying so":
            meta |= {"per_page": request.per_page, "total_pages": math.ceil(len(rows) / request.per_page)}
        elif habit == "always links to a next page":
            meta["links"] = {"next": "https://elsewhere.example"}
        elif habit == "too many total_pages":
            meta = {"total_pages": 40 * pages, "links": meta["links"]}
        elif habit == "too few total_pages":
            meta = {"total_pages": 1, "links": meta["links"]}
        elif habit == "only a total":
            meta = {"total": len(rows)}
        elif habit == "only links":
            meta = {"links": meta["links"]}
        return page_of(found, request, meta)


class HeavyWorld(OtherWorld):
    """A list whose pages have a weight."""

    def __init__(self, seed: int, habit: str, *, row_bytes: int, **details: Any) -> None:
        super().__init__(seed, habit, **details)
        self._row_bytes = row_bytes

    def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
        page = super().answer(request, rows)
        return replace(page, weight=self._row_bytes * len(page.rows))


def paginators(per_page: int, *, newest_first: bool = False) -> dict[str, Paginator]:
    return {
        "proof": LosslessPaginator("runs", per_page=per_page, newest_first=newest_first),
        "no proof": CalmPaginator("runs", per_page=per_page, newest_first=newest_first),
        "page after page": SequentialPaginator("runs", per_page=per_page),
    }


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("way", ["proof", "no proof", "page after page"])
@pytest.mark.parametrize("habit", HABITS)
def test_on_a_list_that_does_not_move_all_runs_are_given_once(way, habit, newest_first):
    for cap, size in ((10, 0), (10, 1), (10, 9), (10, 10), (10, 11), (10, 95), (10, 101), (10, 130), (100, 450)):
        world = OtherWorld(1, habit, size=size, cap=cap, newest_first=newest_first)
        rows = read(
            paginators(100 if habit == "caps without saying so" else cap, newest_first=newest_first)[way], world, 4
        )
        assert sorted(ids_of(rows)) == list(range(size)), size
        most = 2 * world.pages + 10
        if size == 1 and habit == "too many total_pages":  # a page of one row may be all that the server gives
            most = 60
        assert len(world.requests) <= most, size


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("kind", ["leaving", "coming back", "leaving and coming back", "everything", "exchange"])
@pytest.mark.parametrize("habit", HABITS)
def test_nothing_that_stays_is_missed_without_a_warning_while_others_leave_and_come_back(habit, kind, newest_first):
    silent, told, given = set(), set(), 0
    for seed in range(8):
        world = OtherWorld(seed, habit, kind=kind, newest_first=newest_first)
        paginator = paginators(10, newest_first=newest_first)["proof"]
        rows = read(paginator, world, 1 + seed % 8)
        assert len(set(ids_of(rows))) == len(rows), seed
        missed = world.stayed - set(ids_of(rows))
        (told if paginator.doubts or paginator.warnings else silent).update(missed)
        given += len(rows)
    assert not silent
    assert len(told) < given / 50
    assert not told or habit == "one size of pages only"


@pytest.mark.parametrize("habit", ["refuses pages behind the end with 404", "refuses pages behind the end with 422"])
@pytest.mark.parametrize("paginator_class", [LosslessPaginator, CalmPaginator])
def test_a_list_that_shrinks_fast_ends_where_it_ends(habit, paginator_class):
    for seed in range(40):
        world = OtherWorld(seed, habit, kind="leaving", rate=0.85)
        paginator = paginator_class("runs", per_page=10)
        rows = read(paginator, world, 1 + seed % 8)
        assert world.stayed <= set(ids_of(rows)) or paginator.doubts, seed


@pytest.mark.parametrize("way", ["lossless", "calm"])
def test_a_run_that_a_page_holds_twice_is_given_once(way):
    class Repeating(World):
        def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
            return super().answer(request, [row for row in rows for _ in range(1 + (row["id"] % 9 == 0))])

    paginator = {"lossless": LosslessPaginator, "calm": CalmPaginator}[way]("runs", per_page=20)
    assert ids_of(read(paginator, Repeating(1, size=90))) == list(range(90))


def test_a_refusal_in_the_middle_is_no_end():
    class Refusing(OtherWorld):
        def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
            if request.start <= 50 < request.stop:
                return Page([], refusal=TallyfyValidationError("No."))
            return super().answer(request, rows)

    for way in paginators(10):
        with pytest.raises(TallyfyValidationError):
            read(paginators(10)[way], Refusing(1, "like any other"))


@pytest.mark.parametrize("way", ["proof", "no proof"])
@pytest.mark.parametrize("ahead_of_all", [True, False])
def test_a_run_out_of_order_takes_none_with_it(way, ahead_of_all):
    for place in range(0, 130, 7):
        world = OtherWorld(1, "like any other")
        world.runs[place]["created_at"] = "2035-01-01T00:00:00Z" if ahead_of_all else "2015-01-01T00:00:00Z"
        paginator = paginators(10)[way]
        missing = set(range(130)) - set(ids_of(read(paginator, world)))
        assert missing <= {place}, place
        assert not missing or paginator.warnings, place


class HidingWorld(World):
    """A list whose pages lack rows that the user may not see, although total counts them."""

    def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
        page = super().answer(request, rows)
        return Page([row for row in page.rows if row["id"] % 7], page.total, page.last, page.has_next)


class HoleWorld(World):
    """A list one of whose pages is empty, whatever the size of its pages."""

    def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
        page = super().answer(request, rows)
        return Page([row for row in page.rows if not 40 <= row["id"] < 50], page.total, page.last, page.has_next)


@pytest.mark.parametrize("way", ["proof", "no proof", "page after page"])
@pytest.mark.parametrize("size", [35, 95, 200, 450])
def test_rows_that_are_hidden_make_no_other_be_missed(way, size):
    world = HidingWorld(1, size=size, cap=10)
    rows = read(paginators(10)[way], world)
    assert ids_of(rows) == [number for number in range(size) if number % 7]
    # Pages that overlap by places need not overlap by rows that one may see.
    assert len(world.requests) <= 3 * world.pages + 10


@pytest.mark.parametrize("way", ["proof", "no proof", "page after page"])
@pytest.mark.parametrize("size", [95, 200, 450])
def test_empty_pages_in_the_middle_are_warned_of_and_hide_no_other(way, size):
    world = HoleWorld(1, size=size, cap=10)
    paginator = paginators(10)[way]
    rows = read(paginator, world)
    assert paginator.warnings
    assert ids_of(rows) == [number for number in range(size) if not 40 <= number < 50]
    assert len(world.requests) <= 2 * world.pages + 10


# Page data that contradicts itself: 5 parts, each in one of 12 ways


def wrong(name: str, right: Any, way: str, number: int) -> Any:
    """Return a part of ``meta.pagination`` that is wrong in some way."""
    nested = {"value": right}
    if name == "links":
        other = {
            "too small": [],
            "too large": {"next": "https://elsewhere.example"},
            "zero": {"next": None},
            "negative": {"next": -1, "previous": -1},
            "text": "next",
            "nested": {"next": {"href": "https://elsewhere.example"}},
            "huge": {"next": "9" * 400},
            "number": 3,
            "true": True,
        }
    else:
        other = {
            "too small": right // 2,
            "too large": 3 * right + 5,
            "zero": 0,
            "negative": -right,
            "text": f"{right} or so",
            "nested": nested,
            "huge": int("9" * 400),
            "number": right + 0.5,
            "true": True,
        }
    return {"null": None, **other}[way]


NAMES = ["total", "total_pages", "links", "count", "per_page"]
WAYS = [
    "right",
    "missing",
    "null",
    "too small",
    "too large",
    "zero",
    "negative",
    "text",
    "nested",
    "huge",
    "number",
    "true",
]


class ContradictoryWorld(World):
    """A list that does not move, whose page data is wrong."""

    def __init__(self, wrong: dict[str, str], *, size: int) -> None:
        super().__init__(1, size=size, cap=100)
        self._wrong = wrong

    def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
        size = min(request.per_page, self.cap)
        found = rows[request.start : request.stop]
        meta = meta_of(found, len(rows), size, request.number, max(1, math.ceil(len(rows) / size)))
        for name, way in self._wrong.items():
            if way == "missing":
                del meta[name]
            elif way != "right":
                meta[name] = wrong(name, meta[name], way, request.number)
        return page_of(found, request, meta)


def combinations() -> list[dict[str, str]]:
    """Return all combinations of what ``total``, ``total_pages`` and ``links`` say, the others wrong in turn."""
    found = []
    for number, (total, pages) in enumerate((total, pages) for total in WAYS for pages in WAYS):
        for place, links in enumerate(WAYS):
            others = {"count": WAYS[(number + place) % len(WAYS)], "per_page": WAYS[(number * 5 + place) % len(WAYS)]}
            found.append({"total": total, "total_pages": pages, "links": links, **others})
    return found


@pytest.mark.parametrize("way", ["proof", "no proof", "page after page"])
@pytest.mark.parametrize("size", [0, 250, 300, 1_450])
@pytest.mark.random_cases
def test_contradictory_page_data_ends_in_the_right_rows(way, size):
    incomplete = []
    step = 3 if size < 1_000 else 12
    for each in combinations()[:: step if THOROUGH else 3 * step + 1]:
        world = ContradictoryWorld(each, size=size)
        paginator = paginators(100)[way]
        ids = ids_of(read(paginator, world, 4))
        assert len(set(ids)) == len(ids), each
        if set(ids) != set(range(size)):
            incomplete.append((len(ids), each, paginator.warnings))
        # What a long list without proof takes for a sign of movement makes it read all boundaries once more.
        most = (3 if way == "no proof" and size > 1_000 else 2) * world.pages + 10
        assert len(world.requests) <= most, (each, len(world.requests))
    assert not incomplete, (len(incomplete), incomplete[:6])


def test_these_are_more_than_500_combinations():
    assert len(combinations()[::3]) == 576
    assert {way for each in combinations() for way in each.values()} == set(WAYS)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("row_bytes", [0, 2_000, 60_000, 900_000])
@pytest.mark.parametrize("habit", ["like any other", "caps without saying so", "only a total", "only links"])
def test_pages_by_weight_from_a_server_of_small_pages_have_all_runs(habit, row_bytes, newest_first):
    for cap in (2, 3, 4, 5, 7, 10, 20, 50, 100):
        world = HeavyWorld(1, habit, size=145, cap=cap, newest_first=newest_first, row_bytes=row_bytes)
        paginator = WeighedPaginator("runs", per_page=100, newest_first=newest_first)
        assert sorted(ids_of(read(paginator, world, 2))) == list(range(145)), cap
        assert not paginator.doubts, cap
        assert len(world.requests) <= 3 * 145 / min(cap, 3) + 10, cap


@pytest.mark.parametrize("row_bytes", [2_000, 60_000])
def test_rows_that_the_user_may_not_see_make_pages_by_weight_no_smaller(row_bytes):
    class Hiding(HeavyWorld):
        def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
            page = super().answer(request, rows)
            return replace(page, rows=[row for row in page.rows if row["id"] % 7 != 3])

    world = Hiding(1, "like any other", size=1000, cap=100, row_bytes=row_bytes)
    rows = read(WeighedPaginator("runs", per_page=100), world, 2)
    assert sorted(ids_of(rows)) == [number for number in range(1000) if number % 7 != 3]
    assert len(world.requests) < 2000 / min(100, 1_750_000 / row_bytes) + 10
    assert max(request.per_page for request in world.requests) <= 100


@pytest.mark.parametrize("way", ["proof", "no proof"])
def test_a_list_that_ends_long_before_what_is_announced_is_in_doubt(way):
    class Ending(OtherWorld):
        def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
            page = super().answer(request, rows)
            return replace(super().answer(PageRequest(1, 10), rows), total=page.total, last=page.last)

    paginator = paginators(10)[way]
    try:
        read(paginator, Ending(1, "like any other"))
    except TallyfyResponseError:
        return
    assert paginator.doubts
