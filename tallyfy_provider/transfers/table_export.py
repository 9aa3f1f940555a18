"""Export tables: which runs are read, how changes are found, and what is said about it."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.paging.order import Range
from tallyfy_provider.client.paging.progress import Progress
from tallyfy_provider.client.runs.filter_check import FilterCheck, Mismatch, is_archived
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.tables.sources import read_small_table
from tallyfy_provider.tables.tasks import tasks_of
from tallyfy_provider.tables.values import Misfits, text_of
from tallyfy_provider.tables.walk import RunWalk, check_order, decided_filter
from tallyfy_provider.utils.plurals import counted
from tallyfy_provider.utils.timestamps import parse_timestamp

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient
    from tallyfy_provider.client.paging.prefetch import OnIncomplete
    from tallyfy_provider.client.runs.filters import Query
    from tallyfy_provider.tables.incremental import Selection
    from tallyfy_provider.tables.schema import Table
    from tallyfy_provider.transfers.directory import TableDirectory
    from tallyfy_provider.triggers.activity_feed import Activity

log = logging.getLogger(__name__)


def check_filters(query: Query, find_changes: str) -> None:
    """Refuse filters that do not go with tables."""
    if name := decided_filter(query):
        raise TallyfyInputError(f"filters[{name!r}] cannot be combined with tables, which need all runs whole.")
    check_order(query)
    others = sorted(set(query.params) - {"archived", "sort"})
    if find_changes == "feed" and others:
        raise TallyfyInputError(
            f"filters[{others[0]!r}] cannot be combined with find_changes='feed': the activity feed names runs, "
            "whatever they are. Leave the filters out, or use find_changes='list'."
        )


class TableExport:
    """
    Read the rows of tables, each once.

    :param client: Whom to ask.
    :param tables: The tables.
    :param selection: Which runs are wanted.
    """

    def __init__(
        self,
        client: TallyfyClient,
        tables: Sequence[Table],
        query: Query,
        selection: Selection,
        *,
        find_changes: str,
        on_incomplete: OnIncomplete,
    ) -> None:
        self._client = client
        self._small = [table for table in tables if table.is_small]
        self._of_runs = [table for table in tables if not table.is_small]
        self._query = query
        self._selection = selection
        self._find_changes = find_changes
        self._walk = RunWalk(client, self._of_runs, on_incomplete=on_incomplete)
        self._misfits = Misfits()
        #: Ids of runs that changed since ``updated_after``, while a sweep reads all.
        self._changed: set[str] = set()
        #: How many changed runs the activity feed does not name; None where that was not looked for.
        self.not_in_feed: int | None = None
        self.mismatches: list[Mismatch] = []
        self.notes: list[str] = []

    def write_to(self, directory: TableDirectory) -> None:
        """Write all rows."""
        for table in self._small:
            for source in read_small_table(self._client, table.name):
                _write(directory, table, source, self._misfits)
        if self._of_runs:
            self._write_runs(directory)
        self.notes += self._walk.notes()

    @property
    def misfits(self) -> list[str]:
        """Which columns had values of another type, without the values."""
        return self._misfits.notes

    def _write_runs(self, directory: TableDirectory) -> None:
        check = FilterCheck(self._query.asked)
        progress = Progress(
            "runs", wanted=self._selection.max_runs, details=lambda: f"Rows so far: {_counts(directory)}."
        )
        with closing(self._runs(progress)) as runs:
            for run in check.pass_on(runs):
                for table in self._of_runs:
                    _write(directory, table, run, self._misfits)
        self.mismatches = check.mismatches
        if self._find_changes == "sweep" and self._selection.bounds.updated_after is not None:
            self._compare_with_feed()

    def _runs(self, progress: Progress) -> Generator[Mapping[str, Any]]:
        bounds = self._selection.bounds
        if self._find_changes == "feed" and bounds.updated_after is not None:
            activities = self._activities()
            named = list(dict.fromkeys(activity.run_id for activity in reversed(activities)))
            # What the feed shows is as new as its newest row, whatever the runs say.
            newest = max((activity.at for activity in activities if activity.at), default=None)
            log.info("The activity feed names %s since %s.", counted(len(named), "run"), text_of(bounds.updated_after))
            with closing(self._walk.named(named)) as runs:
                yield from self._selection.of(self._matching(runs))
            self._selection.newest = newest
            return
        # Runs that are left out here must not count, so their number is limited there only where there are no bounds.
        count = None if bounds.shown else self._selection.max_runs
        created = {name: bound.timestamp() for name, bound in bounds.of_creation.items()}
        wanted = Range(count, created.get("created_after"), created.get("created_before"))
        with closing(self._walk.listed(self._query, self._selection, wanted=wanted, progress=progress)) as runs:
            for run in runs:
                self._note_change(run)
                yield run

    def _matching(self, runs: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the runs that a list would have by its filter for archived ones."""
        archived = self._query.params.get("archived")
        return (run for run in runs if archived == "true" or is_archived(run) == (archived == "only"))

    def _activities(self) -> list[Activity]:
        """Return what happened to runs since ``updated_after``, the newest first; rows without a date count as new."""
        from tallyfy_provider.triggers.activity_feed import read_feed

        since = self._selection.bounds.updated_after
        edge = since.timestamp() if since else 0.0
        return [each for each in read_feed(self._client, edge) if not each.at or each.at >= edge]

    def _note_change(self, run: Mapping[str, Any]) -> None:
        since = self._selection.bounds.updated_after
        if self._find_changes == "sweep" and since is not None and _last_change(run) >= since.timestamp():
            self._changed.add(str(run["id"]))

    def _compare_with_feed(self) -> None:
        """Count the changed runs that the feed does not name; it is read last, so that it has had time to show them."""
        hidden = sorted(self._changed - {activity.run_id for activity in self._activities()})
        self.not_in_feed = len(hidden)
        since = self._selection.bounds.updated_after
        if not hidden or since is None:
            return
        self.notes.append(
            f"Changed since {text_of(since)} and not named by the activity feed: {counted(len(hidden), 'run')}, for "
            f"example {', '.join(hidden[:3])}; exports with find_changes='feed' lack these changes, this one has them."
        )


def _write(directory: TableDirectory, table: Table, source: Mapping[str, Any], misfits: Misfits) -> None:
    files = directory.tables[table.name]
    for row in table.typed_rows(source, misfits):
        files.write(row)


def _counts(directory: TableDirectory) -> str:
    return ", ".join(f"{name} {files.rows:,}" for name, files in directory.tables.items())


def _last_change(run: Mapping[str, Any]) -> float:
    """Return the latest time that a run, its tasks or its comments tell of a change, in seconds since the epoch."""
    tasks = tasks_of(run)
    threads = [thread for holder in (run, *tasks) for thread in rows_of(holder.get("threads"))]
    names = ("last_updated", "created_at", "updated_at", "completed_at", "archived_at")
    times = (parse_timestamp(each.get(name)) for each in (run, *tasks, *threads) for name in names if each.get(name))
    return max((time for time in times if time is not None), default=0.0)
