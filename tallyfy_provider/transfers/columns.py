"""Which columns a table of runs has, and a run's value in each of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from tallyfy_provider.client.redaction import shown
from tallyfy_provider.tables.runs import RUN_FIELDS
from tallyfy_provider.tables.schema import Table
from tallyfy_provider.tables.values import Kind
from tallyfy_provider.utils.suggestions import did_you_mean

#: The fields of a run, as one file of runs has them: lists are JSON.
RUN_COLUMNS: Mapping[str, Kind] = {
    column.name: "json" if column.kind == "list" else column.kind for column in RUN_FIELDS
}
_PARTS_OF_PROGRESS: Mapping[str, Kind] = {"complete": "integer", "total": "integer", "percent": "number"}
_NESTED: Mapping[str, Kind] = {
    f"{progress}.{part}": kind
    for progress in ("progress", "whole_progress")
    for part, kind in _PARTS_OF_PROGRESS.items()
}
#: Names of fields that a message lists at most.
_MOST_NAMES = 20
_MISSING: Any = object()


class FileColumns(Protocol):
    """The columns of a file, as its writer needs them."""

    names: tuple[str, ...]
    #: Whether each row has the values of :attr:`names` in this order, in the types of :attr:`kinds`.
    are_typed: bool

    @property
    def kinds(self) -> list[Kind]:
        """The type of each column."""

    @property
    def descriptions(self) -> Mapping[str, str]:
        """What columns hold, by their names, as far as that is known."""

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """Return a row's value for each of :attr:`names`; None where it has none."""


class TableColumns:
    """The columns of a table, whose rows are typed."""

    are_typed = True

    def __init__(self, table: Table) -> None:
        self.names = table.names
        self.kinds = [column.kind for column in table.columns]
        self.descriptions = {column.name: column.description for column in table.columns}

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """Return a row's values."""
        return list(row.values())


def kind_of(name: str) -> Kind:
    """Return the type of a column, a field of a run or a dotted path into one; an undocumented field is text."""
    return RUN_COLUMNS.get(name) or _NESTED.get(name) or "text"


class Columns:
    """
    The columns of an export, known before the first run is read and the same for every run.

    ``fields`` are names of fields, or dotted paths into them, such as ``progress.percent``; without them, every field
    of a run that Tallyfy documents is a column, and so is each of ``includes`` (Tallyfy's ``with``).
    """

    are_typed = False

    def __init__(self, fields: Iterable[str] | None = None, includes: Iterable[str] = ()) -> None:
        self._are_default = fields is None
        added = [include.partition(".")[0] for include in includes if include]
        self.names = tuple(dict.fromkeys([*RUN_COLUMNS, *added] if fields is None else fields))
        self.kinds = [kind_of(name) for name in self.names]
        self.descriptions = {column.name: column.description for column in RUN_FIELDS if column.name in self.names}
        self._known = frozenset(self.names)
        self._never_found = set() if fields is None else set(self.names)
        self._left_out: dict[str, None] = {}
        self._fields_seen: dict[str, None] = {}

    def values(self, run: Mapping[str, Any]) -> list[Any]:
        """Return a run's value for each of :attr:`names`; None where the run has none."""
        if self._are_default:
            self._left_out.update(dict.fromkeys(run.keys() - self._known))
            return [run.get(name) for name in self.names]
        if self._never_found:
            self._fields_seen.update(dict.fromkeys(run))
            self._never_found = {name for name in self._never_found if _find(run, name) is _MISSING}
        found = (_find(run, name) for name in self.names)
        return [None if value is _MISSING else value for value in found]

    @property
    def notes(self) -> list[str]:
        """What the user should know once runs have been read: sentences with names of fields, never values."""
        if not self._fields_seen and not self._left_out:
            return []
        notes = [f"fields: no run has {name!r}, so it is null for all{self._hint(name)}" for name in self._missing]
        if self._left_out:
            notes.append(
                f"The runs also have {_listed(self._left_out)}, for which there is no column: name the columns "
                "with fields=[…], or write JSON Lines, which keep everything."
            )
        return notes

    @property
    def _missing(self) -> list[str]:
        return [name for name in self.names if name in self._never_found]

    def _hint(self, name: str) -> str:
        return did_you_mean(name, self._fields_seen) or f"; runs have {_listed(self._fields_seen)}."


def _find(run: Mapping[str, Any], name: str) -> Any:
    """Find a value by name, or by a path of names; a field whose own name has dots in it comes first."""
    if name in run:
        return run[name]
    value: Any = run
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _listed(names: Iterable[str]) -> str:
    everything = sorted(map(shown, names))
    rest = len(everything) - _MOST_NAMES
    return ", ".join(everything[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
