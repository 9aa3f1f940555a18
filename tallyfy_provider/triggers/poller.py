"""
One poller for all waits that share a connection in a triggerer; another one for waits for tasks.

Its cost follows how many runs are unfinished in Tallyfy, not how many wait
(:mod:`tallyfy_provider.waiting.run_reader`).
It exists from the first wait to the last, decides nothing about a run, and keeps no state that must outlive the
triggerer: when a wait starts anew in another one, it is polled there.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.executor import ConnectionExecutor, executor_for, unexpected_error
from tallyfy_provider.triggers.garbage import settle
from tallyfy_provider.triggers.wait import Wait, wait_for_event
from tallyfy_provider.waiting.conditions import Outcome, StatusRule
from tallyfy_provider.waiting.run_reader import InParallel, IsPending, RunReader, Snapshot
from tallyfy_provider.waiting.task_reader import TaskReader

log = logging.getLogger(__name__)

#: Waits that are notified, and that are looked through, before the event loop gets its turn again.
_AT_ONCE, _LOOKED_AT_ONCE = 50, 500
#: Seconds after which a poller continues that failed by itself.
_AFTER_FAILURE = 1.0


class Reader(Protocol):
    """What reads runs for a poller."""

    def read(self, client: TallyfyClient, wanted: Mapping[str, IsPending]) -> None:
        """Read each run once, and report the snapshots."""

    def expect(self, run_id: str) -> None:
        """Read a run next time even when it seems unchanged."""


class RunPoller:
    """
    Polls the runs of many waits, in rounds.

    A round serves every wait that would be due before the next one, so that waits which began at different moments
    come to share their rounds and each is still polled at least as often as it wants.

    :param executor: The connection's executor.
    """

    def __init__(self, executor: ConnectionExecutor) -> None:
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._waits: set[Wait] = set()
        self._waiting_for: dict[str, set[Wait]] = {}
        self._seen_in_round: set[str] = set()
        self._rescheduled = asyncio.Event()
        self._wakes_at = float("inf")
        self._expedited: set[Wait] = set()
        self._expediting: asyncio.Task[None] | None = None
        self._reader = self._build_reader(executor.in_parallel)
        self._first_reader = self._build_reader(executor.in_parallel_first)
        # Not in the context of the trigger that happens to be first: the poller's log lines are not that trigger's.
        self._task = self._loop.create_task(self._poll(), name="tallyfy-run-poller", context=contextvars.Context())

    def _report(self, snapshots: Mapping[str, Snapshot]) -> None:
        _call_in_loop(self._loop, self._on_update, snapshots)

    def _build_reader(self, in_parallel: InParallel) -> Reader:
        return RunReader(self._report, in_parallel)

    def add(self, wait: Wait) -> None:
        """Serve a wait from the next round on."""
        self._waits.add(wait)
        for run_id in wait.run_ids:
            self._waiting_for.setdefault(run_id, set()).add(wait)
        if wait.due < self._wakes_at:  # Otherwise each of thousands that start would make it look through all others.
            self._rescheduled.set()

    def remove(self, wait: Wait) -> None:
        """Stop serving a wait."""
        self._waits.discard(wait)
        for run_id in wait.run_ids:
            others = self._waiting_for.get(run_id, set())
            others.discard(wait)
            if not others:
                self._waiting_for.pop(run_id, None)

    def expedite(self, wait: Wait) -> None:
        """Poll for a wait beside the round that is under way, before its next request; signal the end."""
        self._expedited.add(wait)
        if self._expediting is None or self._expediting.done():
            self._expediting = self._loop.create_task(self._expedite_all(), context=contextvars.Context())

    async def _expedite_all(self) -> None:
        while self._expedited:
            waits, self._expedited = list(self._expedited), set()
            wanted = await self._wanted(waits)
            try:
                await self._executor.call_first(partial(self._reader_for_first().read, wanted=wanted))
            except Exception as error:
                fault = error if isinstance(error, TallyfyError) else unexpected_error(error)
                await self._notify(waits, partial(Wait.on_error, fault=fault))
            await self._notify(waits, Wait.finish_expedited)

    def _reader_for_first(self) -> Reader:
        return self._first_reader

    @property
    def size(self) -> int:
        """The number of waits."""
        return len(self._waits)

    def stop(self) -> None:
        """End; a request that is under way ends by itself, and its result is dropped."""
        self._task.cancel()
        if self._expediting is not None:
            self._expediting.cancel()

    async def _poll(self) -> None:
        while True:
            try:
                await self._poll_forever()
            except Exception:
                # Whatever it is, no wait may hang on a poller that has ended.
                log.exception("The poller of Tallyfy runs failed; it continues.")
                await asyncio.sleep(_AFTER_FAILURE)

    async def _poll_forever(self) -> None:
        while True:
            self._rescheduled.clear()
            self._wakes_at = min((wait.due for wait in self._waits), default=float("inf"))
            pause = self._wakes_at - self._loop.time()
            if pause > 0:
                await wait_for_event(self._rescheduled, pause)
                continue
            await self._serve(self._due_before_the_next_round())
            settle(_waits_in(self._loop))

    def _due_before_the_next_round(self) -> list[Wait]:
        now = self._loop.time()
        due = [wait for wait in self._waits if wait.due <= now]
        if all(wait.is_alone for wait in due):
            return due  # One deadline must not start a round for everybody.
        shortest = min(wait.interval for wait in self._waits)
        return [wait for wait in self._waits if wait.due <= now + shortest]

    async def _serve(self, waits: list[Wait]) -> None:
        started = self._loop.time()
        for wait in waits:
            wait.due, wait.is_alone = started + wait.interval, False
        self._seen_in_round.clear()
        try:
            await self._executor.call(self._reader.read, await self._wanted(waits))
        except TallyfyError as fault:
            self._put_off(waits)
            unseen = [wait for wait in waits if not self._seen_in_round.issuperset(wait.run_ids)]
            await self._notify(unseen, partial(Wait.on_error, fault=fault))

    async def _wanted(self, waits: Iterable[Wait]) -> dict[str, IsPending]:
        """Return the runs of waits, each with a function that tells whether it is pending for all who wait for it."""
        # One function for all runs with the same rules: thousands of new ones in each round would make Python collect
        # garbage over all that Airflow has in memory, which stops the event loop for a third of a second.
        functions: dict[frozenset[StatusRule], IsPending] = {}
        wanted: dict[str, IsPending] = {}
        for number, wait in enumerate(waits, 1):
            for run_id in wait.run_ids:
                if run_id in wanted:
                    continue
                rules = frozenset([other.rule for other in self._waiting_for.get(run_id, ())])
                if rules not in functions:
                    functions[rules] = partial(_is_pending, rules)
                wanted[run_id] = functions[rules]
            if number % _LOOKED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return wanted

    def _put_off(self, waits: Iterable[Wait]) -> None:
        """Poll for nobody before Tallyfy accepts requests again."""
        pause = self._executor.pause_left(min((wait.patience for wait in waits), default=math.inf))
        earliest = self._loop.time() + pause
        for wait in waits:
            wait.due = max(wait.due, earliest)

    async def _notify(self, waits: Iterable[Wait], message: Callable[[Wait], None]) -> None:
        """Notify many waits, a few at a time, since each wakes a trigger."""
        for number, wait in enumerate(waits, 1):
            message(wait)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _on_update(self, snapshots: Mapping[str, Snapshot]) -> None:
        self._seen_in_round.update(snapshots)
        for run_id, snapshot in snapshots.items():
            for wait in self._waiting_for.get(run_id, ()):
                try:
                    self._show(wait, run_id, snapshot)
                except Exception as error:
                    log.exception("What Tallyfy shows of run %s cannot be used.", run_id)
                    wait.on_error(unexpected_error(error))

    @staticmethod
    def _show(wait: Wait, run_id: str, snapshot: Snapshot) -> None:
        # A list is not believed by a wait that it would end; one that joined during the round is polled later.
        if not snapshot.is_from_list or _is_pending((wait.rule,), snapshot.run or {}):
            wait.on_update(run_id, snapshot)


class TaskPoller(RunPoller):
    """Polls the tasks of the runs of many waits, in rounds; the waits on one run share the requests."""

    def _build_reader(self, in_parallel: InParallel) -> Reader:
        return TaskReader(self._report, in_parallel)

    def _reader_for_first(self) -> Reader:
        return self._build_reader(
            self._executor.in_parallel_first
        )  # It knows no run, and so requests the tasks of each.

    def add(self, wait: Wait) -> None:
        """Serve a wait from the next round on, even when its run seems unchanged to the others."""
        for run_id in wait.run_ids:
            self._reader.expect(run_id)
        super().add(wait)


def _is_pending(rules: Iterable[StatusRule], run: Mapping[str, Any]) -> bool:
    return all(rule.evaluate(run) is Outcome.WAITING for rule in rules)


def _call_in_loop(loop: asyncio.AbstractEventLoop, function: Callable[[Any], None], argument: object) -> None:
    try:
        loop.call_soon_threadsafe(function, argument)
    except RuntimeError:  # The loop was closed while a request was under way: nobody is left to be notified.
        log.debug("The event loop is closed; a snapshot is dropped.")


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, type[RunPoller]], RunPoller]] = (
    WeakKeyDictionary()
)


def _waits_in(loop: asyncio.AbstractEventLoop) -> int:
    return sum(poller.size for poller in _pollers.get(loop, {}).values())


@asynccontextmanager
async def shared_poller(
    tallyfy_conn_id: str,
    run_ids: Iterable[str],
    *,
    interval: float,
    first_after: float,
    patience: float,
    rule: StatusRule,
    wait_class: type[Wait] = Wait,
    poller_class: type[RunPoller] = RunPoller,
) -> AsyncIterator[tuple[Wait, RunPoller]]:
    """
    Wait for runs together with all others on the same connection.

    :param first_after: Seconds until the first poll is wanted; it may come earlier.
    :param patience: Seconds for which an outage is tolerated.
    :return: The wait and its poller, which ends with its last wait.
    """
    loop = asyncio.get_running_loop()
    pollers = _pollers.setdefault(loop, {})
    async with executor_for(tallyfy_conn_id) as executor:
        key = (tallyfy_conn_id, poller_class)
        poller = pollers.get(key)
        if poller is None:
            poller = pollers[key] = poller_class(executor)
        due, is_alone = loop.time() + first_after, first_after < interval
        wait = wait_class(run_ids, interval, rule, due, is_alone=is_alone, patience=patience)
        poller.add(wait)
        try:
            yield wait, poller
        finally:
            poller.remove(wait)
            if not poller.size and pollers.get(key) is poller:
                del pollers[key]
                poller.stop()
                settle(_waits_in(loop))
