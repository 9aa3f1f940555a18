"""The rate limiter: so many requests at a time, none during a pause, and afterwards no faster than was allowed."""

from __future__ import annotations

import threading

import pytest

from tallyfy_provider.client.http.rate_limiter import RateLimiter
from tallyfy_provider.client.http.responses import Response


class Clock:
    """A clock that advances by sleeping."""

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
def limiter(clock):
    return RateLimiter(4, clock=clock)


@pytest.fixture
def send(limiter, clock):
    """Send a request; give how long it was held back."""

    def send(response=None, pause=None):
        before = clock.now
        limiter.acquire(clock.sleep)
        limiter.release(response or Response(200), pause)
        return clock.now - before

    return send


@pytest.fixture
def refuse(send):
    return lambda seconds: send(refused(seconds), pause=float(seconds))


def refused(seconds: int) -> Response:
    return Response(429, {"retry-after": str(seconds)}, retry_after=float(seconds))


def assert_blocked_until_release(limiter, acquire, response=None):
    waiting = threading.Thread(target=acquire)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    limiter.release(response or Response(200))
    waiting.join(5)
    assert not waiting.is_alive()


def test_nothing_is_held_back_before_anything_was_refused(send, clock):
    for _ in range(1000):
        send()
    assert clock.now == 1000.0


def test_no_more_are_under_way_than_allowed():
    limiter = RateLimiter(2)
    limiter.acquire()
    limiter.acquire()
    assert_blocked_until_release(limiter, limiter.acquire)


def test_a_pause_holds_whoever_comes(refuse, send, clock):
    refuse(30)
    assert send() == pytest.approx(30.0)


def test_after_a_pause_one_goes_first_and_more_follow(limiter, refuse, clock):
    refuse(1)
    limiter.acquire(clock.sleep)
    assert_blocked_until_release(limiter, lambda: limiter.acquire(clock.sleep))


@pytest.mark.parametrize(("allowed", "window", "retry_after"), [(10, 1.0, 1), (100, 10.0, 8), (600, 60.0, 47)])
def test_a_rate_is_learnt_from_one_refusal(send, refuse, clock, allowed, window, retry_after):
    clock.now += window - retry_after if window > retry_after else 0.0
    for _ in range(allowed):
        clock.now += 0.001
        send()
    refuse(retry_after)
    elapsed = sum(send() for _ in range(3 * allowed))
    rate = (3 * allowed - 1) / (elapsed - retry_after)
    assert 0.95 * allowed / window <= rate <= allowed / window


def test_a_refusal_after_a_few_requests_teaches_no_rate(send, refuse):
    send()
    refuse(60)
    assert sum(send() for _ in range(50)) == pytest.approx(60.0)


def test_another_refusal_makes_it_slower(send, refuse):
    for _ in range(10):
        send()
    intervals = []
    for _ in range(2):
        refuse(1)
        send()
        intervals.append(send() + send())
    assert intervals[1] > intervals[0]


def test_after_a_long_quiet_time_something_faster_is_tried(send, refuse, clock):
    for _ in range(10):
        send()
    refuse(1)
    send()
    first = send()
    clock.now += 1000
    send()
    assert send() < first


def test_what_tallyfy_says_is_left_bounds_what_is_under_way(limiter, send, clock):
    send(Response(200, {"x-ratelimit-remaining": "3"}))
    limiter.acquire(clock.sleep)
    limiter.acquire(clock.sleep)
    more = Response(200, {"x-ratelimit-remaining": "50"})
    assert_blocked_until_release(limiter, lambda: limiter.acquire(clock.sleep), more)


def test_a_wait_that_is_cancelled_ends(limiter, refuse, clock):
    refuse(3600)
    limiter.acquire(lambda seconds: clock.sleep(10))
    assert clock.now < 1020


def test_what_was_under_way_when_a_request_was_refused_counts_as_allowed(limiter, send, clock):
    for _ in range(7):
        send()
    for _ in range(4):
        limiter.acquire(clock.sleep)
    limiter.release(refused(1), 1.0)
    for _ in range(3):
        limiter.release(Response(200))
    send()
    assert sum(send() for _ in range(10)) == pytest.approx(1.02)
