"""Responses of Tallyfy, and failures to get one: parsed once, within bounds, so that none of them is an exception."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

#: Tallyfy, or a proxy before it, gave up reading the request.
REQUEST_TIMEOUT = 408
TOO_MANY_REQUESTS = 429

#: Tallyfy did not accept the request for now.
TOO_EARLY = 425
#: The longest pause that a response can ask for, in seconds: no window in which servers count requests is longer.
DEFAULT_MAX_PAUSE = 3600.0

#: Longer headers than these are left out; none that is read here comes near it.
_MAX_HEADER_LENGTH = 2048
_MAX_RETRY_AFTER_LENGTH = 64
_MAX_REQUEST_ID_LENGTH = 128
#: Digits of a number in a header that are read; a limit has fewer.
_MAX_DIGITS = 12
#: A time of reset from this number on is a time of day.
_TIME_OF_DAY = 1_000_000_000
_MONTH = 30 * 86_400.0
#: Nothing of Tallyfy's is nested a tenth as deep; what is walked recursively must not exhaust the stack.
_MAX_DEPTH = 64
#: The types that ``json`` makes of arrays and objects, exactly these.
_CONTAINERS = (dict, list)


@dataclass(frozen=True)
class Response:
    """
    A response that arrived completely.

    :param status: HTTP status.
    :param headers: Headers by their names in lower case.
    :param body: The body.
    :param payload: The body's JSON; None where it is empty or no JSON.
    :param retry_after: Seconds that ``Retry-After`` asks to wait, or ``X-RateLimit-Reset`` after a refusal, where the
        request may succeed after it; bounded.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    payload: Any = field(default=None, repr=False)
    retry_after: float | None = None

    @property
    def request_id(self) -> str | None:
        """Tallyfy's id of the request, to quote to its support."""
        text = self.headers.get("x-request-id", "")
        return text if 0 < len(text) <= _MAX_REQUEST_ID_LENGTH and text.isprintable() else None

    @property
    def is_success(self) -> bool:
        """Whether the request was done (2xx)."""
        return 200 <= self.status < 300

    @property
    def is_rate_limited(self) -> bool:
        """Whether the request was refused for its rate."""
        return self.status == TOO_MANY_REQUESTS

    @property
    def asks_for_pause(self) -> bool:
        """Whether Tallyfy wants no requests at all for a while."""
        return self.is_rate_limited or self.retry_after is not None

    @property
    def remaining(self) -> int | None:
        """How many requests are left (``X-RateLimit-Remaining``); None where that is not said."""
        return _whole_number(self.headers.get("x-ratelimit-remaining", ""))

    @property
    def leaves_doubt(self) -> bool:
        """Whether a change may have happened although it did not succeed; a 1xx is no final answer."""
        return self.status >= 500 or self.status == REQUEST_TIMEOUT or self.status < 200

    @property
    def summary(self) -> str:
        """What happened, for people."""
        return f"Tallyfy answered {self.status}"


@dataclass(frozen=True)
class Failure:
    """
    No response, or one that was cut off or garbled.

    :param reason: What happened, for people; holds no secret.
    :param sent: Whether the request may have reached Tallyfy.
    :param garbled: Whether a response came that cannot be read.
    :param permanent: Whether trying again is pointless.
    :param is_local: Whether a setting of this machine or of its proxy has to be corrected.
    :param request_id: Tallyfy's id of the request, where a response began.
    """

    reason: str
    sent: bool
    garbled: bool = False
    permanent: bool = False
    is_local: bool = False
    request_id: str | None = None

    #: What a :class:`Response` tells by its status and headers.
    is_rate_limited: ClassVar[bool] = False
    asks_for_pause: ClassVar[bool] = False
    retry_after: ClassVar[float | None] = None

    @property
    def leaves_doubt(self) -> bool:
        """Whether a change may have happened."""
        return self.sent

    @property
    def summary(self) -> str:
        """What happened, for people."""
        return self.reason


