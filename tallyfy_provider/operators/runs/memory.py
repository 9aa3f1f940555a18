"""What a task remembers from one try to the next, where Airflow has a store for that (3.3 and later)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)


class LaunchMemory:
    """
    Remembers that a launch is about to happen, and which run came of it.

    A help, never a condition: without the store, or if it fails, the run is looked for in Tallyfy.

    :param context: Airflow's task context.
    :param token: What the launch is known by.
    """

    def __init__(self, context: Context, token: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = f"tallyfy_launch_{''.join(filter(str.isalnum, token))}"
        self._known = self._read()

    @property
    def is_kept(self) -> bool:
        """Whether there is a store, and it answers: then what it does not know of did not happen."""
        return self._store is not None

    @property
    def run_id(self) -> str | None:
        """The run that was launched, if that is known."""
        run_id = self._known.get("run_id")
        return str(run_id) if run_id else None

    @property
    def intended_at(self) -> float | None:
        """When a launch was about to happen, in seconds since the epoch, if ever."""
        moment = self._known.get("intended_at")
        return float(moment) if isinstance(moment, (int, float)) else None

    def intend(self) -> None:
        """Remember that a launch is about to happen."""
        self._write({**self._known, "intended_at": self.intended_at or time.time()})

    def launched(self, run_id: str) -> None:
        """
        Remember which run came of it.

        :param run_id: The run.
        """
        self._write({**self._known, "run_id": run_id})

    def _read(self) -> dict[str, Any]:
        if self._store is None:
            return {}
        try:
            known = self._store.get(self._key)
        except Exception as error:
            self._do_without(error)
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, known: dict[str, Any]) -> None:
        self._known = known
        if self._store is None:
            return
        try:
            self._store.set(self._key, known)
        except Exception as error:
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        log.warning("Airflow's task state store cannot be used; the run is looked for in Tallyfy instead: %r", error)
        self._store = None
