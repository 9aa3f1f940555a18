"""
Looking at the tasks of many runs, in as few requests as the truth allows. Blocking; driven by the triggerer's poller.

The run is looked at first and its tasks after it: a run that was over then with the task undone is over without it.
Lists, of runs and of tasks, may be behind (docs/tallyfy-api.md, "Pagination"), so what they show never ends a wait:
the task itself is asked for then (:func:`confirm`).

Up to :data:`FEW` runs are asked for one by one, every time. Of more, Tallyfy's lists of unfinished runs tell which have
changed, a hundred to a request (:mod:`tallyfy_provider.waiting.run_reader`), and tasks are asked for

- of each run that looks different than it did, and once more the next time, since Tallyfy tells moments by the second;
- of each run that the lists do not show;
- of a fifth of all others in each round, those that were not asked for the longest: whether a completed task always
  changes what the list shows of its run is not documented, and so none waits longer than five rounds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.client.runs.status import compact
from tallyfy_provider.client.tasks.lookup import find_task, looks_like_an_id
from tallyfy_provider.client.tasks.status import compact_task
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConnectionError,
    TallyfyError,
    TallyfyNotFoundError,
    TallyfyRateLimitError,
)
from tallyfy_provider.waiting.run_reader import MOST_FAILURES_IN_A_ROW, GoesOn, Look, Looker

#: Runs that are asked for one by one without a thought.
FEW = 10
#: Rounds after which the tasks of a run that seems unchanged are asked for.
MOST_ROUNDS_UNASKED = 5
#: What is reported of a run whose tasks were not asked for, since it seems unchanged.
UNCHANGED = Look()
#: How often tasks are asked for after their run has changed.
_ASKED_AFTER_A_CHANGE = 2


def look_at_task(client: TallyfyClient, run_id: str, name: str) -> dict[str, Any]:
    """
    Look at one task and its run.

    :param client: The client.
    :param run_id: The run.
    :param name: The task's id, alias or title.
    :return: ``run`` and ``task``, both compact; ``task`` is None where Tallyfy shows none, since the run is new or
        archived.
    :raises TallyfyInputError: The run has no such task, or several.
    :raises TallyfyNotFoundError: There is no such run, not among the archived ones either.
    :raises TallyfyError: Of the kind that fits.
    """
    run = compact(client.runs.find(run_id))
    task_id = name
    if not looks_like_an_id(name):
        tasks = tasks_of(client, run)
        if not tasks:
            return {"run": run, "task": None}
        task_id = find_task(tasks, name, run_id)["id"]
    return confirm(client, run, task_id)


def confirm(client: TallyfyClient, run: Mapping[str, Any], task_id: str) -> dict[str, Any]:
    """
    Look at one task of a run that has been looked at.

    :param client: The client.
    :param run: The run, compact.
    :param task_id: The task's id.
    :return: As :func:`look_at_task`.
    :raises TallyfyNotFoundError: There is no such task.
    :raises TallyfyError: Of the kind that fits.
    """
    try:
        task = compact_task(client.tasks.get(task_id, str(run["id"])))
    except TallyfyNotFoundError as error:
        if error.code == ENDPOINT_NOT_FOUND or not is_archived(run):
            raise
        return {"run": dict(run), "task": None}
    return {"run": dict(run), "task": task}


def tasks_of(client: TallyfyClient, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Look at all tasks of a run that has been looked at.

    :param client: The client.
    :param run: The run, compact.
    :return: Its tasks, all compact; none where the run is archived and Tallyfy does not show them.
    :raises TallyfyError: Of the kind that fits.
    """
    try:
        return [compact_task(task) for task in client.tasks.list_of_run(str(run["id"]))]
    except TallyfyNotFoundError as error:
        if error.code == ENDPOINT_NOT_FOUND or not is_archived(run):
            raise
        return []


@dataclass(frozen=True)
class _Known:
    """What is known of a run: how it looked, how often its tasks were asked for since, and in which round last."""

    looks: tuple[Any, ...]
    asked: int = 0
    round: int = 0


