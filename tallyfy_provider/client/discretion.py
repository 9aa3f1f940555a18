"""Keeps the values of forms, and what people write, out of error messages. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tallyfy_provider.exceptions import TallyfyError

_HIDDEN = "***"
#: Where a text was cut.
_CUT = re.compile(r"…|\.\.\.")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
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
    values = sorted(set(_forms(_values(body))), key=len, reverse=True)
    if not values:
        return
    error.message = _hidden(error.message, values)
    error.args = (error.message,)
    error.fields = {name: _hidden(str(text), values) for name, text in error.fields.items()}


def _hidden(text: str, values: list[str]) -> str:
    blanked = _without(text, values)
    plain = _unescaped(blanked)
    plain_blanked = _without(plain, values)
    return blanked if plain_blanked == plain else plain_blanked


def _unescaped(text: str) -> str:
    """Undo what Tallyfy may have done to a value that it quotes: escaped it for HTML, or once more for JSON."""
    plain = html.unescape(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text))
    return " ".join(plain.split())


def _without(text: str, values: list[str]) -> str:
    for value in values:
        if len(value) >= _SHORTEST_ANYWHERE:
            text = _without_cut(re.sub(re.escape(value), _HIDDEN, text, flags=re.IGNORECASE), value)
        else:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", _HIDDEN, text, flags=re.IGNORECASE)
    return text


def _without_cut(text: str, value: str) -> str:
    """Blank out the beginning of a value that was cut: by Tallyfy, or where a long message ends."""
    for cut in reversed(list(_CUT.finditer(text))):
        before, rest = text[: cut.start()], text[cut.start() :]
        for length in range(min(len(value) - 1, len(before)), _SHORTEST - 1, -1):
            if before[-length:].lower() == value[:length].lower():
                text = before[:-length] + _HIDDEN + rest
                break
    return text


def _forms(values: Iterable[str]) -> Iterator[str]:
    """Give each value as it may be quoted; whether letters are small or capital does not matter."""
    for value in values:
        yield from (value, html.unescape(value), value.casefold(), value.upper())


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
