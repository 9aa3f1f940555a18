"""Send authenticated requests: a transport, and the source of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import Event
from typing import Any

from tallyfy_provider.client.http.auth import TokenSource
from tallyfy_provider.client.http.errors import payload_of
from tallyfy_provider.client.http.transport import Request, Transport
from tallyfy_provider.client.http.urls import build_path, check_query


class TallyfySession:
    """
    Send authenticated requests to one base URL.

    :param parse_float: Reads numbers with a point in responses; None is ``float``.
    """

    def __init__(
        self,
        *,
        base_url: str,
        transport: Transport,
        tokens: TokenSource,
        parse_float: Callable[[str], float] | None = None,
    ) -> None:
        self.base_url = base_url
        self.transport = transport
        self.tokens = tokens
        self.parse_float = parse_float
        #: Whether Tallyfy has answered for the organization, so that a 404 is about something else.
        self.organization_found = False

    def request(
        self,
        method: str,
        segments: Iterable[object],
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        cancelled: Event | None = None,
    ) -> Any:
        """
        Send a request and return the JSON of the response; None where it is empty.

        A token that is refused (401) is renewed once where that is possible; Tallyfy did nothing then, so even a
        change may be sent again.

        :param segments: The parts of the path, unescaped.
        :param cancelled: Cancels further attempts when set.
        """
        return self.request_sized(method, segments, params=params, json=json, cancelled=cancelled)[0]

    def request_sized(
        self,
        method: str,
        segments: Iterable[object],
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        cancelled: Event | None = None,
    ) -> tuple[Any, int]:
        """Send a request as :meth:`request` does, and return the bytes of the response beside its JSON."""
        check_query(params)
        request = Request(
            method,
            self.base_url + build_path(segments),
            params=params,
            json=json,
            cancelled=cancelled,
            parse_float=self.parse_float,
        )
        response = self.tokens.authorize(self.transport, request)
        return payload_of(response, request.title), len(response.body)

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()
