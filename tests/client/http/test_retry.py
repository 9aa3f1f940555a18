"""When a request is sent again, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyfy_provider.client.http.responses import Failure, Response, parse_retry_after
from tallyfy_provider.client.http.retry import RetryPolicy

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REFUSED = Failure("refused", sent=False)
RESET = Failure("reset", sent=True)


def delay(outcome, *, attempt=1, idempotent=True, longest=True, **limits):
    policy = RetryPolicy(**{"max_attempts": 5, **limits})
    jitter = (lambda low, high: high) if longest else (lambda low, high: low)
    return policy.delay(outcome, attempt=attempt, idempotent=idempotent, jitter=jitter)


def asking_to_wait(status, seconds):
    return Response(status, {"retry-after": str(seconds)}, retry_after=seconds)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_passes_by_itself_is_tried_again_where_repeating_is_safe(status):
    assert delay(Response(status)) is not None


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 409, 422, 429, 501])
def test_what_would_come_out_the_same_is_not_tried_again(status):
    assert delay(Response(status)) is None


def test_a_post_is_repeated_only_where_nothing_can_have_happened():
    assert delay(REFUSED, idempotent=False) is not None
    assert delay(RESET, idempotent=False) is None
    for status in (500, 502, 503, 504):
        assert delay(Response(status), idempotent=False) is None


def test_an_untrusted_certificate_is_not_tried_again():
    assert delay(Failure("certificate", sent=False, permanent=True)) is None


def test_the_last_attempt_is_the_last():
    assert delay(RESET, attempt=4, max_attempts=5) is not None
    assert delay(RESET, attempt=5, max_attempts=5) is None


def test_waits_double_up_to_a_cap_and_are_spread_from_zero():
    limits = {"max_attempts": 20, "first_backoff": 0.5, "max_backoff": 8}
    assert [delay(RESET, attempt=n, **limits) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert delay(RESET, attempt=7, longest=False, **limits) == 0


@pytest.mark.parametrize(
    ("status", "seconds", "expected"), [(502, 7, 7), (503, 7, 7), (503, 120, 120), (503, 121, None)]
)
def test_retry_after_is_obeyed_up_to_a_cap_and_left_to_airflow_beyond(status, seconds, expected):
    assert delay(asking_to_wait(status, seconds), longest=False) == expected


def test_retry_after_as_a_date_is_counted_from_the_answers_own_date():
    later = format_datetime(NOW + timedelta(seconds=40), usegmt=True)
    assert parse_retry_after({"retry-after": later}, NOW) == 40
    server_date = format_datetime(NOW + timedelta(seconds=35), usegmt=True)
    assert parse_retry_after({"retry-after": later, "date": server_date}, NOW) == 5
    assert parse_retry_after({"retry-after": later}, NOW + timedelta(hours=1)) == 0


@pytest.mark.parametrize("nonsense", ["", "  ", "soon", "nan", "inf", "Mon, 99 Foo 2026", "1e999"])
def test_a_retry_after_without_sense_is_not_obeyed(nonsense):
    assert parse_retry_after({"retry-after": nonsense}, NOW) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_can_break_it_or_make_it_wait_backwards(value, date):
    waited = parse_retry_after({"retry-after": value, "date": date}, NOW)
    assert waited is None or waited >= 0


@given(
    attempt=st.integers(1, 50),
    status=st.integers(200, 599),
    idempotent=st.booleans(),
    seconds=st.none() | st.floats(0, 1e6),
)
def test_no_wait_is_longer_than_what_was_asked_or_the_cap(attempt, status, idempotent, seconds):
    outcome = Response(status) if seconds is None else asking_to_wait(status, seconds)
    waited = delay(outcome, attempt=attempt, idempotent=idempotent, max_attempts=10)
    assert waited is None or 0 <= waited <= RetryPolicy(max_attempts=10).max_retry_after + 1
