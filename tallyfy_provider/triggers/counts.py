"""The trigger that counts runs."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.runs.filters import encode
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.base import WaitTrigger
from tallyfy_provider.triggers.executor import executor_for
from tallyfy_provider.waiting.conditions import CountRule


class RunCountTrigger(WaitTrigger):
    """
    Count the runs that match filters until the number is in a range.

    Reports one event: ``{"status": "ended" | "timeout" | "error", "seen": number}``. It holds no secret.

    :param filters: Filters in Tallyfy's form.
    :param at_least: The smallest number, or None.
    :param at_most: The largest number, or None.
    :param strict_filters: Fail when the row that comes back does not match the filters.
    :param kwargs: The arguments of :class:`~tallyfy_provider.triggers.base.WaitTrigger`.
    """

    own_arguments: ClassVar[tuple[str, ...]] = ("filters", "at_least", "at_most", "strict_filters")

    def __init__(
        self,
        *,
        filters: dict[str, str],
        at_least: int | None,
        at_most: int | None,
        strict_filters: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.at_least = at_least
        self.at_most = at_most
        self.strict_filters = strict_filters

    async def _wait(self) -> dict[str, Any]:
        rule = CountRule(self.at_least, self.at_most)
        seen: int | None = None
        pause = self._first_pause()
        async with executor_for(self.tallyfy_conn_id) as executor:
            while True:
                await asyncio.sleep(min(pause, self._time_left()))
                is_last = self._time_left() == 0
                pause = self.poke_interval
                try:
                    count = await executor.call(self._count)
                except TallyfyError as fault:
                    if event := self._tolerate(fault):
                        return {**event, "seen": seen}
                    pause = max(pause, executor.pause_left(self._patience))
                else:
                    self._tolerance.clear()
                    result = rule.result(count)
                    if result.is_success:
                        return {"status": "ended", "seen": count}
                    self._say(result.seen, str(result))
                    seen = count
                if is_last:
                    return {"status": "timeout", "seen": seen}

    def _count(self, client: TallyfyClient) -> int:
        return client.runs.count(encode(self.filters), strict=self.strict_filters)
