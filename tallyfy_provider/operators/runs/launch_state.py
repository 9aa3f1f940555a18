"""
Identify the launch of a try, and remember it for the next try.

Airflow 3.3 and later have a store for that. The store saves requests: without it, or if it fails, the run is looked for
in Tallyfy. It also shows whether Airflow still runs this try: one whose process outlives it must launch nothing, since
the next try may have looked for the run already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from tallyfy_provider.client.runs.launch_marker import LaunchMarker
from tallyfy_provider.exceptions import TallyfyError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

Reuse = Literal["retry", "always", "never"]

#: Key under which the store holds up to which try all launches are recorded, whatever their markers.
_TRIES_KEY = "tallyfy_launch_tries"
#: Raised where the process is gone that asks Airflow on behalf of this one.
_SUPERVISOR_IS_GONE = (EOFError, BrokenPipeError, ConnectionResetError)
#: What Airflow answers to a try that it knows no more, since the next one has its place.
_NOT_FOUND_STATUSES = frozenset({404, 410})


@dataclass(frozen=True)
class LaunchAttempt:
    """One try of a task that launches a run."""

    #: What the launch is found by again.
    marker: LaunchMarker
    #: When an earlier try may have launched it at the earliest, in seconds since the epoch, if known.
    since: float | None
    #: Whether an earlier try may have launched it.
    may_follow_another: bool

    @classmethod
    def of(cls, context: Context, reuse: Reuse, checklist_id: str) -> LaunchAttempt:
        """
        Tell which launch a try stands for.

        With ``retry`` all tries of a task stand for one launch until the task is cleared: only then does Airflow raise
        ``max_tries``. With ``always`` cleared tasks do as well. With ``never`` each try stands for its own launch.
        """
        task_instance = context["ti"]
        number, map_index = task_instance.try_number, getattr(task_instance, "map_index", -1)
        scope = {"retry": f"cleared {task_instance.max_tries}", "always": "", "never": f"try {number}"}[reuse]
        identity = (task_instance.dag_id, task_instance.run_id, task_instance.task_id, map_index, checklist_id, scope)
        marker = LaunchMarker.build(f"Launched by Airflow: {describe_task_instance(task_instance)}", *identity)
        return cls(marker, _earliest_launch(context, reuse), number > 1 and reuse != "never")


def describe_task_instance(task_instance: Any) -> str:
    """Name a task instance by its Dag, task, run and map index, for people."""
    place = f"dag '{task_instance.dag_id}', task '{task_instance.task_id}', run '{task_instance.run_id}'"
    map_index = getattr(task_instance, "map_index", -1)
    return f"{place}, map index {map_index}" if map_index >= 0 else place


def _earliest_launch(context: Mapping[str, Any], reuse: Reuse) -> float | None:
    dag_run = context.get("dag_run")
    # A cleared Dag run starts again, and its start_date is new: right for tries since then, too late for all of them.
    names = ("start_date",) if reuse == "retry" else ("run_after", "logical_date", "start_date")
    dates = [date for name in names if isinstance(date := getattr(dag_run, name, None), datetime)]
    return min(date.timestamp() for date in dates) if dates else None


class LaunchState:
    """Remembers that a launch is about to happen, and which run came of it."""

    def __init__(self, context: Context, token: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = f"tallyfy_launch_{''.join(filter(str.isalnum, token))}"
        self._try_number = int(context["ti"].try_number)
        self._is_given_up = False
        self._known = self._read(self._key)
        self._recorded_tries = self._read(_TRIES_KEY).get("recorded_through", 0)

    @property
    def is_complete(self) -> bool:
        """
        Whether every try before this one has recorded what it launched, or that it launched nothing.

        A store that knows of no launch proves nothing by itself: it may have failed in the try that launched.
        """
        return self._store is not None and self._recorded_tries >= self._try_number - 1

    @property
    def run_id(self) -> str | None:
        """The id of the run that was launched, if it is known."""
        run_id = self._known.get("run_id")
        return str(run_id) if run_id else None

    @property
    def intended_at(self) -> float | None:
        """When a launch was about to happen, in seconds since the epoch; None if it never was."""
        at = self._known.get("intended_at")
        return float(at) if isinstance(at, (int, float)) else None

    def record_intent(self) -> None:
        """
        Remember that a launch is about to happen.

        :raises TallyfyError: Airflow no longer runs this try.
        """
        self._known = {**self._known, "intended_at": self.intended_at or time.time()}
        self._write(self._key, self._known)
        if self._is_given_up:
            raise TallyfyError(
                f"Nothing was launched: Airflow has given up try {self._try_number} of this task, or cannot be told of "
                "a launch any more, as where the worker was ended and this process went on. The next try launches it."
            )
        self.record_try()

    def record_run(self, run_id: str) -> None:
        """Remember which run was launched."""
        self._known = {**self._known, "run_id": run_id}
        self._write(self._key, self._known)
        self.record_try()

    def record_try(self) -> None:
        """Remember that this try has recorded its launch, or launches nothing."""
        if self.is_complete:
            self._write(_TRIES_KEY, {"recorded_through": self._try_number})

    def _read(self, key: str) -> dict[str, Any]:
        if self._store is None:
            return {}
        try:
            known = self._store.get(key)
        except Exception as error:
            self._stop_using_store(error)
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, key: str, known: dict[str, Any]) -> None:
        if self._store is None:
            return
        try:
            self._store.set(key, known)
        except Exception as error:
            self._stop_using_store(error)

    def _stop_using_store(self, error: Exception) -> None:
        self._store = None
        self._is_given_up = _says_given_up(error)
        if not self._is_given_up:
            log.warning(
                "Looking for the run in Tallyfy instead of Airflow's task state store, which cannot be used: %r", error
            )


def _says_given_up(error: Exception) -> bool:
    """Tell whether the store cannot be used since Airflow no longer runs this try."""
    if isinstance(error, _SUPERVISOR_IS_GONE):
        return True
    detail = getattr(getattr(error, "error", None), "detail", None)
    if not isinstance(detail, Mapping) or detail.get("status_code") not in _NOT_FOUND_STATUSES:
        return False
    return "Task instance" in str(detail)
