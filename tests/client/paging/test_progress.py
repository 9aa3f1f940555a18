"""What a list says of itself while it is read."""

from __future__ import annotations

import logging

import pytest

from tallyfy_provider.client.paging.page import Page
from tallyfy_provider.client.paging.progress import INTERVAL, Progress


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    return Clock()


def page(total: int | None) -> Page:
    return Page(rows=[], total=total)


def test_it_tells_rows_pages_rate_and_time_left(clock):
    progress = Progress("runs", clock=clock)
    for _ in range(123):
        progress.count_page(page(50_000))
    clock.now = 60.0
    for _ in range(12_300):
        progress.count_row()
    assert progress.describe() == "Read 12,300 of about 50,000 runs (123 pages, 205 rows/s, about 3 min left)."


def test_without_a_total_it_does_not_guess(clock):
    progress = Progress("runs", clock=clock)
    progress.count_page(page(None))
    clock.now = 2.0
    for _ in range(100):
        progress.count_row()
    assert progress.describe() == "Read 100 runs (1 page, 50 rows/s)."


def test_the_goal_is_what_is_wanted_where_that_is_less(clock):
    progress = Progress("runs", wanted=200, clock=clock)
    progress.count_page(page(50_000))
    clock.now = 2.0
    for _ in range(100):
        progress.count_row()
    assert "of about 200 runs" in progress.describe()
    assert "about 2 s left" in progress.describe()


def test_it_speaks_from_time_to_time_and_not_of_short_lists(clock, caplog):
    caplog.set_level(logging.INFO)
    progress = Progress("runs", clock=clock)
    for _ in range(1000):
        progress.count_row()
    assert caplog.text == ""
    clock.now = INTERVAL + 1
    for _ in range(1000):
        progress.count_row()
    assert caplog.text.count("Read ") == 1
