"""Keeps the values of forms, and what people write, out of error messages. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tallyfy_provider.client.errors import TallyfyError

_HIDDEN = "***"
_CUT = "…"
#: What a body holds of people's own: forms, comments, custom fields.
_PERSONAL = frozenset({"prerun", "taskdata", "content", "form_value", "value", "summary"})
#: Shorter values are blanked out only where they stand as a word, longer ones wherever they are.
_SHORTEST_ANYWHERE = 5
_SHORTEST = 2


def hide_values(error: TallyfyError, body: Any) -> None:
    """
    Blank out what an error says of the values that were sent: Tallyfy's refusals may quote them.

    :param error: The error; its message and fields are changed.
    :param body: What was sent, as JSON has it.
    """
    values = sorted(set(_values(body)), key=len, reverse=True)
    if not values:
        return
    error.message = _without(error.message, values)
    error.args = (error.message,)
    error.fields = {name: _without(str(text), values) for name, text in error.fields.items()}


def _without(text: str, values: list[str]) -> str:
    for value in values:
        if len(value) >= _SHORTEST_ANYWHERE:
            text = _without_cut(text.replace(value, _HIDDEN), value)
        else:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", _HIDDEN, text)
    return text


def _without_cut(text: str, value: str) -> str:
    """Blank out the beginning of a value that was cut where a long message ends."""
    before, cut, after = text.rpartition(_CUT)
    for length in range(min(len(value) - 1, len(before)), _SHORTEST - 1, -1):
        if cut and before.endswith(value[:length]):
            return before[: len(before) - length] + _HIDDEN + cut + after
    return text


def _values(body: Any, personal: bool = False) -> Iterator[str]:
    if isinstance(body, Mapping):
        for key, element in body.items():
            yield from _values(element, personal or key in _PERSONAL)
    elif isinstance(body, list):
        for element in body:
            yield from _values(element, personal)
    elif personal and isinstance(body, (str, int, float)) and not isinstance(body, bool):
        # A message is one line, whatever was sent.
        value = " ".join(str(body).split())
        if len(value) >= _SHORTEST:
            yield value
