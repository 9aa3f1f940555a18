"""What can come of one HTTP exchange: an answer, or a failure to get one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """
    An answer that arrived whole.

    :param status: HTTP status.
    :param headers: Header names in lower case to their values.
    :param body: The body, as bytes.
    :param payload: What the body says as JSON; None where it is empty or no JSON.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    payload: Any = field(default=None, repr=False)

    @property
    def request_id(self) -> str | None:
        """Tallyfy's own id of the exchange, to quote to its support."""
        return self.headers.get("x-request-id")


@dataclass(frozen=True)
class Failure:
    """
    No answer, or one that was cut off or garbled.

    :param reason: What happened, for people; holds no secret.
    :param sent: Whether the request may have reached Tallyfy.
    :param garbled: Whether an answer came that cannot be read.
    :param permanent: Whether trying again is pointless (a certificate that is not trusted).
    :param request_id: Tallyfy's own id of the exchange, where an answer began.
    """

    reason: str
    sent: bool
    garbled: bool = False
    permanent: bool = False
    request_id: str | None = None


Outcome = Answer | Failure
