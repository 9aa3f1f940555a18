"""
Read the values that people, or a launch, wrote into a form. Pure.

Tallyfy gives a run's kick-off values by field id in ``prerun``, and a task's beside the description of each field
(docs/tallyfy-api.md, "Form values").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallyfy_provider.client.forms.fields import FormField, is_empty, read_fields, rows_of
from tallyfy_provider.utils.arguments import parse_json

#: What marks an element of a multiselect as not selected; one without the key is selected: it is there.
_UNSELECTED = (False, 0, "0", "false")


def stored_values(stored: Any) -> dict[str, Any]:
    """Return the values of a form by field id, without the empty ones."""
    if isinstance(stored, Mapping) and "data" not in stored:
        return {str(key): value for key, value in stored.items() if not is_empty(value)}
    values = {str(row.get("id") or row.get("timeline_id")): _value_in(row) for row in rows_of(stored)}
    return {key: value for key, value in values.items() if value is not None}


def values_by_alias(described: Any, stored: Any = None) -> dict[str, Any]:
    """
    Return the values of a form by alias, as plain Python values that a task can decide by.

    Radio and dropdown give the option's text, multiselect a list of the selected options' texts, assignees a dict of
    lists (``users``, ``guests``, ``groups``); all else comes as Tallyfy has it. A field that is not filled gives None.
    A field without alias, or whose alias an earlier field has, goes by its label, then by its id.
    """
    fields = read_fields(described)
    if stored is None:
        values = [_value_in(row) for row in rows_of(described)]
    else:
        by_id = stored_values(stored)
        values = [by_id.get(field.id) for field in fields]
    return {name: _decode(field, value) for name, field, value in zip(_names(fields), fields, values, strict=True)}


def selected(elements: Sequence[Any]) -> list[Any]:
    """Return the selected elements of a stored multiselect, which may hold all options."""
    return [each for each in elements if not (isinstance(each, Mapping) and each.get("selected") in _UNSELECTED)]


def _value_in(described: Mapping[str, Any]) -> Any:
    found = (described.get(key) for key in ("field_value", "value"))
    return next((value for value in found if not is_empty(value)), None)


def _names(fields: Sequence[FormField]) -> list[str]:
    """Return a name of its own for each field; all aliases are taken before any label, so that no label takes one."""
    names: dict[int, str] = {}
    for attribute in ("alias", "label", "id"):
        for number, field in enumerate(fields):
            name = getattr(field, attribute).strip()
            if number not in names and name and name not in names.values():
                names[number] = name
    return [names.get(number, f"field {number + 1}") for number in range(len(fields))]


def _decode(field: FormField, value: Any) -> Any:
    decode = _DECODERS.get(field.field_type)
    return decode(field, parse_json(value)) if decode and value is not None else value


def _choice(field: FormField, value: Any) -> Any:
    if isinstance(value, list):
        value = next(iter(selected(value)), None)
    if isinstance(value, Mapping) and not is_empty(value.get("text")):
        return value["text"]
    wanted = value.get("id") if isinstance(value, Mapping) else value
    if wanted in [option.text for option in field.options]:
        return wanted
    by_id = [option.text for option in field.options if str(option.id) == str(wanted)]
    return by_id[0] if by_id else wanted


def _choices(field: FormField, value: Any) -> list[Any] | None:
    elements = selected(value) if isinstance(value, list) else [value]
    return [_choice(field, element) for element in elements] or None


def _assignees(field: FormField, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    people = {bucket: list(value.get(bucket) or []) for bucket in ("users", "guests", "groups")}
    return people if any(people.values()) else None


def _structure(field: FormField, value: Any) -> Any:
    return None if is_empty(value) else value


_DECODERS: Mapping[str, Callable[[FormField, Any], Any]] = {
    "radio": _choice,
    "dropdown": _choice,
    "multiselect": _choices,
    "assignees_form": _assignees,
    "table": _structure,
    "file": _structure,
}
