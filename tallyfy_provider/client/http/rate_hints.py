"""
Read what the headers of a response say about limits, within bounds. Pure.

``X-RateLimit-Reset`` is a time of day in seconds with some servers, and a number of seconds with others. It is obeyed
after a refusal only: with a token bucket it often means when the bucket is full, long after requests are welcome again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

#: Digits of a number in a header that are read; a limit has fewer.
_MAX_DIGITS = 12
#: A reset from this number on is a time of day.
_TIME_OF_DAY = 1_000_000_000


def remaining_requests(headers: Mapping[str, str]) -> int | None:
    """Return how many requests are left (``X-RateLimit-Remaining``); None where that is not said."""
    return _whole_number(headers.get("x-ratelimit-remaining", ""))


def pause_hint(
    headers: Mapping[str, str], retry_after: float | None, *, longest: float, now: float | None = None
) -> float | None:
    """
    Return the seconds that a refusal asks to wait, at most ``longest``; None where it says nothing.

    :param retry_after: What ``Retry-After`` says, in seconds.
    :param now: The time of day in seconds.
    """
    if retry_after is not None and retry_after > 0 and math.isfinite(retry_after):
        return min(retry_after, longest)
    reset = _whole_number(headers.get("x-ratelimit-reset", ""))
    if not reset:
        return None
    seconds = reset - (time.time() if now is None else now) if reset >= _TIME_OF_DAY else float(reset)
    return min(seconds, longest) if seconds > 0 else None


def _whole_number(text: str) -> int | None:
    digits = text.strip()[: _MAX_DIGITS + 1]
    return int(digits) if len(digits) <= _MAX_DIGITS and digits.isascii() and digits.isdigit() else None
