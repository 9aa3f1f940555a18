"""
Write tables to a directory that is whole, or has no ``_SUCCESS``.

Each table has a folder of parts, and ``_SUCCESS``, written last, says what is there. Parts have names that no earlier
export has, so nothing has to be renamed, which object storage cannot. The ``_SUCCESS`` of an earlier export goes before
the first new part can be seen, and its parts go before the new ``_SUCCESS`` comes: whoever waits for ``_SUCCESS`` never
sees parts of two exports, or half of one. An export that fails takes its parts away and puts the old ``_SUCCESS`` back,
as long as all parts of that one are there. One that is killed leaves a directory without ``_SUCCESS``, and the next one
removes its parts.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tallyfy_provider.exceptions import TallyfyExportError
from tallyfy_provider.tables.schema import Row, Table
from tallyfy_provider.tables.tables import TABLES
from tallyfy_provider.transfers.atomic_file import Attempt, Sink, explained, prepared, replacing
from tallyfy_provider.transfers.writers import Format, Writer

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

SUCCESS = "_SUCCESS"
#: Files that exports make: parts, and what a killed task leaves of a file that it was writing.
_OURS = re.compile(rf"(?:(?:{'|'.join(TABLES)})/\.?part-\d{{5,}}-[0-9a-f]{{12}}\..*|\.{SUCCESS}\..*\.part)")


class TableFiles:
    """The parts of one table."""

    def __init__(self, directory: TableDirectory, table: Table) -> None:
        self.table = table
        self.folder = directory.path / table.name
        self.rows = 0
        self.bytes = 0
        #: Names of the parts that are complete, relative to the directory.
        self.parts: list[str] = []
        self.notes: list[str] = []
        self._directory = directory
        self._writer: Writer | None = None
        self._sink: Sink | None = None
        self._open_part = contextlib.ExitStack()
        self._name = ""

    def write(self, row: Row) -> None:
        """Write a row."""
        if self._writer is None or self._sink is None:
            self._writer, self._sink = self._begin_part()
        self._writer.write(row)
        self.rows += 1
        if self._sink.count >= self._directory.part_bytes:
            self._end_part()

    def finish(self) -> None:
        """Complete the last part; a table without rows has one part without rows."""
        if self._writer is None and not self.parts:
            self._writer, self._sink = self._begin_part()
        self._end_part()

    def discard(self, error: BaseException) -> None:
        """Drop the part that is being written."""
        self._writer = None
        with contextlib.suppress(Exception):
            self._open_part.__exit__(type(error), error, error.__traceback__)

    def _begin_part(self) -> tuple[Writer, Sink]:
        file_format = self._directory.file_format
        self._name = f"part-{len(self.parts) + 1:05d}-{self._directory.token}{file_format.suffix}"
        sink = self._open_part.enter_context(replacing(self.folder / self._name, self._directory.attempt))
        return file_format.writer(sink, file_format.table_columns(self.table)), sink

    def _end_part(self) -> None:
        if self._writer is None or self._sink is None:
            return
        self.notes += self._writer.finish()
        self._directory.invalidate()
        self._open_part.close()
        self.parts.append(f"{self.table.name}/{self._name}")
        self.bytes += self._sink.count
        self._writer = self._sink = None

    @property
    def written(self) -> dict[str, Any]:
        """What was written, for XComs and events."""
        return {"path": str(self.folder), "rows": self.rows, "bytes": self.bytes, "parts": len(self.parts)}


class TableDirectory:
    """
    A directory of tables that is being written.

    :param path: The directory.
    :param tables: The tables, each of which gets at least one part.
    :param attempt: The writer.
    :param part_bytes: Bytes of a part, as stored, after which another begins.
    """

    def __init__(
        self,
        path: ObjectStoragePath,
        tables: Iterable[Table],
        file_format: Format,
        attempt: Attempt,
        *,
        part_bytes: int,
    ) -> None:
        self.path = path
        self.file_format = file_format
        self.attempt = attempt
        self.part_bytes = part_bytes
        self.token = uuid.uuid4().hex[:12]
        self.tables = {table.name: TableFiles(self, table) for table in tables}
        self._success_before: bytes | None = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[TableDirectory]:
        """Write within the block; :meth:`complete` ends it well, whatever else leaves what was there before."""
        self._prepare()
        try:
            yield self
        except BaseException as error:
            self._undo(error)
            raise

    def complete(self, described: Mapping[str, Any]) -> None:
        """Complete all parts, remove those of earlier exports, and write ``_SUCCESS``."""
        for files in self.tables.values():
            files.finish()
        self._remove_earlier_files()
        tables = {
            name: {"rows": files.rows, "bytes": files.bytes, "parts": files.parts}
            for name, files in self.tables.items()
        }
        self._write_success(json.dumps({**described, "tables": tables}, indent=1).encode() + b"\n")

    def invalidate(self) -> None:
        """Take away the ``_SUCCESS`` of an earlier export, before the first new part can be seen."""
        if self._success_before is None:
            return
        with explained(str(self.path / SUCCESS)):
            if self._file_system.exists(self._success_path):
                self._file_system.rm_file(self._success_path)

    def _prepare(self) -> None:
        """Find out what is there, and fail now where nothing could be written later."""
        success = self.path / SUCCESS
        with explained(str(success)):
            prepared(success, self.attempt)
            self._file_system.invalidate_cache()
            if self._file_system.exists(self._success_path):
                self._success_before = self._file_system.cat_file(self._success_path)

    def _undo(self, error: BaseException) -> None:
        """Remove what was written, and let the earlier export stand again."""
        for files in self.tables.values():
            files.discard(error)
        try:
            names = set(self._our_files())
            for name in names:
                if self.token in name:
                    self._file_system.rm_file(f"{self._root}/{name}")
            before = self._success_before
            if before is not None and _parts_of(before) <= names and not self._file_system.exists(self._success_path):
                self._write_success(before)
        except Exception as left:
            log.warning("%s holds parts of a failed export, and no %s: %s", self.path, SUCCESS, left)

    def _remove_earlier_files(self) -> None:
        name = ""
        try:
            for name in self._our_files():
                if self.token not in name:
                    self._file_system.rm_file(f"{self._root}/{name}")
        except Exception as error:
            raise TallyfyExportError(
                f"{self.path}/{name}, which an earlier export left, cannot be removed, and without that readers would "
                f"mix two exports. Give the task's credentials the right to list and delete files there, or a path of "
                f"its own for each Dag run. ({type(error).__name__}: {error})"
            ) from error

    def _our_files(self) -> list[str]:
        """Return the files of exports in the directory, by names relative to it."""
        self._file_system.invalidate_cache()
        found = (str(name) for name in self._file_system.find(self._root))
        names = [name.removeprefix(self._root).lstrip("/") for name in found]
        return [name for name in names if _OURS.fullmatch(name)]

    def _write_success(self, content: bytes) -> None:
        with replacing(self.path / SUCCESS, self.attempt) as sink:
            sink.write(content)

    @property
    def _file_system(self) -> Any:
        return self.path.fs

    @property
    def _root(self) -> str:
        return str(self.path.path).rstrip("/")

    @property
    def _success_path(self) -> str:
        return f"{self._root}/{SUCCESS}"


def _parts_of(success: bytes) -> set[str]:
    """Return the parts that a ``_SUCCESS`` names; none where it is not one of these exports."""
    try:
        return {part for table in json.loads(success)["tables"].values() for part in table["parts"]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return set()
