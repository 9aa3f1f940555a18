"""Lists that change while they are read: what stays is given, once, in order; and where it may not be, that is said."""

from __future__ import annotations

import os
import tracemalloc
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallyfy_provider.client.paging.base import Fetch, Step
from tallyfy_provider.client.paging.calm import CalmPaginator
from tallyfy_provider.client.paging.lossless import LosslessPaginator
from tallyfy_provider.client.paging.order import Range
from tallyfy_provider.client.paging.page import Page, PageRequest
from tallyfy_provider.client.paging.sequential import SequentialPaginator
from tests.client.paging.worlds import EPOCH, KINDS, World, ids_of, moment_of, read, second_of
from tests.conftest import THOROUGH

#: Worlds of each kind in each property test; set WORLDS=5000 to look longer.
EXAMPLES = int(os.environ.get("WORLDS", "400" if THOROUGH else "40"))


@st.composite
def worlds(draw: st.DrawFn, kind: str, *, least_pages: int = 0, most_pages: int = 12) -> World:
    """Make a list of some kind."""
    cap = draw(st.sampled_from([5, 10, 100]))
    return World(
        draw(st.integers(0, 2**32)),
        size=draw(st.integers(least_pages * cap, most_pages * cap)),
        kind=kind,
        cap=cap,
        rate=draw(st.sampled_from([0.05, 0.3, 0.5])),
        ties=draw(st.booleans()),
        stale=draw(st.sampled_from([0, 0, 1, 5])),
        newest_first=draw(st.booleans()),
    )


@cache
def still_runs(size: int) -> list[dict[str, Any]]:
    """Make the runs of a list in which nothing happens, once for all tests."""
    return World(1, size=size).runs


def still_world(size: int, *, cap: int = 100, newest_first: bool = False) -> World:
    """Make a list in which nothing happens."""
    world = World(1, size=0, cap=cap, newest_first=newest_first)
    world.runs = [dict(run) for run in still_runs(size)]
    world.start()
    return world


def paginator_for(world: World, wanted: Range | None = None, *, prove: bool, read_ahead: int = 8) -> LosslessPaginator:
    paginator = LosslessPaginator if prove else CalmPaginator
    return paginator("runs", per_page=world.cap, wanted=wanted, newest_first=world.newest_first, read_ahead=read_ahead)


def is_sorted(rows: list[dict], world: World) -> bool:
    moments = [row["created_at"] for row in rows]
    return moments == sorted(moments, reverse=world.newest_first)


def check(rows: list[dict], world: World, paginator: LosslessPaginator) -> None:
    """Check what is promised of every list."""
    ids = ids_of(rows)
    assert len(set(ids)) == len(ids)
    missed = world.stayed - set(ids)
    assert not missed or paginator.doubts, missed
    assert is_sorted(rows, world) or any("out of their order" in each for each in paginator.warnings)


def check_that_nothing_is_missed(rows: list[dict], world: World, paginator: LosslessPaginator) -> None:
    """Check that nothing is missed, unless more changes with each request than a page can follow."""
    check(rows, world, paginator)
    if world.rate < 0.5 or world.cap >= 100:
        assert world.stayed <= set(ids_of(rows))
    if world.cap >= 10 and world.rate < 0.5:  # smaller pages leave boundaries that no page crosses
        assert not paginator.doubts


# What is promised, in worlds of each kind


@pytest.mark.random_cases
@pytest.mark.parametrize("kind", KINDS)
def test_with_proof_nothing_that_stays_is_missed_or_given_twice(kind):
    @settings(max_examples=EXAMPLES)
    @given(world=worlds(kind), concurrency=st.integers(1, 8))
    def holds(world: World, concurrency: int) -> None:
        paginator = paginator_for(world, prove=True, read_ahead=3 * concurrency)
        check_that_nothing_is_missed(read(paginator, world, concurrency), world, paginator)

    holds()


@pytest.mark.random_cases
@pytest.mark.parametrize("kind", KINDS)
def test_in_lists_of_up_to_ten_pages_nothing_is_missed_without_proof_either(kind):
    @settings(max_examples=EXAMPLES)
    @given(world=worlds(kind, most_pages=10), concurrency=st.integers(1, 8))
    def holds(world: World, concurrency: int) -> None:
        paginator = paginator_for(world, prove=False, read_ahead=3 * concurrency)
        check_that_nothing_is_missed(read(paginator, world, concurrency), world, paginator)

    holds()


