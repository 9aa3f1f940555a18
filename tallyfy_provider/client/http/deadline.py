"""
End a request at its deadline, however slowly its response drips in.

requests and urllib3 limit the time between two bytes only: headers that come a byte at a time, or one ``100 Continue``
after the other, would keep a request alive for ever. Here each read of the socket waits no longer than what is left
until the deadline. It is the reading thread itself that notices, so there is no watchdog thread to be lost in a fork,
nor a socket that is closed while another thread uses it.
"""

from __future__ import annotations

import http.client
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.connection
import urllib3.connectionpool
from requests.adapters import HTTPAdapter

from tallyfy_provider.client.http.urls import is_loopback


class Deadline:
    """
    The end of one request.

    :param seconds: The longest time from now on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        #: Whether anything of the request may have reached the server.
        self.is_sent = False
        #: Whether the connection is being made: what a proxy is told for that is nothing of the request.
        self.is_connecting = False
        self._ends_at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; negative where none are."""
        return self._ends_at - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.left <= 0


#: The deadline of the request that each thread sends.
_of_thread = threading.local()


@contextmanager
def deadline_in(seconds: float) -> Iterator[Deadline]:
    """Give the request that this thread sends meanwhile a deadline."""
    deadline = _of_thread.deadline = Deadline(seconds)
    try:
        yield deadline
    finally:
        _of_thread.deadline = None


def _deadline() -> Deadline | None:
    return getattr(_of_thread, "deadline", None)


class _SocketReader(io.RawIOBase):
    """Reads a socket until the deadline."""

    def __init__(self, reader: io.RawIOBase, sock: Any, deadline: Deadline) -> None:
        self._reader = reader
        self._socket = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._reader.fileno()

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.left
        if left <= 0:
            raise TimeoutError("the deadline of the request is over")
        timeout = self._socket.gettimeout()
        if timeout is not None and timeout <= left:
            return self._reader.readinto(buffer)
        self._socket.settimeout(left)
        try:
            return self._reader.readinto(buffer)
        finally:
            if self._socket.fileno() != -1:
                self._socket.settimeout(timeout)

    def close(self) -> None:
        self._reader.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response that is read until the deadline."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if (deadline := _deadline()) is not None:
            self.fp = io.BufferedReader(_SocketReader(self.fp.detach(), sock, deadline))

    def begin(self) -> None:
        """Read the status and the headers."""
        super().begin()
        if self.status < 200:  # What follows belongs to this request, and must not be read as the answer to the next.
            self.will_close = True


class _Marked:
    """A connection that tells the deadline when it sends the request."""

    def connect(self) -> None:
        """Connect, by way of a proxy where there is one."""
        deadline = _deadline() or Deadline(0)
        deadline.is_connecting = True
        super().connect()  # type: ignore[misc]
        deadline.is_connecting = False

    def send(self, data: Any) -> None:
        """Send a part of the request."""
        if self.sock is None:  # type: ignore[attr-defined]
            self.connect()
        if (deadline := _deadline()) is not None and not deadline.is_connecting:
            deadline.is_sent = True
        super().send(data)  # type: ignore[misc]


class _HTTPConnection(_Marked, urllib3.connection.HTTPConnection):
    response_class = _Response


class _HTTPSConnection(_Marked, urllib3.connection.HTTPSConnection):
    response_class = _Response


class _HTTPConnectionPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSConnectionPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


_POOL_CLASSES = {"http": _HTTPConnectionPool, "https": _HTTPSConnectionPool}


class DeadlineAdapter(HTTPAdapter):
    """Sends requests over connections that know the deadline; a SOCKS proxy's own do not."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools of a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOL_CLASSES
        return manager


class PlainSession(requests.Session):
    """A session that follows no redirect, and asks no proxy to reach this machine."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: to look where a redirect leads, requests would read the whole body, of whatever size."""
        return None

    def merge_environment_settings(self, url: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the settings of the environment, without a proxy for this machine: it would get the token in clear."""
        merged = super().merge_environment_settings(url, *args, **kwargs)
        if is_loopback(urlsplit(url).hostname or ""):
            merged["proxies"] = {}
        return merged
