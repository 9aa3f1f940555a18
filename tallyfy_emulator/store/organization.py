"""The emulated organization: catalog, runs, tasks, activities and tokens."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tallyfy_emulator.model.activity import Activity, ActivityLog
from tallyfy_emulator.model.catalog import Catalog
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_changes import new_run, varied_shape
from tallyfy_emulator.model.run_filters import Selection
from tallyfy_emulator.model.wire import stable_id
from tallyfy_emulator.store.clock import Clock
from tallyfy_emulator.store.generated import GeneratedRun, GeneratedRuns
from tallyfy_emulator.store.runs import RunStore
from tallyfy_emulator.store.tokens import PERSONAL_LIFETIME, TokenStore
from tallyfy_emulator.store.work import Work

_KEPT_LISTS = 32
#: The ``increment_id`` of the first run.
FIRST_NUMBER = 5001


@dataclass(frozen=True)
class Credentials:
    """The secrets that open the emulator: a personal token, an application's, a person's password."""

    token: str
    client_id: str
    client_secret: str
    username: str
    user_password: str


class Organization:
    """The emulated organization."""

    def __init__(self, clock: Clock, catalog: Catalog, quirks: Quirks, first_number: int = FIRST_NUMBER) -> None:
        self.clock = clock
        self.catalog = catalog
        self.quirks = quirks
        self.activities = ActivityLog()
        self.runs = RunStore(clock, self._record, lambda: self.quirks.work_touches_run)
        self.work = Work(clock, catalog, self.runs)
        self.tokens = TokenStore(clock)
        self.credentials = Credentials(
            token=f"tfy-personal-{stable_id('token')}",
            client_id="41973",
            client_secret=f"tfy-client-{stable_id('client')}",
            username=catalog.people[0].email,
            user_password=f"tfy-password-{stable_id('password')[:12]}",
        )
        self.tokens.keep(self.credentials.token, catalog.people[0].id, PERSONAL_LIFETIME)
        self._numbers = itertools.count(first_number)
        self._lists = _ListCache()

    def next_number(self) -> int:
        """Return the ``increment_id`` of the next run."""
        return next(self._numbers)

    def add_run(self, fields: Mapping[str, Any]) -> Run:
        """Add a run."""
        given = dict(fields)
        completes_in = given.pop("completes_in", None)
        after = None if completes_in is None else float(completes_in)
        run = new_run(self.catalog, next(self._numbers), self.clock.now(), given)
        self.runs.add(run)
        if after is not None:
            self.runs.schedule(run.id, after, {"status": "complete"})
        return run

    def add_varied_run(self, fields: Mapping[str, Any], since: float | None = None) -> Run:
        """Add a run whose values are written in another way than its neighbours' are."""
        number = next(self._numbers)
        shape = varied_shape(number, with_numbers=self.quirks.numbers_for_objects)
        run = new_run(self.catalog, number, self.clock.now(), {"shape": shape, **fields})
        self.runs.add(run, since)
        return run

    def generate_runs(
        self, count: int, first_created_at: float, spacing: float, fields: Mapping[str, Any], *, filled: bool = False
    ) -> None:
        """Add generated runs."""
        number = next(self._numbers)
        self.runs.generated = GeneratedRuns(
            self.catalog,
            count,
            first_number=number,
            first_created_at=first_created_at,
            spacing=spacing,
            fields=fields,
            filled=filled,
        )
        self._numbers = itertools.count(number + count)

    def list_of(self, selection: Selection) -> Sequence[Run]:
        """Choose and order runs, as of now or behind by ``Quirks.list_lag``."""
        if self.quirks.list_lag:
            return self._choose(selection, self.runs.as_of(self.clock.now() - self.quirks.list_lag))
        generation, runs = self.runs.snapshot()
        return self._lists.get(generation, selection, lambda: self._choose(selection, runs))

    def with_tasks(self, run: Run) -> Run:
        """Return a listed run with its tasks; those of generated runs are built only when they are asked for."""
        generated = self.runs.generated
        return generated.with_tasks(run) if generated is not None and isinstance(run, GeneratedRun) else run

    def _choose(self, selection: Selection, runs: list[Run]) -> Sequence[Run]:
        chosen, generated = selection.apply(runs), self.runs.generated
        return chosen if generated is None else generated.merged_with(chosen, selection)

    def _record(self, before: Run | None, after: Run | None, at: float, by: int | None) -> None:
        if self.quirks.feed_records:
            self.activities.record(before, after, at, by)
        self.work.record(before, after, at, by)

    def history(self) -> list[Activity]:
        """Return all activities, after applying the changes that are due."""
        self.runs.apply_due()
        work = self.quirks.feed_work_rows
        wanted = {
            "task": self.quirks.feed_task_rows,
            "rule": self.quirks.feed_execution_rows,
            "comment": work,
            "answer": work,
        }
        return [each for each in self.activities.all() if wanted.get(each.subject, True)]

    def read(self, run: Run) -> dict[str, Any]:
        """Return one run as GET of it does."""
        row: dict[str, Any] = _copied(run.row)  # callers may do with it as they like
        if "has_open_issue" not in run.extra:
            del row["has_open_issue"]
        if run.archived_at is not None and self.quirks.archived_reads_as == "archived":
            row["status"] = "archived"
        return row


def _copied(value: Any) -> Any:
    """Copy JSON; :func:`copy.deepcopy`, which asks what each value is, takes five times as long."""
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value


class _ListCache:
    """Cache the last few lists until a run changes, so that reading all pages sorts once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation = -1
        self._lists: dict[Selection, Sequence[Run]] = {}

    def get(self, generation: int, selection: Selection, choose: Callable[[], Sequence[Run]]) -> Sequence[Run]:
        with self._lock:
            if generation != self._generation or len(self._lists) >= _KEPT_LISTS:
                self._generation = generation
                self._lists.clear()
            if selection not in self._lists:
                self._lists[selection] = choose()
            return self._lists[selection]
