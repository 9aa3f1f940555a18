"""How long transient errors are tolerated while waiting. Does no I/O but for the clock it is given."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from tallyfy_provider.exceptions import TallyfyError, TallyfyRateLimitError

#: A quarter of an hour: longer than a deployment or a restart of Tallyfy's, short enough to report an outage.
DEFAULT_TOLERANCE = 900.0
#: The longest pause in seconds after an outage, whatever Tallyfy asks for: so it is asked several times before a wait
#: ends for it. A rate limit's pause is bounded by the connection's ``max_pause`` alone.
MAX_OUTAGE_PAUSE = 120.0


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


def pause_after(fault: TallyfyError, patience: float = math.inf) -> float:
    """
    Return for how many seconds Tallyfy is not to be asked after an error.

    :param patience: Seconds for which an outage is still tolerated: a wait would end without having asked again.
    """
    wanted = fault.retry_after or 0.0
    if isinstance(fault, TallyfyRateLimitError):
        return wanted
    return max(0.0, min(wanted, MAX_OUTAGE_PAUSE, patience))


def log_fault(log: Any, fault: TallyfyError, lasted: float) -> None:
    """Log an error that is tolerated."""
    state = f"has been unreachable for {lasted:.0f} s" if lasted >= 1 else "is unreachable"
    log.warning("Tallyfy %s; the wait continues: %s", state, fault)
