"""
Read many runs in few requests. Blocking; driven by the triggerer's poller.

A run that is not finished is in Tallyfy's list of its status, a hundred to a request: reading those lists tells of many
runs what a request for each would. But the lists alone never end a wait, nor keep one alive forever:

- a run that the lists do not show as pending is requested by itself, and that response counts;
- a run that they show in a status that would end a wait is requested by itself, too;
- of those that they show as pending, the two whose last own request is longest ago are requested by themselves.

Lists are read from their last page to their first, oldest runs first: rows only move towards the front when others
leave, so a row that moves meanwhile is read twice rather than missed. One that is missed all the same costs a request.

Runs that finish together are looked for in Tallyfy's list of complete runs before each is requested by itself. That
list may be behind, too: a run that was reopened could still be in it. So it is believed only of a run that was seen
pending before, and completed after that: then it was complete during the wait, whatever happened since
(:meth:`RunReader._is_proven`).
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.http.request_kind import Priority, request_priority
from tallyfy_provider.client.runs.status import COMPLETE, compact, is_over, statuses_of
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConnectionError,
    TallyfyError,
    TallyfyNotFoundError,
    TallyfyRateLimitError,
)
from tallyfy_provider.utils.timestamps import parse_timestamp

log = logging.getLogger(__name__)

#: The lists that hold pending runs; ``problem`` shows those with an ``issue`` as well.
UNFINISHED_LISTS = ("active", "delayed", "problem")
#: Up to so many runs are always requested one by one.
FEW = 3
#: Runs that are requested by themselves in a round although the lists show them as pending.
VERIFIED_EACH_ROUND = 2
#: Rounds until lists are tried again that were refused, or that are too long to save requests.
ROUNDS_WITHOUT_LISTS = 20
#: Failed requests for single runs, one after the other, after which a round is abandoned.
MOST_FAILURES_IN_A_ROW = 3
#: From so many wanted runs on, the three lists are begun together.
_MANY = 500
#: Seconds by which Tallyfy's clock and ours may differ; a completion that was earlier proves nothing.
_CLOCKS = 30.0


@dataclass(frozen=True)
class Snapshot:
    """
    What was seen of a run.

    :param run: The run in its compact form; None where it could not be read.
    :param fault: Why it could not be read.
    :param is_from_list: Whether a list showed it, which is enough to continue a wait, but not to end one.
    """

    run: dict[str, Any] | None = None
    fault: TallyfyError | None = None
    is_from_list: bool = False


#: Tells whether a run, as it is, is pending for all who wait for it.
IsPending = Callable[[Mapping[str, Any]], bool]
Report = Callable[[dict[str, Snapshot]], None]
#: Calls a function for each item, in their order, perhaps several at a time; raises the first error.
InParallel = Callable[[TallyfyClient, Callable[[Any], None], Iterable[Any]], None]


def one_by_one(client: TallyfyClient, function: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Call a function for each item."""
    for item in items:
        function(item)


class _Pending(NamedTuple):
    """When a run was seen pending: by our clock, with what it showed then of Tallyfy's."""

    seen_at: float
    last_updated: float
    created_at: float


class _ManyFailuresError(Exception):
    """Several requests for single runs failed, one after the other."""

    def __init__(self, fault: TallyfyError) -> None:
        super().__init__()
        self.fault = fault