class TaskLooker:
    """
    Looks at the tasks of runs, round after round, and remembers which runs seem unchanged.

    :param report: Told what was seen as soon as it was: run ids to looks, whose runs have ``tasks``.
    """

    def __init__(self, report: Callable[[dict[str, Look]], None]) -> None:
        self._report = report
        self._round = 0
        self._known: dict[str, _Known] = {}
        self._seen: dict[str, Look] = {}
        self._new: set[str] = set()
        self._failed: set[str] = set()
        self._looker = Looker(lambda looks: self._seen.update(looks))

    def expect(self, run_id: str) -> None:
        """Ask for the tasks of a run next time, whether it seems unchanged or not; from any thread."""
        self._new.add(run_id)

    def look(self, client: TallyfyClient, wanted: Mapping[str, GoesOn]) -> None:
        """
        Look at the tasks of each run once, where anything may have changed.

        :param client: The client.
        :param wanted: Run ids; what they are mapped to is not needed here.
        :raises TallyfyError: Tallyfy cannot be asked at all now, or refuses the token; what was seen before that has
            been reported.
        """
        self._round += 1
        self._forget_all_but(wanted)
        if len(wanted) <= FEW:
            self._look_at_each(client, list(wanted), self._look_at_run)
            return
        self._seen.clear()
        fault = self._look_at_runs(client, wanted)
        self._report({run_id: look for run_id, look in self._seen.items() if look.fault is not None})
        visible = {run_id: look.run for run_id, look in self._seen.items() if look.run is not None}
        doubtful = self._doubtful(visible)
        self._report(dict.fromkeys(visible.keys() - set(doubtful), UNCHANGED))
        self._look_at_each(client, doubtful, lambda client, run_id: dict(visible[run_id]))
        if fault is not None:
            raise fault

    def _forget_all_but(self, wanted: Mapping[str, GoesOn]) -> None:
        new, self._new = self._new, set()
        for run_id in new:
            self._known.pop(run_id, None)
        if len(self._known) > 2 * len(wanted) + 1000:  # a round may be for a few of the waits only
            self._known = {run_id: known for run_id, known in self._known.items() if run_id in wanted}
            self._failed &= set(wanted)

    def _look_at_runs(self, client: TallyfyClient, wanted: Mapping[str, GoesOn]) -> TallyfyError | None:
        try:
            self._looker.look(client, dict.fromkeys(wanted, _always))
        except (TallyfyAuthError, TallyfyRateLimitError, TallyfyConnectionError):
            raise
        except TallyfyError as error:
            return error
        return None

    def _look_at_run(self, client: TallyfyClient, run_id: str) -> dict[str, Any]:
        return compact(client.runs.find(run_id))

    def _doubtful(self, visible: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Tell of which runs the tasks are to be asked for, the longest unasked first."""
        for run_id, run in visible.items():
            known = self._known.get(run_id)
            if known is None or known.looks != _looks_of(run):
                self._known[run_id] = _Known(_looks_of(run), round=known.round if known else 0)
        changed = [run_id for run_id in visible if self._known[run_id].asked < _ASKED_AFTER_A_CHANGE]
        quiet = [run_id for run_id in visible if self._known[run_id].asked >= _ASKED_AFTER_A_CHANGE]
        count = -(-len(visible) // MOST_ROUNDS_UNASKED)
        turn = heapq.nsmallest(count, quiet, key=self._last_round)
        return sorted([*changed, *turn], key=self._last_round)

    def _last_round(self, run_id: str) -> int:
        return self._known[run_id].round

    def _look_at_each(
        self, client: TallyfyClient, run_ids: list[str], run_of: Callable[[TallyfyClient, str], dict[str, Any]]
    ) -> None:
        failures = 0
        # Those that failed last time at the end: a round that is given up was for the others.
        for run_id in sorted(run_ids, key=self._failed.__contains__):
            try:
                run = run_of(client, run_id)
                self._report({run_id: Look(run={**run, "tasks": tasks_of(client, run)})})
            except (TallyfyAuthError, TallyfyRateLimitError, TallyfyConnectionError):
                raise
            except TallyfyError as error:
                self._report({run_id: Look(fault=error)})
                self._failed.add(run_id)
                failures = failures + 1 if error.transient else 0
                if failures >= MOST_FAILURES_IN_A_ROW:
                    raise
            else:
                failures = 0
                self._failed.discard(run_id)
                known = self._known.get(run_id) or _Known(_looks_of(run))
                self._known[run_id] = replace(known, asked=known.asked + 1, round=self._round)


def _always(run: Mapping[str, Any]) -> bool:
    return True


def _looks_of(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """Give what changes with a run, in a list as in an answer for it alone, which has fewer fields."""
    moments = (run.get("last_updated"), run.get("completed_at"), run.get("archived_at"))
    return run.get("status"), *moments, bool(run.get("has_open_issue"))
