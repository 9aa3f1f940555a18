"""
Read the body of a response within bounds of time and size.

The size is bounded before anything is in memory: 73 kB of gzip can hold 378 MB. So it is decoded here, step by step,
and only what was asked for (:data:`ACCEPTED_ENCODING`) is decoded at all.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tallyfy_provider.client.http.deadline import Deadline

if TYPE_CHECKING:
    import requests

ACCEPTED_ENCODING = "gzip"
#: A page of 100 runs with every include has a few MB; no response of Tallyfy's comes near this.
MAX_BODY_BYTES = 64 * 1024 * 1024

#: The encodings that there are (RFC 9110 and its registry).
_ENCODINGS = frozenset(
    {"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "aes128gcm"}
)
_STEP = 64 * 1024
_GZIP_START = b"\x1f"


class BodyError(ValueError):
    """A body is too long, in time or in bytes, or cannot be decoded."""


def read_body(response: requests.Response, deadline: Deadline) -> bytes:
    """Read a body that may be cut off, never end, arrive byte by byte, or grow when it is decoded."""
    body = bytearray()
    for part in _decoded(_raw_chunks(response), response.headers.get("content-encoding", "")):
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise BodyError(f"The response is longer than {MAX_BODY_BYTES // 1024**2} MiB")
        if deadline.is_over:
            raise BodyError(still_coming_in(deadline))
    return bytes(body)


def still_coming_in(deadline: Deadline) -> str:
    """Return what is said of a response that was not complete at its deadline."""
    return f"The response was still coming in after {deadline.seconds:.0f} s"


def _raw_chunks(response: requests.Response) -> Iterator[bytes]:
    read1 = getattr(response.raw, "read1", None)
    if read1 is None:  # urllib3 1.x
        yield from response.raw.stream(_STEP, decode_content=False)
        return
    while chunk := read1(_STEP, decode_content=False):
        yield chunk


def _decoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    # What is no encoding, such as "none" or "utf-8", which some servers write, changes nothing.
    names = [name for each in encoding.split(",") if (name := each.strip().lower()) in _ENCODINGS]
    if not names:
        return chunks
    if names in (["gzip"], ["x-gzip"]):
        return _gunzipped(chunks)
    raise BodyError("The response is encoded in a way that was not asked for")


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decode gzip, of one member or several, never more than a step at a time."""
    member = zlib.decompressobj(16 + zlib.MAX_WBITS)
    is_empty = True
    for chunk in chunks:
        data = chunk
        while data:
            is_empty = False
            if member.eof:
                if not data.startswith(_GZIP_START):
                    break  # padding behind the end
                member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            part = _step(member, data)
            yield part
            data = member.unused_data if member.eof else member.unconsumed_tail
        while not member.eof and (part := _step(member, b"")):
            yield part
    if not (member.eof or is_empty):
        raise BodyError("Tallyfy's response was cut off")


def _step(member: zlib._Decompress, data: bytes) -> bytes:
    try:
        return member.decompress(data, _STEP)
    except zlib.error:
        raise BodyError("The response cannot be decoded") from None
