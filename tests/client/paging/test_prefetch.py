"""Several pages at once: in order, as many at a time as allowed, and no fault in the middle loses a run."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import TallyfyResponseError, TallyfyServerError

#: Sorts that lose nothing.
SORTS = ["created_at", "-created_at"]


def ids_in_order(ids: list[str], sort: str) -> list[str]:
    return ids if sort == "created_at" else ids[::-1]


@pytest.fixture
def listed(emulator, connect):
    """List the active runs in pages of ten, and give their ids."""

    def listed(sort: str = "created_at", concurrency: int = 4, **arguments) -> list[str]:
        hook = connect(extra={"page_size": 10, "concurrency": concurrency, "max_attempts": 3})
        return [run["id"] for run in hook.list_runs({"status": "active", "sort": sort}, **arguments)]

    return listed


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("concurrency", [1, 2, 4, 9])
def test_rows_come_in_order_whatever_the_concurrency(emulator, listed, sort, concurrency):
    ids = emulator.add_runs(437)
    assert listed(sort, concurrency) == ids_in_order(ids, sort)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_never_more_requests_are_under_way_than_allowed(emulator, listed, concurrency):
    ids = emulator.add_runs(300)
    emulator.order(Fault(kind="delay", delay=0.02))
    assert listed(concurrency=concurrency) == ids
    assert emulator.most_at_once <= concurrency
    assert emulator.most_at_once > 1 or concurrency == 1


FAULTS = {
    "500s": Fault(kind="status", status=500, path=r"page=(5|9|17)\b", times=2),
    "resets": Fault(kind="reset", path=r"page=(4|12)\b", times=2),
    "cut off": Fault(kind="truncate", path=r"page=\d*3\b", times=2),
    "unreadable once": Fault(kind="unreadable", path=r"page=7\b", times=1),
    "429s": Fault(kind="status", status=429, headers={"Retry-After": "0"}, path=r"page=1\d\b", times=2),
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_middle_of_a_parallel_walk_loses_nothing(emulator, listed, sort, fault):
    ids = emulator.add_runs(230)
    emulator.order(fault)
    assert listed(sort) == ids_in_order(ids, sort)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind="status", status=500, path=r"page=15\b"), TallyfyServerError),
        (Fault(kind="status", status=200, body={"data": {}}, path=r"page=15\b"), TallyfyResponseError),
        (Fault(kind="unreadable", path=r"page=15\b"), TallyfyResponseError),
    ],
    ids=["lasting 500", "no page", "no JSON"],
)
def test_a_page_that_cannot_be_had_is_an_error_and_leaves_nothing_running(emulator, listed, fault, error):
    emulator.add_runs(300)
    emulator.order(fault)
    with pytest.raises(error, match="runs"):
        listed()
    assert no_thread_stays()


QUIRKS = {
    "a cap on per_page": Quirks(per_page_cap=7),
    "a cap that is not told": Quirks(per_page_cap=7, per_page_tells="asked"),
    "total_pages of another size": Quirks(total_pages_ignores_per_page=True),
    "no total_pages": Quirks(total_pages=False),
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("quirks", QUIRKS.values(), ids=QUIRKS)
def test_whatever_tallyfy_says_of_its_pages_all_runs_are_listed(emulator, listed, sort, quirks):
    ids = emulator.add_runs(230)
    emulator.quirks = quirks
    assert listed(sort) == ids_in_order(ids, sort)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_runs_that_complete_during_each_request_make_no_other_be_missed(emulator, connect, sort, concurrency):
    ids = emulator.add_runs(600)
    leaving = iter(ids[::2])
    gone = set()

    def complete_three(request) -> None:
        for run_id in (one for one, _ in zip(leaving, range(3), strict=False)):
            gone.add(run_id)
            emulator.complete_run(run_id)
        emulator.add_run()

    emulator.listen(complete_three)
    hook = connect(extra={"page_size": 10, "concurrency": concurrency})
    given = [run["id"] for run in hook.list_runs({"status": "active", "sort": sort})]
    emulator.listen(None)
    assert max(Counter(given).values()) == 1
    assert set(ids) - gone <= set(given)
    assert len(gone) > 100


def test_a_total_that_changes_with_every_page_changes_nothing(emulator, listed):
    ids = emulator.add_runs(200)
    for number, total in ((3, 5), (8, 100_000), (12, 0)):
        rows = [emulator.run(run_id) for run_id in ids[(number - 1) * 10 : number * 10]]
        meta = {"total": total, "per_page": 10, "current_page": number, "total_pages": max(1, total // 10)}
        body = {"data": rows, "meta": {"pagination": meta}}
        emulator.order(Fault(kind="status", status=200, body=body, path=rf"page={number}\b"))
    assert listed() == ids


def test_stopping_early_ends_the_threads_and_the_requests(emulator, connect):
    emulator.add_runs(500)
    runs = connect(extra={"page_size": 10}).list_runs()
    for _ in range(35):
        next(runs)
    runs.close()
    assert no_thread_stays()
    asked = len(emulator.requests)
    time.sleep(0.1)
    assert len(emulator.requests) == asked


def no_thread_stays() -> bool:
    """Tell whether all threads for pages end, each with the exchange that it is in the middle of."""
    for thread in threading.enumerate():
        if thread.name.startswith("tallyfy-pages"):
            thread.join(10)
    return not any(thread.name.startswith("tallyfy-pages") for thread in threading.enumerate())