def bounded_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by their names in lower case, without those that are too long to make sense."""
    return {name.lower(): value for name, value in headers.items() if len(value) <= _MAX_HEADER_LENGTH}


def parse_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    max_pause: float = DEFAULT_MAX_PAUSE,
    parse_float: Callable[[str], float] | None = None,
) -> Response | Failure:
    """Parse the body and ``Retry-After`` of a response."""
    payload, is_json = _parse_json(body, parse_float)
    retry_after = _retry_after(status, headers, max_pause)
    response = Response(status, headers, body, payload, retry_after)
    if not is_json and response.is_success and "json" in headers.get("content-type", ""):
        # Announced as JSON and none: most likely cut off on the way. An HTML page would come again.
        reason = f"Tallyfy's response is no valid JSON ({len(body)} bytes)"
        return Failure(reason, sent=True, garbled=True, request_id=response.request_id)
    return response


def _parse_json(body: bytes, parse_float: Callable[[str], float] | None) -> tuple[Any, bool]:
    if not body.strip():
        return None, True
    try:
        payload = json.loads(body, parse_float=parse_float)
    except (ValueError, RecursionError):
        return None, False
    return (None, False) if _is_too_deep(payload) else (payload, True)


def _is_too_deep(payload: Any) -> bool:
    level = [payload] if type(payload) in _CONTAINERS else []
    for _ in range(_MAX_DEPTH):
        if not level:
            return False
        level = [
            inner
            for each in level
            for inner in (each.values() if type(each) is dict else each)
            if type(inner) in _CONTAINERS
        ]
    return True


def _retry_after(status: int, headers: Mapping[str, str], max_pause: float) -> float | None:
    """Return the pause that is asked for; after a success or a refusal for good there is nothing to wait for."""
    if status < 500 and status not in {TOO_MANY_REQUESTS, REQUEST_TIMEOUT, TOO_EARLY}:
        return None
    now = datetime.now(UTC)
    seconds = parse_retry_after(headers, now)
    if not seconds and status == TOO_MANY_REQUESTS:
        seconds = _seconds_to_reset(headers, now) or seconds
    return None if seconds is None else min(seconds, max_pause)


def _seconds_to_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    Parse ``X-RateLimit-Reset``: a time of day in seconds with some servers, a number of seconds with others.

    It is read of a refusal only: with a token bucket it often means when the bucket is full, long after requests are
    welcome again.
    """
    reset = _whole_number(headers.get("x-ratelimit-reset", ""))
    if reset is None or reset < _TIME_OF_DAY:
        return reset
    sent_at = _http_date(headers.get("date", "")) or now
    return max(0.0, reset - sent_at.timestamp())


def _whole_number(text: str) -> int | None:
    digits = text.strip()
    return int(digits) if len(digits) <= _MAX_DIGITS and digits.isascii() and digits.isdigit() else None


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    Parse both forms of ``Retry-After`` into seconds, never negative; None where it is missing or makes no sense.

    A date is counted from the response's own ``Date``, if it has one, so that a wrong clock on either side does no
    harm; otherwise from ``now``.
    """
    value = headers.get("retry-after", "").strip()
    if not value or len(value) > _MAX_RETRY_AFTER_LENGTH:
        return None
    try:
        # Two headers arrive as one, with a comma between them: the longer pause is right for both.
        seconds = max(map(float, value.split(",")))
    except ValueError:
        until = _http_date(value)
        sent_at = _http_date(headers.get("date", "")) or now
        return max(0.0, (until - sent_at).total_seconds()) if until else None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def clock_ahead(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds by which this machine's clock is ahead of the server's (``Date``); None for nonsense."""
    sent_at = _http_date(headers.get("date", ""))
    ahead = (now - sent_at).total_seconds() if sent_at else math.inf
    return max(0.0, ahead) if ahead < _MONTH else None


def _http_date(value: str) -> datetime | None:
    if len(value) > _MAX_RETRY_AFTER_LENGTH:
        return None
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
