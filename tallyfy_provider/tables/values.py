"""The types of columns, and values as they are written: each read once, whatever the format. Pure."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal

from tallyfy_provider.utils.plurals import counted
from tallyfy_provider.utils.timestamps import parse_timestamp

#: What a column holds. ``text``: text, with anything else written as JSON. ``json``: JSON text. ``list``: texts.
#: ``decimal``: a number as it was given, as text, so that no digit is lost.
Kind = Literal["text", "json", "list", "integer", "number", "decimal", "boolean", "timestamp"]

#: What stands for a value that is not of its column's type.
MISFIT: Any = object()
_LARGEST_INTEGER = 2**63 - 1
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?")
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Misfits:
    """Counts the values that a file cannot hold, which become null in it."""

    def __init__(self) -> None:
        self._of_another_type: Counter[tuple[str, Kind]] = Counter()
        self._not_finite: Counter[str] = Counter()

    def count(self, name: str, kind: Kind, number: int = 1) -> None:
        """Count values that are not of the type of their column."""
        self._of_another_type[name, kind] += number

    def finite(self, name: str, value: Any) -> Any:
        """Return the value of a column or a field with null for each number in it that JSON cannot write."""
        if isinstance(value, float) and not math.isfinite(value):
            self._not_finite[name] += 1
            return None
        if isinstance(value, Mapping):
            return {key: self.finite(name, inner) for key, inner in value.items()}
        return [self.finite(name, inner) for inner in value] if isinstance(value, list) else value

    @property
    def notes(self) -> list[str]:
        """One sentence for each column that has any, without values."""
        return [
            *(
                f"Column {name!r} is of type {kind}: {counted(count, 'value')} of another type became null."
                for (name, kind), count in self._of_another_type.items()
            ),
            *(
                f"Column {name!r} holds NaN or infinite numbers: {counted(count, 'value')} became null."
                for name, count in self._not_finite.items()
            ),
        ]


def json_text(value: Any) -> str:
    """
    Return a value as compact JSON on one line; halves of surrogate pairs, which UTF-8 cannot hold, are escaped.

    :raises ValueError: It holds NaN or an infinite number, which JSON does not have.
    """
    text = _encode(value)
    return text if _is_utf8(text) else _HALF_A_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


class GivenNumber(float):
    """A float that remembers the digits that it was given in, such as ``12.50`` or more than a float holds."""

    digits: str


def read_given(digits: str) -> float:
    """Return a number of JSON, with its digits where a float would be written in others; for ``parse_float``."""
    number = float(digits)
    if repr(number) == digits or ("e" in digits.lower() and _is_exact(number, digits)):
        return number
    given = GivenNumber(number)
    given.digits = digits
    return given


def _is_exact(number: float, digits: str) -> bool:
    try:
        return math.isfinite(number) and Decimal(repr(number)) == Decimal(digits)
    except InvalidOperation:  # its exponent is more than a Decimal holds
        return False


def json_as_given(value: Any) -> str:
    """Return what :func:`json_text` does, with numbers in the digits that Tallyfy gave them in."""
    if type(value) is str or not _has_given_number(value):
        return json_text(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(str(key))}:{json_as_given(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(json_as_given, value))}]"
    return str(value.digits)


def _has_given_number(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return any(map(_has_given_number, value.values()))
    return any(map(_has_given_number, value)) if kind is list else kind is GivenNumber


def plain_text(value: Any) -> str:
    """Return text as it is, anything else as JSON; halves of surrogate pairs become question marks."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else json_as_given(value)
    return text if _is_utf8(text) else text.encode("utf-8", "replace").decode()


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_of(timestamp: datetime) -> str:
    """Return a datetime with a time zone as ISO 8601 in UTC, such as ``2026-10-31T09:00:00Z``."""
    return timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=8192)
def _timestamp_text(text: str) -> Any:
    seconds = parse_timestamp(text)
    return MISFIT if seconds is None else text_of(datetime.fromtimestamp(seconds, UTC))


def read_json(value: Any) -> Any:
    """Return a value as JSON text."""
    return json_as_given(value)


def read_integer(value: Any) -> Any:
    """Return a whole number of 64 bits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return MISFIT
    try:
        number = int(value)
    except ValueError:
        return MISFIT
    return number if abs(number) <= _LARGEST_INTEGER else MISFIT


def read_number(value: Any) -> Any:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return MISFIT
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return MISFIT
    return number if math.isfinite(number) else MISFIT


def read_decimal(value: Any) -> Any:
    """Return a number in digits as it was given, without the blanks around it."""
    text = plain_text(value).strip()
    return text if _DECIMAL.fullmatch(text) and text.isascii() else MISFIT


def read_boolean(value: Any) -> Any:
    """Return true or false."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().lower(), MISFIT)


def read_timestamp(value: Any) -> Any:
    """Return a time as ISO 8601 in UTC."""
    return _timestamp_text(value if isinstance(value, str) else str(value))


def read_list(value: Any) -> Any:
    """Return the elements of a list as texts."""
    if isinstance(value, Mapping) and not value:
        return []
    return [plain_text(each) for each in value] if isinstance(value, (list, tuple)) else MISFIT


#: Readers of what is neither None nor, but for text and JSON, empty text.
READERS: Mapping[Kind, Callable[[Any], Any]] = {
    "text": plain_text,
    "json": read_json,
    "list": read_list,
    "integer": read_integer,
    "number": read_number,
    "decimal": read_decimal,
    "boolean": read_boolean,
    "timestamp": read_timestamp,
}
