"""
The fields of a form, as Tallyfy describes them, and which of them a name means. Pure.

A kick-off form is ``prerun`` of a checklist, a task's form its ``form_fields`` (docs/tallyfy-api.md, "Form values").
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError

#: Largest texts that Tallyfy stores, in bytes of UTF-8 (docs/tallyfy-api.md, "Form values").
LARGEST = {"text": 200, "textarea": 30_000}
CHOICES = frozenset({"radio", "dropdown", "multiselect"})

#: What each type takes, for people; choices and tables say more than their type.
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
    """
    One thing that a field lets people choose.

    :param id: Its id, a number where Tallyfy wrote one.
    :param text: What people read.
    """

    id: int | str
    text: str


@dataclass(frozen=True)
class Column:
    """
    A column of a table.

    :param id: Its id.
    :param label: What people read above it.
    """

    id: str
    label: str


@dataclass(frozen=True)
class FormField:
    """
    A field of a form.

    :param id: What values are sent by; a template's and a run's field have the same.
    :param alias: Tallyfy's short name for it, unique in a template as a rule.
    :param label: What people read; more than one field may have the same.
    :param field_type: Such as ``text`` or ``dropdown``; one that this version does not know is kept.
    :param required: Whether Tallyfy refuses a form without it.
    :param options: What can be chosen, for ``radio``, ``dropdown`` and ``multiselect``.
    :param columns: The columns of a ``table``.
    :param guidance: What the form tells people about it.
    """

    id: str
    alias: str = ""
    label: str = ""
    field_type: str = "text"
    required: bool = False
    options: tuple[Option, ...] = ()
    columns: tuple[Column, ...] = ()
    guidance: str = ""

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> FormField:
        """
        Read Tallyfy's description of a field.

        :param described: The field as the API gave it.
        :return: The field.
        """
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
        """The field, for people: ``'Budget' (alias 'budget-12', text)``."""
        alias = f"alias {self.alias!r}" if self.alias else f"id {self.id!r}"
        return f"{(self.label or self.alias or self.id)!r} ({alias}, {self.field_type or 'of no type'})"

    @property
    def takes(self) -> str:
        """What the field takes, for people."""
        if self.field_type in CHOICES:
            number = "any of" if self.field_type == "multiselect" else "one of"
            return f"{number} {self.shown_options}" if self.options else "an option, of which Tallyfy lists none"
        if self.field_type == "table":
            columns = ", ".join(repr(column.label or column.id) for column in self.columns)
            return f"a list with exactly one entry for each column, or a dict by column: {columns or 'none listed'}"
        return _TAKES.get(self.field_type, "a value in Tallyfy's own form")

    @property
    def shown_options(self) -> str:
        """The options, for people; the first of them where there are many."""
        shown = ", ".join(repr(option.text) for option in self.options[:_SHOWN_OPTIONS])
        more = len(self.options) - _SHOWN_OPTIONS
        return f"{shown} and {more} more" if more > 0 else shown


def rows_of(described: Any) -> list[Mapping[str, Any]]:
    """
    Give the elements of a list of Tallyfy's, whichever way it is wrapped.

    :param described: A list, ``{"data": […]}``, an object with a list's numbers as its keys, or nothing.
    :return: The elements.
    :raises TallyfyResponseError: It is none of these, or an element is no object.
    """
    if isinstance(described, Mapping) and "data" in described:
        described = described["data"]
    if isinstance(described, Mapping):
        described = list(described.values())
    if described is None:
        return []
    if isinstance(described, str) or not isinstance(described, Iterable):
        raise TallyfyResponseError(f"Tallyfy should have given a list of form fields, not {type(described).__name__}.")
    rows = list(described)
    if not all(isinstance(row, Mapping) for row in rows):
        raise TallyfyResponseError("Tallyfy gave a list of form fields in which some are no objects.")
    return rows


def read_fields(described: Any) -> tuple[FormField, ...]:
    """
    Read the fields of a form.

    :param described: ``prerun`` of a checklist or ``form_fields`` of a task, as the API gave it.
    :return: The fields, in the order of the form.
    :raises TallyfyResponseError: It is no list of fields.
    """
    return tuple(FormField.read(row) for row in rows_of(described))


def find_field(fields: Sequence[FormField], key: object) -> FormField:
    """
    Tell which field a Dag author means.

    By id, then alias, then label; where none fits, by alias and then by label without regard to case.

    :param fields: The form's fields.
    :param key: Id, alias or label.
    :return: The one field.
    :raises TallyfyInputError: No field is called so, or several are.
    """
    name = str(key).strip()
    for attribute, compared in _WAYS:
        found = [field for field in fields if field.id and _is_called(field, attribute, compared, name)]
        if len(found) > 1:
            candidates = "; ".join(f"{field.name}, id {field.id!r}" for field in found)
            raise TallyfyInputError(
                f"{name!r} is the name of {len(found)} fields: {candidates}. Say which by alias or id."
            )
        if found:
            return found[0]
    raise TallyfyInputError(f"the form has no field {name!r}{_nearest(fields, name)}")


def _is_called(field: FormField, attribute: str, compared: Callable[[str], str], name: str) -> bool:
    own = compared(getattr(field, attribute))
    return bool(own) and own == compared(name)


def _without_case(text: str) -> str:
    return " ".join(text.split()).casefold()


#: How a name can be that of a field, the surest first.
_WAYS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("id", str.strip),
    ("alias", str.strip),
    ("label", str.strip),
    ("alias", _without_case),
    ("label", _without_case),
)


def _nearest(fields: Sequence[FormField], name: str) -> str:
    known = {each.casefold(): each for field in fields for each in (field.label.strip(), field.alias.strip()) if each}
    nearest = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    return f"; did you mean {known[nearest[0]]!r}?" if nearest else "."


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def whole_number(value: Any) -> Any:
    """
    Give a number for what is written as one.

    :param value: An id, as number or text.
    :return: The number; anything else as it is.
    """
    return int(value) if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()) else value


def _options(described: Any) -> Iterator[Option]:
    for row in _objects_in(described):
        text = next((row[key] for key in ("text", "label", "value") if row.get(key) is not None), None)
        if text is not None and row.get("id") is not None:
            yield Option(whole_number(row["id"]), str(text))


def _columns(described: Any) -> Iterator[Column]:
    for row in _objects_in(described):
        label = next((row[key] for key in ("label", "text", "name") if row.get(key) is not None), "")
        yield Column(_text(row.get("id")), str(label))


def _objects_in(described: Any) -> list[Mapping[str, Any]]:
    """Give what can be read of a list; an option without id, as bare text, could not be sent."""
    if isinstance(described, Mapping):
        described = described.get("data", list(described.values()))
    return [row for row in described if isinstance(row, Mapping)] if isinstance(described, (list, tuple)) else []
