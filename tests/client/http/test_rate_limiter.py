"""The gate: so many requests at a time, none during a pause, and afterwards no faster than was allowed."""

from __future__ import annotations

import threading

import pytest

from tallyfy_provider.client.http.rate_limiter import Gate
from tallyfy_provider.client.http.responses import Answer


class Clock:
    """A clock that goes on by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gate(clock):
    return Gate(4, sleep=clock.sleep, clock=clock)


def pass_through(gate, answer=None, pause=None):
    gate.enter()
    gate.leave(answer or Answer(200), pause)


def refused(seconds: int) -> Answer:
    return Answer(429, {"retry-after": str(seconds)})


def test_nothing_is_held_back_before_anything_was_refused(gate, clock):
    for _ in range(1000):
        pass_through(gate)
    assert clock.now == 1000.0


def test_no_more_are_under_way_than_allowed():
    gate = Gate(2)
    gate.enter()
    gate.enter()
    third = threading.Thread(target=gate.enter)
    third.start()
    third.join(0.1)
    assert third.is_alive()
    gate.leave(Answer(200))
    third.join(5)
    assert not third.is_alive()


def test_a_pause_holds_whoever_comes(gate, clock):
    pass_through(gate, refused(30), pause=30.0)
    gate.enter()
    assert clock.now == pytest.approx(1030.0)


def test_after_a_pause_one_goes_first_and_more_follow(gate, clock):
    pass_through(gate, refused(1), pause=1.0)
    gate.enter()
    second = threading.Thread(target=gate.enter)
    second.start()
    second.join(0.1)
    assert second.is_alive()
    gate.leave(Answer(200))
    second.join(5)
    assert not second.is_alive()


@pytest.mark.parametrize(("allowed", "window", "retry_after"), [(10, 1.0, 1), (100, 10.0, 8), (600, 60.0, 47)])
def test_a_rate_is_learnt_from_one_refusal(gate, clock, allowed, window, retry_after):
    clock.now += window - retry_after if window > retry_after else 0.0
    for _ in range(allowed):
        clock.now += 0.001
        pass_through(gate)
    pass_through(gate, refused(retry_after), pause=float(retry_after))
    began = clock.now
    for _ in range(3 * allowed):
        pass_through(gate)
    rate = (3 * allowed - 1) / (clock.now - began - retry_after)
    assert 0.95 * allowed / window <= rate <= allowed / window


def test_a_refusal_after_a_few_requests_teaches_no_rate(gate, clock):
    pass_through(gate)
    pass_through(gate, refused(60), pause=60.0)
    began = clock.now
    for _ in range(50):
        pass_through(gate)
    assert clock.now - began == pytest.approx(60.0)


def test_another_refusal_makes_it_slower(gate, clock):
    for _ in range(10):
        pass_through(gate)
    distances = []
    for _ in range(2):
        pass_through(gate, refused(1), pause=1.0)
        pass_through(gate)
        before = clock.now
        pass_through(gate)
        pass_through(gate)
        distances.append(clock.now - before)
    assert distances[1] > distances[0]


def test_after_a_long_quiet_time_something_faster_is_tried(gate, clock):
    for _ in range(10):
        pass_through(gate)
    pass_through(gate, refused(1), pause=1.0)
    pass_through(gate)
    before = clock.now
    pass_through(gate)
    first = clock.now - before
    clock.now += 1000
    pass_through(gate)
    before = clock.now
    pass_through(gate)
    assert clock.now - before < first


def test_what_tallyfy_says_is_left_bounds_what_is_under_way(gate):
    pass_through(gate, Answer(200, {"x-ratelimit-remaining": "3"}))
    gate.enter()
    gate.enter()
    third = threading.Thread(target=gate.enter)
    third.start()
    third.join(0.1)
    assert third.is_alive()
    gate.leave(Answer(200, {"x-ratelimit-remaining": "50"}))
    third.join(5)
    assert not third.is_alive()


def test_a_wait_that_is_of_no_use_any_more_ends(clock):
    gate = Gate(4, sleep=clock.sleep, clock=clock)
    pass_through(gate, refused(3600), pause=3600.0)
    gate.enter(nap=0.5, is_useless=lambda: clock.now > 1010)
    assert clock.now < 1020


def test_what_was_under_way_when_a_request_was_refused_counts_as_allowed(gate, clock):
    for _ in range(7):
        pass_through(gate)
    for _ in range(4):
        gate.enter()
    gate.leave(refused(1), 1.0)
    for _ in range(3):
        gate.leave(Answer(200))
    pass_through(gate)
    before = clock.now
    for _ in range(10):
        pass_through(gate)
    assert clock.now - before == pytest.approx(1.02)
