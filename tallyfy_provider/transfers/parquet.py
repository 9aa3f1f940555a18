"""Runs as Parquet, whose columns have types that do not depend on what the runs hold."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from tallyfy_provider.exceptions import TallyfyConfigurationError
from tallyfy_provider.tables.values import MISFIT, READERS, Kind, Misfits
from tallyfy_provider.transfers.columns import FileColumns
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Runs that are turned into columns at a time: so many are held as Python objects.
_BATCH = 250
#: A row group ends after so many runs or so many bytes, whichever comes first: so much is held before it is written.
_GROUP_ROWS = 50_000
_GROUP_BYTES = 4 * 1024 * 1024
#: Bytes of a page, and of a dictionary: each column holds as much while it is written, and there are forty.
_PAGE_BYTES = 128 * 1024
_BUFFER = 256 * 1024
#: What a table of several has of these: one part of so many.
_SHARE_OF_A_TABLE = 4


class Parquet:
    """Writes Parquet, compressed with Snappy. Each column has its type, and as metadata what it holds."""

    def __init__(self, stream: io.RawIOBase, columns: FileColumns) -> None:
        self._arrow, parquet = import_pyarrow()
        self._columns = columns
        # Several tables are written at the same time: each holds less.
        self._share = _SHARE_OF_A_TABLE if columns.are_typed else 1
        self._kinds = columns.kinds
        types = _types(self._arrow)
        self._schema = self._arrow.schema(
            [
                self._arrow.field(name, types[kind], metadata=_metadata(columns.descriptions.get(name)))
                for name, kind in zip(columns.names, self._kinds, strict=True)
            ]
        )
        self._rows: list[list[Any]] = []
        self._batches: list[Any] = []
        self._misfits = Misfits()
        self._buffer = io.BufferedWriter(stream, _BUFFER)
        self._writer = parquet.ParquetWriter(
            self._buffer,
            self._schema,
            compression="snappy",
            data_page_size=_PAGE_BYTES // self._share,
            dictionary_pagesize_limit=_PAGE_BYTES // self._share,
        )

    def write(self, run: Mapping[str, Any]) -> None:
        """Write one run."""
        self._rows.append(self._columns.values(run))
        if len(self._rows) == _BATCH:
            self._gather()

    def finish(self) -> list[str]:
        """Write what is left, and name the columns with values that are not of their type."""
        self._gather()
        self._end_group()
        self._writer.close()
        self._buffer.flush()
        return self._misfits.notes

    def _gather(self) -> None:
        if not self._rows:
            return
        arrays = [
            self._arrow.array(self._read(name, kind, number), type=field.type)
            for number, (name, kind, field) in enumerate(
                zip(self._columns.names, self._kinds, self._schema, strict=True)
            )
        ]
        self._batches.append(self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows.clear()
        rows = sum(batch.num_rows for batch in self._batches)
        if rows >= _GROUP_ROWS or sum(batch.nbytes for batch in self._batches) >= _GROUP_BYTES // self._share:
            self._end_group()

    def _read(self, name: str, kind: Kind, number: int) -> list[Any]:
        if self._columns.are_typed and kind != "timestamp":
            return [row[number] for row in self._rows]
        reader = _READERS[kind]
        nothing = (None,) if kind in ("text", "json") else (None, "")
        try:
            values = [None if row[number] in nothing else reader(row[number]) for row in self._rows]
        except ValueError:  # NaN, or an infinite number
            for row in self._rows:
                row[number] = self._misfits.finite(name, row[number])
            return self._read(name, kind, number)
        misfits = values.count(MISFIT)
        if not misfits:
            return values
        self._misfits.count(name, kind, misfits)
        return [None if value is MISFIT else value for value in values]

    def _end_group(self) -> None:
        if not self._batches:
            return
        table = self._arrow.Table.from_batches(self._batches)
        self._batches.clear()
        self._writer.write_table(table, row_group_size=table.num_rows)


def import_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow and its ``parquet``; refuse to begin where it is not installed."""
    # Arrow's own pool keeps memory for later that a task has no use for. It is chosen when pyarrow is first imported.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise TallyfyConfigurationError(
            "Parquet needs pyarrow, which cannot be imported here: install airflow-provider-tallyfy[parquet] where the "
            f"task runs, or write .jsonl or .csv. ({error})"
        ) from error
    return arrow, parquet


def _types(arrow: Any) -> Mapping[Kind, Any]:
    return {
        "text": arrow.string(),
        "json": arrow.string(),
        "list": arrow.list_(arrow.string()),
        "decimal": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "boolean": arrow.bool_(),
        "timestamp": arrow.timestamp("us", tz="UTC"),
    }


def _metadata(description: str | None) -> dict[str, str] | None:
    return {"description": description} if description else None


@lru_cache(maxsize=8192)
def _microseconds(text: str) -> Any:
    seconds = parse_timestamp(text)
    return MISFIT if seconds is None else round(seconds * 1_000_000)


def _timestamp(value: Any) -> Any:
    return _microseconds(value if isinstance(value, str) else str(value))


_READERS: Mapping[Kind, Callable[[Any], Any]] = {**READERS, "timestamp": _timestamp}
