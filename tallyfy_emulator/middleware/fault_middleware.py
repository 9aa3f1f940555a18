"""Carries out the ordered faults: a layer around the application that answers badly, late, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallyfy_emulator.api.responses import ApiError, error_response, html_page, unauthenticated
from tallyfy_emulator.middleware.connections import Connections
from tallyfy_emulator.middleware.faults import Fault, FaultQueue
from tallyfy_emulator.store.tokens import TokenStore, bearer_token

_MESSAGES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Attempts.",
    500: "Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class FaultMiddleware:
    """Apply the ordered faults to requests."""

    def __init__(
        self,
        app: ASGIApp,
        plan: FaultQueue,
        tokens: TokenStore,
        connections: Connections,
        stopping: asyncio.Event,
    ) -> None:
        self._app = app
        self._plan = plan
        self._tokens = tokens
        self._connections = connections
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let a fault do it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fault = self._plan.take(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        if fault is None:
            await self._app(scope, receive, send)
            return
        await self._apply(fault, scope, receive, send)

    async def _apply(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        real = await _hold_response(self._app, scope, receive) if fault.needs_real_response else None
        if not await self._wait(fault.delay):
            await self._connections.reset(scope)
            return
        match fault.kind:
            case "delay":
                await self._pass_on(real, scope, receive, send)
            case "expired_token":
                self._tokens.revoke(bearer_token(Headers(scope=scope).get("authorization", "")))
                await self._pass_on(real, scope, receive, send)
            case "reset":
                await self._connections.reset(scope)
            case "truncate":
                await _send_half(fault, _body_to_spoil(fault, real), send)
                await self._connections.close(scope)
            case _:
                answer = _fault_response(fault, real, Headers(scope=scope))
                answer.headers.update(fault.headers)
                await answer(scope, receive, send)

    async def _pass_on(self, real: _HeldResponse | None, scope: Scope, receive: Receive, send: Send) -> None:
        if real is None:
            await self._app(scope, receive, send)
            return
        await real.send(send)

    async def _wait(self, seconds: float) -> bool:
        """Wait; tell whether the time passed (or the server stops before)."""
        if not seconds:
            return True
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return True
        return False


@dataclass
class _HeldResponse:
    """An answer that the application gave and that was held back."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def send(self, send: Send) -> None:
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})


async def _hold_response(app: ASGIApp, scope: Scope, receive: Receive) -> _HeldResponse:
    answer = _HeldResponse()

    async def hold_back(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.start = message
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, hold_back)
    return answer


def _body_to_spoil(fault: Fault, real: _HeldResponse | None) -> bytes:
    ordered = fault.body_bytes()
    if ordered is not None:
        return ordered
    return real.body if real is not None else b""


async def _send_half(fault: Fault, body: bytes, send: Send) -> None:
    announced = {
        "Content-Type": "application/json",
        **fault.headers,
        "Content-Length": str(max(len(body), 2)),
    }
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in announced.items()]
    await send({"type": "http.response.start", "status": fault.effective_status, "headers": headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def _fault_response(fault: Fault, real: _HeldResponse | None, headers: Headers) -> Response:
    status = fault.effective_status
    ordered = fault.body_bytes()
    if status in (204, 304):
        return Response(status_code=status)  # HTTP allows these no body
    if fault.kind == "redirect":
        return Response(ordered or b"", status, {"Location": fault.location}, "text/html")
    if fault.kind == "html":
        page = ordered if ordered is not None else html_page("Sign in to Tallyfy").encode()
        return Response(page, status, media_type="text/html")
    if fault.kind == "unreadable":
        broken = ordered if ordered is not None else _body_to_spoil(fault, real)[:-1] + b'"'
        return Response(broken, status, media_type="application/json")
    if ordered is not None:
        return Response(ordered, status, media_type="application/json")
    return error_response(_default_error(status), headers.get("accept", ""))


def _default_error(status: int) -> ApiError:
    if status == 401:
        return unauthenticated()
    message = _MESSAGES.get(status, f"Answer with status {status}, as ordered.")
    if status == 429:
        return ApiError(status, {"message": message, "code": "RATE_LIMIT_EXCEEDED"})
    return ApiError(status, {"error": True, "message": message})
