"""
When a request is sent again, and after how long. Pure: no clock, no network, no randomness of its own.

Tallyfy publishes no rate that all of its pages agree on, so nothing is throttled in advance: ``Retry-After`` is obeyed
(docs/tallyfy-api.md, "Errors, limits, retries"). A request is repeated only where repeating cannot do a thing twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tallyfy_provider.client.http.responses import Answer, Failure, Outcome

#: Sending these again has the effect of sending them once.
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
TOO_MANY_REQUESTS = 429
#: Seconds by which clients that wait for the same end of a pause are spread.
_LONGEST_JITTER = 0.25
#: Statuses that pass by themselves, as a rule.
PASSING_STATUSES = frozenset({500, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """
    How often and how soon a request is sent again.

    :param max_attempts: Attempts in all, the first one included.
    :param first_backoff: Upper bound of the first wait, in seconds; it doubles with each attempt.
    :param longest_backoff: Upper bound of every wait that Tallyfy did not ask for, in seconds.
    :param longest_retry_after: The longest ``Retry-After`` that is waited for, in seconds; beyond it the error is
        handed on with ``retry_after``, so that Airflow can wait instead of a worker.
    """

    max_attempts: int = 5
    first_backoff: float = 0.5
    longest_backoff: float = 30.0
    longest_retry_after: float = 120.0

    def delay(
        self,
        *,
        attempt: int,
        outcome: Outcome,
        replayable: bool,
        jitter: Callable[[float, float], float],
        now: datetime,
    ) -> float | None:
        """
        Decide what follows an attempt.

        :param attempt: Which attempt this was, from 1.
        :param outcome: What came of it.
        :param replayable: Whether sending the request twice is as good as once.
        :param jitter: Draws a number between two bounds (``random.uniform``), so that many clients spread out.
        :param now: The time, for a ``Retry-After`` that is a date.
        :return: Seconds until the next attempt, or None to give up (also after a success).
        """
        if attempt >= self.max_attempts or not _may_repeat(outcome, replayable):
            return None
        asked = retry_after(outcome.headers, now) if isinstance(outcome, Answer) else None
        backoff = min(self.longest_backoff, self.first_backoff * 2 ** (attempt - 1))
        if asked is None:
            return jitter(0.0, backoff)
        if asked > self.longest_retry_after:
            return None
        # "At once" has been refused before: then it is our own backoff that keeps the attempts apart.
        return max(
            asked + jitter(0.0, min(_LONGEST_JITTER, asked / 10)), jitter(0.0, backoff) if asked < backoff else 0.0
        )


def _may_repeat(outcome: Outcome, replayable: bool) -> bool:
    if isinstance(outcome, Failure):
        return not outcome.permanent and (replayable or not outcome.sent)
    if outcome.status == TOO_MANY_REQUESTS:
        return True
    return replayable and outcome.status in PASSING_STATUSES


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    Read ``Retry-After`` in both of its forms.

    :param headers: Header names in lower case to their values. A date is counted from the answer's own ``Date``,
        where it has one, so that a wrong clock on either side does no harm.
    :param now: The time, used where the answer has no ``Date``.
    :return: Seconds to wait, never negative; None where the header is missing or makes no sense.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _seconds_until(value, headers.get("date"), now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(value: str, date: str | None, now: datetime) -> float | None:
    until = _http_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(date or "") or now)).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
