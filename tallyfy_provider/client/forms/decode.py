"""
What people, or a launch, wrote into a form, as read back from Tallyfy. Pure.

Tallyfy gives a run's kick-off values by field id in ``prerun``, and a task's beside the description of each field
(docs/tallyfy-api.md, "Form values").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallyfy_provider.client.forms.fields import FormField, read_fields, rows_of
from tallyfy_provider.client.forms.problems import is_nothing, parsed


def value_in(described: Mapping[str, Any]) -> Any:
    """
    Give the value that stands beside a field's description.

    :param described: The field as the API gave it.
    :return: ``field_value``, or ``value`` where that is missing or empty; None where there is none.
    """
    found = (described.get(key) for key in ("field_value", "value"))
    return next((value for value in found if not is_empty(value)), None)


def is_empty(value: Any) -> bool:
    """
    Tell whether Tallyfy stored nothing.

    :param value: A value as the API gave it.
    :return: True for None, blank text and empty lists and objects; an answer that reads ``None`` is an answer.
    """
    return is_nothing(value) and not (isinstance(value, str) and value.strip())


def stored_values(stored: Any) -> dict[str, Any]:
    """
    Give the values of a form by field id, whichever way Tallyfy wrote them.

    :param stored: ``prerun`` of a run or ``taskdata`` of a task (``[]`` where they are empty), or a list of fields
        with their values.
    :return: Values by field id, without the empty ones.
    """
    if isinstance(stored, Mapping) and "data" not in stored:
        return {str(key): value for key, value in stored.items() if not is_empty(value)}
    values = {str(row.get("id") or row.get("timeline_id")): value_in(row) for row in rows_of(stored)}
    return {key: value for key, value in values.items() if value is not None}


def values_by_alias(described: Any, stored: Any = None) -> dict[str, Any]:
    """
    Give the values of a form by alias, in plain Python, ready for a task that decides by them.

    Radio and dropdown give the option's text, multiselect a list of the selected options' texts, assignees a dict of
    lists (``users``, ``guests``, ``groups``); all else comes as Tallyfy has it. A field that is not filled gives None.

    :param described: The fields as the API gave them, with or without values.
    :param stored: Where the values are if not beside the fields: ``prerun`` of a run or ``taskdata`` of a task.
    :return: Values by alias; by label, then by id, for a field without alias or whose alias an earlier field has.
    """
    fields = read_fields(described)
    if stored is None:
        values = [value_in(row) for row in rows_of(described)]
    else:
        by_id = stored_values(stored)
        values = [by_id.get(field.id) for field in fields]
    return {name: plain(field, value) for name, field, value in zip(_names(fields), fields, values, strict=True)}


def _names(fields: Sequence[FormField]) -> list[str]:
    """Give each field a name of its own; all aliases are given away before any label, so that no label takes one."""
    names: dict[int, str] = {}
    for attribute in ("alias", "label", "id"):
        for number, field in enumerate(fields):
            name = getattr(field, attribute).strip()
            if number not in names and name and name not in names.values():
                names[number] = name
    return [names.get(number, f"field {number + 1}") for number in range(len(fields))]


def plain(field: FormField, value: Any) -> Any:
    """
    Give one value in plain Python.

    :param field: The field.
    :param value: Its value as the API gave it.
    :return: The value as :func:`values_by_alias` says.
    """
    if is_empty(value):
        return None
    read = _READERS.get(field.field_type)
    return read(field, parsed(value)) if read else value


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


def selected(elements: Sequence[Any]) -> list[Any]:
    """
    Give what is selected of a stored multiselect, which may hold all options.

    :param elements: The elements as the API gave them.
    :return: Those that are not marked as unselected.
    """
    return [each for each in elements if not (isinstance(each, Mapping) and each.get("selected") in _UNSELECTED)]


#: An element without the key is selected: it is there.
_UNSELECTED = (False, 0, "0", "false")


def _assignees(field: FormField, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    people = {bucket: list(value.get(bucket) or []) for bucket in ("users", "guests", "groups")}
    return people if any(people.values()) else None


def _structure(field: FormField, value: Any) -> Any:
    return None if is_empty(value) else value


_READERS: Mapping[str, Callable[[FormField, Any], Any]] = {
    "radio": _choice,
    "dropdown": _choice,
    "multiselect": _choices,
    "assignees_form": _assignees,
    "table": _structure,
    "file": _structure,
}
