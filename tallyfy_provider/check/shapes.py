"""Describe values by their shapes, so that nothing of what they hold is repeated. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tallyfy_provider.client.redaction import quoted

_DATES = (
    ("sql", re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")),
    ("iso", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")),
    ("iso_millis", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z")),
    ("iso_offset", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d:?\d\d")),
    ("day", re.compile(r"\d{4}-\d\d-\d\d")),
)
#: Forms of times that are documented, or were measured.
READ_DATES = frozenset({"iso", "iso_millis", "sql"})
_SHOWN_WORDS = 5
_HEX = re.compile(r"[0-9a-f]{32}")


def type_of(value: Any) -> str:
    """Return the JSON type of a value, telling apart what is empty."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text" if value else '""'
    if isinstance(value, Mapping):
        return "object" if value else "{}"
    return "list" if value else "[]"


def types_of(values: Iterable[Any]) -> list[str]:
    """Return the JSON types of values, each once."""
    return sorted({type_of(value) for value in values})


def id_form(value: Any) -> str:
    """Return how an id is written."""
    if not isinstance(value, str):
        return type_of(value)
    if _HEX.fullmatch(value):
        return "32 hexadecimal digits"
    return "digits" if value.isascii() and value.isdigit() else "other text"


def id_forms(values: Iterable[Any]) -> list[str]:
    """Return how ids are written, each form once."""
    return sorted({id_form(value) for value in values})


def date_form(value: Any) -> str:
    """Return how a time is written."""
    if not isinstance(value, str):
        return type_of(value)
    return next((name for name, pattern in _DATES if pattern.fullmatch(value)), "other text")


def date_forms(values: Iterable[Any]) -> list[str]:
    """Return how times are written, each form once; those that are not there are left out."""
    return sorted({date_form(value) for value in values if value not in (None, "")})


def split_known(words: Iterable[Any], known: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the words that are known, and all others, each once."""
    seen = {str(word) for word in words if word is not None}
    return sorted(seen & set(known)), sorted(seen - set(known))


def listed(words: Collection[str]) -> str:
    """Return words for a note, the first few of many."""
    more = f" and {len(words) - _SHOWN_WORDS} more" if len(words) > _SHOWN_WORDS else ""
    return ", ".join(quoted(word) for word in list(words)[:_SHOWN_WORDS]) + more


def not_known(words: Collection[str]) -> str:
    """Return the note on words that are not known; empty where there are none."""
    return f"Not known: {listed(words)}." if words else ""


def keys_in(rows: Iterable[Mapping[str, Any]], known: Iterable[str]) -> list[str]:
    """Return those of the known keys that all rows have."""
    listed = list(rows)
    return [key for key in known if listed and all(key in row for row in listed)]
