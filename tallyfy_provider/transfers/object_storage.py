"""TallyfyToObjectStorageOperator: export runs to a file, on disk or in object storage."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from tallyfy_provider.client.http.request_kind import Priority, request_priority
from tallyfy_provider.client.redaction import rows_without_guest_links
from tallyfy_provider.client.runs.filter_check import FilterCheck
from tallyfy_provider.client.runs.filters import encode
from tallyfy_provider.exceptions import TallyfyExportError, TallyfyInputError
from tallyfy_provider.operators.base import end_empty
from tallyfy_provider.operators.runs.base import FilteredRunsOperator
from tallyfy_provider.tables.incremental import Bounds, Selection
from tallyfy_provider.tables.schema import SCHEMA_VERSION, Table
from tallyfy_provider.tables.tables import tables_named
from tallyfy_provider.tables.values import text_of
from tallyfy_provider.transfers.outlets import fill_events, keep_watermark, read_watermark, uri_of
from tallyfy_provider.transfers.writers import check_format, directory_format, format_of
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.plurals import counted

if TYPE_CHECKING:
    from datetime import date

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from tallyfy_provider.client.runs.filters import Query
    from tallyfy_provider.transfers.atomic_file import Attempt
    from tallyfy_provider.transfers.writers import FileFormat, Writer


#: How runs that have changed are found.
FindChanges = Literal["list", "feed", "sweep"]
#: Bytes of a part, as stored, after which another begins.
PART_BYTES = 128 * 1024 * 1024


class TallyfyToObjectStorageOperator(FilteredRunsOperator):
    """
    Export runs (processes) of Tallyfy, or tables of what is in them, to disk or object storage.

    Runs are written page by page as they arrive, so that any number of them takes the memory of about one page. The
    file appears when it is complete and replaces the one that was there; see ``docs/guides/export.md``. With
    ``tables``, ``path`` is a directory with parts for each table, and ``_SUCCESS`` is written last; see
    ``docs/tables.md``, also for what is returned then.

    Returns ``path`` (str), ``rows`` and ``bytes`` (int, as stored), ``last_updated`` (the newest of the runs, ISO 8601
    in UTC, or None) and ``next_updated_after``: the ``updated_after`` with which the next export misses nothing.
    Outlets that are assets get an event with the same in its ``extra``.

    :param path: Where the file goes, templated: a URI such as ``s3://my_aws@bucket/runs/dt={{ ds }}/runs.jsonl.gz``
        (with the id of the store's connection before the ``@``), an absolute local path, or an ``ObjectStoragePath``.
    :param filters: Tallyfy's own filter names to values, templated, as for
        :class:`~tallyfy_provider.operators.runs.ListRunsOperator`.
    :param file_format: ``jsonl``, ``csv`` or ``parquet``; None goes by the name: ``.jsonl`` or ``.ndjson``, ``.csv``,
        ``.parquet``. Text whose name ends with ``.gz`` is compressed. Parquet needs the extra ``parquet``.
    :param fields: Names of the fields to write, templated, or dotted paths into them, such as ``progress.percent``.
        None writes each run exactly as it is (JSON Lines), or every field that Tallyfy documents (CSV, Parquet).
    :param created_after: Only runs created then or later, templated: ISO 8601 or as Tallyfy writes it, a date or a
        datetime; UTC without a time zone. None or empty text for no bound.
    :param created_before: Only runs created earlier than that; as ``created_after``.
    :param updated_after: Only runs changed then or later; as ``created_after``. Tallyfy has no filter for it: all runs
        are listed, and those that have not changed are left out.
    :param tables: Names of the tables to write, templated: ``runs``, ``tasks``, ``answers``, ``comments``,
        ``assignees``, ``people``, ``checklists`` and ``steps``. None writes runs into one file.
    :param find_changes: With ``tables``, where changes since ``updated_after`` are looked for: ``list`` reads all runs
        and asks for those that have changed, ``feed`` asks for those that the activity feed names, ``sweep`` writes
        all and counts the changes that the feed does not name.
    :param incremental: Whether an export without ``updated_after`` begins where the one before ended, as the state
        store of the first outlet that is an asset knows (Airflow 3.3), or else the task's XCom.
    :param unknown_fields: With ``tables``, whether each gets a column for what no other column holds, as JSON.
    :param part_bytes: With ``tables``, bytes of a part, as stored, after which another begins.
    :param max_runs: Stop after so many runs, templated; None means all.
    :param on_empty: When no run matches: ``pass`` writes a file without runs, ``skip`` skips the task, ``fail`` fails
        it; neither of these touches the file.
    :param strict_filters: Fail, and write nothing, when a run comes back with another status, checklist or type than
        was asked for, which means that Tallyfy ignored a filter; otherwise a warning counts them.
    :param strict_values: Fail, and write nothing, when a value is not of its column's type or cannot be written, such
        as a date of the year 0 or NaN; otherwise it becomes null, and a warning counts them.
    :param on_incomplete: When runs may be missing, since the list moved too much while it was read: ``fail`` (the
        default) fails the task and writes nothing, ``warn`` logs it; see ``docs/design/lossless-lists.md``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: An argument is wrong: a literal when the Dag is parsed, a template before the first
        request.
    :raises TallyfyExportError: The file could not be written; what was there before is unchanged.
    :raises TallyfyResponseError: A page cannot be read, or ``strict_filters`` is set and Tallyfy ignored a filter.
    """

    template_fields: Sequence[str] = (
        *FilteredRunsOperator.template_fields,
        "path",
        "tables",
        "updated_after",
    )

    default_on_incomplete = "fail"

    def __init__(
        self,
        *,
        path: str | os.PathLike[str] | ObjectStoragePath,
        file_format: FileFormat | None = None,
        updated_after: str | date | None = None,
        tables: Sequence[str] | str | None = None,
        find_changes: FindChanges = "list",
        incremental: bool = False,
        unknown_fields: bool = False,
        part_bytes: int = PART_BYTES,
        strict_values: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with arguments.checking_literals(self):
            arguments.boolean("strict_values", strict_values)
            arguments.boolean("incremental", incremental)
            arguments.boolean("unknown_fields", unknown_fields)
            arguments.choice("find_changes", find_changes, get_args(FindChanges))
            _check_part_bytes(part_bytes)
            if arguments.is_known(tables) and arguments.names("tables", tables):
                tables_named("tables", arguments.names("tables", tables) or [])
            if tables is None:
                check_format(file_format)
            if isinstance(path, str) and arguments.is_literal(path):
                is_file = arguments.is_known(tables) and not arguments.names("tables", tables)
                (format_of if is_file else directory_format)(_absolute(path), file_format)
            if arguments.is_literal(updated_after):
                arguments.timestamp("updated_after", updated_after)
        self.path = path
        self.file_format = file_format
        self.updated_after = updated_after
        self.tables = tables
        self.find_changes = find_changes
        self.incremental = incremental
        self.unknown_fields = unknown_fields
        self.part_bytes = part_bytes
        #: What was written, for :meth:`get_openlineage_facets_on_complete`.
        self._written: dict[str, Any] = {}
        self.strict_values = strict_values

    @request_priority(Priority.EXPORT)
    def execute(self, context: Context) -> dict[str, Any]:
        """Export the runs, or the tables."""
        arguments.raise_wrong_literal(self)
        started = time.time()
        tables = arguments.names("tables", self.tables)
        query = encode(self.filters)
        selection = Selection(
            self._bounds(context),
            arguments.whole_number("max_runs", self.max_runs),
            takes_unchanged=self.find_changes != "list",
        )
        self._warn_of_the_future(selection.bounds, started)
        for note in query.notes:
            self.log.info(note)
        if tables is None:
            written = self._export_file(context, query, selection, started)
        else:
            chosen = tables_named("tables", tables, unknown_fields=self.unknown_fields)
            written = self._export_tables(context, chosen, query, selection, started)
        if self.incremental:
            keep_watermark(context, self.outlets, written["next_updated_after"])
        return written

    def _export_file(self, context: Context, query: Query, selection: Selection, started: float) -> dict[str, Any]:
        from tallyfy_provider.transfers.atomic_file import replacing

        if self.find_changes != "list":
            raise TallyfyInputError(f"find_changes={self.find_changes!r} needs tables: a file has the runs of a list.")
        file_format = format_of(_absolute(self.path), self.file_format)
        columns = file_format.columns(arguments.names("fields", self.fields), query.params.get("with", "").split(","))
        file_format.prepare()
        path = self._object_storage_path()
        with replacing(path, _attempt(context)) as sink:
            writer = file_format.writer(sink, columns)
            self._write(query, selection, writer)
            notes = writer.finish()
            self._refuse_misfits(notes)
            if not selection.taken:
                self._end_empty(query, selection)
        for note in [*(columns.notes if columns else []), *notes]:
            self.log.warning(note)
        written = {
            "path": str(path),
            "rows": selection.taken,
            "bytes": sink.count,
            "last_updated": selection.last_updated,
            "next_updated_after": selection.next_updated_after(self.hook.client.on_tallyfys_clock(started)),
        }
        self._log_export(written, selection.unchanged, seconds=time.time() - started)
        self._report_lineage(path)
        fill_events(context, self.outlets, written)
        return written

    def _export_tables(
        self, context: Context, tables: list[Table], query: Query, selection: Selection, started: float
    ) -> dict[str, Any]:
        from tallyfy_provider.transfers.directory import TableDirectory
        from tallyfy_provider.transfers.table_export import TableExport, check_filters

        if arguments.names("fields", self.fields) is not None:
            raise TallyfyInputError("fields cannot be combined with tables, whose columns are always the same.")
        check_filters(query, self.find_changes)
        file_format = directory_format(_absolute(self.path), self.file_format)
        file_format.prepare()
        directory = TableDirectory(
            self._object_storage_path(), tables, file_format, _attempt(context), part_bytes=self.part_bytes
        )
        export = TableExport(
            self.hook.client,
            tables,
            query,
            selection,
            find_changes=self.find_changes,
            on_incomplete=self.on_incomplete,
        )
        with directory.writing():
            export.write_to(directory)
            self._report_mismatches(export.mismatches, "They are exported")
            self._refuse_misfits(export.misfits)
            if not selection.taken and not all(table.is_small for table in tables):
                self._end_empty(query, selection)
            described = {
                "schema_version": SCHEMA_VERSION,
                "started_at": text_of(datetime.fromtimestamp(int(started), UTC)),
                "runs": selection.taken,
                "updated_after": selection.bounds.shown.get("updated_after"),
                "find_changes": self.find_changes,
                "not_in_feed": export.not_in_feed,
                "last_updated": selection.last_updated,
                "next_updated_after": selection.next_updated_after(self.hook.client.on_tallyfys_clock(started)),
            }
            directory.complete(described)
        for note in [*export.notes, *export.misfits]:
            self.log.warning(note)
        written = {
            "path": str(directory.path),
            **described,
            "tables": {name: files.written for name, files in directory.tables.items()},
        }
        self._log_tables(written, selection.unchanged, seconds=time.time() - started)
        self._written = written
        for files in directory.tables.values():
            self._report_lineage(files.folder)
        fill_events(context, self.outlets, written)
        return written

    def _refuse_misfits(self, notes: list[str]) -> None:
        if notes and self.strict_values:
            raise TallyfyExportError(f"{' '.join(notes)} Nothing is written, since strict_values=True.")

    def _end_empty(self, query: Query, selection: Selection) -> None:
        shown = json.dumps({**query.shown, **selection.bounds.shown})
        end_empty(self.on_empty, f"No run matches {shown}: nothing is written")

    def _log_tables(self, written: dict[str, Any], unchanged: int, seconds: float) -> None:
        rows = ", ".join(f"{name} {table['rows']:,}" for name, table in written["tables"].items())
        size = _size(sum(table["bytes"] for table in written["tables"].values()))
        self.log.info(
            "Exported %s to %s (%s) in %.1f seconds, rows: %s.%s",
            counted(written["runs"], "run"),
            written["path"],
            size,
            seconds,
            rows,
            _left_out(unchanged),
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the tables with their columns and row counts, for OpenLineage."""
        from tallyfy_provider.transfers.lineage import operator_lineage

        return operator_lineage(self._written) if self._written else None

    def _bounds(self, context: Context) -> Bounds:
        updated_after = arguments.timestamp("updated_after", self.updated_after)
        if self.incremental and updated_after is None:
            updated_after = arguments.timestamp("the watermark", read_watermark(context, self.outlets))
        return Bounds(**self._created(), updated_after=updated_after)

    def _warn_of_the_future(self, bounds: Bounds, started: float) -> None:
        if bounds.updated_after is not None and bounds.updated_after.timestamp() > started:
            self.log.warning(
                "updated_after is %s, which is in the future: no run can have changed since. next_updated_after is the "
                "start of this export.",
                text_of(bounds.updated_after),
            )

    def _object_storage_path(self) -> ObjectStoragePath:
        from airflow.providers.common.compat.sdk import ObjectStoragePath

        from tallyfy_provider.transfers.atomic_file import explained

        if isinstance(self.path, ObjectStoragePath):
            return self.path
        with explained(str(self.path)):
            return ObjectStoragePath(os.fspath(self.path))

    def _write(self, query: Query, selection: Selection, writer: Writer) -> None:
        check = FilterCheck(query.asked)
        with closing(self._list(query, selection)) as runs:
            for run in check.pass_on(selection.of(runs)):
                writer.write(run)
        if query.page is not None:
            selection.cut_short = True
        self._report_mismatches(check.mismatches, "They are exported")

    def _list(self, query: Query, selection: Selection) -> Generator[dict[str, Any]]:
        # Runs that are left out here must not count, so the client limits their number only where there are no bounds.
        max_runs = None if selection.bounds.shown else selection.max_runs
        bounds = selection.bounds.of_creation
        rows = self.hook.client.runs.list_encoded(query, max_runs=max_runs, on_incomplete=self.on_incomplete, **bounds)
        yield from rows_without_guest_links(rows, query.params)

    def _log_export(self, written: dict[str, Any], unchanged: int, seconds: float) -> None:
        rows, size = counted(written["rows"], "run"), _size(written["bytes"])
        self.log.info(
            "Exported %s (%s) to %s in %.1f seconds.%s", rows, size, written["path"], seconds, _left_out(unchanged)
        )

    def _report_lineage(self, path: ObjectStoragePath) -> None:
        """Name the file as an output, for OpenLineage or whatever collects lineage here."""
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        try:
            collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]
            collector.add_output_asset(context=self.hook, uri=uri_of(str(path)))
        except Exception as error:
            # The file is there: a failure to report it must not fail the task, whose retry would write it again.
            self.log.warning("Lineage to %s could not be reported: %s", path, error)


