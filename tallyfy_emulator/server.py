"""Run uvicorn in a thread, on a port that is known before it starts."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading

import uvicorn

from tallyfy_emulator.app import build
from tallyfy_emulator.middleware.connections import Connections
from tallyfy_emulator.middleware.traffic import Traffic
from tallyfy_emulator.store.organization import Organization

_START_SECONDS = 10.0
_STOP_SECONDS = 10.0
_TICK_SECONDS = 0.1  # uvicorn's own; every tenth tick it renews the Date header


class ServerThread:
    """The emulator's server in a thread of its own. It answers as soon as this object is made."""

    def __init__(self, organization: Organization, traffic: Traffic, host: str, port: int) -> None:
        self._stopping = asyncio.Event()
        self._begun = threading.Event()  # it has started, or failed to
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        connections = Connections()
        config = uvicorn.Config(
            build(organization, traffic, connections, self._stopping),
            http=connections.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._server = _Server(config, connections, self._stopping, self._begun)
        self._thread = threading.Thread(target=self._serve, name="tallyfy-emulator", daemon=True)
        self._thread.start()
        self._await_start()

    def stop(self) -> None:
        """Stop the server; requests that are still waiting are reset."""
        self._server.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server stopped by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_SECONDS)
        self._socket.close()
        if self._thread.is_alive():
            raise RuntimeError(f"The emulator on port {self.port} did not stop within {_STOP_SECONDS:g} seconds.")

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                self._loop = runner.get_loop()
                runner.run(self._server.serve(sockets=[self._socket]))
        except BaseException as error:  # handed to the thread that started it, or the server's own sys.exit()
            self._failure = error
        finally:
            self._begun.set()

    def _await_start(self) -> None:
        self._begun.wait(_START_SECONDS)
        if self._server.started:
            return
        self._socket.close()
        raise RuntimeError(f"The emulator could not start on port {self.port}.") from self._failure


class _Server(uvicorn.Server):
    """
    uvicorn's server, which stops at once.

    uvicorn checks ten times a second whether to stop, and then waits for slow clients. Here an event signals the stop,
    and pending requests are not waited for: tests start and stop many emulators.
    """

    def __init__(
        self, config: uvicorn.Config, connections: Connections, stopping: asyncio.Event, begun: threading.Event
    ) -> None:
        super().__init__(config)
        self._tracked = connections
        self._stopping = stopping
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._begun.set()

    async def main_loop(self) -> None:
        tick = 0
        while not await self.on_tick(tick):
            tick += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        await self._tracked.close_all()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it an answer in two parts takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"The emulator can't listen on {host} port {port}: {error.strerror}") from error
    return listener


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
