"""Timestamps as Tallyfy writes them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

#: The end of the first day since the epoch, in every time zone.
_FIRST_DAY = 2 * 86_400.0
#: Of ``20261031``.
_DIGITS_OF_A_DAY = 8


def parse_timestamp(value: Any) -> float | None:
    """
    Return the seconds since the epoch of a date of Tallyfy's; None where it is no date.

    It is ISO 8601, or ``YYYY-MM-DD HH:MM:SS`` in UTC (docs/tallyfy-api.md, "Run object").
    """
    text = str(value).strip()
    if text.isdigit() and len(text) != _DIGITS_OF_A_DAY:
        return None  # Python takes 13 digits for a day, any letter and an hour
    try:
        date = datetime.fromisoformat(text.replace("Z", "+00:00"))
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        datetime.fromtimestamp(seconds, UTC)  # a time zone can lead out of the years that can be written
    except (ValueError, OverflowError):
        return None
    return seconds


def is_date(value: Any) -> bool:
    """
    Tell whether a date of Tallyfy's says that something has happened.

    Where nothing has, a database and PHP write ``0000-00-00 00:00:00``, ``-0001-11-30`` or the first day of 1970.
    """
    seconds = parse_timestamp(value)
    return seconds is not None and seconds > _FIRST_DAY
