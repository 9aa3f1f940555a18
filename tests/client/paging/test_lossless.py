"""The walk that loses nothing: whatever happens between any two requests, what stays is given, once, in order."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tallyfy_provider.client.paging.newest_first import NewestFirst
from tallyfy_provider.client.paging.oldest_first import OldestFirst

from tallyfy_provider.client.paging.base import Extent, PageAfterPage, Step, Walk
from tallyfy_provider.client.paging.page import Page, read_page

EPOCH = 1_760_000_000


class World:
    """A list of runs as a server sorts and cuts it, in which something happens between any two requests."""

    def __init__(self, seed: int, *, size: int, churn: float, ties: bool, cap: int = 100, asked: int = 100) -> None:
        self.random = random.Random(seed)
        self._cap = min(cap, asked)
        self._churn = churn
        self._gaps = (0, 0, 1) if ties else (1, 60)
        self._next = 0
        self._second = EPOCH
        self.runs: list[dict] = []
        for _ in range(size):
            self.launch()
        self.left: set[int] = set()
        self.there_at_first: set[int] | None = None
        self.requests = 0

    def launch(self) -> None:
        self._second += self.random.choice(self._gaps)
        created_at = datetime.fromtimestamp(self._second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.runs.append({"id": self._next, "created_at": created_at})
        self._next += 1

    def something_happens(self) -> None:
        while self.random.random() < self._churn:
            if self.runs and self.random.random() < 0.6:
                self.left.add(self.runs.pop(self.random.randrange(len(self.runs)))["id"])
            else:
                self.launch()

    def page(self, number: int, *, newest_first: bool) -> Page:
        if self.there_at_first is None:
            self.there_at_first = {run["id"] for run in self.runs}
        self.requests += 1
        rows = self.runs[::-1] if newest_first else self.runs
        found = rows[(number - 1) * self._cap : number * self._cap]
        pages = max(1, math.ceil(len(rows) / self._cap))
        meta = {"total": len(rows), "per_page": self._cap, "current_page": number, "total_pages": pages}
        answer = read_page({"data": found, "meta": {"pagination": meta}}, number=number, what="runs")
        self.something_happens()
        return answer

    def come_back(self, run: dict) -> None:
        self.runs.append(run)
        self.runs.sort(key=lambda one: one["id"])

    @property
    def now(self) -> int:
        return self._second

    @property
    def stayed(self) -> set[int]:
        return (self.there_at_first or set()) - self.left


class Pages(Mapping):
    """Pages that were read ahead in any order, or are read when they are looked at."""

    def __init__(self, world: World, step: Step, *, ahead: bool) -> None:
        self._world = world
        self._step = step
        self._had: dict[int, Page] = {}
        if ahead:
            for number in world.random.sample(step.read, len(step.read)):
                self[number]

    def __getitem__(self, number: int) -> Page:
        if number not in self._had:
            self._had[number] = self._world.page(number, newest_first=self._step.newest_first)
        return self._had[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._step.read)

    def __len__(self) -> int:
        return len(self._step.read)


def follow(walk: Walk, world: World, *, ahead: bool) -> list[dict]:
    rows: list[dict] = []
    steps = walk.steps()
    step = next(steps, None)
    while step is not None:
        pages = Pages(world, step, ahead=ahead)
        rows += step.rows
        try:
            step = steps.send(pages)
        except StopIteration:
            break
    return rows


def ids_of(rows: list[dict]) -> set[int]:
    return {row["id"] for row in rows}


def second_of(run: dict) -> float:
    return datetime.fromisoformat(run["created_at"]).timestamp()


def moments_of(rows: list[dict]) -> list[str]:
    return [row["created_at"] for row in rows]


WORLDS = {
    "seed": st.integers(0, 2**32),
    "size": st.integers(0, 120),
    "asked": st.integers(1, 15),  # rows to a page
    "cap": st.integers(1, 15),  # the server's
    "churn": st.sampled_from([0.0, 0.05, 0.3, 0.7, 0.85]),
    "ties": st.booleans(),
    "ahead": st.booleans(),
}


@settings(max_examples=500)
@given(**WORLDS)
def test_oldest_first_nothing_that_stays_is_missed_or_given_twice(seed, size, asked, cap, churn, ties, ahead):
    world = World(seed, size=size, asked=asked, cap=cap, churn=churn, ties=ties)
    rows = follow(OldestFirst("runs", per_page=asked), world, ahead=ahead)
    assert world.stayed <= ids_of(rows)
    assert len(ids_of(rows)) == len(rows)
    assert moments_of(rows) == sorted(moments_of(rows))


@settings(max_examples=500)
@given(**WORLDS)
def test_newest_first_nothing_that_stays_is_missed_or_given_twice(seed, size, asked, cap, churn, ties, ahead):
    world = World(seed, size=size, asked=asked, cap=cap, churn=churn, ties=ties)
    rows = follow(NewestFirst("runs", per_page=asked), world, ahead=ahead)
    assert world.stayed <= ids_of(rows)
    assert len(ids_of(rows)) == len(rows)
    assert moments_of(rows) == sorted(moments_of(rows), reverse=True)


def test_in_the_same_worlds_a_walk_from_page_to_page_loses_runs():
    lost = 0
    for seed in range(50):
        world = World(seed, size=100, cap=10, churn=0.3, ties=False)
        rows = follow(PageAfterPage("runs", per_page=10), world, ahead=False)
        lost += len(world.stayed - ids_of(rows))
    assert lost > 50


@settings(max_examples=300)
@given(**WORLDS, newest_first=st.booleans(), edges=st.tuples(st.integers(-3, 125), st.integers(-3, 125)))
def test_between_two_moments_nothing_that_stays_is_missed_and_nothing_else_given(
    seed, size, asked, cap, churn, ties, ahead, newest_first, edges
):
    world = World(seed, size=size, asked=asked, cap=cap, churn=churn, ties=ties)
    moments = [EPOCH - 5, *(second_of(run) for run in world.runs), world.now + 5]
    after, before = sorted(moments[min(max(edge, 0), len(moments) - 1)] for edge in edges)
    wanted = {run["id"] for run in world.runs if after <= second_of(run) < before}
    walk = NewestFirst if newest_first else OldestFirst
    rows = follow(walk("runs", per_page=asked, extent=Extent(after=after, before=before)), world, ahead=ahead)
    assert wanted & world.stayed <= ids_of(rows)
    assert len(ids_of(rows)) == len(rows)
    assert all(after <= second_of(row) < before for row in rows)


@settings(max_examples=300)
@given(**WORLDS, newest_first=st.booleans(), count=st.integers(1, 130))
def test_so_many_runs_are_the_first_ones_in_order(seed, size, asked, cap, churn, ties, ahead, newest_first, count):
    world = World(seed, size=size, asked=asked, cap=cap, churn=churn, ties=ties)
    walk = NewestFirst if newest_first else OldestFirst
    rows = follow(walk("runs", per_page=asked, extent=Extent(count=count)), world, ahead=ahead)
    assert len(rows) == len(ids_of(rows)) <= count
    # As many as there were all the time, at least; and if these are more, none of them may be left out in between.
    assert len(rows) >= min(count, len(world.stayed))
    if rows and not ties:
        last = rows[-1]["id"]
        up_to_the_last = {run for run in world.stayed if (run >= last if newest_first else run <= last)}
        assert up_to_the_last <= ids_of(rows)


@pytest.mark.parametrize("count", [None, 10])
@pytest.mark.parametrize(
    ("place", "walk", "edge"),
    [
        (-15, OldestFirst, "after"),
        (5000, OldestFirst, "after"),
        (-15, NewestFirst, "before"),
        (15, NewestFirst, "before"),
    ],
)
def test_the_edge_of_a_long_list_is_found_in_few_requests(place, walk, edge, count):
    world = World(1, size=10_000, cap=10, churn=0.0, ties=False)
    moment = second_of(world.runs[place])
    following = [run for run in world.runs if (second_of(run) >= moment) == (edge == "after")]
    steps = walk("runs", per_page=10, extent=Extent(**{edge: moment}, count=count or 20))
    rows = follow(steps, world, ahead=False)
    assert len(rows) == min(count or 20, len(following))
    assert world.requests < 40


def test_a_list_that_does_not_move_costs_few_requests_more_than_its_pages():
    world = World(1, size=5_000, cap=100, churn=0.0, ties=False)
    assert len(follow(OldestFirst("runs", per_page=100), world, ahead=True)) == 5_000
    assert world.requests <= 53


def test_the_newest_runs_are_one_request():
    world = World(1, size=5_000, cap=100, churn=0.0, ties=False)
    assert len(follow(NewestFirst("runs", per_page=100, extent=Extent(count=100)), world, ahead=True)) == 100
    assert world.requests == 1


@pytest.mark.parametrize("walk", [OldestFirst, NewestFirst])
def test_a_run_that_comes_back_into_the_middle_while_a_window_is_read_makes_nothing_else_be_missed(walk):
    for seed in range(200):
        world = World(seed, size=100, cap=10, churn=0.0, ties=False)
        gone = world.runs.pop(world.random.randrange(100))
        world.left.add(gone["id"])
        comes_back_at = world.random.randrange(1, 14)
        world.something_happens = lambda world=world, gone=gone, at=comes_back_at: (
            world.come_back(gone) if world.requests == at else None
        )
        rows = follow(walk("runs", per_page=10), world, ahead=True)
        assert world.stayed - {gone["id"]} <= ids_of(rows), seed


def test_a_list_in_no_order_is_read_page_after_page_with_a_warning():
    world = World(1, size=30, cap=10, churn=0.0, ties=False)
    world.random.shuffle(world.runs)
    walk = OldestFirst("runs", per_page=10)
    assert len(ids_of(follow(walk, world, ahead=True))) == 30
    assert "in the order of created_at that was asked for" in walk.warnings[0]


def test_rows_without_a_readable_moment_are_not_lost():
    world = World(1, size=30, cap=10, churn=0.0, ties=False)
    for run in world.runs[::7]:
        run["created_at"] = "some day"
    assert len(follow(OldestFirst("runs", per_page=10), world, ahead=True)) == 30
