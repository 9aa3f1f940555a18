"""Why Tallyfy does not take something: it answers 422, by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class ValidationError(ValueError):
    """Something that can't be taken."""

    def __init__(self, errors: Mapping[str, Any]) -> None:
        super().__init__(" ".join(_texts(errors)))
        self.errors = dict(errors)

    @classmethod
    def of(cls, field: str, message: str) -> ValidationError:
        """Refuse for one reason."""
        return cls({field: [message]})


def _texts(errors: object) -> Iterator[str]:
    if isinstance(errors, Mapping):
        for each in errors.values():
            yield from _texts(each)
    elif isinstance(errors, list):
        yield from map(str, errors)
