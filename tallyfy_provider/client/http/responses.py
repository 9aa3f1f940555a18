"""Responses of Tallyfy, and failures to get one: read within bounds, and parsed once."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import requests

#: Tallyfy, or a proxy before it, gave up reading the request.
REQUEST_TIMEOUT = 408
TOO_MANY_REQUESTS = 429

#: A page of 100 runs with every include has a few MB; no response of Tallyfy's comes near this.
_MAX_BODY_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True)
class Response:
    """
    A response that arrived completely.

    :param status: HTTP status.
    :param headers: Headers by their names in lower case.
    :param body: The body.
    :param payload: The body's JSON; None where it is empty or no JSON.
    :param retry_after: Seconds that ``Retry-After`` asks to wait.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    payload: Any = field(default=None, repr=False)
    retry_after: float | None = None

    @property
    def request_id(self) -> str | None:
        """Tallyfy's id of the request, to quote to its support."""
        return self.headers.get("x-request-id")

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
        return self.is_rate_limited or "retry-after" in self.headers

    @property
    def leaves_doubt(self) -> bool:
        """Whether a change may have happened although it did not succeed."""
        return self.status >= 500 or self.status == REQUEST_TIMEOUT

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


class UnboundedResponseError(ValueError):
    """A response is too long, in time or in bytes."""


def read_body(response: requests.Response, timeout: float) -> bytes:
    """Read a body that may be cut off, never end, or arrive byte by byte."""
    deadline = time.monotonic() + timeout
    chunks: list[bytes] = []
    size = 0
    for chunk in _chunks(response):
        chunks.append(chunk)
        size += len(chunk)
        if size > _MAX_BODY_BYTES:
            raise UnboundedResponseError(f"The response is longer than {_MAX_BODY_BYTES // 1024**2} MiB")
        if time.monotonic() > deadline:
            raise UnboundedResponseError(f"The response was still coming in after {timeout:.0f} s")
    return b"".join(chunks)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    read1 = getattr(response.raw, "read1", None)
    if read1 is None:  # urllib3 1.x
        yield from response.iter_content(_CHUNK_BYTES)
        return
    while chunk := read1(_CHUNK_BYTES, decode_content=True):
        yield chunk


def parse_response(status: int, headers: Mapping[str, str], body: bytes) -> Response | Failure:
    """Parse the body and ``Retry-After`` of a response."""
    payload, is_json = _parse_json(body)
    response = Response(status, headers, body, payload, parse_retry_after(headers, datetime.now(UTC)))
    if not is_json and response.is_success and "json" in headers.get("content-type", ""):
        # Announced as JSON and none: most likely cut off on the way. An HTML page would come again.
        reason = f"Tallyfy's response is no valid JSON ({len(body)} bytes)"
        return Failure(reason, sent=True, garbled=True, request_id=response.request_id)
    return response


def _parse_json(body: bytes) -> tuple[Any, bool]:
    if not body.strip():
        return None, True
    try:
        return json.loads(body), True
    except (ValueError, RecursionError):
        return None, False


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """
    Parse both forms of ``Retry-After`` into seconds, never negative; None where it is missing or makes no sense.

    A date is counted from the response's own ``Date``, if it has one, so that a wrong clock on either side does no
    harm; otherwise from ``now``.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = _http_date(value)
        sent_at = _http_date(headers.get("date", "")) or now
        return max(0.0, (until - sent_at).total_seconds()) if until else None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _http_date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
