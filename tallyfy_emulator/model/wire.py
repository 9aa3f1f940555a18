"""Encode and parse what goes over the wire: ids, times, JSON as PHP writes it, queries, and errors by field."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import unquote


class ValidationError(ValueError):
    """An invalid value: Tallyfy answers 422, with messages by field."""

    def __init__(self, errors: Mapping[str, Any]) -> None:
        super().__init__(" ".join(_texts(errors)))
        self.errors = dict(errors)

    @classmethod
    def of(cls, field: str, message: str) -> ValidationError:
        """Build an error with one message for one field."""
        return cls({field: [message]})


def _texts(errors: object) -> Iterator[str]:
    if isinstance(errors, Mapping):
        for each in errors.values():
            yield from _texts(each)
    elif isinstance(errors, list):
        yield from map(str, errors)


DateStyle = Literal["iso", "iso_millis", "sql"]


def stable_id(*parts: object) -> str:
    """Derive an id that is the same in every run of the emulator."""
    return hashlib.sha256("/".join(map(str, ("tallyfy-emulator", *parts))).encode()).hexdigest()[:32]


def slug(text: str) -> str:
    """Build a machine-readable name."""
    return text.lower().replace(" ", "-")


def encode(payload: object) -> bytes:
    """Render JSON without spaces and with escaped non-ASCII, as PHP does."""
    return json.dumps(payload, separators=(",", ":")).encode("ascii")


@lru_cache(maxsize=2000)
def format_date(date_value: float, style: DateStyle = "iso") -> str:
    """Render a time as the API does."""
    when = datetime.fromtimestamp(date_value, UTC).replace(tzinfo=None)
    if style == "sql":
        return when.isoformat(" ", "seconds")
    return when.isoformat("T", "milliseconds" if style == "iso_millis" else "seconds") + "Z"


def parse_date(value: object) -> float:
    """Parse a time that a caller gave for a run."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        datetime.fromtimestamp(value, UTC)  # refuses a number that is no date
        return float(value)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError(
            f"{value!r} is no time: give seconds since 1970, a datetime, or text like 2026-10-31T09:00:00Z."
        )
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def ids_of(text: str) -> frozenset[str]:
    """Parse ids that are separated by commas."""
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def parse_query(query: bytes, plus_is_space: bool = False) -> dict[str, str]:
    """Parse a query."""
    text = query.decode("latin-1")
    if plus_is_space:
        text = text.replace("+", "%20")
    pairs = (part.partition("=") for part in text.split("&") if part)
    return {unquote(name): unquote(value) for name, _, value in pairs}
