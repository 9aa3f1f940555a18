"""A Tallyfy in the client's own process: a function that answers each request, with no socket in between."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from tallyfy_provider.client.http.transport import Transport

#: Takes the method, the path, the query and the body's JSON, and gives a status, a payload or bytes, and headers.
Handler = Callable[[str, str, Mapping[str, str], Any], "Answer"]
Answer = tuple[int, Any, Mapping[str, str]]


class LostResponse(Exception):
    """Raised by a handler that has done what was asked, and whose answer is lost."""


class _Adapter(HTTPAdapter):
    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._handler = handler

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        parts = urlsplit(request.url or "")
        body = (
            json.loads(request.body)
            if request.body and request.headers.get("Content-Type", "").endswith("json")
            else None
        )
        try:
            status, payload, headers = self._handler(
                str(request.method), parts.path, dict(parse_qsl(parts.query)), body
            )
        except LostResponse:
            raise requests.ConnectionError("the connection broke") from None
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        raw = urllib3.HTTPResponse(io.BytesIO(data), headers, status, preload_content=False)
        return self.build_response(request, raw)


def answer_with(monkeypatch: Any, handler: Handler) -> None:
    """Have all clients that are built from now on answered by a function."""

    def new_session(transport: Transport) -> requests.Session:
        session = whole(transport)
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Adapter(handler))
        return session

    whole = Transport._new_session
    monkeypatch.setattr(Transport, "_new_session", new_session)