@pytest.mark.random_cases
@pytest.mark.parametrize("kind", KINDS)
def test_without_proof_a_long_list_loses_only_what_left_no_sign(kind):
    """As many leave as come back, so that every answer has the same total: nothing else may be missed."""

    @settings(max_examples=EXAMPLES // 2)
    @given(world=worlds(kind, least_pages=14, most_pages=30), concurrency=st.integers(1, 8))
    def holds(world: World, concurrency: int) -> None:
        totals = set()
        answer = world.answer

        def note(request: PageRequest, rows: list[dict[str, Any]]) -> Page:
            totals.add(len(rows))
            return answer(request, rows)

        world.answer = note  # type: ignore[method-assign]
        paginator = paginator_for(world, prove=False, read_ahead=3 * concurrency)
        rows = read(paginator, world, concurrency)
        assert len(set(ids_of(rows))) == len(rows)
        assert world.stayed <= set(ids_of(rows)) or paginator.doubts or len(totals) == 1

    holds()


def test_an_exchange_without_a_sign_is_missed_without_proof_and_found_with_it():
    """What the docs own up to: between two requests one leaves and one comes back, on both sides of a boundary."""

    def missed(*, prove: bool) -> set[int]:
        world = still_world(2_400)
        back = world.runs.pop(550)
        world.start()

        def exchange() -> None:
            if len(world.requests) == 7:  # page 5 was read already, page 6 was not
                world.runs.insert(550, back)
                world.leave(450)

        world.happen = exchange  # type: ignore[method-assign]
        paginator = paginator_for(world, prove=prove)
        given = set(ids_of(read(paginator, world)))
        assert not paginator.doubts
        return world.stayed - given

    assert missed(prove=False) == {500}
    assert missed(prove=True) == set()


@pytest.mark.parametrize(
    "kind", ["leaving", "leaving and coming back", "everything", "exchange", "one comes back and one leaves"]
)
def test_in_the_same_worlds_a_loop_over_page_numbers_loses_runs(kind):
    lost = 0
    for seed in range(60):
        for loop in (True, False):
            world = World(seed, size=300, kind=kind, cap=10, rate=0.5)
            paginator = SequentialPaginator("runs", per_page=10) if loop else paginator_for(world, prove=True)
            missed = world.stayed - set(ids_of(read(paginator, world)))
            missed &= world.stayed
            assert loop or not missed
            lost += len(missed)
    assert lost > 3


# Parts of lists


@pytest.mark.random_cases
@pytest.mark.parametrize("prove", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_between_two_moments_nothing_that_stays_is_missed_and_nothing_else_given(kind, prove):
    @settings(max_examples=EXAMPLES // 2)
    @given(
        world=worlds(kind), concurrency=st.integers(1, 8), edges=st.tuples(st.integers(-3, 1000), st.integers(-3, 1000))
    )
    def holds(world: World, concurrency: int, edges: tuple[int, int]) -> None:
        moments = [EPOCH - 5, *(second_of(run) for run in world.runs), world.second + 5]
        after, before = sorted(moments[min(max(edge, 0), len(moments) - 1)] for edge in edges)
        wanted = {run["id"] for run in world.runs if after <= second_of(run) < before}
        paginator = paginator_for(world, Range(after=after, before=before), prove=prove, read_ahead=3 * concurrency)
        rows = read(paginator, world, concurrency)
        ids = ids_of(rows)
        assert wanted & world.stayed <= set(ids)
        assert len(set(ids)) == len(ids)
        assert all(after <= second_of(row) < before for row in rows)

    holds()


@pytest.mark.random_cases
@pytest.mark.parametrize("kind", KINDS)
def test_so_many_runs_are_the_first_ones_in_order(kind):
    @settings(max_examples=EXAMPLES // 2)
    @given(world=worlds(kind), concurrency=st.integers(1, 8), count=st.integers(1, 400))
    def holds(world: World, concurrency: int, count: int) -> None:
        paginator = paginator_for(world, Range(count=count), prove=True, read_ahead=3 * concurrency)
        rows = read(paginator, world, concurrency)
        ids = ids_of(rows)
        assert len(rows) == len(set(ids)) <= count
        assert is_sorted(rows, world)
        # As many as there were all the time, at least; and if these are more, none of them is left out in between.
        assert len(rows) >= min(count, len(world.stayed))
        if rows:
            last = second_of(rows[-1])
            before_the_last = {
                run["id"]
                for run in world.runs
                if (second_of(run) > last if world.newest_first else second_of(run) < last)
            }
            assert before_the_last & world.stayed <= set(ids)

    holds()


# What it costs


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("prove", [True, False])
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 250, 300, 450, 777, 900, 999, 1000])
def test_up_to_ten_pages_that_do_not_move_cost_one_request_more_at_most(size, prove, newest_first):
    world = still_world(size, newest_first=newest_first)
    rows = read(paginator_for(world, prove=prove), world)
    assert len(rows) == size
    assert is_sorted(rows, world)
    assert len(world.requests) <= world.pages + 1


@pytest.mark.parametrize("concurrency", [1, 4, 8])
@pytest.mark.parametrize("size", [1_001, 1_950, 5_000, 4_999])
def test_a_long_list_that_does_not_move_costs_one_request_more(size, concurrency):
    world = still_world(size)
    assert ids_of(read(paginator_for(world, prove=False, read_ahead=3 * concurrency), world, concurrency)) == list(
        range(size)
    )
    assert len(world.requests) <= world.pages + 1


@pytest.mark.parametrize("size", [2_000, 5_000, 20_000])
def test_proof_costs_15_requests_in_100_more(size):
    world = still_world(size)
    assert ids_of(read(paginator_for(world, prove=True), world)) == list(range(size))
    assert len(world.requests) <= 1.15 * world.pages


@pytest.mark.parametrize("concurrency", [1, 4, 8])
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("count", [1, 100, 101, 120, 300, 1_250, 3_000])
def test_a_number_of_runs_costs_no_more_pages_than_they_need_and_one(count, newest_first, concurrency):
    world = still_world(5_000, newest_first=newest_first)
    paginator = paginator_for(world, Range(count=count), prove=False, read_ahead=3 * concurrency)
    assert len(read(paginator, world, concurrency)) == count
    assert len(world.requests) <= -(-count // 100) + 1


@pytest.mark.parametrize("count", [None, 20])
@pytest.mark.parametrize(
    ("place", "newest_first", "edge"),
    [(-15, False, "after"), (5_000, False, "after"), (-15, True, "before"), (15, True, "before")],
)
def test_the_edge_of_a_long_list_is_found_in_few_requests(place, newest_first, edge, count):
    world = still_world(100_000, newest_first=newest_first)
    moment = world.runs[place]["created_at"]
    following = [run for run in world.runs if (run["created_at"] >= moment) == (edge == "after")]
    count = count or 20
    wanted = Range(**{edge: second_of(world.runs[place])}, count=count)
    rows = read(paginator_for(world, wanted, prove=True), world)
    assert len(rows) == min(count, len(following))
    assert len(world.requests) < 40


@pytest.mark.parametrize("paginator", [LosslessPaginator, CalmPaginator])
def test_a_million_runs_cost_a_few_bytes_each(paginator):
    size, given, most = 40_000, 0, 0
    steps = paginator("runs", per_page=100).steps()
    step: Step | None = next(steps)
    tracemalloc.start()
    while step is not None:
        if isinstance(step, Fetch):
            page = Page([run_number(each) for each in range(step.request.start, min(step.request.stop, size))], size)
        else:
            page, given = None, given + len(step)
            most = max(most, tracemalloc.get_traced_memory()[0])
        try:
            step = steps.send(page)
        except StopIteration:
            break
    tracemalloc.stop()
    assert given == size
    assert most / size < 30


def run_number(number: int) -> dict[str, Any]:
    return {"id": number, "created_at": moment_of(EPOCH + number)}


# Orders that are none


def test_a_list_in_no_order_is_read_page_after_page_with_a_warning():
    world = still_world(30, cap=10)
    world.random.shuffle(world.runs)
    world.start()
    paginator = paginator_for(world, prove=True)
    assert len(set(ids_of(read(paginator, world)))) == 30
    assert "in the order of created_at that was asked for" in paginator.warnings[0]


def test_rows_without_a_readable_moment_are_not_lost():
    world = still_world(30, cap=10)
    for run in world.runs[::7]:
        run["created_at"] = "some day"
    assert len(read(paginator_for(world, prove=True), world)) == 30


def test_a_row_out_of_order_in_the_middle_is_noticed_and_the_rest_is_read_page_after_page():
    world = still_world(2_400)
    world.runs[1_550]["created_at"] = "2015-01-01T00:00:00Z"
    paginator = paginator_for(world, prove=True)
    assert sorted(ids_of(read(paginator, world))) == list(range(2_400))
    assert "in the order of created_at that was asked for" in paginator.warnings[0]
