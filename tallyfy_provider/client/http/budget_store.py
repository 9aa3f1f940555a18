"""
Where budgets are kept, so that one client at a time changes them.

Losing a store is never an error: the client goes by itself, and tries the store again after a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from tallyfy_provider.client.http.budget import Budgets

log = logging.getLogger(__name__)

Result = TypeVar("Result")
#: Changes budgets at a time, in the seconds of the store's own clock.
Change = Callable[[Budgets, float], Result]

#: Seconds after which a lost store is tried again.
_TRY_AGAIN = 60.0


class StoreLostError(Exception):
    """A store cannot be used now; the text says why."""


class BudgetStore(Protocol):
    """Keeps budgets."""

    def update(self, change: Change[Result]) -> Result:
        """
        Change the budgets while nobody else does, and return what the change returns; it may be called again.

        :raises StoreLostError: The store cannot be used.
        """


class MemoryStore:
    """Keeps the budgets of one client."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._budgets = Budgets()

    def update(self, change: Change[Result]) -> Result:
        """Change the budgets."""
        with self._lock:
            return change(self._budgets, self._clock())


class SharedStore:
    """
    Keeps the budgets in a shared store, and in memory while that is lost.

    :param shared: The store that others use, too.
    """

    def __init__(self, shared: BudgetStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._own = MemoryStore(clock)
        self._clock = clock
        self._lost_until = float("-inf")
        self._was_logged = False

    def update(self, change: Change[Result]) -> Result:
        """Change the budgets, here where they cannot be changed there."""
        if self._clock() < self._lost_until:
            return self._own.update(change)
        try:
            return self._shared.update(change)
        except StoreLostError as error:
            self._lost_until = self._clock() + _TRY_AGAIN
            if not self._was_logged:
                self._was_logged = True
                log.warning(
                    "Limits of Tallyfy are not shared with other tasks now, each keeps to them by itself: %s", error
                )
            return self._own.update(change)
