"""Who tasks are assigned to, as a request says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_emulator.api.body import Body
from tallyfy_emulator.model.catalog import Catalog
from tallyfy_emulator.model.task import Owners
from tallyfy_emulator.model.wire import ValidationError


def read_owners(catalog: Catalog, sent: object) -> Owners:
    """Parse ``owners``. They replace the former ones: a list that is not there is an empty one."""
    if not isinstance(sent, Mapping):
        raise ValidationError.of("owners", "The owners must be an object.")
    body = Body(dict(sent))
    owners = Owners(
        users=body.members("users", catalog.member_ids) or (),
        guests=body.texts("guests"),
        groups=body.ids("groups", catalog.groups) or (),
    )
    _check(body, "owners")
    return owners


def _check(body: Body, name: str) -> None:
    try:
        body.check()
    except ValidationError as error:
        errors: dict[str, Any] = {f"{name}.{field}": messages for field, messages in error.errors.items()}
        raise ValidationError(errors) from error
