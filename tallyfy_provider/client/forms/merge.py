"""
The values of a form that an update is to leave alone: sent along as they are, in Tallyfy's form. Pure.

Whether Tallyfy keeps the values that an update does not send is not documented (docs/tallyfy-api.md, "Endpoints"). So
those that can be sent back unchanged are. What cannot be told to come out the same is not sent: a file that is known by
its address alone, which could be attached a second time, a value that no longer fits its field, such as an option that
was taken out of the template, and a field of a type that this version does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tallyfy_provider.client.forms.decode import is_empty
from tallyfy_provider.client.forms.fields import FormField
from tallyfy_provider.client.forms.problems import WrongValueError, parsed
from tallyfy_provider.client.forms.values import encode_value, is_known


def kept_values(
    fields: Sequence[FormField], stored: Mapping[str, Any], told: Collection[str]
) -> tuple[dict[str, Any], list[FormField]]:
    """
    Give what is to be sent along.

    :param fields: The form's fields.
    :param stored: Its values by field id, as the API gave them.
    :param told: Ids of the fields that the update does name.
    :return: Values by field id in Tallyfy's form, and the fields with a value that is not sent.
    """
    kept: dict[str, Any] = {}
    left: list[FormField] = []
    for field in fields:
        value = stored.get(field.id)
        if field.id in told or is_empty(value):
            continue
        encoded = _as_sent(field, value)
        if encoded is None:
            left.append(field)
        else:
            kept[field.id] = encoded
    return kept, left


def _as_sent(field: FormField, value: Any) -> Any:
    value = parsed(value) if field.field_type not in {"text", "textarea", "email", "date"} else value
    if not is_known(field):
        return None
    if field.field_type == "file" and not _are_uploads(value):
        return None
    try:
        encoded = encode_value(field, value)
    except WrongValueError:
        return None
    return None if is_empty(encoded) else encoded


def _are_uploads(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(file, Mapping) and file.get("id") for file in value)
