"""What a table is: its columns with their types, in an order that does not change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tallyfy_provider.client.redaction import without_guest_links
from tallyfy_provider.tables.persons import without_guest_ids
from tallyfy_provider.tables.values import MISFIT, READERS, Kind, Misfits, json_as_given

#: Raised when a column is added, or changes its name, type or meaning.
SCHEMA_VERSION = 1

Row = dict[str, Any]
#: Gives the rows of a table that one of Tallyfy's objects holds, with values as Tallyfy has them. A row may have more
#: keys than the table has columns.
RowsOf = Callable[[Mapping[str, Any]], Iterable[Row]]


@dataclass(frozen=True)
class Column:
    """A column: its name, type and meaning, and whether it may be null."""

    name: str
    kind: Kind
    description: str
    nullable: bool = True


#: Keys of Tallyfy's that no column has, where they are asked for.
UNKNOWN_FIELDS = Column("unknown_fields", "json", "What Tallyfy gave and no column holds, as a JSON object.")


@dataclass(frozen=True)
class Table:
    """
    A table.

    :param rows: Gives the rows that an object of Tallyfy's holds: a run, or for the small tables an object of their
        own.
    :param includes: What has to be got along with a run (Tallyfy's ``with``).
    :param is_small: Whether it has an endpoint of its own, and does not come with the runs.
    :param own_fields: Keys of Tallyfy's objects that no column has under their own name: they are in other columns, in
        another table, or secrets.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    rows: RowsOf
    includes: tuple[str, ...] = ()
    is_small: bool = False
    own_fields: frozenset[str] = frozenset()

    #: The column whose value no two rows share.
    key = "id"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def _readers(self) -> list[tuple[str, Kind, Callable[[Any], Any], bool]]:
        given = [column for column in self.columns if column != UNKNOWN_FIELDS]
        return [(each.name, each.kind, READERS[each.kind], each.kind in ("text", "json", "list")) for each in given]

    @cached_property
    def known(self) -> frozenset[str]:
        """Keys of Tallyfy's objects that are no unknown fields."""
        return self.own_fields.union(self.names)

    def with_unknown_fields(self) -> Table:
        """Return the table with a last column for what no other column holds."""
        return replace(self, columns=(*self.columns, UNKNOWN_FIELDS))

    def typed_rows(self, source: Mapping[str, Any], misfits: Misfits) -> Iterator[Row]:
        """Yield the rows that an object holds, each with every column, in the column's type."""
        keeps_unknown = UNKNOWN_FIELDS in self.columns
        for row in self.rows(source):
            found = self._typed(row, misfits)
            if keeps_unknown:
                found[UNKNOWN_FIELDS.name] = self._unknown(row)
            yield found

    def _typed(self, row: Mapping[str, Any], misfits: Misfits) -> Row:
        found: Row = {}
        for name, kind, read, takes_empty_text in self._readers:
            value = row.get(name)
            if value is None or (value == "" and not takes_empty_text):
                found[name] = None
                continue
            if kind == "text" and type(value) is str and value.isascii() and "/guest" not in value.lower():
                found[name] = value  # as most values are
                continue
            if isinstance(value, (dict, list)) or (takes_empty_text and "/guest" in str(value).lower()):
                value = without_guest_ids(without_guest_links(value))
            try:
                value = read(value)
            except ValueError:  # NaN, or an infinite number
                value = read(misfits.finite(f"{self.name}.{name}", value))
            if value is MISFIT:
                misfits.count(f"{self.name}.{name}", kind)
                value = None
            found[name] = value
        return found

    def _unknown(self, row: Mapping[str, Any]) -> str | None:
        given = {name: value for name, value in row.items() if name not in self.known}
        unknown = without_guest_ids(without_guest_links(given))
        return json_as_given(Misfits().finite("", unknown)) if unknown else None


def columns(*given: tuple[str, Kind, str] | tuple[str, Kind, str, bool]) -> tuple[Column, ...]:
    """Build columns of a name, a type, a description and, where it is never null, False."""
    return tuple(Column(*each) for each in given)
