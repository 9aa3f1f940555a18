"""The form of a task: what it holds, what is to be filled in, and what is missing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.decode import is_empty, stored_values, values_by_alias
from tallyfy_provider.client.forms.encode import Encoded, encode_form
from tallyfy_provider.client.forms.fields import FormField, read_fields
from tallyfy_provider.exceptions import TallyfyInputError

Task = Mapping[str, Any]


def fields_of(task: Task) -> tuple[FormField, ...]:
    """
    Give the fields of a task's form.

    :param task: The task as the API gave it, with ``form_fields``.
    :return: The fields.
    """
    return read_fields(task.get("form_fields"))


def form_values_of(task: Task) -> dict[str, Any]:
    """
    Give what people wrote into a task's form.

    :param task: The task as the API gave it, with ``form_fields``.
    :return: Values by alias, in plain Python: docs/form-values.md, "Reading values".
    """
    return values_by_alias(task.get("form_fields"), stored=_stored(task))


def encoded_values(task: Task, values: Any) -> Encoded:
    """
    Check what is to be filled into a task's form.

    :param task: The task as the API gave it, with ``form_fields``.
    :param values: Values by field alias, label or id; None means none.
    :return: What to send.
    :raises TallyfyInputError: Names every field that has a wrong value, is unknown or named twice.
    """
    return encode_form(fields_of(task), values, what="values", require=False)


def refuse_missing(task: Task, encoded: Encoded) -> None:
    """
    Refuse to complete a task whose form would lack a required field.

    :param task: The task as the API gave it, with ``form_fields``.
    :param encoded: What is to be filled in.
    :raises TallyfyInputError: Names the fields.
    """
    stored = _stored(task)
    missing = [
        field
        for field in fields_of(task)
        if field.required and field.id not in stored and field.id not in encoded.values
    ]
    if missing:
        lines = "".join(f"\n- {field.name} takes {field.takes}." for field in missing)
        raise TallyfyInputError(
            f"Task {task.get('title')!r} cannot be completed, and nothing was changed. Required, filled by nobody and "
            f"not in values:{lines}"
        )


def losses(sent: Mapping[str, Any], updated: Task, fields: Sequence[FormField]) -> list[str]:
    """
    Tell which values Tallyfy did not store as they were sent.

    :param sent: Values by field id.
    :param updated: The task after the update, with ``taskdata`` or ``form_fields``.
    :param fields: The form's fields.
    :return: A sentence for each, without the value.
    """
    return [str(each) for each in compare(sent, _stored(updated), fields)]


def shows_values(task: Task) -> bool:
    """
    Tell whether a task was given with the values of its form.

    :param task: The task as the API gave it.
    :return: True where there is something to compare with.
    """
    return not is_empty(task.get("taskdata")) or "form_fields" in task


def _stored(task: Task) -> dict[str, Any]:
    return {**stored_values(task.get("taskdata")), **stored_values(task.get("form_fields"))}
