"""What a task remembers from one try to the next, where Airflow has a store for that (3.3 and later)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

#: Where the store holds up to which try all launches are recorded, whatever they are known by.
_TRIES_KEY = "tallyfy_launch_tries"


class LaunchState:
    """
    Remembers that a launch is about to happen, and which run came of it.

    A help, never a condition: without the store, or if it fails, the run is looked for in Tallyfy.

    :param context: Airflow's task context.
    :param token: What the launch is known by.
    """

    def __init__(self, context: Context, token: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = f"tallyfy_launch_{''.join(filter(str.isalnum, token))}"
        self._try_number = int(context["ti"].try_number)
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
        self._known = {**self._known, "intended_at": self.intended_at or time.time()}
        self._write(self._key, self._known)
        self.record_try()

    def launched(self, run_id: str) -> None:
        """
        Remember which run came of it.

        :param run_id: The run.
        """
        self._known = {**self._known, "run_id": run_id}
        self._write(self._key, self._known)
        self.record_try()

    def record_try(self) -> None:
        """Remember that this try has recorded its launch, or will not launch anything."""
        if self.is_complete:
            self._write(_TRIES_KEY, {"recorded_through": self._try_number})

    def _read(self, key: str) -> dict[str, Any]:
        if self._store is None:
            return {}
        try:
            known = self._store.get(key)
        except Exception as error:
            self._do_without(error)
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, key: str, known: dict[str, Any]) -> None:
        if self._store is None:
            return
        try:
            self._store.set(key, known)
        except Exception as error:
            self._do_without(error)

    def _do_without(self, error: Exception) -> None:
        log.warning("Airflow's task state store cannot be used; the run is looked for in Tallyfy instead: %r", error)
        self._store = None
