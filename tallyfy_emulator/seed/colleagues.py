"""
Colleagues: people who launch processes and do their steps, for as long as the emulator runs.

They act by the emulator's clock, as all that changes by itself does: whoever reads sees what is due until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, cycle

from tallyfy_emulator.model.catalog import AutoCompletion
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_changes import new_run
from tallyfy_emulator.store.organization import Organization

#: How many times longer people take for the steps of launched processes, so that whoever tries it out can be first.
PACE = 60.0
_MINUTE = 60.0


@dataclass(frozen=True)
class _Habit:
    """
    Launch a process of a template every so often, and do all of its steps in so many seconds.

    The names are taken in turn. There is always a process under way where ``takes`` is longer than ``every``.
    """

    title: str
    names: tuple[str, ...]
    every: float
    takes: float


_HABITS = (
    _Habit("Contract review", ("Globex lease", "Initech licence", "Hooli hosting"), 3 * _MINUTE, 10 * _MINUTE),
    _Habit("Month-end close", ("October 2026",), 8 * _MINUTE, 9 * _MINUTE),
    _Habit("Customer onboarding", ("Umbrella Health", "Stark Tools", "Wayne Motors"), 4 * _MINUTE, 6 * _MINUTE),
)


def add_colleagues(organization: Organization) -> None:
    """Let people act from now on, and let them take their time with what Dags launch."""
    organization.work.pace = PACE
    now = organization.clock.now()
    for habit in _HABITS:
        names = _names(habit)
        under_way = int(habit.takes // habit.every)
        for earlier in range(under_way, -1, -1):  # as if they had been at it for long
            _launch(organization, habit, next(names), now - earlier * habit.every)
        _go_on(organization, habit, names, now + habit.every)


def _names(habit: _Habit) -> Iterator[str]:
    if len(habit.names) == 1:
        return cycle(habit.names)
    return (f"{name} {round_ + 1}" if round_ else name for round_ in count() for name in habit.names)


def _go_on(organization: Organization, habit: _Habit, names: Iterator[str], at: float) -> None:
    def launch(due: float) -> None:
        _launch(organization, habit, next(names), due)
        _go_on(organization, habit, names, due + habit.every)

    organization.runs.call_at(at, launch)


def _launch(organization: Organization, habit: _Habit, name: str, at: float) -> None:
    catalog = organization.catalog
    checklist = next(each for each in catalog.checklists.values() if each.title == habit.title)
    number = organization.next_number()
    owner = catalog.people[1 + number % (len(catalog.people) - 1)].id  # not the one whose token the connection has
    fields = {"checklist_id": checklist.id, "owner_id": owner, "created_at": at, "tasks_done": 0}
    prerun = {checklist.kickoff[0].id: name} if checklist.kickoff else {}
    run = new_run(catalog, number, at, fields | {"name": checklist.run_name(name), "prerun": prerun})
    organization.runs.add(run, at)
    organization.work.do_steps(_paced(run, habit.takes), at)


def _paced(run: Run, takes: float) -> Run:
    """Return a run whose steps are done one after the other in so many seconds."""
    steps = run.checklist.steps
    paced = (
        replace(step, auto_completion=AutoCompletion(takes * number / len(steps)))
        for number, step in enumerate(steps, 1)
    )
    return replace(run, checklist=replace(run.checklist, steps=tuple(paced)))
