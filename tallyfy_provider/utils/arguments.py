"""Reads arguments of Dag authors that more than one operator takes, as templates render them. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.timestamps import parse_timestamp


def is_nothing(value: Any) -> bool:
    """
    Tell whether an argument says nothing, as a template does when there is nothing to render.

    :param value: The argument.
    :return: True for None, blank text and the text ``None``.
    """
    return value is None or (isinstance(value, str) and value.strip() in {"", "None"})


def is_literal(value: Any) -> bool:
    """
    Tell whether an argument is text that holds no template, and so is known when the Dag is parsed.

    :param value: The argument.
    :return: True for such text.
    """
    return isinstance(value, str) and "{{" not in value and "{%" not in value


def parse_json(value: Any) -> Any:
    """Return the list or dict that a template rendered with ``tojson``; any other value as it is."""
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def names(argument: str, value: Iterable[str] | str | None) -> list[str] | None:
    """
    Read names: a list, or text with commas.

    :param argument: What the argument is called, for messages.
    :param value: The names.
    :return: The names, each once; None for None.
    :raises TallyfyInputError: It names nothing.
    """
    if value is None:
        return None
    given = value.split(",") if isinstance(value, str) else list(value)
    stripped = [str(name).strip() for name in given if str(name).strip()]
    if not stripped:
        raise TallyfyInputError(f"{argument} is {value!r}, which names nothing; leave it out to keep all.")
    return list(dict.fromkeys(stripped))


def whole_number(argument: str, value: int | str | None) -> int | None:
    """
    Read a whole number from 1.

    :param argument: What the argument is called, for messages.
    :param value: The number, or text of it.
    :return: The number; None where nothing is said.
    :raises TallyfyInputError: It is no such number.
    """
    if is_nothing(value):
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise TallyfyInputError(f"{argument} takes a whole number from 1, or None for all, not {value!r}.")
    return int(text)


def moment(argument: str, value: str | date | None) -> datetime | None:
    """
    Read a moment: ISO 8601 text, text as Tallyfy writes it, a date (its first second), or a datetime.

    Without a time zone it is UTC. A fraction of a second is dropped: Tallyfy tells most moments by the second, and a
    bound between two seconds would part what cannot be told apart.

    :param argument: What the argument is called, for messages.
    :param value: The moment.
    :return: The moment, in UTC; None where nothing is said.
    :raises TallyfyInputError: It is no moment.
    """
    if is_nothing(value):
        return None
    seconds = parse_timestamp(value) if isinstance(value, (str, date)) else None
    if seconds is None:
        raise TallyfyInputError(
            f"{argument} takes a moment such as '2026-10-31T09:00:00Z' or '2026-10-31', a datetime, or None for no "
            f"bound, not {value!r}."
        )
    return datetime.fromtimestamp(math.floor(seconds), UTC)
