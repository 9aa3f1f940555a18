"""
Merge an update of a form with the values that it does not name, so that Tallyfy keeps them. Pure.

Whether Tallyfy keeps the values that an update does not send is not documented (docs/tallyfy-api.md, "Endpoints"). So
those that can be sent back unchanged are. Values that may not come out the same are not sent: a file that is known by
its address alone, which could be attached a second time, a value that no longer fits its field, such as an option that
was taken out of the template, and a field of a type that this version does not know.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tallyfy_provider.client.forms.decode import stored_values
from tallyfy_provider.client.forms.encode import encode_value, is_known
from tallyfy_provider.client.forms.fields import FormField, is_empty, read_fields
from tallyfy_provider.client.forms.values import WrongValueError
from tallyfy_provider.client.redaction import quoted
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import parse_json

log = logging.getLogger(__name__)


def merge_form(update: Any, described: Any, stored: Any, owner: str) -> dict[str, Any]:
    """Return the values of an update by field id, together with the stored ones that it does not name."""
    if not isinstance(update, Mapping):
        raise TallyfyInputError(
            f"The form of {owner} takes a dict of values by field id, not a {type(update).__name__}."
        )
    values = {str(field_id): value for field_id, value in update.items()}
    if described is None:
        # Without the fields nothing is known to be safe to send.
        return values
    fields = {field.id: field for field in read_fields(described)}
    if unknown := set(values) - set(fields):
        known = "; ".join(f"{field.name}, id {quoted(field.id)}" for field in fields.values())
        raise TallyfyInputError(
            f"The form of {owner} has no field with the id {', '.join(map(quoted, sorted(unknown)))}: Tallyfy would "
            f"drop the value without a word. Its fields are {known}."
        )
    kept = {}
    for field_id, value in {**stored_values(stored), **stored_values(described)}.items():
        if field_id in values or field_id not in fields:
            continue
        kept[field_id] = _encode_again(fields[field_id], value)
        if kept[field_id] is None:
            log.info(
                "%s: the value of %s is not sent along with the update, since it may not come out the same.",
                owner,
                fields[field_id].name,
            )
    return {**{field_id: value for field_id, value in kept.items() if value is not None}, **values}


def _encode_again(field: FormField, value: Any) -> Any:
    """Encode a stored value; None where it might not come out the same."""
    if not is_known(field) or (field.field_type == "file" and not _are_uploads(parse_json(value))):
        return None
    try:
        encoded = encode_value(field, value)
    except WrongValueError:
        return None
    return None if is_empty(encoded) else encoded


def _are_uploads(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(file, Mapping) and file.get("id") for file in value)
