"""
Redact secrets, personal data and guest links.

Secrets and what people entered are removed from messages; guest links, which let whoever has them act for a guest
without a login (docs/tallyfy-api.md, "Run object"), from everything that goes into a log or an XCom.
"""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from functools import lru_cache
from typing import Any

from tallyfy_provider.exceptions import TallyfyError

_HIDDEN = "***"
#: Shorter secrets would hide half of every message.
_MIN_SECRET_LENGTH = 5
_MAX_QUOTE_LENGTH = 300
#: Tallyfy's error messages have been seen to quote SQL (docs/tallyfy-api.md, "Errors, limits, retries").
_SQL = re.compile(r"SQLSTATE|\b(select|insert|update|delete)\b.+\b(from|into|set)\b", re.IGNORECASE | re.DOTALL)
#: Where a text was cut.
_CUT = re.compile(r"…|\.\.\.")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
#: Keys of a body whose values people enter: forms, comments, custom fields.
_PERSONAL_KEYS = frozenset({"prerun", "taskdata", "content", "form_value", "value", "summary"})
_MIN_VALUE_LENGTH = 2
#: Shorter values are hidden only where they stand as a word, longer ones wherever they are.
_MIN_LENGTH_WITHIN_WORDS = 5
_GUEST_LINK_KEYS = frozenset(
    {"taskurls", "guest-links", "guest_links", "guestlinks", "guest_link", "guest-link", "guest_code", "guest-code"}
)
#: What colours or moves a terminal: an escape sequence, as far as it goes.
_ESCAPE_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?", re.DOTALL)
#: An address, and what makes it a guest link; PHP escapes slashes in JSON.
_ADDRESS = re.compile(r"https?:\\?/\\?/(?:(?!https?:)[^\s'\"<>])*", re.IGNORECASE)
_OF_A_GUEST = re.compile(r"/guests?(?:\\?/|\?|$)", re.IGNORECASE)
#: The secrets of all clients of this process.
_every_secret: set[str] = set()
_every_secret_lock = threading.Lock()


class Secrets:
    """The secrets that one client knows; ``on_new`` is called with each new one."""

    def __init__(self, on_new: Callable[[str], None] | None = None) -> None:
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._on_new = on_new

    def add(self, value: str | None) -> None:
        """Remember a secret; an empty one is ignored."""
        if not value:
            return
        with self._lock:
            if value in self._known:
                return
            self._known.add(value)
        with _every_secret_lock:
            _every_secret.add(value)
        if self._on_new:
            self._on_new(value)

    def redact(self, text: str) -> str:
        """Replace every known secret in a text by ``***``."""
        with self._lock:
            known = set(self._known)
        return _hide(text, known)


def _hide(text: str, secrets: Iterable[str]) -> str:
    for value in sorted((value for value in secrets if len(value) >= _MIN_SECRET_LENGTH), key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    return text


def one_line(text: str) -> str:
    """Return text on one line, without escape sequences, control characters, changes of direction and guest links."""
    text = " ".join(_ESCAPE_SEQUENCE.sub("", text).split())
    if not text.isprintable():
        text = " ".join("".join(filter(str.isprintable, text)).split())
    return without_guest_addresses(text)


def without_guest_addresses(text: str) -> str:
    """Return a text with ``***`` for each address of a guest's page in it."""
    if "/guest" not in text and "/guest" not in text.lower():
        return text
    return _ADDRESS.sub(lambda found: _HIDDEN if _OF_A_GUEST.search(found[0]) else found[0], text)


def shown(value: Any) -> str:
    """
    Return what Tallyfy gave, as it may be logged and stand in a message: an id, a status, a name.

    It is one printable line, not too long, and holds no secret of any client of this process and no guest link.
    """
    with _every_secret_lock:
        secrets = set(_every_secret)
    # Before and after: a control character within a secret would hide it, and one in its place might be a part of it.
    text = _hide(one_line(_hide(_text(value), secrets)), secrets)
    return text if len(text) <= _MAX_QUOTE_LENGTH else text[: _MAX_QUOTE_LENGTH - 1] + "…"


def quoted(value: Any) -> str:
    """Return what :func:`shown` does, text in quotes."""
    return repr(shown(value)) if isinstance(value, str) else shown(value)


def _text(value: Any) -> str:
    try:
        return str(value)
    except (ValueError, RecursionError):  # a number of more digits than Python writes
        return type(value).__name__


def quotable(text: str) -> str:
    """Shorten what a server said to one line; withhold it where it quotes SQL."""
    line = one_line(text)
    if _SQL.search(line):
        return "(Tallyfy's message quotes SQL and is withheld)"
    return line if len(line) <= _MAX_QUOTE_LENGTH else line[: _MAX_QUOTE_LENGTH - 1] + "…"


def redact_values(error: TallyfyError, body: Any) -> None:
    """Hide in an error the values that were sent: Tallyfy's refusals may quote them."""
    values = sorted(set(_spellings(_personal_values(body))), key=len, reverse=True)
    if not values:
        return
    error.message = _redacted(error.message, values)
    error.args = (error.message,)
    error.fields = {name: _redacted(str(text), values) for name, text in error.fields.items()}


def _redacted(text: str, values: list[str]) -> str:
    redacted = _without(text, values)
    plain = _unescaped(redacted)
    plain_redacted = _without(plain, values)
    return redacted if plain_redacted == plain else plain_redacted


def _unescaped(text: str) -> str:
    """Undo what Tallyfy may have done to a value that it quotes: escaped it for HTML, or once more for JSON."""
    plain = html.unescape(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text))
    return " ".join(plain.split())


