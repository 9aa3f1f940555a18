"""Moments as Tallyfy writes them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def parse_timestamp(value: Any) -> float | None:
    """
    Read a date of Tallyfy's: ISO 8601, or ``YYYY-MM-DD HH:MM:SS`` in UTC (docs/tallyfy-api.md, "Run object").

    :param value: The date.
    :return: Seconds since the epoch; None where it is no date.
    """
    try:
        date = datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
