"""Launches, completions of tasks, and the webhooks and e-mails that they send."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tallyfy_emulator.model import forms
from tallyfy_emulator.model.catalog import AutoCompletion, Catalog
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import run_id_of
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.task_changes import completed, filled, find_task, with_new_task
from tallyfy_emulator.model.wire import ValidationError, format_date
from tallyfy_emulator.store.clock import Clock
from tallyfy_emulator.store.runs import RunStore, RunUpdate


class Work:
    """Launch runs, find and change tasks, and record the messages sent. Thread-safe."""

    def __init__(self, clock: Clock, catalog: Catalog, runs: RunStore) -> None:
        self._clock = clock
        self._catalog = catalog
        self._runs = runs
        self._one_offs = RunStore(clock, self._record_one_off)
        self._lock = threading.Lock()
        self._fired: list[dict[str, Any]] = []
        self._launched: list[Run] = []
        self._holders: dict[str, tuple[RunStore, str]] = {}
        #: How many times longer people take for the steps of launched runs than their templates say.
        self.pace = 1.0

    @property
    def fired(self) -> list[dict[str, Any]]:
        """Copies of the messages sent so far, oldest first."""
        self._runs.apply_due()
        with self._lock:
            return [dict(each) for each in self._fired]

    @property
    def launched(self) -> list[Run]:
        """The runs that the API launched, as they are now, or as they were launched if they are gone."""
        with self._lock:
            launched = list(self._launched)
        return [self._runs.get(run.id) or run for run in launched]

    def record(self, before: Run | None, after: Run | None, at: float, by: int | None) -> None:
        """Index the tasks of a run, and send a message when it completes."""
        if after is not None and (before is None or len(before.tasks) != len(after.tasks)):
            self._index(self._runs, after)
        if before is not None and after is not None and before.status != "complete" == after.status:
            self._emit("process.completed", after.id, None, at)

    def launch(self, run: Run, by: int | None) -> None:
        """Add a launched run, send its message, and schedule the automatic completions of its steps."""
        self._runs.add(run)
        with self._lock:
            self._launched.append(run)
        self._emit("process.launched", run.id, None, run.created_at)
        self.do_steps(run, run.created_at, self.pace)

    def do_steps(self, run: Run, since: float, pace: float = 1.0) -> None:
        """Schedule the automatic completions of a run's steps."""
        auto_completions = {step.id: step.auto_completion for step in run.checklist.steps}
        for task in run.tasks:
            auto_completion = auto_completions.get(task.step_id or "")
            if auto_completion is not None:
                at = since + auto_completion.after * pace
                self._runs.update_at(at, run.id, self._auto_completion(task.id, auto_completion))

    def add_one_off(self, container: Run) -> None:
        """Add a one-off task that belongs to no run."""
        self._one_offs.add(container)

    def add_to_run(self, run_id: str, make: Callable[[Run, float], Task], by: int | None) -> tuple[Run, Task]:
        """Add a one-off task to a run."""

        def update(run: Run, at: float) -> Run:
            return with_new_task(run, make(run, at), at)

        run = self._runs.update(run_id, update, by)
        return run, run.tasks[-1]

    def find(self, task_id: str) -> tuple[Run, Task]:
        """Find a task, wherever it is."""
        store, run_id = self._holders[task_id]
        run = store.get(run_id)
        if run is None:
            raise KeyError(task_id)
        return run, find_task(run, task_id)

    def one_offs(self) -> list[Run]:
        """Return the containers of the one-off tasks that belong to no run."""
        return self._one_offs.snapshot()[1]

    def update(self, task_id: str, update: RunUpdate, by: int | None = None) -> tuple[Run, Task]:
        """Change a task."""
        store, run_id = self._holders[task_id]
        run = store.update(run_id, update, by)
        return run, find_task(run, task_id)

    def complete(self, task_id: str, is_approved: bool | None, by: int, *, again: bool = False) -> tuple[Run, Task]:
        """Complete a task, and send the messages."""
        return self.update(task_id, lambda run, at: self._completed(run, task_id, at, is_approved, by, again=again), by)

    def _completed(
        self, run: Run, task_id: str, at: float, is_approved: bool | None, by: int, *, again: bool = False
    ) -> Run:
        after = completed(run, task_id, at, is_approved, by, again=again)
        self._emit("task.completed", run_id_of(after, find_task(after, task_id)), task_id, at)
        return after

    def _auto_completion(self, task_id: str, auto_completion: AutoCompletion) -> RunUpdate:
        def update(run: Run, at: float) -> Run:
            task = find_task(run, task_id)
            by = task.owners.users[0] if task.owners.users else run.owner_id
            try:
                values = forms.parse_values(
                    "taskdata",
                    task.form_fields,
                    forms.from_labels(task.form_fields, auto_completion.values),
                    self._catalog.member_ids,
                )
                done = filled(run, task_id, at, values) if values else run
                return self._completed(done, task_id, at, auto_completion.is_approved, by)
            except ValidationError:
                return run  # completed already, or it can not be completed now

        return update

    def _emit(self, event: str, run_id: str | None, task_id: str | None, at: float) -> None:
        with self._lock:
            self._fired.append({"event": event, "run_id": run_id, "task_id": task_id, "at": format_date(at)})

    def _record_one_off(self, before: Run | None, after: Run | None, at: float, by: int | None) -> None:
        if before is None and after is not None:
            self._index(self._one_offs, after)

    def _index(self, store: RunStore, run: Run) -> None:
        self._holders.update({task.id: (store, run.id) for task in run.tasks})
