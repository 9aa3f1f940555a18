"""
One poller for all waits that share a connection in a triggerer.

Its cost follows how many runs are unfinished in Tallyfy, not how many wait
(:mod:`tallyfy_provider.waiting.run_reader`).
It is there from the first wait to the last, decides nothing about a run, and holds nothing that must outlive the
triggerer: a wait that starts anew in another one is asked for there.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.runs.status import Outcome, StatusRule
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.triggers.executor import ConnectionExecutor, executor_for
from tallyfy_provider.waiting.run_reader import GoesOn, Look, Looker, Report

log = logging.getLogger(__name__)

#: Waits that are told of something before the event loop gets its turn again.
_AT_ONCE = 50


class Wait:
    """
    What one trigger has of the poller.

    :param run_ids: The runs that it waits for.
    :param interval: Seconds after which it wants to be asked for again.
    :param rule: What it waits for.
    :param due: When it is to be asked for first, by the event loop's clock.
    :param first_look_is_early: Whether that is sooner than the interval would have it.
    """

    def __init__(
        self,
        run_ids: Iterable[str],
        interval: float,
        rule: StatusRule,
        due: float,
        *,
        first_look_is_early: bool = False,
    ) -> None:
        self.run_ids = tuple(run_ids)
        self.interval = interval
        self.rule = rule
        self.due = due
        #: Whether it is to be served by itself, off the beat that it shares with others.
        self.is_alone = first_look_is_early
        #: What was last seen of each run, in its compact form.
        self.runs: dict[str, dict[str, Any]] = {}
        #: When that was, in seconds since the epoch.
        self.seen_at = 0.0
        #: What went wrong, until it is taken.
        self.fault: TallyfyError | None = None
        #: Whether all of the runs were seen since something last went wrong.
        self.recovered = True
        self._rounds = 0
        self._news = asyncio.Event()
        self._looked = asyncio.Event()
        self._unseen: set[str] = set(self.run_ids)

    def see(self, run_id: str, look: Look) -> None:
        """Take note of a look; wakes the trigger when it says anything new, or when the first round is over."""
        if look.fault is not None:
            self.hear(look.fault)
            return
        self.seen_at = time.time()
        previous, self.runs[run_id] = self.runs.get(run_id), look.run or {}
        self._unseen.discard(run_id)
        if not self._unseen:
            self._unseen.update(self.run_ids)
            self._rounds += 1
            self.recovered = True
            if self._rounds == 1:
                self._news.set()
        if self.state_of(previous) != self.state_of(look.run):
            self._news.set()

    @staticmethod
    def state_of(run: Mapping[str, Any] | None) -> tuple[Any, ...]:
        """Give what makes a run look different to those who wait for it."""
        return _state(run)

    def hear(self, fault: TallyfyError) -> None:
        """Take note that Tallyfy could not be asked."""
        self.fault = fault
        self._news.set()

    def end_round(self) -> None:
        """Tell a trigger that asked for a look at once that it was made, whether it brought news or not."""
        self._looked.set()

    async def look(self, timeout: float) -> None:
        """
        Wait for the look that was asked for (:meth:`RunPoller.hurry`).

        :param timeout: Seconds after which to go on without.
        """
        await _wait_for(self._looked, timeout)

    async def news(self, timeout: float) -> None:
        """
        Wait for something new.

        :param timeout: Seconds after which to go on without.
        """
        await _wait_for(self._news, timeout)
        self._news.clear()

    def take_fault(self) -> TallyfyError | None:
        """Give what went wrong since this was asked last, if anything did."""
        fault, self.fault = self.fault, None
        return fault

    @property
    def seen(self) -> list[dict[str, Any]] | None:
        """What was last seen of the runs, in their order; None while one of them has not been seen."""
        if len(self.runs) < len(self.run_ids):
            return None
        return [self.runs[run_id] for run_id in self.run_ids]


def _state(run: Mapping[str, Any] | None) -> tuple[Any, ...]:
    if run is None:
        return ()
    return run.get("status"), run.get("completed_at"), run.get("archived_at"), run.get("has_open_issue")


class Looks(Protocol):
    """What looks at runs for a poller."""

    def look(self, client: TallyfyClient, wanted: Mapping[str, GoesOn]) -> None:
        """Look at each run once, and report what was seen."""


class RunPoller:
    """
    Asks for the runs of many waits, in rounds.

    A round serves every wait that would be due before the next one, so that waits which began at different moments
    come to share their rounds and each is still asked for at least as often as it wants.

    :param thread: The connection's thread.
    """

    def __init__(self, thread: ConnectionExecutor) -> None:
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        self._waits: set[Wait] = set()
        self._waiting_for: dict[str, set[Wait]] = {}
        self._seen_in_round: set[str] = set()
        self._rescheduled = asyncio.Event()
        self._wakes_at = float("inf")
        self._looker = self._new_looker(lambda looks: _in_loop(self._loop, self._see, looks))
        # Not in the context of the trigger that happens to be first: what the poller logs is not that trigger's.
        self._task = self._loop.create_task(self._poll(), name="tallyfy-run-poller", context=contextvars.Context())

    def _new_looker(self, report: Report) -> Looks:
        return Looker(report)

    def add(self, wait: Wait) -> None:
        """Serve a wait from the next round on."""
        self._waits.add(wait)
        for run_id in wait.run_ids:
            self._waiting_for.setdefault(run_id, set()).add(wait)
        if wait.due < self._wakes_at:  # Else thousands that start would each have all of them looked through.
            self._rescheduled.set()

    def remove(self, wait: Wait) -> None:
        """Serve a wait no more."""
        self._waits.discard(wait)
        for run_id in wait.run_ids:
            others = self._waiting_for.get(run_id, set())
            others.discard(wait)
            if not others:
                self._waiting_for.pop(run_id, None)

    def hurry(self, wait: Wait) -> None:
        """Look for a wait as soon as the thread is free, and tell it when that is done."""
        wait.due, wait.is_alone = 0.0, True
        self._rescheduled.set()

    @property
    def size(self) -> int:
        """How many waits there are."""
        return len(self._waits)

    def stop(self) -> None:
        """End; a request that is under way ends by itself, and nobody hears of it."""
        self._task.cancel()

    async def _poll(self) -> None:
        while True:
            self._rescheduled.clear()
            self._wakes_at = min((wait.due for wait in self._waits), default=float("inf"))
            pause = self._wakes_at - self._loop.time()
            if pause > 0:
                await _wait_for(self._rescheduled, pause)
                continue
            await self._serve(self._due_before_the_next_round())

    def _due_before_the_next_round(self) -> list[Wait]:
        now = self._loop.time()
        due = [wait for wait in self._waits if wait.due <= now]
        if all(wait.is_alone for wait in due):
            return due  # One deadline must not start a round for everybody.
        shortest = min(wait.interval for wait in self._waits)
        return [wait for wait in self._waits if wait.due <= now + shortest]

    async def _serve(self, waits: list[Wait]) -> None:
        started = self._loop.time()
        hurried = [wait for wait in waits if wait.due == 0.0]
        for wait in waits:
            wait.due, wait.is_alone = started + wait.interval, False
        run_ids = dict.fromkeys(run_id for wait in waits for run_id in wait.run_ids)
        judges: dict[frozenset[StatusRule], GoesOn] = {}
        wanted = {run_id: self._goes_on_for_all(run_id, judges) for run_id in run_ids}
        self._seen_in_round.clear()
        try:
            await self._thread.call(self._looker.look, wanted)
        except TallyfyError as fault:
            self._put_off(waits, fault)
            unseen = [wait for wait in waits if not self._seen_in_round.issuperset(wait.run_ids)]
            await self._tell(unseen, partial(Wait.hear, fault=fault))
        except Exception as error:
            # Whatever it is, every wait must hear of it: none may hang on a poller that is no more.
            log.exception("The poller of Tallyfy runs failed.")
            failure = TallyfyError(f"The poller failed: {type(error).__name__}: {error}")
            await self._tell(waits, partial(Wait.hear, fault=failure))
        await self._tell(hurried, Wait.end_round)

    def _goes_on_for_all(self, run_id: str, judges: dict[frozenset[StatusRule], GoesOn]) -> GoesOn:
        # One function for all runs with the same rules: thousands of new ones in each round would make Python collect
        # garbage over all that Airflow has in memory, which stops the event loop for a third of a second.
        rules = frozenset(wait.rule for wait in self._waiting_for.get(run_id, ()))
        if rules not in judges:
            judges[rules] = lambda run: all(rule.judge(run) is Outcome.WAITING for rule in rules)
        return judges[rules]

    def _put_off(self, waits: Iterable[Wait], fault: TallyfyError) -> None:
        """Wake nobody before Tallyfy wants to be asked again."""
        if fault.retry_after is None:
            return
        earliest = self._loop.time() + fault.retry_after
        for wait in waits:
            wait.due = max(wait.due, earliest)

    async def _tell(self, waits: Iterable[Wait], message: Callable[[Wait], None]) -> None:
        """Tell many waits something, a few at a time, since each wakes a trigger."""
        for number, wait in enumerate(waits, 1):
            message(wait)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _see(self, looks: Mapping[str, Look]) -> None:
        self._seen_in_round.update(looks)
        for run_id, look in looks.items():
            for wait in self._waiting_for.get(run_id, ()):
                # A list is not believed by a wait that it would end; one that joined during the round is asked later.
                if not look.is_from_a_list or wait.rule.judge(look.run or {}) is Outcome.WAITING:
                    wait.see(run_id, look)


def _in_loop(loop: asyncio.AbstractEventLoop, function: Callable[[Any], None], argument: object) -> None:
    try:
        loop.call_soon_threadsafe(function, argument)
    except RuntimeError:  # The loop was closed while a request was under way: there is nobody left to hear of it.
        log.debug("The event loop is gone; what was seen is dropped.")


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), None if seconds == float("inf") else seconds)
    except TimeoutError:
        return


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, type[RunPoller]], RunPoller]] = (
    WeakKeyDictionary()
)


@asynccontextmanager
async def waiting(
    tallyfy_conn_id: str,
    run_ids: Iterable[str],
    *,
    interval: float,
    first_after: float,
    rule: StatusRule,
    wait_class: type[Wait] = Wait,
    poller_class: type[RunPoller] = RunPoller,
) -> AsyncIterator[tuple[Wait, RunPoller]]:
    """
    Wait for runs together with all others on the same connection.

    :param tallyfy_conn_id: The Airflow connection.
    :param run_ids: The runs.
    :param interval: Seconds after which to be asked for again.
    :param first_after: Seconds until the first look is wanted; it may come earlier.
    :param rule: What is waited for.
    :param wait_class: What the wait is.
    :param poller_class: What asks; waits share their poller with those on the same connection that have the same.
    :return: The wait and its poller, which ends with its last wait.
    """
    loop = asyncio.get_running_loop()
    pollers = _pollers.setdefault(loop, {})
    async with executor_for(tallyfy_conn_id) as thread:
        shared_by = (tallyfy_conn_id, poller_class)
        poller = pollers.get(shared_by)
        if poller is None:
            poller = pollers[shared_by] = poller_class(thread)
        due = loop.time() + first_after
        wait = wait_class(run_ids, interval, rule, due, first_look_is_early=first_after < interval)
        poller.add(wait)
        try:
            yield wait, poller
        finally:
            poller.remove(wait)
            if not poller.size and pollers.get(shared_by) is poller:
                del pollers[shared_by]
                poller.stop()