class RunReader:
    """
    Reads runs, round after round, and remembers which way took fewer requests.

    :param report: Called with each run's snapshot as soon as it is there, from any thread.
    :param in_parallel: Makes requests, several at a time.
    """

    def __init__(self, report: Report, in_parallel: InParallel = one_by_one) -> None:
        self._report = report
        self._in_parallel = in_parallel
        self._lock = threading.Lock()
        self._round = 0
        self._no_lists_before_round = 0
        self._pages: dict[str, int] = {}
        self._wasted = 0
        self._requested_in_round: dict[str, int] = {}
        self._list_failures = 0
        self._failed: set[str] = set()
        self._missing: dict[str, tuple[int, Snapshot]] = {}
        self._pending: dict[str, _Pending] = {}

    def expect(self, run_id: str) -> None:
        """Do nothing: each run is read in each round."""

    @request_priority(Priority.WAIT)
    def read(self, client: TallyfyClient, wanted: Mapping[str, IsPending]) -> None:
        """
        Read each run once.

        :raises TallyfyError: Tallyfy is unreachable or refuses the token; what was read before that has been reported.
        """
        self._round += 1
        unseen = dict(wanted)
        if self._lists_may_save_requests(len(unseen)):
            self._read_lists(client, unseen)
        missing: dict[str, TallyfyNotFoundError] = {}
        fault = self._request_each(client, unseen, missing)
        self._search_archived(client, missing)
        self._forget_all_but(wanted)
        if fault:
            raise fault

    def _request_each(
        self, client: TallyfyClient, unseen: Mapping[str, IsPending], missing: dict[str, TallyfyNotFoundError]
    ) -> TallyfyError | None:
        """Request runs by themselves, those that failed last time at the end; return the fault that several have."""
        failures = 0

        def request(run_id: str) -> None:
            nonlocal failures
            fault = self._request(client, run_id, missing)
            with self._lock:
                if fault is None:
                    failures = 0
                    self._failed.discard(run_id)
                    return
                failures += 1
                self._failed.add(run_id)
                if failures >= MOST_FAILURES_IN_A_ROW:
                    raise _ManyFailuresError(fault)

        order = sorted(unseen, key=lambda one: (one in self._failed, self._requested_in_round.get(one, 0)))
        try:
            self._in_parallel(client, request, order)
        except _ManyFailuresError as many:
            return many.fault
        return None

    def _lists_may_save_requests(self, count: int) -> bool:
        if count <= FEW or self._round < self._no_lists_before_round:
            return False
        pages = sum(self._pages.get(status, 1) for status in UNFINISHED_LISTS)
        if count > pages:
            return True
        # So many runs are unfinished that single requests are fewer; try again after a while.
        self._no_lists_before_round = self._round + ROUNDS_WITHOUT_LISTS
        self._pages.clear()
        return False

    def _read_lists(self, client: TallyfyClient, unseen: dict[str, IsPending]) -> None:
        pending: list[str] = []
        self._wasted = 0
        try:
            if len(unseen) >= _MANY:
                self._read_unfinished(client, UNFINISHED_LISTS, unseen, pending)
            else:
                for status in UNFINISHED_LISTS:
                    self._read_unfinished(client, (status,), unseen, pending)
            self._read_complete(client, unseen)
        except (TallyfyAuthError, TallyfyRateLimitError, TallyfyConnectionError):
            raise
        except TallyfyError as error:
            self._list_failures += 1
            if error.transient and self._list_failures < MOST_FAILURES_IN_A_ROW:
                raise  # A request for each run would burden Tallyfy most just when it is failing.
            log.warning("A list of Tallyfy's runs cannot be read; each run is requested: %s", error)
            self._no_lists_before_round = self._round + ROUNDS_WITHOUT_LISTS
            return
        self._list_failures = 0
        # Fewer by the requests for pages that lists no longer have, so that a round keeps to its bound.
        count = max(0, VERIFIED_EACH_ROUND - self._wasted)
        for run_id in heapq.nsmallest(count, pending, key=lambda one: self._requested_in_round.get(one, 0)):
            unseen[run_id] = _never

    def _read_unfinished(
        self, client: TallyfyClient, statuses: Iterable[str], unseen: dict[str, IsPending], pending: list[str]
    ) -> None:
        """Read lists from their ends while fewer pages are left than runs are unseen."""
        pages: list[tuple[str, int]] = []

        def read_first(status: str) -> None:
            expected = self._pages.pop(status, 1)
            page = client.runs.get_page({"status": status}, expected, per_page=MAX_PAGE_SIZE)
            last = self._pages[status] = page.page_count(MAX_PAGE_SIZE) or 1
            if last >= expected:
                pending.extend(self._take_pending(page.rows, unseen))
            else:
                self._wasted += 1
            pages.extend((status, number) for number in range(last, 0, -1) if number != expected)

        def read_more(page: tuple[str, int]) -> None:
            status, number = page
            if number > len(unseen):
                return
            rows = client.runs.get_page({"status": status}, number, per_page=MAX_PAGE_SIZE).rows
            pending.extend(self._take_pending(rows, unseen))

        # Requesting the few that are left costs no more than the pages.
        worth_it = [status for status in statuses if len(unseen) > self._pages.get(status, 1)]
        self._in_parallel(client, read_first, worth_it)
        self._in_parallel(client, read_more, pages)

    def _read_complete(self, client: TallyfyClient, unseen: dict[str, IsPending]) -> None:
        """Look for runs that have left the lists among the complete ones, while that saves requests."""
        vanished = {run_id for run_id in unseen if run_id in self._pending}
        found, number = 0, 1
        oldest = min((self._pending[run_id].created_at for run_id in vanished), default=0.0)
        is_behind = False

        def read(number: int) -> None:
            nonlocal found, is_behind
            query = {"status": COMPLETE, "sort": "-created_at"}
            rows = client.runs.get_page(query, number, per_page=MAX_PAGE_SIZE).rows
            found += self._take_complete(rows, vanished, unseen)
            if len(rows) < MAX_PAGE_SIZE or (parse_timestamp(rows[-1].get("created_at")) or 0.0) < oldest:
                is_behind = True

        # Few are requested by themselves at once; and so are all others as soon as pages do not tell of more than that.
        while len(vanished) > FEW and found >= number - 1 and not is_behind:
            pages = range(number, number + min(client.concurrency, -(-len(vanished) // MAX_PAGE_SIZE)))
            self._in_parallel(client, read, pages)
            number = pages.stop

    def _take_complete(self, rows: list[dict[str, Any]], vanished: set[str], unseen: dict[str, IsPending]) -> int:
        """Report the runs that are proven to have completed, and remove them from those to be seen."""
        seen: dict[str, Snapshot] = {}
        for row in rows:
            run_id = str(row["id"])
            if run_id in vanished and self._is_proven(row, self._pending[run_id]):
                seen[run_id] = Snapshot(run=compact(row))
                vanished.discard(run_id)
                unseen.pop(run_id, None)
                self._pending.pop(run_id, None)
        if seen:
            self._report(seen)
        return len(seen)

    @staticmethod
    def _is_proven(row: Mapping[str, Any], pending: _Pending) -> bool:
        """
        Tell whether a run completed after it was seen pending, by Tallyfy's clock and, roughly, by ours.

        Before it was reopened its completion was earlier than the change that was seen since, and so does not count.
        """
        completed_at = parse_timestamp(row.get("completed_at"))
        if completed_at is None or not pending.last_updated or statuses_of(row) != (COMPLETE,):
            return False
        return completed_at > pending.last_updated and completed_at > pending.seen_at - _CLOCKS

    def _take_pending(self, rows: list[dict[str, Any]], unseen: dict[str, IsPending]) -> list[str]:
        """Remove the wanted runs that are pending from those to be seen, and report them."""
        seen: dict[str, Snapshot] = {}
        for row in rows:
            run_id = str(row["id"])
            is_pending = unseen.get(run_id)
            if is_pending is None or is_over(row) or not is_pending(row):
                continue
            self._note_pending(row)
            seen[run_id] = Snapshot(run=compact(row), is_from_list=True)
            unseen.pop(run_id, None)
        if seen:
            self._report(seen)
        return list(seen)

    def _note_pending(self, run: Mapping[str, Any]) -> None:
        moments = (parse_timestamp(run.get(name)) or 0.0 for name in ("last_updated", "created_at"))
        self._pending[str(run["id"])] = _Pending(time.time(), *moments)

    def _request(
        self, client: TallyfyClient, run_id: str, missing: dict[str, TallyfyNotFoundError]
    ) -> TallyfyError | None:
        """Request one run; return the fault if it may be Tallyfy's rather than the run's."""
        self._requested_in_round[run_id] = self._round
        self._pending.pop(run_id, None)
        try:
            run = compact(client.runs.get(run_id))
            if not is_over(run):
                self._note_pending(run)
            self._report({run_id: Snapshot(run=run)})
        except (TallyfyAuthError, TallyfyRateLimitError, TallyfyConnectionError):
            raise
        except TallyfyNotFoundError as error:
            if error.code == ENDPOINT_NOT_FOUND:
                raise
            missing[run_id] = error
        except TallyfyError as error:
            self._report({run_id: Snapshot(fault=error)})
            return error if error.transient else None
        return None

    def _search_archived(self, client: TallyfyClient, missing: dict[str, TallyfyNotFoundError]) -> None:
        """Search the archived runs once for all that are missing: a 404 alone does not tell that a run is gone."""
        known = {run_id: snapshot for run_id in missing if (snapshot := self._found_lately(run_id))}
        unknown = {run_id: error for run_id, error in missing.items() if run_id not in known}
        if unknown:
            found, searched = client.runs.find_archived(unknown)
            for run_id, error in unknown.items():
                try:
                    run = found.get(run_id) or client.runs.get_again(run_id, error, searched)
                    snapshot = Snapshot(run=compact(run))
                except TallyfyNotFoundError as gone:
                    snapshot = Snapshot(fault=gone)
                self._missing[run_id] = (self._round, snapshot)
                known[run_id] = snapshot
        if known:
            self._report(known)

    def _found_lately(self, run_id: str) -> Snapshot | None:
        """Return what a recent search found: while a wait continues for an archived run, not each round searches."""
        searched_in, snapshot = self._missing.get(run_id, (-ROUNDS_WITHOUT_LISTS, None))
        return snapshot if self._round - searched_in < ROUNDS_WITHOUT_LISTS else None

    def _forget_all_but(self, wanted: Mapping[str, IsPending]) -> None:
        if len(self._requested_in_round) > 2 * len(wanted) + 1000:
            self._requested_in_round = {
                run_id: at for run_id, at in self._requested_in_round.items() if run_id in wanted
            }
            self._missing = {run_id: known for run_id, known in self._missing.items() if run_id in wanted}
            self._failed &= set(wanted)
        if len(self._pending) > 2 * len(wanted) + 1000:
            self._pending = {run_id: seen for run_id, seen in self._pending.items() if run_id in wanted}


def _never(run: Mapping[str, Any]) -> bool:
    return False
