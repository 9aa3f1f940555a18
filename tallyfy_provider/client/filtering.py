"""
Check the filters of a list, and encode them for Tallyfy. Pure.

Tallyfy ignores a filter that it does not know, by name or by value, and returns everything (docs/tallyfy-api.md,
"Filters"): so both are checked before a request is sent.

A reader takes a filter's name, for messages, and a value as a Dag author gave it or a template rendered it; it returns
the elements to send, none where the value asks for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import (
    as_text,
    as_whole_number,
    as_written,
    is_literal,
    is_nothing,
    mapping,
    python_text_of,
    refuse_unstable,
)
from tallyfy_provider.utils.suggestions import did_you_mean

#: What kinds of runs and checklists there are.
TYPES = ("procedure", "form", "document")
#: Rows on a page at most: Tallyfy's own clients never ask for more.
MAX_PAGE_SIZE = 100

Elements = tuple[str, ...]
Reader = Callable[[str, Any], Elements]


@dataclass(frozen=True)
class FilterTable:
    """
    The filters of one list.

    :param readers: Readers by the name of the filter.
    :param other_names: What people write instead, where spelling alone does not lead to the right name.
    :param aliases: Names of filters that mean the same as another, which is sent instead.
    """

    readers: Mapping[str, Reader]
    other_names: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def check_names(self, filters: Mapping[Any, Any]) -> None:
        """Raise :class:`TallyfyInputError` for a name that Tallyfy does not know; values are not looked at."""
        for name in filters:
            if name not in self.readers:
                raise TallyfyInputError(f"filters[{name!r}] is not a Tallyfy filter of this list{self._hint(name)}")

    def check_literals(self, filters: Mapping[Any, Any]) -> None:
        """Raise :class:`TallyfyInputError` for a wrong value that holds no template; names must be known."""
        for name, value in filters.items():
            if _is_literal(value):
                self._read(name, value)

    def encode(self, filters: Mapping[str, Any] | str | None) -> dict[str, str]:
        """Check rendered filters and return the query; what renders to nothing is not in it."""
        return join(self.merge_aliases(self.read(filters)))

    def read(self, filters: Mapping[str, Any] | str | None) -> dict[str, Elements]:
        """Check rendered filters and return their elements by name, empty where a filter asks for nothing."""
        filters = mapping("filters", filters) or {}
        self.check_names(filters)
        return {name: self._read(name, value) for name, value in filters.items()}

    def merge_aliases(self, read: Mapping[str, Elements]) -> dict[str, Elements]:
        """Return the elements by the names that are sent, without empty ones."""
        merged: dict[str, Elements] = {}
        for name, elements in read.items():
            sent_as = self.aliases.get(name, name)
            if elements and merged.setdefault(sent_as, elements) != elements:
                same = sorted({sent_as, *(alias for alias, target in self.aliases.items() if target == sent_as)})
                raise TallyfyInputError(
                    f"The filters {' and '.join(map(repr, same))} mean the same and have different values: use one."
                )
        return merged

    def _read(self, name: str, value: Any) -> Elements:
        return self.readers[name](name, None if is_nothing(value) else value)

    def _hint(self, name: object) -> str:
        right = self.other_names.get(str(name).strip().lower())
        hint = f"; did you mean {right!r}?" if right else did_you_mean(str(name), self.readers)
        return hint or f"; the filters are {', '.join(self.readers)}."


def join(elements: Mapping[str, Elements]) -> dict[str, str]:
    """Separate the elements of each filter by commas."""
    return {name: ",".join(each) for name, each in elements.items()}


def _is_literal(value: Any) -> bool:
    if isinstance(value, str):
        return is_literal(value)
    if isinstance(value, (set, frozenset)):
        return True  # refused, whatever is in it
    if isinstance(value, (list, tuple)):
        return all(_is_literal(element) for element in value)
    return value is None or isinstance(value, (bool, int, float))


def text(name: str, value: Any) -> Elements:
    """Read text or a number."""
    if value is None:
        return ()
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return (as_text(f"filters[{name!r}]", value),)
    raise TallyfyInputError(f"filters[{name!r}] takes text, not {as_written(value)}.")


def ids(name: str, value: Any) -> Elements:
    """Read one id or several: a list, or text with commas."""
    return tuple(dict.fromkeys(_elements(name, value)))


def numbers(name: str, value: Any) -> Elements:
    """Read one user id or several."""
    found = ids(name, value)
    for number in found:
        if not (number.isascii() and number.isdigit()):
            raise TallyfyInputError(
                f"filters[{name!r}] takes Tallyfy's numeric user ids, not {as_written(number)}: Tallyfy would ignore "
                "it and return everything."
            )
    return found


def flag(name: str, value: Any) -> Elements:
    """Read true or false."""
    if value is None:
        return ()
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in {"true", "false"}):
        return (str(value).strip().lower(),)
    raise TallyfyInputError(f"filters[{name!r}] takes true or false, not {as_written(value)}.")


def archived(name: str, value: Any) -> Elements:
    """Read whether to list archived rows too (``true``) or alone (``only``); false, as no filter, leaves them out."""
    if value is None or (isinstance(value, (bool, str)) and str(value).strip().lower() == "false"):
        return ()
    return ("true",) if isinstance(value, bool) else one_of(("only", "true"))(name, value)


def one_of(allowed: Sequence[str]) -> Reader:
    """Build a reader of one of some words."""

    def read(name: str, value: Any) -> Elements:
        elements = some_of(allowed)(name, value)
        if len(elements) > 1:
            raise TallyfyInputError(f"filters[{name!r}] takes one value, not {len(elements)}: {', '.join(elements)}.")
        return elements

    return read


def some_of(allowed: Sequence[str]) -> Reader:
    """Build a reader of one or several of some words."""

    def read(name: str, value: Any) -> Elements:
        elements = ids(name, value)
        for element in elements:
            if element not in allowed:
                raise TallyfyInputError(
                    f"filters[{name!r}] cannot be {as_written(element)}{allowed_hint(element, allowed)}"
                )
        return elements

    return read


def sort_by(*names: str) -> Reader:
    """Build a reader of the name of a sort order, with a ``-`` before it for the reverse order."""
    read_one = one_of([sign + name for name in names for sign in ("", "-")])

    def read(name: str, value: Any) -> Elements:
        return read_one(name, value.strip().removeprefix("+") if isinstance(value, str) else value)

    return read


def whole_number(maximum: int | None = None) -> Reader:
    """Build a reader of a whole number from 1."""

    def read(name: str, value: Any) -> Elements:
        if value is None:
            return ()
        digits = "" if isinstance(value, int) and abs(value) > sys.maxsize else str(value).strip()
        is_number = not isinstance(value, (bool, float)) and digits.isascii() and digits.isdigit() and len(digits) < 19
        if not is_number or int(digits) < 1 or (maximum is not None and int(digits) > maximum):
            allowed = f"a whole number from 1 to {maximum}" if maximum else "a whole number from 1"
            raise TallyfyInputError(f"filters[{name!r}] takes {allowed}, not {as_written(value)}.")
        return (str(int(digits)),)

    return read


def _elements(name: str, value: Any) -> list[str]:
    """Return the elements of a list, of text with commas, or of one value; empty ones are left out."""
    if is_nothing(value):
        return []
    if isinstance(value, str):
        _refuse_python_text(name, value)
        return [part.strip() for part in value.split(",") if not is_nothing(part)]
    value = as_whole_number(value)
    refuse_unstable(f"filters[{name!r}]", value)
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return [part for element in value for part in _elements(name, element)]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TallyfyInputError(f"filters[{name!r}] takes text, a number or a list of them, not {as_written(value)}.")
    return [as_text(f"filters[{name!r}]", value)]


def _refuse_python_text(name: str, value: str) -> None:
    if (kind := python_text_of(value)) is not None:
        raise TallyfyInputError(
            f"filters[{name!r}] is the text of a {kind}: {as_written(value)}. A template renders to text: pass the "
            f"list itself (filters={{{name!r}: task.output}}), join it ({{{{ … | join(',') }}}}), or set "
            "render_template_as_native_obj=True on the Dag."
        )


def allowed_hint(value: str, allowed: Sequence[str]) -> str:
    """Return the nearest allowed word, where one is near, and all that are allowed, to end a message."""
    nearest = did_you_mean(value, allowed)
    options = f"{', '.join(allowed)}."
    return f"{nearest} Allowed: {options}" if nearest else f"; allowed: {options}"
