"""An authenticated conversation with Tallyfy: a transport, and where its tokens come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Event
from typing import Any

from tallyfy_provider.client.http.auth import TokenSource
from tallyfy_provider.client.http.errors import payload_of
from tallyfy_provider.client.http.transport import Request, Transport
from tallyfy_provider.client.http.urls import path
from tallyfy_provider.exceptions import TallyfyAuthError


class TallyfySession:
    """
    Sends authenticated requests.

    :param base_url: Tallyfy's address, without a slash at its end.
    :param transport: Sends and repeats.
    :param tokens: Gives the bearer token.
    """

    def __init__(self, *, base_url: str, transport: Transport, tokens: TokenSource) -> None:
        self.base_url = base_url
        self.transport = transport
        self.tokens = tokens

    def request(
        self,
        method: str,
        segments: Iterable[object],
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        given_up: Event | None = None,
    ) -> Any:
        """
        Ask Tallyfy something.

        A token that is refused (401) is renewed once where that is possible; Tallyfy did nothing then, so even a
        write may be sent again.

        :param method: HTTP method.
        :param segments: The parts of the path, unescaped.
        :param params: The query, values as they are to be sent.
        :param json: A body to be sent as JSON.
        :param given_up: Set when nobody waits for the answer any more.
        :return: What the answer's JSON says; None for an empty answer.
        :raises TallyfyError: Of the kind that fits.
        """
        request = Request(method, self.base_url + path(segments), params=params, json=json, given_up=given_up)
        token = self.tokens.token()
        try:
            answer = self.transport.send(request, token)
        except TallyfyAuthError:
            if not self.tokens.renew(token):
                raise
            answer = self.transport.send(request, self.tokens.token())
        return payload_of(answer, request.title)

    def close(self) -> None:
        """Close open connections."""
        self.transport.close()
