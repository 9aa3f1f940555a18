"""
Decide whether and when a request is sent again. Pure: no clock, no network, no randomness of its own.

Tallyfy publishes no rate limit that all of its pages agree on, so nothing is throttled in advance: ``Retry-After`` is
obeyed (docs/tallyfy-api.md, "Errors, limits, retries"). A request is repeated only where that cannot have its effect
twice. One that was refused for its rate (429) is none of this module's: it was not done, and
:mod:`tallyfy_provider.client.http.transport` sends it again as long as it may wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tallyfy_provider.client.http.responses import Failure, Response

#: Sending these again has the effect of sending them once.
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
#: Statuses of server errors that usually pass.
RETRIED_STATUSES = frozenset({500, 502, 503, 504})
#: Seconds over which clients that wait for the same end of a pause are spread.
_MAX_JITTER = 0.25


@dataclass(frozen=True)
class RetryPolicy:
    """
    How often and how soon a request is sent again.

    :param max_attempts: Attempts in all, the first one included.
    :param first_backoff: Upper bound of the first wait, in seconds; it doubles with each attempt.
    :param max_backoff: Upper bound of every wait that Tallyfy did not ask for, in seconds.
    :param max_retry_after: The longest ``Retry-After`` that is waited for, in seconds. Beyond it the error is raised
        with its ``retry_after``, so that Airflow can wait instead of a worker.
    """

    max_attempts: int
    first_backoff: float = 0.5
    max_backoff: float = 30.0
    max_retry_after: float = 120.0

    def delay(
        self, outcome: Response | Failure, *, attempt: int, idempotent: bool, jitter: Callable[[float, float], float]
    ) -> float | None:
        """
        Return the seconds until the next attempt; None where there is none, as after a success.

        :param outcome: The result of this attempt.
        :param attempt: Number of this attempt, from 1.
        :param idempotent: Whether sending the request twice has the effect of sending it once.
        :param jitter: Draws a number between two bounds (``random.uniform``), so that many clients spread out.
        """
        if attempt >= self.max_attempts or not _may_repeat(outcome, idempotent):
            return None
        retry_after = outcome.retry_after
        backoff = min(self.max_backoff, self.first_backoff * 2 ** (attempt - 1))
        if retry_after is None:
            return jitter(0.0, backoff)
        if retry_after > self.max_retry_after:
            return None
        spread = retry_after + jitter(0.0, min(_MAX_JITTER, retry_after / 10))
        # "At once" has been refused before: then our own backoff keeps the attempts apart.
        return max(spread, jitter(0.0, backoff) if retry_after < backoff else 0.0)


def _may_repeat(outcome: Response | Failure, idempotent: bool) -> bool:
    if isinstance(outcome, Failure):
        return not outcome.permanent and (idempotent or not outcome.sent)
    return idempotent and outcome.status in RETRIED_STATUSES
