"""
Looking at many runs at once, in as few requests as the truth allows. Blocking; driven by the triggerer's poller.

A run that is not finished stands in Tallyfy's list of its status, a hundred to a request: so a walk over those lists
tells of many runs what a request for each would. It is never the lists that end a wait or keep one alive for good:

- a run that the lists do not show as going on is asked for by itself, and what that says counts;
- a run that they show in a status that would end a wait is asked for by itself, too;
- of those that they show as going on, the two that were not asked for by themselves for the longest time are.

Lists are read from their last page to their first, oldest runs first: rows only move towards the front when others
leave, so a row that moves meanwhile is read twice rather than missed. One that is missed all the same costs a request.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.runs.status import ARCHIVED, COMPLETE, compact, statuses_of
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConnectionError,
    TallyfyError,
    TallyfyNotFoundError,
    TallyfyRateLimitError,
)

log = logging.getLogger(__name__)

#: The lists in which runs that go on stand; ``problem`` shows those with an ``issue`` as well.
UNFINISHED_LISTS = ("active", "delayed", "problem")
#: Up to so many runs are asked for one by one without a thought.
FEW = 3
#: Runs that are asked for by themselves in a round although the lists show them as going on.
VERIFIED_EACH_ROUND = 2
#: Rounds until lists are tried again that were refused, or that held too many runs to pay.
ROUNDS_WITHOUT_LISTS = 20
#: Failed requests for single runs, one after the other, after which a round is given up.
MOST_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True)
class Look:
    """
    What was seen of a run.

    :param run: The run in its compact form; None where it could not be seen.
    :param fault: Why it could not be seen.
    :param is_from_a_list: Whether a list showed it so: good for going on with a wait, not for ending one.
    """

    run: dict[str, Any] | None = None
    fault: TallyfyError | None = None
    is_from_a_list: bool = False


GoesOn = Callable[[Mapping[str, Any]], bool]
Report = Callable[[dict[str, Look]], None]


class Looker:
    """
    Looks at runs, round after round, and remembers which way was the cheaper one.

    :param report: Told what was seen as soon as it was: run ids to looks.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._round = 0
        self._no_lists_before_round = 0
        self._pages: dict[str, int] = {}
        self._in_vain = 0
        self._asked_in_round: dict[str, int] = {}
        self._list_failures = 0
        self._failed: set[str] = set()
        self._missing: dict[str, tuple[int, Look]] = {}

    def look(self, client: TallyfyClient, wanted: Mapping[str, GoesOn]) -> None:
        """
        Look at each run once.

        :param client: The client.
        :param wanted: Run ids, each with a function that tells whether a run as it is goes on for all who wait for it.
        :raises TallyfyError: Tallyfy cannot be asked at all now, or refuses the token; what was seen before that has
            been reported.
        """
        self._round += 1
        unseen = dict(wanted)
        if self._lists_may_pay(len(unseen)):
            self._look_at_lists(client, unseen)
        missing: dict[str, TallyfyNotFoundError] = {}
        fault = self._ask_for_each(client, unseen, missing)
        self._look_among_archived(client, missing)
        self._forget_all_but(wanted)
        if fault:
            raise fault

    def _ask_for_each(
        self, client: TallyfyClient, unseen: Mapping[str, GoesOn], missing: dict[str, TallyfyNotFoundError]
    ) -> TallyfyError | None:
        """Ask for runs one by one, those that failed last time at the end; give the fault that many have in common."""
        failures = 0
        for run_id in sorted(unseen, key=lambda one: (one in self._failed, self._asked_in_round.get(one, 0))):
            fault = self._ask_for(client, run_id, missing)
            if fault is None:
                failures = 0
                self._failed.discard(run_id)
                continue
            failures += 1
            self._failed.add(run_id)
            if failures >= MOST_FAILURES_IN_A_ROW:
                return fault
        return None

    def _lists_may_pay(self, count: int) -> bool:
        if count <= FEW or self._round < self._no_lists_before_round:
            return False
        pages = sum(self._pages.get(status, 1) for status in UNFINISHED_LISTS)
        if count > pages:
            return True
        # So many runs are unfinished that single requests are cheaper; look again in a while.
        self._no_lists_before_round = self._round + ROUNDS_WITHOUT_LISTS
        self._pages.clear()
        return False

    def _look_at_lists(self, client: TallyfyClient, unseen: dict[str, GoesOn]) -> None:
        going_on: list[str] = []
        self._in_vain = 0
        for status in UNFINISHED_LISTS:
            if len(unseen) <= self._pages.get(status, 1):
                continue  # Asking for the few that are left costs no more.
            try:
                for rows in self._pages_backwards(client, status, unseen):
                    going_on += self._take(rows, unseen)
            except (TallyfyAuthError, TallyfyRateLimitError, TallyfyConnectionError):
                raise
            except TallyfyError as error:
                self._pages.pop(status, None)
                self._list_failures += 1
                if error.transient and self._list_failures < MOST_FAILURES_IN_A_ROW:
                    raise  # Asking for each run instead would be hardest on Tallyfy just when it is failing.
                log.warning("Tallyfy's list of %s runs cannot be had; runs are asked for one by one: %s", status, error)
                self._no_lists_before_round = self._round + ROUNDS_WITHOUT_LISTS
                return
        self._list_failures = 0
        # Requests for pages that lists no longer have are saved here, so that a round keeps to its bound.
        count = max(0, VERIFIED_EACH_ROUND - self._in_vain)
        for run_id in heapq.nsmallest(count, going_on, key=lambda one: self._asked_in_round.get(one, 0)):
            unseen[run_id] = _never

    def _pages_backwards(
        self, client: TallyfyClient, status: str, unseen: Mapping[str, GoesOn]
    ) -> Iterator[list[dict[str, Any]]]:
        """Read a list from its end, as long as pages are fewer than the runs that are still to be seen."""
        expected = self._pages.get(status, 1)
        page = client.runs.get_page({"status": status}, expected, per_page=MAX_PAGE_SIZE)
        last = page.last or 1
        self._pages[status] = last
        if last >= expected:
            yield page.rows
        else:
            self._in_vain += 1
        for number in range(last, 0, -1):
            if number == expected:
                continue
            if number > len(unseen):
                return
            yield client.runs.get_page({"status": status}, number, per_page=MAX_PAGE_SIZE).rows

    def _take(self, rows: list[dict[str, Any]], unseen: dict[str, GoesOn]) -> list[str]:
        """Take the wanted runs that go on off the list of those to be seen, and report them."""
        seen: dict[str, Look] = {}
        for row in rows:
            goes_on = unseen.get(str(row["id"]))
            if goes_on is None or _has_ended(row) or not goes_on(row):
                continue
            seen[str(row["id"])] = Look(run=compact(row), is_from_a_list=True)
            del unseen[str(row["id"])]
        if seen:
            self._report(seen)
        return list(seen)

    def _ask_for(
        self, client: TallyfyClient, run_id: str, missing: dict[str, TallyfyNotFoundError]
    ) -> TallyfyError | None:
        """Ask for one run; give the fault if it is one that may be Tallyfy's rather than the run's."""
        self._asked_in_round[run_id] = self._round
        try:
            self._report({run_id: Look(run=compact(client.runs.get(run_id)))})
        except (TallyfyAuthError, TallyfyRateLimitError, TallyfyConnectionError):
            raise
        except TallyfyNotFoundError as error:
            if error.code == ENDPOINT_NOT_FOUND:
                raise
            missing[run_id] = error
        except TallyfyError as error:
            self._report({run_id: Look(fault=error)})
            return error if error.transient else None
        return None

    def _look_among_archived(self, client: TallyfyClient, missing: dict[str, TallyfyNotFoundError]) -> None:
        """Search the archived runs once for all that are missing: a 404 alone does not tell that a run is gone."""
        known = {run_id: look for run_id in missing if (look := self._searched_lately(run_id))}
        unknown = {run_id: error for run_id, error in missing.items() if run_id not in known}
        if unknown:
            found, searched = client.runs.find_archived(unknown)
            for run_id, error in unknown.items():
                look = self._look_again(client, run_id, found.get(run_id), error, searched)
                self._missing[run_id] = (self._round, look)
                known[run_id] = look
        if known:
            self._report(known)

    def _look_again(
        self,
        client: TallyfyClient,
        run_id: str,
        run: dict[str, Any] | None,
        error: TallyfyNotFoundError,
        searched: str,
    ) -> Look:
        try:
            return Look(run=compact(run or client.runs.get_again(run_id, error, searched)))
        except TallyfyNotFoundError as gone:
            return Look(fault=gone)

    def _searched_lately(self, run_id: str) -> Look | None:
        """Give what a search found that a wait is patient with: an archived run may be one to wait for."""
        searched_in, look = self._missing.get(run_id, (-ROUNDS_WITHOUT_LISTS, None))
        return look if self._round - searched_in < ROUNDS_WITHOUT_LISTS else None

    def _forget_all_but(self, wanted: Mapping[str, GoesOn]) -> None:
        if len(self._asked_in_round) > 2 * len(wanted) + 1000:
            self._asked_in_round = {run_id: at for run_id, at in self._asked_in_round.items() if run_id in wanted}
            self._missing = {run_id: known for run_id, known in self._missing.items() if run_id in wanted}
            self._failed &= set(wanted)


def _has_ended(run: Mapping[str, Any]) -> bool:
    return not {COMPLETE, ARCHIVED}.isdisjoint(statuses_of(run))


def _never(run: Mapping[str, Any]) -> bool:
    return False
