"""The rate limiter: turns are waited for, so long and no longer, and so many requests at a time."""

from __future__ import annotations

import threading

import pytest

from tallyfy_provider.client.http import budget
from tallyfy_provider.client.http.budget_store import MemoryStore
from tallyfy_provider.client.http.rate_limiter import PauseTooLongError, RateLimiter, Wait
from tallyfy_provider.client.http.request_kind import Priority
from tallyfy_provider.client.http.responses import Failure, Response, parse_response
from tests.clock import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limiter(clock):
    return RateLimiter(4, MemoryStore(clock), jitter=lambda low, high: low)


@pytest.fixture
def wait_of(clock):
    return lambda kind="reads", **more: Wait(kind, Priority.CALL, clock.sleep, **more)


@pytest.fixture
def send(limiter, clock, wait_of):
    """Send a request; give how long it was held back."""

    def send(response=None, pause=None, kind="reads", **more):
        before = clock.now
        wait = wait_of(kind, **more)
        limiter.acquire(wait)
        limiter.release(wait, response or Response(200), pause)
        return clock.now - before

    return send


def refused(seconds: float | None) -> Response:
    return Response(429, retry_after=seconds)


def test_nothing_is_held_back_before_anything_was_refused(send, clock):
    for _ in range(1000):
        send()
    assert clock.now == 1000.0


def test_no_more_are_under_way_than_allowed():
    limiter = RateLimiter(1, MemoryStore())
    first = Wait("reads", Priority.CALL, lambda seconds: None)
    limiter.acquire(first)
    second = threading.Thread(target=limiter.acquire, args=[Wait("comments", Priority.CALL, lambda seconds: None)])
    second.start()
    second.join(0.1)
    assert second.is_alive()
    limiter.release(first, Response(200))
    second.join(5)
    assert not second.is_alive()


def test_a_pause_holds_whoever_comes(send):
    send(refused(30))
    assert send() == pytest.approx(30.0)


def test_another_kind_of_request_goes_on(send):
    send(refused(30))
    assert send(kind="comments") == 0


def test_a_pause_that_is_too_long_is_not_waited_for(send, clock):
    send(refused(600))
    with pytest.raises(PauseTooLongError) as raised:
        send(seconds_left=300)
    assert raised.value.seconds == pytest.approx(600.0)
    assert clock.now == 1000.0


def test_all_waits_of_a_request_count_together(limiter, send, wait_of, clock):
    wait = wait_of(seconds_left=100)
    for _ in range(2):
        limiter.acquire(wait)
        limiter.release(wait, refused(40))
    limiter.acquire(wait)
    limiter.release(wait, refused(40))
    with pytest.raises(PauseTooLongError):
        limiter.acquire(wait)
    assert clock.now == pytest.approx(1080.0, abs=1)


def test_what_is_cancelled_waits_no_longer(limiter, send, wait_of, clock):
    send(refused(600))
    wait = wait_of(is_cancelled=lambda: True)
    limiter.acquire(wait)
    limiter.release(wait, None)
    assert clock.now == 1000.0


def test_a_server_that_is_down_holds_back_its_kind_for_a_bounded_time(send):
    send(Response(503, {"retry-after": "86400"}), pause=86_400.0)
    assert send() == pytest.approx(3600.0)


@pytest.mark.parametrize("outcome", [Response(500), Failure("reset", sent=True), None])
def test_other_failures_hold_back_nothing(send, clock, limiter, wait_of, outcome):
    wait = wait_of()
    limiter.acquire(wait)
    limiter.release(wait, outcome)
    assert send() == 0


@pytest.mark.parametrize("digits", ["3" * 5000, "-1", "", "٣", "1e3", "NaN"])
def test_an_odd_number_of_remaining_requests_is_not_read(send, digits):
    for _ in range(10):
        send(Response(200, {"x-ratelimit-remaining": digits}))
    assert send() == 0


@pytest.mark.parametrize(
    ("reset", "seconds"), [("45", 45), ("9" * 12, 3600), ("9" * 5000, 0.5), ("0", 0.5), ("-4", 0.5)]
)
def test_a_refusal_may_say_when_its_limit_is_reset(send, reset, seconds):
    send(parse_response(429, {"x-ratelimit-reset": reset}, b""))
    assert send() == pytest.approx(seconds)


def test_a_store_that_fails_leaves_no_request_under_way(clock, wait_of):
    class Failing(MemoryStore):
        fails = False

        def update(self, change):
            if self.fails:
                raise RuntimeError("broken")
            return super().update(change)

    store = Failing(clock)
    limiter = RateLimiter(1, store)
    wait = wait_of()
    limiter.acquire(wait)
    store.fails = True
    with pytest.raises(RuntimeError):
        limiter.release(wait, Response(200))
    store.fails = False
    clock.sleep(60)  # until its turn counts as lost
    limiter.acquire(wait)


def test_a_request_that_ends_wakes_the_next_one_at_once(monkeypatch, wait_of):
    monkeypatch.setattr(budget, "_LOOK_AGAIN", 60.0)
    limiter = RateLimiter(4, MemoryStore())
    first = wait_of()
    limiter.acquire(first)
    second = threading.Thread(target=limiter.acquire, args=[wait_of()], daemon=True)
    second.start()
    second.join(0.1)
    assert second.is_alive()
    limiter.release(first, Response(200))
    second.join(10)
    assert not second.is_alive()


def test_one_thread_of_a_client_asks_at_a_time(wait_of):
    class Counting(MemoryStore):
        looks = 0

        def update(self, change):
            self.looks += 1
            return super().update(change)

    store, cancelled = Counting(), threading.Event()
    limiter = RateLimiter(8, store, jitter=lambda low, high: high)
    limiter.acquire(wait_of())  # alone under way, since nothing is known yet
    waits = [wait_of(is_cancelled=cancelled.is_set) for _ in range(7)]
    others = [threading.Thread(target=limiter.acquire, args=[wait], daemon=True) for wait in waits]
    for other in others:
        other.start()
    others[0].join(0.3)
    cancelled.set()
    for other in others:
        other.join(10)
    assert store.looks < 10


def test_a_request_that_waits_to_ask_can_be_cancelled(wait_of):
    limiter = RateLimiter(8, MemoryStore())
    limiter.acquire(wait_of())
    threading.Thread(target=limiter.acquire, args=[wait_of()], daemon=True).start()
    cancelled = threading.Event()
    third = threading.Thread(target=limiter.acquire, args=[wait_of(is_cancelled=cancelled.is_set)], daemon=True)
    third.start()
    cancelled.set()
    third.join(10)
    assert not third.is_alive()


def test_a_wait_does_not_queue_behind_an_export(clock):
    asleep, woken = threading.Event(), threading.Event()

    def sleep(seconds):
        asleep.set()
        woken.wait(10)
        clock.sleep(seconds)

    limiter = RateLimiter(4, MemoryStore(clock), jitter=lambda low, high: low)
    learned = Wait("reads", Priority.EXPORT, clock.sleep)
    limiter.acquire(learned)
    limiter.release(learned, refused(10.0))
    limiter.acquire(learned)
    limiter.release(learned, Response(200))  # a pace of less than one in ten seconds is known now
    export = threading.Thread(target=limiter.acquire, args=[Wait("reads", Priority.EXPORT, sleep)], daemon=True)
    export.start()
    assert asleep.wait(10)
    limiter.acquire(Wait("reads", Priority.WAIT, clock.sleep))
    woken.set()
    export.join(10)
    assert not export.is_alive()
