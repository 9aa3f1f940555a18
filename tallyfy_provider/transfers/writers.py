"""The formats of an export, chosen by the file's name, and the writers of the text formats."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal, Protocol, cast, get_args

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.tables.schema import Table
from tallyfy_provider.tables.values import Misfits, json_text, plain_text, text_of
from tallyfy_provider.transfers.columns import Columns, FileColumns, TableColumns
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.timestamps import parse_timestamp

FileFormat = Literal["jsonl", "csv", "parquet"]

_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
_PART_FORMATS = ("jsonl", "jsonl.gz", "csv", "csv.gz", "parquet")
_SUFFIXES: Mapping[str, FileFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_CHOICES = ".jsonl (or .ndjson), .csv, each of them also with .gz, or .parquet"
#: Bytes that are gathered before they are compressed or written.
_BUFFER = 128 * 1024
#: What makes quotes necessary (RFC 4180), and the blanks at an end, which some readers drop where there are none.
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$')
#: What ends a line beside a line feed where readers go by Unicode, as Python's ``splitlines`` does.
_LINE_ENDS = re.compile("[\u0085\u2028\u2029]")
#: The form of a date, of whatever year: ``0000-00-00 00:00:00``, ``-0001-11-30``, ``10000-01-01``.
_DATE = re.compile(r"\s*[+-]?\d{4,}-\d\d-\d\d")


class Writer(Protocol):
    """Writes runs in one format."""

    def write(self, run: Mapping[str, Any]) -> None:
        """Write one run."""

    def finish(self) -> list[str]:
        """Write what is left, and return what the user should know."""


class _TextWriter:
    """Writes lines to a stream of bytes, which is not closed. The same runs give the same bytes, compressed or not."""

    def __init__(self, stream: io.RawIOBase, *, compressed: bool) -> None:
        target: io.RawIOBase | gzip.GzipFile = stream
        if compressed:
            target = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=cast(BinaryIO, stream), mtime=0)
        self._zip = target if compressed else None
        self._misfits = Misfits()
        self._buffer = io.BufferedWriter(cast(io.RawIOBase, target), _BUFFER)

    def _line(self, text: str) -> None:
        self._buffer.write(text.encode())

    def finish(self) -> list[str]:
        """Write what is left. Without it the file is incomplete."""
        self._buffer.flush()
        if self._zip is not None:
            self._zip.close()
        return self._misfits.notes


class JsonLines(_TextWriter):
    """Writes JSON Lines: a JSON object a line, in UTF-8, ended by a line feed. Without columns a run stays as it is."""

    def __init__(self, stream: io.RawIOBase, columns: FileColumns | None, *, compressed: bool) -> None:
        super().__init__(stream, compressed=compressed)
        self._columns = columns

    def write(self, run: Mapping[str, Any]) -> None:
        """Write one run."""
        columns = self._columns
        kept = run if columns is None else dict(zip(columns.names, columns.values(run), strict=True))
        try:
            text = json_text(kept)
        except ValueError:
            text = json_text({name: self._misfits.finite(name, value) for name, value in kept.items()})
        if not text.isascii():
            text = _LINE_ENDS.sub(lambda end: f"\\u{ord(end[0]):04x}", text)
        self._line(text + "\n")


class Csv(_TextWriter):
    """
    Writes CSV (RFC 4180) in UTF-8: a header, then a record a run, each ended by CR LF.

    An empty value stands for null, ``""`` for empty text. Booleans are ``true`` and ``false``; what is nested is JSON;
    every timestamp is written as ``2026-10-31T09:00:00Z``, since Tallyfy's other form does not say that it is UTC. Text
    is written as it is, even where a spreadsheet would take it for a formula.
    """

    def __init__(self, stream: io.RawIOBase, columns: FileColumns, *, compressed: bool) -> None:
        super().__init__(stream, compressed=compressed)
        self._columns = columns
        kinds = () if columns.are_typed else columns.kinds
        self._timestamps = [number for number, kind in enumerate(kinds) if kind == "timestamp"]
        self._record(columns.names)

    def write(self, run: Mapping[str, Any]) -> None:
        """Write one run."""
        values = self._columns.values(run)
        for number in self._timestamps:
            values[number] = self._timestamp(self._columns.names[number], values[number])
        try:
            self._record(values)
        except ValueError:
            self._record(map(self._misfits.finite, self._columns.names, values))

    def _timestamp(self, name: str, value: Any) -> Any:
        """Return a date in the one form of CSV, None for one that there is not, and what is no date as it is."""
        seconds = parse_timestamp(value)
        if seconds is not None:
            return text_of(datetime.fromtimestamp(seconds, UTC))
        if not isinstance(value, str) or not _DATE.match(value):
            return value
        self._misfits.count(name, "timestamp")
        return None

    def _record(self, values: Iterable[Any]) -> None:
        self._line(",".join(map(_cell, values)) + "\r\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = plain_text(value)
    if not text or _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


@dataclass(frozen=True)
class Format:
    """How runs are written."""

    name: FileFormat
    #: Whether the text is compressed with gzip.
    compressed: bool = False

    def columns(self, fields: Iterable[str] | None, includes: Iterable[str]) -> Columns | None:
        """Return the columns of the fields, and of what is got along with the runs; None writes each run as it is."""
        return None if fields is None and self.name == "jsonl" else Columns(fields, includes)

    def table_columns(self, table: Table) -> TableColumns | None:
        """Return the columns of a table; None where its typed rows are written as they are."""
        return None if self.name == "jsonl" else TableColumns(table)

    @property
    def suffix(self) -> str:
        """What names of files end with."""
        return f".{self.name}{'.gz' if self.compressed else ''}"

    def prepare(self) -> None:
        """Refuse to begin where a package is missing."""
        if self.name == "parquet":
            from tallyfy_provider.transfers.parquet import import_pyarrow

            import_pyarrow()

    def writer(self, stream: io.RawIOBase, columns: FileColumns | None) -> Writer:
        """Return a writer to the stream of the columns that :meth:`columns` gave."""
        if self.name == "jsonl" or columns is None:
            return JsonLines(stream, columns, compressed=self.compressed)
        if self.name == "csv":
            return Csv(stream, columns, compressed=self.compressed)
        from tallyfy_provider.transfers.parquet import Parquet

        return Parquet(stream, columns)


def directory_format(path: str, file_format: str | None) -> Format:
    """Return the format of the parts in a directory; JSON Lines unless another is given."""
    name = PurePosixPath(path).name.lower()
    if not path.endswith("/") and PurePosixPath(name.removesuffix(".gz")).suffix in _SUFFIXES:
        raise TallyfyInputError(
            f"path is {path!r}, a file: with tables it is the directory that they go to. Give their format with "
            f"file_format={' or '.join(map(repr, _PART_FORMATS))}."
        )
    chosen = arguments.choice("file_format", file_format or "jsonl", _PART_FORMATS)
    return Format(cast(FileFormat, chosen.removesuffix(".gz")), chosen.endswith(".gz"))


def check_format(file_format: Any) -> None:
    """Refuse an unknown format; None leaves it to the file's name."""
    if file_format is not None:
        arguments.choice("file_format", file_format, _FORMATS)


def format_of(path: str, file_format: FileFormat | None = None) -> Format:
    """Return the format that is given, or that the file's name tells; text is compressed where it ends with ``.gz``."""
    check_format(file_format)
    name = "" if path.endswith("/") else PurePosixPath(path).name
    if not name:
        raise TallyfyInputError(f"path is {path!r}, which names no file: add one, such as 'runs.jsonl.gz'.")
    compressed = name.lower().endswith(".gz")
    suffix = PurePosixPath(name.lower().removesuffix(".gz")).suffix
    chosen = file_format or _SUFFIXES.get(suffix)
    if chosen is None:
        raise TallyfyInputError(
            f"path is {path!r}: {name!r} does not tell the format. Let it end with {_CHOICES}; or give "
            f"file_format={' or '.join(map(repr, _FORMATS))}."
        )
    if chosen == "parquet" and compressed:
        raise TallyfyInputError(f"path is {path!r}: Parquet is compressed inside. Let the name end with .parquet.")
    return Format(chosen, compressed)
