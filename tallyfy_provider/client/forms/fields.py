"""
Read the fields of a form as Tallyfy describes them, and find the field that a name means. Pure.

A kick-off form is ``prerun`` of a checklist, a task's form its ``form_fields`` (docs/tallyfy-api.md, "Form values").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.names import find_by_name, suggest
from tallyfy_provider.client.redaction import quoted, shown
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError

#: Largest texts that Tallyfy stores, in bytes of UTF-8 (docs/tallyfy-api.md, "Form values").
LARGEST = {"text": 200, "textarea": 30_000}
#: Types whose values are plain text, even where the text looks like JSON.
TEXT_TYPES = frozenset({"text", "textarea", "date", "email"})
CHOICES = frozenset({"radio", "dropdown", "multiselect"})

#: What each type takes, for messages; choices and tables say more than their type.
_TAKES = {
    "text": f"text of at most {LARGEST['text']:,} bytes",
    "textarea": f"text of at most {LARGEST['textarea']:,} bytes",
    "date": "a date, a datetime or text such as 2026-10-31, 2026-10-31 09:00:00 or 2026-10-31T09:00:00Z",
    "email": "one email address",
    "assignees_form": (
        "a list of user ids and guests' email addresses, or a dict of lists with the keys users, guests and groups"
    ),
    "file": "a list of files that were uploaded before, each a dict with id or url",
}
_SHOWN_OPTIONS = 20
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Option:
    """An option of a field: its id (a number where Tallyfy writes one) and the text that people read."""

    id: int | str
    text: str


@dataclass(frozen=True)
class Column:
    """A column of a table: its id and the label above it."""

    id: str
    label: str


@dataclass(frozen=True)
class FormField:
    """A field of a form. Values are sent by ``id``, which is the same in a template and in its runs."""

    id: str
    #: Unique within a template as a rule; a label need not be.
    alias: str = ""
    label: str = ""
    #: Such as ``text`` or ``dropdown``; types that this version does not know are kept.
    field_type: str = "text"
    required: bool = False
    options: tuple[Option, ...] = ()
    columns: tuple[Column, ...] = ()
    guidance: str = ""

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> FormField:
        """Read Tallyfy's description of a field."""
        return cls(
            id=_text(described.get("id") or described.get("timeline_id")),
            alias=_text(described.get("alias")),
            label=_text(described.get("label")),
            field_type=_text(described.get("field_type")).lower(),
            required=_text(described.get("required")).lower() in {"true", "1"},
            options=tuple(_options(described.get("options"))),
            columns=tuple(_columns(described.get("columns"))),
            guidance=_text(described.get("guidance")),
        )

    @property
    def name(self) -> str:
        """The field in a message: ``'Budget' (alias 'budget-12', text)``."""
        alias = f"alias {quoted(self.alias)}" if self.alias else f"id {quoted(self.id)}"
        return f"{quoted(self.label or self.alias or self.id)} ({alias}, {shown(self.field_type or 'of no type')})"

    @property
    def takes(self) -> str:
        """What the field takes, for messages."""
        if self.field_type in CHOICES:
            number = "any of" if self.field_type == "multiselect" else "one of"
            return f"{number} {self._shown_options}" if self.options else "an option, of which Tallyfy lists none"
        if self.field_type == "table":
            columns = ", ".join(quoted(column.label or column.id) for column in self.columns)
            return f"a list with exactly one entry for each column, or a dict by column: {columns or 'none listed'}"
        return _TAKES.get(self.field_type, "a value in Tallyfy's own form")

    @property
    def _shown_options(self) -> str:
        shown = ", ".join(quoted(option.text) for option in self.options[:_SHOWN_OPTIONS])
        more = len(self.options) - _SHOWN_OPTIONS
        return f"{shown} and {more} more" if more > 0 else shown


def rows_of(described: Any, what: str = "form fields") -> list[Mapping[str, Any]]:
    """
    Return the elements of a list: a plain one, one under ``data``, or an object with numbers as keys.

    :param what: What is listed, for messages.
    :raises TallyfyResponseError: It is no list, or an element is no object.
    """
    if isinstance(described, Mapping) and "data" in described:
        described = described["data"]
    if isinstance(described, Mapping):
        described = list(described.values())
    if described is None:
        return []
    if isinstance(described, str) or not isinstance(described, Iterable):
        raise TallyfyResponseError(f"Tallyfy should have given a list of {what}, not {type(described).__name__}.")
    rows = list(described)
    if not all(isinstance(row, Mapping) for row in rows):
        raise TallyfyResponseError(f"Tallyfy gave a list of {what} in which some are no objects.")
    return rows


def read_fields(described: Any) -> tuple[FormField, ...]:
    """Read ``prerun`` of a checklist or ``form_fields`` of a task, in the order of the form."""
    return tuple(FormField.read(row) for row in rows_of(described))


def find_field(fields: Sequence[FormField], key: object) -> FormField:
    """Return the field with this id, alias or label; raise TallyfyInputError where there is none, or several."""
    name = str(key).strip()
    found = find_by_name((field for field in fields if field.id), name, ("id", "alias", "label"))
    if not found:
        suggestion = suggest(fields, name, ("label", "alias"))
        raise TallyfyInputError(f"the form has no field {name!r}{suggestion or '.'}")
    if len(found) > 1:
        candidates = "; ".join(f"{field.name}, id {quoted(field.id)}" for field in found)
        raise TallyfyInputError(f"{name!r} is the name of {len(found)} fields: {candidates}. Say which by alias or id.")
    return found[0]


def is_empty(value: Any) -> bool:
    """Tell whether a form holds nothing here: None, blank text, or an empty list or object."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, (list, tuple, set, frozenset, Mapping)) and not value)


def whole_number(value: Any) -> Any:
    """Return the number for text of digits; anything else as it is."""
    return int(value) if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()) else value


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _options(described: Any) -> Iterator[Option]:
    for row in _objects_in(described):
        text = next((row[key] for key in ("text", "label", "value") if row.get(key) is not None), None)
        if text is not None and row.get("id") is not None:
            yield Option(whole_number(row["id"]), str(text))


def _columns(described: Any) -> Iterator[Column]:
    for row in _elements(described):
        if isinstance(row, str):
            yield Column("", row)
            continue
        label = next((row[key] for key in ("label", "text", "name") if row.get(key) is not None), "")
        yield Column(_text(row.get("id")), str(label))


def _objects_in(described: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; anything else in it, such as an option as bare text, could not be sent."""
    return [row for row in _elements(described) if isinstance(row, Mapping)]


def _elements(described: Any) -> list[Any]:
    if isinstance(described, Mapping):
        described = described.get("data", list(described.values()))
    elements = described if isinstance(described, (list, tuple)) else []
    return [each for each in elements if isinstance(each, (Mapping, str))]