def _check_part_bytes(part_bytes: Any) -> None:
    if isinstance(part_bytes, bool) or not isinstance(part_bytes, int) or part_bytes < 1:
        raise TallyfyInputError(
            f"part_bytes takes a whole number of bytes from 1, not {arguments.as_written(part_bytes)}."
        )


def _absolute(given: object) -> str:
    """Refuse a relative path, whose meaning depends on the working directory of a worker."""
    if arguments.is_nothing(given):
        raise TallyfyInputError("path is empty: it says where the file goes, or the directory with tables.")
    path = arguments.as_text("path", given)
    if "://" in path or os.path.isabs(path):
        return path
    raise TallyfyInputError(
        f"path is {arguments.as_written(path)}, which is relative: write an absolute path, or a URI such as s3://my_aws@bucket/runs.jsonl."
    )


def _attempt(context: Context) -> Attempt:
    from tallyfy_provider.transfers.atomic_file import Attempt

    task_instance = context["ti"]
    owner = (task_instance.dag_id, task_instance.run_id, task_instance.task_id, task_instance.map_index)
    return Attempt(json.dumps(owner), max(1, task_instance.try_number or 1))


def _left_out(unchanged: int) -> str:
    return f" Left out since unchanged: {counted(unchanged, 'run')}." if unchanged else ""


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    return f"{count / 1024:.1f} kB" if count < 1024**2 else f"{count / 1024**2:.1f} MB"
