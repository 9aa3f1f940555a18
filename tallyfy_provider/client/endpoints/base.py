"""What every endpoint has in common: the session and the organization that it asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_provider.client.errors import TallyfyResponseError
from tallyfy_provider.client.filters import LARGEST_PAGE
from tallyfy_provider.client.session import TallyfySession

#: Pages that are read at the same time, unless the connection says otherwise.
DEFAULT_CONCURRENCY = 4


class Endpoints:
    """
    Endpoints of Tallyfy's API for one organization.

    :param session: The authenticated conversation with Tallyfy.
    :param organization_id: The organization.
    :param page_size: Rows to ask for on each page of a list, at most 100.
    :param concurrency: Requests that may be under way at the same time, at least 1.
    """

    def __init__(
        self,
        session: TallyfySession,
        organization_id: str,
        *,
        page_size: int = LARGEST_PAGE,
        concurrency: int = DEFAULT_CONCURRENCY,
    ) -> None:
        self.session = session
        self.organization_id = organization_id
        self.page_size = page_size
        self.concurrency = concurrency

    def _path(self, *segments: object) -> tuple[object, ...]:
        return ("organizations", self.organization_id, *segments)


def item_of(payload: Any, what: str) -> dict[str, Any]:
    """
    Take the one thing that an answer holds.

    :param payload: The answer's JSON.
    :param what: What it is, for messages.
    :return: The object under ``data``.
    :raises TallyfyResponseError: There is none.
    """
    data = payload.get("data") if isinstance(payload, Mapping) else None
    if not isinstance(data, dict) or not data:
        raise TallyfyResponseError(f"Tallyfy's answer for {what} cannot be read: it holds no object under 'data'.")
    return data
