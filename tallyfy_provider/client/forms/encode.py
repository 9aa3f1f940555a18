"""
Encode a whole form, a run's kick-off form or a task's, as Tallyfy takes it. Pure.

Tallyfy drops a value under a name that it does not know without a word, and takes only field ids (docs/tallyfy-api.md,
"Form values"): so every name is resolved and every value checked before anything is sent, and one error tells all that
is wrong. No message repeats a value, which may be personal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.forms import values
from tallyfy_provider.client.forms.fields import CHOICES, TEXT_TYPES, FormField, find_field
from tallyfy_provider.client.forms.options import encode_dropdown, encode_multiselect, encode_radio, has_option
from tallyfy_provider.client.forms.values import WrongValueError, is_blank, kind_of
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import parse_json

_ENCODERS: Mapping[str, Callable[[FormField, Any], Any]] = {
    "text": values.encode_text,
    "textarea": values.encode_text,
    "date": values.encode_date,
    "email": values.encode_email,
    "radio": encode_radio,
    "dropdown": encode_dropdown,
    "multiselect": encode_multiselect,
    "table": values.encode_table,
    "assignees_form": values.encode_assignees,
    "file": values.encode_files,
}


@dataclass(frozen=True)
class EncodedForm:
    """A form that has been checked: what is sent, by field id, and what a user should know about it."""

    #: Not shown, since values may be personal.
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


def encode_form(
    fields: Sequence[FormField], given: Any, argument: str = "kickoff", require: bool = True
) -> EncodedForm:
    """
    Check the values of a form and encode them.

    None, blank text, the ``None`` of a template and empty lists stand for "not given", and are not sent.
    """
    encoding = _Encoding(argument)
    for key, value in _by_name(argument, given).items():
        encoding.add(fields, key, value)
    if require:
        encoding.require(fields)
    encoding.raise_problems(fields)
    return EncodedForm(encoding.values, tuple(encoding.notes))


def encode_value(field: FormField, value: Any) -> Any:
    """Encode one value that is not blank; empty where nothing is left of it, WrongValueError where it does not fit."""
    values.refuse_sets(value)
    if not is_known(field):
        return values.as_json(value)
    is_text = field.field_type in TEXT_TYPES or has_option(field, value)
    return _ENCODERS[field.field_type](field, value if is_text else parse_json(value))


def is_known(field: FormField) -> bool:
    """Tell whether this version knows the type of a field; values of other types are sent as they are."""
    return field.field_type in _ENCODERS


def _by_name(argument: str, given: Any) -> Mapping[Any, Any]:
    given = parse_json(given)
    if is_blank(given):
        return {}
    if isinstance(given, Mapping):
        return given
    raise TallyfyInputError(
        f"{argument} is {kind_of(given)}; it takes a dict of field aliases, labels or ids to values. "
        "A template that renders to a whole dict ends with '| tojson'."
    )


class _Encoding:
    """Collects what can be sent and what is wrong, name by name."""

    def __init__(self, argument: str) -> None:
        self._argument = argument
        self._keys: dict[str, str] = {}
        self._wrong: set[str] = set()
        self._problems: list[str] = []
        self._has_unknown = False
        self.values: dict[str, Any] = {}
        self.notes: list[str] = []

    def add(self, fields: Sequence[FormField], key: object, value: Any) -> None:
        shown = f"{self._argument}[{key!r}]"
        try:
            meant = find_field(fields, key)
        except TallyfyInputError as unknown:
            self._problems.append(f"{shown}: {unknown.message}")
            self._has_unknown = True
            return
        if meant.id in self._keys:
            self._problems.append(f"{self._keys[meant.id]} and {shown} both name {meant.name}; keep one.")
            return
        self._keys[meant.id] = shown
        if is_blank(value) and not has_option(meant, value):
            return
        try:
            encoded = encode_value(meant, value)
        except WrongValueError as wrong:
            self._wrong.add(meant.id)
            self._problems.append(f"{shown} {wrong}. {meant.name} takes {meant.takes}.")
            return
        self._note(meant, value)
        if encoded not in ([], {}):
            self.values[meant.id] = encoded

    def _note(self, meant: FormField, value: Any) -> None:
        if is_blank(value):
            self.notes.append(f"{meant.name}: {str(value).strip()!r} is sent as its option of that name.")
        if not is_known(meant):
            self.notes.append(f"{meant.name}: this version does not know its type; the value is sent as it is.")
        if meant.field_type in CHOICES and not meant.options:
            self.notes.append(f"{meant.name}: Tallyfy lists no options for it; the value is sent unchecked.")

    def require(self, fields: Sequence[FormField]) -> None:
        for each in fields:
            if not each.required or not each.id or each.id in self.values or each.id in self._wrong:
                continue
            how = f"{self._keys[each.id]} is empty" if each.id in self._keys else "it is not given"
            self._problems.append(f"{each.name} is required, and {how}. It takes {each.takes}.")

    def raise_problems(self, fields: Sequence[FormField]) -> None:
        if not self._problems:
            return
        lines = [f"{self._argument} cannot be used, and nothing was sent:", *(f"- {each}" for each in self._problems)]
        if self._has_unknown:
            lines += ["The form's fields:", *(f"- {each.name} takes {each.takes}." for each in fields)]
        if self._has_unknown and not fields:
            lines[-1] = "The form has no fields."
        raise TallyfyInputError("\n".join(lines))
