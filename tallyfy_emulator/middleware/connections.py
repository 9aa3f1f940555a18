"""Track TCP connections, so that one can be reset or closed in the middle of a response."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_Peer = tuple[str, int]


class Connections:
    """The open connections, by the client's address. Used on the server's event loop only."""

    def __init__(self) -> None:
        self._open: dict[_Peer, tuple[asyncio.Transport, asyncio.Event]] = {}

    def protocol(self) -> type[H11Protocol]:
        """Build the class that uvicorn speaks HTTP with."""
        connections = self

        class TrackedProtocol(H11Protocol):
            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                connections._opened(_peer(transport), transport)

            def connection_lost(self, exc: Exception | None) -> None:
                connections._lost(_peer(self.transport))
                super().connection_lost(exc)

        return TrackedProtocol

    async def reset(self, scope: Scope) -> None:
        """Reset the connection of a request: the client gets a TCP RST."""
        transport, lost = self._of(scope)
        if transport is None:
            return
        # A socket that does not linger is closed with a RST, and what was not sent yet is thrown away.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await lost.wait()

    async def close(self, scope: Scope) -> None:
        """Close the connection of a request properly, after what was sent so far."""
        transport, lost = self._of(scope)
        if transport is None:
            return
        transport.close()
        await lost.wait()

    async def close_all(self) -> None:
        """Close every connection."""
        await asyncio.sleep(0)  # those that are to be reset go first
        for transport, _ in list(self._open.values()):
            transport.close()
        await asyncio.sleep(0)

    def _of(self, scope: Scope) -> tuple[asyncio.Transport | None, asyncio.Event]:
        return self._open.get(tuple(scope["client"] or ()), (None, asyncio.Event()))

    def _opened(self, peer: _Peer, transport: asyncio.Transport) -> None:
        self._open[peer] = (transport, asyncio.Event())

    def _lost(self, peer: _Peer) -> None:
        _, lost = self._open.pop(peer, (None, asyncio.Event()))
        lost.set()


def _peer(transport: asyncio.Transport) -> _Peer:
    host, port = transport.get_extra_info("peername")[:2]
    return str(host), int(port)
