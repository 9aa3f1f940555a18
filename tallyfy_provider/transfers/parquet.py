"""Runs as Parquet, whose columns have types that do not depend on what the runs hold."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from tallyfy_provider.exceptions import TallyfyConfigurationError
from tallyfy_provider.transfers.columns import Columns, Kind, Misfits, json_text, kind_of, plain_text
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Runs that are turned into columns at a time: so many are held as Python objects.
_BATCH = 250
#: A row group ends after so many runs or so many bytes, whichever comes first: so much is held before it is written.
_GROUP_ROWS = 50_000
_GROUP_BYTES = 4 * 1024 * 1024
#: Bytes of a page, and of a dictionary: each column holds as much while it is written, and there are forty.
_PAGE_BYTES = 128 * 1024
_BUFFER = 256 * 1024
_LARGEST_INTEGER = 2**63 - 1
_MISFIT: Any = object()


class Parquet:
    """Writes Parquet, compressed with Snappy. The type of a column follows from its name (:func:`.columns.kind_of`)."""

    def __init__(self, stream: io.RawIOBase, columns: Columns) -> None:
        self._arrow, parquet = import_pyarrow()
        self._columns = columns
        self._kinds = [kind_of(name) for name in columns.names]
        types = _types(self._arrow)
        self._schema = self._arrow.schema(
            [(name, types[kind]) for name, kind in zip(columns.names, self._kinds, strict=True)]
        )
        self._rows: list[list[Any]] = []
        self._batches: list[Any] = []
        self._misfits = Misfits()
        self._buffer = io.BufferedWriter(stream, _BUFFER)
        self._writer = parquet.ParquetWriter(
            self._buffer,
            self._schema,
            compression="snappy",
            data_page_size=_PAGE_BYTES,
            dictionary_pagesize_limit=_PAGE_BYTES,
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
        if rows >= _GROUP_ROWS or sum(batch.nbytes for batch in self._batches) >= _GROUP_BYTES:
            self._end_group()

    def _read(self, name: str, kind: Kind, number: int) -> list[Any]:
        reader = _READERS[kind]
        nothing = (None,) if kind in ("text", "json") else (None, "")
        try:
            values = [None if row[number] in nothing else reader(row[number]) for row in self._rows]
        except ValueError:  # NaN, or an infinite number
            for row in self._rows:
                row[number] = self._misfits.finite(name, row[number])
            return self._read(name, kind, number)
        misfits = values.count(_MISFIT)
        if not misfits:
            return values
        self._misfits.count(name, kind, misfits)
        return [None if value is _MISFIT else value for value in values]

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
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "boolean": arrow.bool_(),
        "timestamp": arrow.timestamp("us", tz="UTC"),
    }


def _json(value: Any) -> str:
    return plain_text(json_text(value))


def _integer(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return _MISFIT
    try:
        number = int(value)
    except ValueError:
        return _MISFIT
    return number if abs(number) <= _LARGEST_INTEGER else _MISFIT


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return _MISFIT
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return _MISFIT
    return number if math.isfinite(number) else _MISFIT


def _boolean(value: Any) -> Any:
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower(), _MISFIT)


def _timestamp(value: Any) -> Any:
    seconds = parse_timestamp(value)
    return _MISFIT if seconds is None else round(seconds * 1_000_000)


_READERS: Mapping[Kind, Callable[[Any], Any]] = {
    "text": plain_text,
    "json": _json,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "timestamp": _timestamp,
}
