"""
Tallyfy's tables as a source of dlt, which loads them into warehouses (``pip install 'airflow-provider-tallyfy[dlt]'``).

.. code-block:: python

    pipeline = dlt.pipeline("tallyfy", destination="duckdb", dataset_name="processes")
    pipeline.run(tallyfy_source(tables=["runs", "tasks", "answers"]))

The rows are those of :class:`~tallyfy_provider.transfers.object_storage.TallyfyToObjectStorageOperator`, on the same
walk: each run from one answer, and none is missed that stays in the list. Each run that is loaded replaces all rows
that it had, so that what was taken away, such as a comment, goes. dlt keeps where the next load begins.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.paging.order import Range
from tallyfy_provider.client.paging.progress import Progress
from tallyfy_provider.client.runs.filters import encode
from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyInputError
from tallyfy_provider.tables.incremental import Bounds, Selection
from tallyfy_provider.tables.schema import Row, Table
from tallyfy_provider.tables.sources import read_small_table
from tallyfy_provider.tables.tables import TABLES, tables_named
from tallyfy_provider.tables.values import Kind, Misfits
from tallyfy_provider.tables.walk import RunWalk, check_order, decided_filter
from tallyfy_provider.utils import arguments

try:
    import dlt
except ImportError as missing:
    raise TallyfyConfigurationError(
        f"tallyfy_provider.dlt needs dlt: install airflow-provider-tallyfy[dlt] where the task runs. ({missing})"
    ) from missing

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient
    from tallyfy_provider.client.paging.prefetch import OnIncomplete
    from tallyfy_provider.client.runs.filters import Query

log = logging.getLogger(__name__)

#: dlt's names of types. Lists are JSON, so that they make no tables of their own. JSON may be a single value, which
#: some warehouses do not take for JSON: it stays text.
_TYPES: Mapping[Kind, str] = {
    "text": "text",
    "json": "text",
    "list": "json",
    "integer": "bigint",
    "number": "double",
    "decimal": "text",
    "boolean": "bool",
    "timestamp": "timestamp",
}
#: Marks the row that takes a run's rows out of a table in which it has none any more.
_DELETED = "is_deleted"
#: The key in dlt's state of where the next load begins.
_WATERMARK = "next_updated_after"
#: What follows the last run: dlt reads rows of a run when it has asked for the next one.
_END: Mapping[str, Any] = {}


def tallyfy_source(
    tables: Sequence[str] | str | None = None,
    updated_after: str | date | None = None,
    *,
    filters: Mapping[str, Any] | None = None,
    incremental: bool = True,
    tallyfy_conn_id: str = "tallyfy_default",
    client: TallyfyClient | None = None,
    on_incomplete: OnIncomplete = "fail",
) -> Any:
    """
    Return Tallyfy's tables as a source of dlt.

    :param tables: Names of tables; None takes all: ``runs``, ``tasks``, ``answers``, ``comments``, ``assignees``,
        ``people``, ``checklists`` and ``steps``.
    :param updated_after: Only runs changed then or later, in UTC without a time zone. None goes on where the load
        before this one ended, as dlt's state knows; the first load takes all.
    :param filters: Tallyfy's own filter names to values, as for ``ListRunsOperator``; archived runs come along unless
        ``{"archived": "false"}`` is given, since to be archived is a change, too.
    :param incremental: Whether to go on where the load before this one ended; otherwise all runs are read.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``.
    :param client: A client of one's own instead, outside of Airflow.
    :param on_incomplete: When runs may be missing: ``fail`` raises, ``warn`` logs it.
    :return: A ``DltSource`` with a resource for each table; those of runs share one walk.
    :raises TallyfyInputError: A name of a table, a filter or a time is wrong.
    """
    names = arguments.names("tables", tables) or list(TABLES)
    chosen = tables_named("tables", names)
    query = encode({"archived": "true", **(filters or {})})
    if decided_filter(query):
        raise TallyfyInputError(
            "filters cannot name with, form_fields_values, page or without_pagination here: tables need all runs whole."
        )
    check_order(query)
    bound = arguments.timestamp("updated_after", updated_after)

    walk = dlt.resource(_runs, name="tallyfy_runs", selected=False)

    def source() -> Iterator[Any]:
        of_runs = [table for table in chosen if not table.is_small]
        connection = client or _Later(tallyfy_conn_id)
        runs = walk(connection, of_runs, query, bound, incremental, on_incomplete)
        for table in of_runs:
            yield runs | dlt.transformer(_rows_of_run, **_hints(table))(table, Misfits())
        for table in chosen:
            if table.is_small:
                yield dlt.resource(_small_rows, **_hints(table))(connection, table)

    return dlt.source(source, name="tallyfy", max_table_nesting=0)()


class _Later:
    """A client that is built when it is needed: a source is made while a Dag is parsed, too."""

    def __init__(self, tallyfy_conn_id: str) -> None:
        self._tallyfy_conn_id = tallyfy_conn_id

    def connect(self) -> TallyfyClient:
        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        return TallyfyHook(self._tallyfy_conn_id).client


def _connected(connection: Any) -> TallyfyClient:
    client: TallyfyClient = connection.connect() if isinstance(connection, _Later) else connection
    return client


def _runs(
    connection: Any,
    tables: list[Table],
    query: Query,
    bound: datetime | None,
    incremental: bool,
    on_incomplete: OnIncomplete,
) -> Iterator[Any]:
    """Yield runs with all that the tables need, then :data:`_END`, and remember where the next load begins."""
    watermarks: dict[str, str] = dlt.current.source_state().setdefault(_WATERMARK, {}) if incremental else {}
    known = [watermarks.get(table.name) for table in tables]
    # A table that was never loaded needs all runs.
    since = bound or (arguments.timestamp("dlt's state", min(map(str, known))) if all(known) else None)
    started = time.time()
    selection = Selection(Bounds(updated_after=since))
    client = _connected(connection)
    walk = RunWalk(client, tables, on_incomplete=on_incomplete)
    with closing(walk.listed(query, selection, wanted=Range(), progress=Progress("runs"))) as runs:
        yield from runs
    yield _END
    for note in walk.notes():
        log.warning(note)
    if following := selection.next_updated_after(client.on_tallyfys_clock(started)):
        watermarks.update({table.name: following for table in tables})


def _rows_of_run(run: Mapping[str, Any], table: Table, misfits: Misfits) -> list[Row]:
    """Return the rows of a run; where it has none, one that takes out those which it had. Warn at the end."""
    if run == _END:
        for note in misfits.notes:
            log.warning(note)
        return []
    rows = list(table.typed_rows(run, misfits))
    return rows or [{"id": f"{run['id']}:none", "run_id": str(run["id"]), _DELETED: True}]


def _small_rows(connection: Any, table: Table) -> Iterator[list[Row]]:
    misfits = Misfits()
    for source in read_small_table(_connected(connection), table.name):
        yield list(table.typed_rows(source, misfits))
    for note in misfits.notes:
        log.warning(note)


def _hints(table: Table) -> dict[str, Any]:
    columns: dict[str, Any] = {
        column.name: {
            "data_type": _TYPES[column.kind],
            "nullable": column.nullable,
            "description": column.description,
        }
        for column in table.columns
    }
    shared = {"name": table.name, "primary_key": table.key, "columns": columns}
    if table.is_small:
        return {**shared, "write_disposition": "replace"}
    if "run_id" not in columns:
        return {**shared, "write_disposition": "merge"}
    # All rows of a run that is loaded go, and those that it has now come; the others of a row without rows are null.
    for column in columns.values():
        column["nullable"] = True
    columns[_DELETED] = {"data_type": "bool", "hard_delete": True}
    return {**shared, "write_disposition": "merge", "merge_key": "run_id"}
