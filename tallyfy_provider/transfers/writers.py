"""Which format a file has, by its name or as it was told. Pure, but for looking whether pyarrow is there."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal, Protocol, get_args

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.transfers.columns import Columns

FileFormat = Literal["jsonl", "csv", "parquet"]

_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
_SUFFIXES: Mapping[str, FileFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_CHOICES = ".jsonl (or .ndjson), .csv, each of them also with .gz, or .parquet"


class Writer(Protocol):
    """Writes runs in one format."""

    def write(self, run: Mapping[str, Any]) -> None:
        """Write one run."""

    def finish(self) -> list[str]:
        """Hand on what is left, and say what a user should know."""


@dataclass(frozen=True)
class Format:
    """
    How runs are written.

    :param name: The format.
    :param compressed: Whether the text is compressed with gzip.
    """

    name: FileFormat
    compressed: bool = False

    def columns(self, fields: Iterable[str] | None, includes: Iterable[str]) -> Columns | None:
        """
        Choose the columns.

        :param fields: Names of fields that were asked for; None for all.
        :param includes: What was asked for along with the runs (Tallyfy's ``with``).
        :return: The columns; None where each run is written as it is.
        """
        return None if fields is None and self.name == "jsonl" else Columns(fields, includes)

    def prepare(self) -> None:
        """
        Refuse to begin where this cannot be written.

        :raises TallyfyConfigurationError: A package is missing.
        """
        if self.name == "parquet":
            from tallyfy_provider.transfers.parquet import check_installed

            check_installed()

    def writer(self, stream: io.RawIOBase, columns: Columns | None) -> Writer:
        """
        Make a writer.

        :param stream: Takes the bytes.
        :param columns: What :meth:`columns` gave.
        :return: The writer.
        :raises TallyfyConfigurationError: A package is missing.
        """
        from tallyfy_provider.transfers.text_formats import Csv, JsonLines

        if self.name == "jsonl" or columns is None:
            return JsonLines(stream, columns, compressed=self.compressed)
        if self.name == "csv":
            return Csv(stream, columns, compressed=self.compressed)
        from tallyfy_provider.transfers.parquet import Parquet

        return Parquet(stream, columns)


def check_format(file_format: Any) -> None:
    """
    Refuse a format that there is not.

    :param file_format: The format; None leaves it to the file's name.
    :raises TallyfyInputError: It is none.
    """
    if file_format is not None and file_format not in _FORMATS:
        raise TallyfyInputError(f"file_format is {file_format!r}; it takes {', '.join(map(repr, _FORMATS))} or None.")


def format_of(path: str, file_format: FileFormat | None = None) -> Format:
    """
    Tell the format of a file.

    :param path: Where it goes.
    :param file_format: What it is, whatever its name; None leaves it to the name. Text is compressed where the name
        ends with ``.gz``.
    :return: The format.
    :raises TallyfyInputError: It cannot be told, or is one that there is not.
    """
    check_format(file_format)
    name = "" if path.endswith("/") else PurePosixPath(path).name
    if not name:
        raise TallyfyInputError(f"path is {path!r}, which names no file: add one, such as 'runs.jsonl.gz'.")
    compressed = name.lower().endswith(".gz")
    suffix = PurePosixPath(name.lower().removesuffix(".gz")).suffix
    chosen = file_format or _SUFFIXES.get(suffix)
    if chosen is None:
        raise TallyfyInputError(
            f"path is {path!r}: the format cannot be told by a name like {name!r}. Let it end with {_CHOICES}; or say "
            f"file_format={' or '.join(map(repr, _FORMATS))}."
        )
    if chosen == "parquet" and compressed:
        raise TallyfyInputError(f"path is {path!r}: Parquet is compressed inside. Let the name end with .parquet.")
    return Format(chosen, compressed)
