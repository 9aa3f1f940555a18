"""Tells how far a long walk has come."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tallyfy_provider.client.paging.page import Page
from tallyfy_provider.utils.plurals import counted

log = logging.getLogger(__name__)

#: Seconds between two lines in the log.
INTERVAL = 30.0


class Progress:
    """
    Counts pages and rows, and says so from time to time.

    :param what: What is being listed, for messages.
    :param wanted: Rows that are wanted at most; None means all.
    :param details: Says more, such as what has become of the rows.
    :param clock: A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        what: str,
        *,
        wanted: int | None = None,
        details: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._wanted = wanted
        self._details = details
        self._clock = clock
        self._began = self._said = clock()
        self._pages = 0
        self._rows = 0
        self._total: int | None = None
        self._lock = threading.Lock()

    def count_page(self, page: Page) -> None:
        """
        Note that a page was read, in whichever thread.

        :param page: The page.
        """
        with self._lock:
            self._pages += 1
            if self._total is None and page.total is not None:
                self._total = page.total if self._wanted is None else min(page.total, self._wanted)

    def count_row(self) -> None:
        """Note that a row was yielded, and tell how things stand if it is time to."""
        self._rows += 1
        if self._rows % 100 == 0 and self._clock() - self._said >= INTERVAL:
            self._said = self._clock()
            log.info(self.describe())

    def describe(self) -> str:
        """
        Say how things stand.

        :return: Such as ``Read 12,300 of about 50,000 runs (123 pages, 205 rows/s, about 3 min left).``
        """
        rate = self._rows / max(self._clock() - self._began, 1e-9)
        known = f" of about {self._total:,}" if self._total is not None else ""
        left = f", about {_duration((self._total - self._rows) / rate)} left" if self._total and rate else ""
        more = f" {self._details()}" if self._details else ""
        pages = counted(self._pages, "page")
        return f"Read {self._rows:,}{known} {self._what} ({pages}, {rate:,.0f} rows/s{left}).{more}"


def _duration(seconds: float) -> str:
    seconds = max(0.0, seconds)
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
