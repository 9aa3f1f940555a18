"""How long a wait bears with Tallyfy being out of reach. Pure but for the clock it is given."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from tallyfy_provider.exceptions import TallyfyError, TallyfyRateLimitError

#: A quarter of an hour: longer than a deployment or a restart of Tallyfy's, short enough to be told of an outage.
DEFAULT_TOLERANCE = 900.0


class FaultTolerance:
    """
    Lets transient faults pass until they last.

    :param limit: Seconds that transient faults may last without a good answer in between.
    :param everything: Bear with every fault, for as long as it takes (Airflow's ``silent_fail``).
    :param clock: A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        limit: float = DEFAULT_TOLERANCE,
        *,
        everything: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = math.inf if everything else limit
        self._everything = everything
        self._clock = clock
        self._since: float | None = None

    def bear(self, fault: TallyfyError) -> float:
        """
        Take note of a fault.

        :param fault: What went wrong.
        :return: Seconds that faults have lasted now.
        :raises TallyfyError: The fault itself, when it is not transient or has lasted too long. A rate limit never
            lasts too long: Tallyfy is there and only wants to be asked less.
        """
        now = self._clock()
        if self._since is None:
            self._since = now
        lasted = now - self._since
        if isinstance(fault, TallyfyRateLimitError):
            return lasted
        if not (fault.transient or self._everything) or lasted >= self.limit:
            raise fault
        return lasted

    def clear(self) -> None:
        """Take note of a good answer."""
        self._since = None
