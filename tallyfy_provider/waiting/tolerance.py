"""How long transient errors are tolerated while waiting. Does no I/O but for the clock it is given."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from tallyfy_provider.exceptions import TallyfyError, TallyfyRateLimitError

#: A quarter of an hour: longer than a deployment or a restart of Tallyfy's, short enough to report an outage.
DEFAULT_TOLERANCE = 900.0


class FaultTolerance:
    """Tolerates transient errors for ``limit`` seconds without a success; ``everything``: all errors, forever."""

    def __init__(
        self,
        limit: float = DEFAULT_TOLERANCE,
        *,
        everything: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._limit = math.inf if everything else limit
        self._everything = everything
        self._clock = clock or time.monotonic
        self._since: float | None = None

    def record(self, fault: TallyfyError) -> float:
        """
        Return for how many seconds errors have lasted, or raise an error that is not tolerated any more.

        A rate limit is always tolerated: Tallyfy is there and only wants fewer requests.
        """
        now = self._clock()
        if self._since is None:
            self._since = now
        lasted = now - self._since
        if isinstance(fault, TallyfyRateLimitError):
            return lasted
        if not (fault.transient or self._everything) or lasted >= self._limit:
            raise fault
        return lasted

    def clear(self) -> None:
        """Forget past errors after a success."""
        self._since = None


def log_fault(log: Any, fault: TallyfyError, lasted: float) -> None:
    """Log an error that is tolerated."""
    state = f"has been unreachable for {lasted:.0f} s" if lasted >= 1 else "is unreachable"
    log.warning("Tallyfy %s; the wait continues: %s", state, fault)
