"""Timestamps as Tallyfy writes them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def parse_timestamp(value: Any) -> float | None:
    """
    Return the seconds since the epoch of a date of Tallyfy's; None where it is no date.

    It is ISO 8601, or ``YYYY-MM-DD HH:MM:SS`` in UTC (docs/tallyfy-api.md, "Run object").
    """
    try:
        date = datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
