"""The body of a request: what is in it, checked field by field, with every flaw told at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

from tallyfy_emulator.api.request import RequestContext
from tallyfy_emulator.model.run import parse_date
from tallyfy_emulator.model.wire import ValidationError


class Body:
    """A body's fields. What is missing is None; an invalid value is None too, and :meth:`check` raises its error."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self._errors: dict[str, Any] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def check(self) -> None:
        """Raise the errors found so far, if any."""
        if self._errors:
            raise ValidationError(self._errors)

    def add_error(self, name: str, message: str) -> None:
        """Add an error; ``{}`` in the message stands for the field's name in words."""
        self._errors.setdefault(name, []).append(message.format(name.replace("_", " ")))

    def parse(self, read: Callable[[], Any]) -> Any:
        """Call a parser; keep the errors that it raises."""
        try:
            return read()
        except ValidationError as error:
            self._errors.update(error.errors)
            return None

    def text(self, name: str, limit: int | None = None, *, required: bool = False) -> str | None:
        """Parse a text."""
        value = self.values.get(name)
        if value is None or value == "":
            if required:
                self.add_error(name, "The {} field is required.")
            return value
        if not isinstance(value, str):
            self.add_error(name, "The {} must be a string.")
            return None
        if limit is not None and len(value) > limit:
            self.add_error(name, f"The {{}} may not be greater than {limit} characters.")
            return None
        return value

    def flag(self, name: str) -> bool | None:
        """Parse a boolean."""
        value = self.values.get(name)
        if value is None or value in (True, False):  # Laravel takes 1 and 0 too
            return None if value is None else bool(value)
        self.add_error(name, "The {} field must be true or false.")
        return None

    def date(self, name: str, *, required: bool = False) -> float | None:
        """Parse a time."""
        text = self.text(name, required=required)
        if not text:
            return None
        try:
            return parse_date(text)
        except ValueError:
            self.add_error(name, "The {} is not a valid date.")
            return None

    def number(self, name: str) -> int | None:
        """Parse a whole number, which may be written as text."""
        value = self.values.get(name)
        found = _number(value)
        if value is not None and found is None:
            self.add_error(name, "The {} must be an integer.")
        return found

    def member(self, name: str, members: Collection[int]) -> int | None:
        """Parse the id of a member, as a number or as text."""
        value = self.values.get(name)
        if value is None:
            return None
        found = _number(value)
        if found not in members:
            self.add_error(name, "The selected {} is invalid.")
            return None
        return found

    def members(self, name: str, members: Collection[int]) -> tuple[int, ...] | None:
        """Parse a list of ids of members."""
        found = [_number(value) for value in self._list(name)]
        if not all(each in members for each in found):
            self.add_error(name, "The selected {} is invalid.")
            return None
        return tuple(each for each in found if each is not None) if self.values.get(name) is not None else None

    def ids(self, name: str, known: Collection[str]) -> tuple[str, ...] | None:
        """Parse a list of ids, as texts or as numbers."""
        found = tuple(str(value) for value in self._list(name))
        if not set(found) <= set(known):
            self.add_error(name, "The selected {} is invalid.")
            return None
        return found if self.values.get(name) is not None else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Parse a list of texts."""
        found = self._list(name)
        if all(isinstance(each, str) for each in found):
            return tuple(found)
        self.add_error(name, "The {} must be strings.")
        return ()

    def mapping(self, name: str) -> dict[str, Any]:
        """Parse an object; PHP takes an empty list for one."""
        value = self.values.get(name)
        if value is None or value == []:
            return {}
        if isinstance(value, dict):
            return value
        self.add_error(name, "The {} must be an object.")
        return {}

    def _list(self, name: str) -> list[Any]:
        value = self.values.get(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self.add_error(name, "The {} must be an array.")
        return []


async def body_of(context: RequestContext) -> Body:
    """Parse a request's body; none is an empty one."""
    raw = await context.request.body()
    if not raw:
        return Body({})
    try:
        values = json.loads(raw)
    except ValueError as error:
        raise ValidationError.of("body", "The body must be JSON.") from error
    if values == []:
        return Body({})
    if not isinstance(values, dict):
        raise ValidationError.of("body", "The body must be a JSON object.")
    return Body(values)


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
