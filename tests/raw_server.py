"""A server of bare bytes, for answers that no HTTP library would send."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

#: What answers a request: pieces of bytes, of which each is sent by itself.
Answer = Callable[[bytes], Iterable[bytes]]


def response(status: int | str = 200, body: bytes = b"", headers: Mapping[str, Any] | None = None) -> bytes:
    """Build a whole response that is JSON unless ``headers`` say otherwise."""
    lines = {"Content-Type": "application/json", "Content-Length": len(body), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode("latin-1") + body


def dripped(data: bytes, pause: float = 0.02) -> Iterator[bytes]:
    """Give one byte at a time."""
    for number in range(len(data)):
        yield data[number : number + 1]
        time.sleep(pause)


class RawServer:
    """
    A running server.

    :param listener: Its socket.
    :param answer: What answers each request.
    """

    def __init__(self, listener: socket.socket, answer: Answer) -> None:
        self._listener = listener
        self.answer = answer
        self.requests: list[bytes] = []
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def serve(self) -> None:
        """Take connections until the socket is closed."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := _read_request(connection):
                    self.requests.append(request)
                    for piece in self.answer(request):
                        connection.sendall(piece)
            except OSError:
                return


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65536)):
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < sum(lengths):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def raw_server(answer: Answer) -> Iterator[RawServer]:
    """Start a server and stop it at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RawServer(listener, answer)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
