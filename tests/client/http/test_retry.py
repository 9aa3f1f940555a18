"""When a request is sent again, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyfy_provider.client.http.responses import Answer, Failure
from tallyfy_provider.client.http.retry import RetryPolicy, retry_after

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
REFUSED = Failure("refused", sent=False)
RESET = Failure("reset", sent=True)


def delay(outcome, *, attempt=1, replayable=True, policy=None, longest=True):
    return (policy or RetryPolicy()).delay(
        attempt=attempt,
        outcome=outcome,
        replayable=replayable,
        jitter=lambda low, high: high if longest else low,
        now=NOW,
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_by_itself_is_tried_again_where_repeating_is_safe(status):
    assert delay(Answer(status)) is not None


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 409, 422, 501])
def test_what_would_come_out_the_same_is_not_tried_again(status):
    assert delay(Answer(status)) is None


def test_a_post_is_repeated_only_where_nothing_can_have_happened():
    assert delay(REFUSED, replayable=False) is not None
    assert delay(Answer(429), replayable=False) is not None
    assert delay(RESET, replayable=False) is None
    for status in (500, 502, 503, 504):
        assert delay(Answer(status), replayable=False) is None


def test_an_untrusted_certificate_is_not_tried_again():
    assert delay(Failure("certificate", sent=False, permanent=True)) is None


def test_the_last_attempt_is_the_last():
    assert delay(RESET, attempt=4, policy=RetryPolicy(max_attempts=5)) is not None
    assert delay(RESET, attempt=5, policy=RetryPolicy(max_attempts=5)) is None


def test_waits_double_up_to_a_cap_and_are_spread_from_zero():
    policy = RetryPolicy(max_attempts=20, first_backoff=0.5, longest_backoff=8)
    assert [delay(RESET, attempt=n, policy=policy) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert delay(RESET, attempt=7, policy=policy, longest=False) == 0


def test_retry_after_is_obeyed_up_to_a_cap_and_left_to_airflow_beyond():
    assert delay(Answer(429, {"retry-after": "7"}), longest=False) == 7
    assert delay(Answer(503, {"retry-after": "7"}), longest=False) == 7
    assert delay(Answer(429, {"retry-after": "120"}), longest=False) == 120
    assert delay(Answer(429, {"retry-after": "121"})) is None


def test_retry_after_as_a_date_is_counted_from_the_answers_own_date():
    later = format_datetime(NOW + timedelta(seconds=40), usegmt=True)
    assert retry_after({"retry-after": later}, NOW) == 40
    server_date = format_datetime(NOW + timedelta(seconds=35), usegmt=True)
    assert retry_after({"retry-after": later, "date": server_date}, NOW) == 5
    assert retry_after({"retry-after": later}, NOW + timedelta(hours=1)) == 0


@pytest.mark.parametrize("nonsense", ["", "  ", "soon", "nan", "inf", "Mon, 99 Foo 2026", "1e999"])
def test_a_retry_after_without_sense_is_not_obeyed(nonsense):
    assert retry_after({"retry-after": nonsense}, NOW) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_can_break_it_or_make_it_wait_backwards(value, date):
    waited = retry_after({"retry-after": value, "date": date}, NOW)
    assert waited is None or waited >= 0


@given(
    attempt=st.integers(1, 50),
    status=st.integers(200, 599),
    replayable=st.booleans(),
    header=st.none() | st.floats(0, 1e6).map(str),
)
def test_no_wait_is_longer_than_what_was_asked_or_the_cap(attempt, status, replayable, header):
    policy = RetryPolicy(max_attempts=10)
    waited = delay(
        Answer(status, {"retry-after": header} if header else {}),
        attempt=attempt,
        replayable=replayable,
        policy=policy,
    )
    assert waited is None or 0 <= waited <= policy.longest_retry_after + 1
