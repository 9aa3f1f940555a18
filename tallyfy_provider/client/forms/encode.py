"""
A whole form, a run's kick-off form or a task's, put into Tallyfy's form. Pure.

Tallyfy drops a value under a name that it does not know without a word, and takes only field ids (docs/tallyfy-api.md,
"Form values"): so every name is resolved and every value checked before anything is sent, and all that is wrong is told
at once. No message repeats a value, which may be personal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.client.forms.fields import CHOICES, FormField, find_field
from tallyfy_provider.client.forms.options import has_option
from tallyfy_provider.client.forms.problems import WrongValueError, is_nothing, kind_of, parsed
from tallyfy_provider.client.forms.values import encode_value, is_known
from tallyfy_provider.exceptions import TallyfyInputError


@dataclass(frozen=True)
class Encoded:
    """
    A form that has been checked.

    :param values: What is sent as ``prerun`` or ``taskdata``: values in Tallyfy's form by field id. Not shown, since
        they may be personal.
    :param notes: What a user should read: values that are sent unchecked.
    """

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


def encode_form(fields: Sequence[FormField], values: Any, what: str = "kickoff", require: bool = True) -> Encoded:
    """
    Check the values of a form and put them into Tallyfy's form.

    None, blank text, the ``None`` of a template and empty lists stand for "not given", and are not sent.

    :param fields: The form's fields.
    :param values: Values by field id, alias or label, rendered; or the JSON text of such a dict; None means none.
    :param what: The argument that the values come from, for messages.
    :param require: Refuse a form that lacks a required field.
    :return: What to send.
    :raises TallyfyInputError: Names every field that has a wrong value, is unknown, named twice or missing.
    """
    form = _Form(what)
    for key, value in _by_name(what, values).items():
        form.take(fields, key, value)
    if require:
        form.miss(fields)
    form.refuse_problems(fields)
    return Encoded(form.encoded, tuple(form.notes))


def _by_name(what: str, values: Any) -> Mapping[Any, Any]:
    values = parsed(values)
    if is_nothing(values):
        return {}
    if isinstance(values, Mapping):
        return values
    raise TallyfyInputError(
        f"{what} is {kind_of(values)}; it takes a dict of field aliases, labels or ids to values. "
        "A template that renders to a whole dict ends with '| tojson'."
    )


class _Form:
    """Collects what can be sent and what is wrong, name by name."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._keys: dict[str, str] = {}
        self._wrong: set[str] = set()
        self._problems: list[str] = []
        self._has_unknown = False
        self.encoded: dict[str, Any] = {}
        self.notes: list[str] = []

    def take(self, fields: Sequence[FormField], key: object, value: Any) -> None:
        """Take the value that a Dag author gave under a name."""
        shown = f"{self._what}[{key!r}]"
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
        if is_nothing(value) and not has_option(meant, value):
            return
        try:
            encoded = encode_value(meant, value)
        except WrongValueError as wrong:
            self._wrong.add(meant.id)
            self._problems.append(f"{shown} {wrong}. {meant.name} takes {meant.takes}.")
            return
        self._note(meant, value)
        if encoded not in ([], {}):
            self.encoded[meant.id] = encoded

    def _note(self, meant: FormField, value: Any) -> None:
        if is_nothing(value):
            self.notes.append(f"{meant.name}: 'None' is taken for its option of that name.")
        if not is_known(meant):
            self.notes.append(f"{meant.name}: this version does not know its type; the value is sent as it is.")
        if meant.field_type in CHOICES and not meant.options:
            self.notes.append(f"{meant.name}: Tallyfy lists no options for it; the value is sent unchecked.")

    def miss(self, fields: Sequence[FormField]) -> None:
        """Tell which required fields are not filled."""
        for each in fields:
            if not each.required or not each.id or each.id in self.encoded or each.id in self._wrong:
                continue
            how = f"{self._keys[each.id]} is empty" if each.id in self._keys else "it is not given"
            self._problems.append(f"{each.name} is required, and {how}. It takes {each.takes}.")

    def refuse_problems(self, fields: Sequence[FormField]) -> None:
        """Raise all that is wrong, if anything is."""
        if not self._problems:
            return
        lines = [f"{self._what} cannot be used, and nothing was sent:", *(f"- {each}" for each in self._problems)]
        if self._has_unknown:
            lines += ["The form's fields:", *(f"- {each.name} takes {each.takes}." for each in fields)]
        if self._has_unknown and not fields:
            lines[-1] = "The form has no fields."
        raise TallyfyInputError("\n".join(lines))
