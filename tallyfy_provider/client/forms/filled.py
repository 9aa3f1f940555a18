"""Filling forms: what is sent so that the values nobody named stay as they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tallyfy_provider.client.forms.decode import stored_values
from tallyfy_provider.client.forms.fields import read_fields
from tallyfy_provider.client.forms.merge import kept_values
from tallyfy_provider.exceptions import TallyfyInputError

log = logging.getLogger(__name__)


def filled(told: Any, described: Any, stored: Any, what: str) -> dict[str, Any]:
    """
    Complete the values of a form that an update names with those that it does not.

    :param told: The values that the update names, by field id, in Tallyfy's form.
    :param described: The form's fields as the API gave them, perhaps with values; None where it gave none.
    :param stored: ``prerun`` or ``taskdata`` as the API gave it.
    :param what: Whose form it is, for messages.
    :return: What is sent.
    :raises TallyfyInputError: It is no dict, or names a field that the form does not have: Tallyfy would drop the value
        without a word.
    """
    if not isinstance(told, Mapping):
        raise TallyfyInputError(f"The form of {what} takes a dict of values by field id, not a {type(told).__name__}.")
    values = {str(field_id): value for field_id, value in told.items()}
    if described is None:
        # Without the fields nothing is known to be safe to send.
        return values
    fields = read_fields(described)
    unknown = set(values) - {field.id for field in fields}
    if unknown:
        raise TallyfyInputError(
            f"The form of {what} has no field with the id {', '.join(sorted(map(repr, unknown)))}: Tallyfy would drop "
            f"the value without a word. Its fields are {'; '.join(f'{each.name}, id {each.id!r}' for each in fields)}."
        )
    kept, left = kept_values(fields, {**stored_values(stored), **stored_values(described)}, values)
    for field in left:
        log.info(
            "%s: the value of %s is not sent along with the update, since it may not come out the same.",
            what,
            field.name,
        )
    return {**kept, **values}
