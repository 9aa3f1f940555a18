"""Read, encode and check the form of a task. Pure. Tasks are as the API gave them, with ``form_fields``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.decode import stored_values, values_by_alias
from tallyfy_provider.client.forms.encode import EncodedForm, encode_form
from tallyfy_provider.client.forms.fields import is_empty, read_fields
from tallyfy_provider.client.redaction import quoted
from tallyfy_provider.exceptions import TallyfyInputError

Task = Mapping[str, Any]


def form_values_of(task: Task) -> dict[str, Any]:
    """Return what people wrote into a task's form, by alias: docs/reference/form-values.md, "Reading values"."""
    return values_by_alias(task.get("form_fields"), stored=_stored(task))


def encode_task_form(task: Task, values: Any) -> EncodedForm:
    """Check and encode values by field alias, label or id; None means none."""
    return encode_form(read_fields(task.get("form_fields")), values, argument="values", require=False)


def require_filled(task: Task, encoded: EncodedForm) -> None:
    """Raise TallyfyInputError where a required field is neither filled nor in the encoded values."""
    stored = _stored(task)
    missing = [
        field
        for field in read_fields(task.get("form_fields"))
        if field.required and field.id not in stored and field.id not in encoded.values
    ]
    if missing:
        lines = "".join(f"\n- {field.name} takes {field.takes}." for field in missing)
        raise TallyfyInputError(
            f"Task {quoted(task.get('title'))} cannot be completed, and nothing was changed. Required, filled by "
            f"nobody and not in values:{lines}"
        )


def describe_losses(sent: Mapping[str, Any], updated: Task, task: Task) -> list[str]:
    """Name each field of the task whose value was not stored as it was sent."""
    return [str(each) for each in compare(sent, _stored(updated), read_fields(task.get("form_fields")))]


def shows_values(task: Task) -> bool:
    """Tell whether a task came with the values of its form."""
    return not is_empty(task.get("taskdata")) or "form_fields" in task


def _stored(task: Task) -> dict[str, Any]:
    return {**stored_values(task.get("taskdata")), **stored_values(task.get("form_fields"))}
