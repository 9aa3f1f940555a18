"""Generated runs: computed from their number when they are read, so that a million take no memory and no search."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

from tallyfy_emulator.model.catalog import Catalog
from tallyfy_emulator.model.invented import invented_answers, with_invented_work
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_changes import run_without_tasks, varied_shape
from tallyfy_emulator.model.run_filters import Selection
from tallyfy_emulator.model.run_tasks import with_initial_tasks
from tallyfy_emulator.model.wire import encode, format_date, stable_id

#: After so many runs, template, owner and the way in which values are written come round together.
KINDS = 420
_DAY = 86400.0
#: Up to so many runs are all computed where a name decides which runs a list has, or in which order.
_MOST_BY_NAME = 10_000
_ID_PREFIX = stable_id("generated")[:24]
_ID_DIGITS = 8
#: What a run's number decides; it can't be given for all of them.
_DERIVED = frozenset(
    {"id", "increment_id", "created_at", "started_at", "last_updated", "completed_at", "archived_at", "completes_in"}
)
#: Fields of the answer that hold a time derived from the number, and which of the two times it is.
_TIMES = {
    "created_at": "created",
    "started_at": "created",
    "prerun_completed_at": "created",
    "last_updated": "updated",
    "completed_at": "updated",
    "archived_at": "updated",
}


class GeneratedRunsError(ValueError):
    """An operation that generated runs do not support."""


@dataclass(frozen=True)
class GeneratedRun(Run):
    """
    A run made by the formula. It has no tasks until it is looked up: most are only listed.

    ``form`` is the text that all runs of its kind have in common, with places for what differs.
    """

    form: str = ""

    @cached_property
    def text(self) -> str:
        """The run in a list, as JSON: only what differs from others of its kind is encoded again."""
        created = self.date(self.created_at)
        return self.form % {
            "id": self.id,
            "increment_id": self.increment_id,
            "name": json.dumps(self.name),
            "created": created,
            "updated": created if self.last_updated == self.created_at else self.date(self.last_updated),
        }


class GeneratedRuns:
    """Compute runs from their numbers, counted from 0."""

    def __init__(
        self,
        catalog: Catalog,
        count: int,
        *,
        first_number: int,
        first_created_at: float,
        spacing: float,
        fields: Mapping[str, Any],
        filled: bool = False,
    ) -> None:
        _check(count, spacing, fields)
        self._filled = filled
        self._guests = catalog.guests
        self.count = count
        self._first_number = first_number
        self._first_created_at = first_created_at
        self._spacing = spacing
        self._prefix = fields.get("name")
        self._kinds = [self._kind(catalog, number, fields) for number in range(min(count, KINDS))]
        for number in (0, count - 1):
            format_date(self._created_at(number) + _DAY)  # refuses a time that is no date

    def get(self, run_id: str) -> Run | None:
        """Return a run with its tasks, or None if it is none of these."""
        digits = run_id.removeprefix(_ID_PREFIX)
        if digits == run_id or len(digits) != _ID_DIGITS:
            return None
        number = int(digits, 16) if all(digit in "0123456789abcdef" for digit in digits) else self.count
        return self.with_tasks(self.run(number)) if number < self.count else None

    def with_tasks(self, run: GeneratedRun) -> Run:
        """Return a run with its tasks, which have answers and comments if all of these runs have."""
        whole = with_initial_tasks(run)
        return with_invented_work(whole, self._guests) if self._filled else whole

    def run(self, number: int) -> GeneratedRun:
        """Build a run."""
        kind = self._kinds[number % KINDS]
        increment_id = self._first_number + number
        created_at = self._created_at(number)
        updated_at = created_at if kind.completed_at is None and kind.archived_at is None else created_at + _DAY
        return replace(
            kind,
            id=f"{_ID_PREFIX}{number:0{_ID_DIGITS}x}",
            increment_id=increment_id,
            name=kind.checklist.run_name(increment_id) if self._prefix is None else f"{self._prefix} {number + 1}",
            created_at=created_at,
            last_updated=updated_at,
            completed_at=None if kind.completed_at is None else updated_at,
            archived_at=None if kind.archived_at is None else updated_at,
        )

    def merged_with(self, others: list[Run], selection: Selection) -> Sequence[Run]:
        """Choose among these runs, and put them in order together with others."""
        if selection.by_name and self.count <= _MOST_BY_NAME:
            return selection.apply([*others, *map(self.run, range(self.count))])
        if selection.by_name:
            raise GeneratedRunsError(
                f"More than {_MOST_BY_NAME:,} generated runs can't be searched or sorted by name (q, sort=name)."
            )
        tests = selection.tests()
        kinds = [number for number, kind in enumerate(self._kinds) if all(test(kind) for test in tests)]
        return _GeneratedList(self, kinds, others, selection.backwards)

    def place(self, number: int) -> tuple[float, int]:
        """Return the sort key of a run in order of creation."""
        return self._created_at(number), self._first_number + number

    def _created_at(self, number: int) -> float:
        return self._first_created_at + self._spacing * number

    def _kind(self, catalog: Catalog, number: int, fields: Mapping[str, Any]) -> GeneratedRun:
        """Build the run that stands for all those with the same remainder."""
        checklists = list(catalog.checklists)
        turns: dict[str, Any] = {"shape": varied_shape(number), "checklist_id": checklists[number % len(checklists)]}
        if self._filled:
            kickoff = catalog.checklists[str({**turns, **fields}["checklist_id"])].kickoff
            turns["prerun"] = invented_answers(kickoff, number, self._first_created_at)
        run = run_without_tasks(catalog, number, self._first_created_at, {**turns, **fields})
        return GeneratedRun(**_attributes(run), form=_form(run))


class _GeneratedList(Sequence[Run]):
    """Generated runs of some kinds, in order of creation among others that are few."""

    def __init__(self, generated: GeneratedRuns, kinds: list[int], others: list[Run], backwards: bool) -> None:
        self._generated = generated
        self._kinds = kinds
        self._backwards = backwards
        self._others = others[::-1] if backwards else others
        rounds, rest = divmod(generated.count, KINDS)
        self._build_task = rounds * len(kinds) + bisect_left(kinds, rest)
        self._positions = [
            index + self._made_before((run.created_at, run.increment_id)) for index, run in enumerate(self._others)
        ]

    def __len__(self) -> int:
        return self._build_task + len(self._others)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        positions = range(len(self))[::-1] if self._backwards else range(len(self))
        if isinstance(index, slice):
            return [self._at(position) for position in positions[index]]
        return self._at(positions[index])

    def _at(self, position: int) -> Run:
        before = bisect_left(self._positions, position)
        if before < len(self._positions) and self._positions[before] == position:
            return self._others[before]
        return self._generated.run(self._number(position - before))

    def _made_before(self, place: tuple[float, int]) -> int:
        return bisect_left(range(self._build_task), place, key=lambda index: self._generated.place(self._number(index)))

    def _number(self, index: int) -> int:
        rounds, turn = divmod(index, len(self._kinds))
        return rounds * KINDS + self._kinds[turn]


def _check(count: int, spacing: float, fields: Mapping[str, Any]) -> None:
    if not 1 <= count < 16**_ID_DIGITS:
        raise ValueError(f"{count!r} runs can't be generated: give 1 to {16**_ID_DIGITS - 1:,}.")
    if not (spacing >= 0 and math.isfinite(spacing)):
        raise ValueError(f"Runs can't be {spacing!r} seconds apart: give zero or more.")
    derived = sorted(_DERIVED & set(fields))
    if derived:
        raise ValueError(f"The {', '.join(derived)} of a generated run follows from its number and can't be given.")


def _attributes(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__dataclass_fields__}


def _form(run: Run) -> str:
    """Render a run with places for what its number decides, in the order in which the API gives it."""
    places = {"id": '"%(id)s"', "increment_id": "%(increment_id)d", "name": "%(name)s"}
    for name, time in _TIMES.items():
        if run.row[name] is not None:
            places[name] = f'"%({time})s"'
    marked = run.row | {name: f"\0{name}" for name in places}
    form = encode(marked).decode().replace("%", "%%")
    for name, place in places.items():
        form = form.replace(encode(marked[name]).decode(), place)
    return form
