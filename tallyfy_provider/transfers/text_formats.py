"""Runs as text, a line or more for each: JSON Lines and CSV, compressed or not."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from tallyfy_provider.transfers.columns import Columns, json_text, kind_of, plain_text
from tallyfy_provider.transfers.incremental import text_of
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Bytes that are gathered before they are compressed or handed on.
_BUFFER = 128 * 1024
#: What makes quotes necessary (RFC 4180), and the blanks at an end, which some readers drop where there are none.
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$')


class _TextFile:
    """
    Lines over a stream of bytes.

    :param stream: Takes the bytes; it is not closed.
    :param compressed: Whether they are compressed with gzip: the same runs give the same bytes at any time.
    """

    def __init__(self, stream: io.RawIOBase, *, compressed: bool) -> None:
        target: io.RawIOBase | gzip.GzipFile = stream
        if compressed:
            target = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=cast(BinaryIO, stream), mtime=0)
        self._zip = target if compressed else None
        self._buffer = io.BufferedWriter(cast(io.RawIOBase, target), _BUFFER)

    def line(self, text: str) -> None:
        """
        Write one line.

        :param text: The line, with its end.
        """
        self._buffer.write(text.encode())

    def finish(self) -> None:
        """Hand on what is left. Without it the bytes are no whole file."""
        self._buffer.flush()
        if self._zip is not None:
            self._zip.close()


class JsonLines:
    """
    Writes JSON Lines: a JSON object a line, in UTF-8, ended by a line feed.

    :param stream: Takes the bytes; it is not closed.
    :param columns: What to keep of each run; None keeps each exactly as the API gave it.
    :param compressed: Whether to compress with gzip.
    """

    def __init__(self, stream: io.RawIOBase, columns: Columns | None, *, compressed: bool) -> None:
        self._columns = columns
        self._file = _TextFile(stream, compressed=compressed)

    def write(self, run: Mapping[str, Any]) -> None:
        """
        Write one run.

        :param run: The run as the API gave it.
        """
        columns = self._columns
        kept = run if columns is None else dict(zip(columns.names, columns.values(run), strict=True))
        self._file.line(json_text(kept) + "\n")

    def finish(self) -> list[str]:
        """
        Hand on what is left.

        :return: What a user should know; none.
        """
        self._file.finish()
        return []


class Csv:
    """
    Writes CSV (RFC 4180) in UTF-8: a header, then a record a run, each ended by CR LF.

    An empty value stands for null, ``""`` for empty text. Booleans are ``true`` and ``false``; what is nested is JSON;
    moments are all in one form, ``2026-10-31T09:00:00Z``, since Tallyfy's other form does not say that it is UTC. Text
    is written as it is, also where a spreadsheet would take it for a formula.

    :param stream: Takes the bytes; it is not closed.
    :param columns: The columns.
    :param compressed: Whether to compress with gzip.
    """

    def __init__(self, stream: io.RawIOBase, columns: Columns, *, compressed: bool) -> None:
        self._columns = columns
        self._moments = [number for number, name in enumerate(columns.names) if kind_of(name) == "moment"]
        self._file = _TextFile(stream, compressed=compressed)
        self._record(columns.names)

    def write(self, run: Mapping[str, Any]) -> None:
        """
        Write one run.

        :param run: The run as the API gave it.
        """
        values = self._columns.values(run)
        for number in self._moments:
            values[number] = _in_one_form(values[number])
        self._record(values)

    def finish(self) -> list[str]:
        """
        Hand on what is left.

        :return: What a user should know; none.
        """
        self._file.finish()
        return []

    def _record(self, values: Iterable[Any]) -> None:
        self._file.line(",".join(map(_cell, values)) + "\r\n")


def _in_one_form(value: Any) -> Any:
    seconds = parse_timestamp(value)
    return value if seconds is None else text_of(datetime.fromtimestamp(seconds, UTC))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = plain_text(value)
    if not text or _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