def _without(text: str, values: list[str]) -> str:
    for value in values:
        if len(value) >= _MIN_LENGTH_WITHIN_WORDS:
            text = _without_cut(re.sub(re.escape(value), _HIDDEN, text, flags=re.IGNORECASE), value)
        else:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", _HIDDEN, text, flags=re.IGNORECASE)
    return text


def _without_cut(text: str, value: str) -> str:
    """Hide the beginning of a value that was cut: by Tallyfy, or where a long message ends."""
    for cut in reversed(list(_CUT.finditer(text))):
        before, rest = text[: cut.start()], text[cut.start() :]
        for length in range(min(len(value) - 1, len(before)), _MIN_VALUE_LENGTH - 1, -1):
            if before[-length:].lower() == value[:length].lower():
                text = before[:-length] + _HIDDEN + rest
                break
    return text


def _spellings(values: Iterable[str]) -> Iterator[str]:
    """Return each value as it may be quoted; some letters change their length with their case."""
    for value in values:
        yield from (value, html.unescape(value), value.casefold(), value.upper())


def _personal_values(body: Any, is_personal: bool = False) -> Iterator[str]:
    if isinstance(body, Mapping):
        for key, element in body.items():
            yield from _personal_values(element, is_personal or key in _PERSONAL_KEYS)
    elif isinstance(body, list):
        for element in body:
            yield from _personal_values(element, is_personal)
    elif is_personal and isinstance(body, (str, int, float)) and not isinstance(body, bool):
        value = " ".join(str(body).split())  # a message is one line, whatever was sent
        if len(value) >= _MIN_VALUE_LENGTH:
            yield value


def without_guest_links(value: Any) -> Any:
    """Return a run, a task, a list of them or a text without guest links; what has none is returned as it is."""
    if isinstance(value, str):
        return without_guest_addresses(value)
    if not _has_guest_link(value):
        return value
    if isinstance(value, dict):
        return {name: without_guest_links(inner) for name, inner in value.items() if not _is_guest_link(name)}
    return [without_guest_links(inner) for inner in value] if isinstance(value, list) else value


def rows_without_guest_links(rows: Generator[dict[str, Any]], params: Mapping[str, str]) -> Generator[dict[str, Any]]:
    """Remove guest links from the rows of a list: only those with includes can have any. Closes ``rows`` at the end."""
    with closing(rows):
        for row in rows:
            yield without_guest_links(row) if "with" in params else row


@lru_cache(maxsize=4096)
def _is_guest_link(name: object) -> bool:
    return str(name).lower() in _GUEST_LINK_KEYS


def _has_guest_link(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_guest_link, value)) or any(map(_has_guest_link, value.values()))
    if isinstance(value, str):
        return "/guest" in value or "/guest" in value.lower()
    return isinstance(value, list) and any(map(_has_guest_link, value))
