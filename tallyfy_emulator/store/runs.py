"""The runs of the organization, their recent versions, and scheduled changes."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_changes import changed
from tallyfy_emulator.store.clock import Clock
from tallyfy_emulator.store.generated import GeneratedRuns, GeneratedRunsError

_KEPT_VERSIONS = 50

# Makes the run that it is after a change, of the run before and the time, in seconds since 1970-01-01 UTC. It gives the
# same run back if nothing changes.
RunUpdate = Callable[[Run, float], Run]
# Called with the run before a change (None = it is new), the run after it (None = it is gone), when the change was made
# or due, and the id of the person who made it, if it is known.
Listener = Callable[[Run | None, Run | None, float, int | None], None]


class RunStore:
    """
    All runs. Thread-safe.

    Scheduled changes are applied by :meth:`apply_due`, which every reader calls first: what a reader sees
    depends on the clock alone, not on a background thread. Each change carries the time for which it was
    planned.
    """

    def __init__(self, clock: Clock, listener: Listener, touches: Callable[[], bool] = lambda: True) -> None:
        self._clock = clock
        self._listener = listener
        #: Tells whether an update of a task, a form or a comment shows in ``last_updated`` of its run.
        self._touches = touches
        self._lock = threading.RLock()
        self._current: dict[str, Run] = {}
        self._versions: dict[str, list[tuple[float, Run | None]]] = {}
        # When, in which order, which run (none = a call), and what to do.
        self._scheduled: list[tuple[float, int, str, Any]] = []
        self._order = itertools.count()
        self._generation = 0
        self._generated: GeneratedRuns | None = None

    def add(self, run: Run, since: float | None = None) -> None:
        """Add a run."""
        with self._lock:
            self.apply_due()
            if self.get(run.id) is not None:
                raise ValueError(f"There is already a run with the id {run.id!r}.")
            self._put(run.id, run, self._clock.now() if since is None else since)

    def change(self, run_id: str, fields: Mapping[str, Any], by: int | None = None) -> Run:
        """
        Change a run now, as a person does.

        A change of status, or archiving, cancels what was planned for the run.
        """
        with self._lock:
            self.apply_due()
            now = self._clock.now()
            run = changed(self._changeable(run_id), now, fields)
            if {"status", "archived_at"} & set(fields):
                self._cancel(run_id)
            self._put(run_id, run, now, by)
            return run

    def update(self, run_id: str, update: RunUpdate, by: int | None = None) -> Run:
        """
        Change something in a run now, such as a task of it.

        Nobody else sees or changes the run in between. What was planned for it stays planned.
        """
        with self._lock:
            self.apply_due()
            now, before = self._clock.now(), self._changeable(run_id)
            after = update(before, now)
            if after is not before and after.status == before.status and not self._touches():
                after = replace(after, last_updated=before.last_updated)
            if after is not before:
                self._put(run_id, after, now, by)
            return after

    def schedule(self, run_id: str, after: float, fields: Mapping[str, Any]) -> None:
        """Schedule a change of a run."""
        if after < 0:
            raise ValueError(f"A change can't be planned {after!r} seconds from now: give zero or more.")
        with self._lock:
            at = self._clock.now() + after
            given = dict(fields)
            changed(self._changeable(run_id), at, given)
            self._plan(at, run_id, lambda run, due: changed(run, due, given))

    def update_at(self, at: float, run_id: str, update: RunUpdate) -> None:
        """Schedule an update of a run."""
        with self._lock:
            self._changeable(run_id)
            self._plan(at, run_id, update)

    def call_at(self, at: float, function: Callable[[float], None]) -> None:
        """Schedule a call, with the time for which it was planned; it may add runs and plan more."""
        with self._lock:
            heapq.heappush(self._scheduled, (at, next(self._order), "", function))

    def remove(self, run_id: str, by: int | None = None) -> None:
        """Delete a run for good."""
        with self._lock:
            self.apply_due()
            run, now = self._changeable(run_id), self._clock.now()
            del self._current[run_id]
            self._cancel(run_id)
            self._remember(run_id, None, now)
            self._listener(run, None, now, by)

    def apply_due(self) -> None:
        """Apply the scheduled changes that are due."""
        with self._lock:
            now = self._clock.now()
            while self._scheduled and self._scheduled[0][0] <= now:
                at, _, run_id, update = heapq.heappop(self._scheduled)
                if not run_id:
                    update(at)
                    continue
                before = self._current[run_id]
                after = update(before, at)
                if after is not before:
                    self._put(run_id, after, at)

    def get(self, run_id: str) -> Run | None:
        """Look up a run."""
        with self._lock:
            self.apply_due()
            return self._current.get(run_id) or self._generated_run(run_id)

    @property
    def generated(self) -> GeneratedRuns | None:
        """The generated runs; set once."""
        return self._generated

    @generated.setter
    def generated(self, runs: GeneratedRuns | None) -> None:
        with self._lock:
            if self._generated is not None:
                raise GeneratedRunsError("There are generated runs already: ask for all of them at once.")
            self._generated = runs
            self._generation += 1

    def snapshot(self) -> tuple[int, list[Run]]:
        """Return all runs as they are now, but those that are :attr:`generated`."""
        with self._lock:
            self.apply_due()
            return self._generation, list(self._current.values())

    def as_of(self, date_value: float) -> list[Run]:
        """Return all runs as they were, but those that are :attr:`generated`."""
        with self._lock:
            self.apply_due()
            found = (_version_at(versions, date_value) for versions in self._versions.values())
            return [run for run in found if run is not None]

    def get_as_of(self, run_id: str, date_value: float) -> Run | None:
        """Look up a run as it was."""
        with self._lock:
            self.apply_due()
            return _version_at(self._versions.get(run_id, []), date_value) or self._generated_run(run_id)

    def _generated_run(self, run_id: str) -> Run | None:
        return None if self._generated is None else self._generated.get(run_id)

    def _changeable(self, run_id: str) -> Run:
        if self._generated_run(run_id) is not None:
            raise GeneratedRunsError(f"Run {run_id} is generated: it exists only as a formula and can't be changed.")
        return self._current[run_id]

    def _plan(self, at: float, run_id: str, update: RunUpdate) -> None:
        heapq.heappush(self._scheduled, (at, next(self._order), run_id, update))

    def _put(self, run_id: str, run: Run, at: float, by: int | None = None) -> None:
        before = self._current.get(run_id)
        self._current[run_id] = run
        self._remember(run_id, run, at)
        self._listener(before, run, at, by)

    def _remember(self, run_id: str, run: Run | None, at: float) -> None:
        versions = self._versions.setdefault(run_id, [])
        versions.append((at, run))
        del versions[:-_KEPT_VERSIONS]
        self._generation += 1

    def _cancel(self, run_id: str) -> None:
        self._scheduled = [each for each in self._scheduled if each[2] != run_id]
        heapq.heapify(self._scheduled)


def _version_at(versions: list[tuple[float, Run | None]], date_value: float) -> Run | None:
    return next((run for at, run in reversed(versions) if at <= date_value), None)
