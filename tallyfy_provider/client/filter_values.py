"""
What the filters of lists take: values of one kind each, checked and put into Tallyfy's form. Pure.

A reader is handed the filter's name, for messages, and a value as a Dag author gave it or a template rendered it; it
gives the elements that are sent, none where there is nothing to ask for.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError

Reader = Callable[[str, Any], tuple[str, ...]]


def plain(value: Any) -> Any:
    """
    Give None for what a template renders when there is nothing.

    :param value: A value as a template rendered it.
    :return: None for blank text and the text ``None``; any other value as it is.
    """
    return None if isinstance(value, str) and value.strip() in {"", "None"} else value


def text(name: str, value: Any) -> tuple[str, ...]:
    """
    Read text or a number.

    :param name: The filter's name, for messages.
    :param value: The value.
    :return: The text; nothing for None.
    :raises TallyfyInputError: It is something else.
    """
    if value is None:
        return ()
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return (str(value),)
    raise TallyfyInputError(f"filters[{name!r}] takes text, not {shown(value)}.")


def ids(name: str, value: Any) -> tuple[str, ...]:
    """
    Read one id or several: a list, or text with commas.

    :param name: The filter's name, for messages.
    :param value: The value.
    :return: The ids, each once.
    :raises TallyfyInputError: It is something else.
    """
    return tuple(dict.fromkeys(_elements(name, value)))


def numbers(name: str, value: Any) -> tuple[str, ...]:
    """
    Read one user id or several.

    :param name: The filter's name, for messages.
    :param value: The value.
    :return: The ids, each once.
    :raises TallyfyInputError: One of them is no number.
    """
    found = ids(name, value)
    for number in found:
        if not (number.isascii() and number.isdigit()):
            raise TallyfyInputError(
                f"filters[{name!r}] takes Tallyfy's numeric user ids, not {shown(number)}: Tallyfy would ignore it "
                "and return everything."
            )
    return found


def flag(name: str, value: Any) -> tuple[str, ...]:
    """
    Read true or false.

    :param name: The filter's name, for messages.
    :param value: A boolean, or text of one.
    :return: ``true`` or ``false``; nothing for None.
    :raises TallyfyInputError: It is something else.
    """
    if value is None:
        return ()
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in {"true", "false"}):
        return (str(value).strip().lower(),)
    raise TallyfyInputError(f"filters[{name!r}] takes true or false, not {shown(value)}.")


def one_of(allowed: tuple[str, ...]) -> Reader:
    """
    Make a reader of one word out of some.

    :param allowed: The words.
    :return: The reader.
    """

    def read(name: str, value: Any) -> tuple[str, ...]:
        elements = some_of(allowed)(name, value)
        if len(elements) > 1:
            raise TallyfyInputError(f"filters[{name!r}] takes one value, not {len(elements)}: {', '.join(elements)}.")
        return elements

    return read


def some_of(allowed: tuple[str, ...]) -> Reader:
    """
    Make a reader of words out of some.

    :param allowed: The words.
    :return: The reader.
    """

    def read(name: str, value: Any) -> tuple[str, ...]:
        elements = tuple(dict.fromkeys(_elements(name, value)))
        for element in elements:
            if element not in allowed:
                raise TallyfyInputError(f"filters[{name!r}] cannot be {shown(element)}; {suggestion(element, allowed)}")
        return elements

    return read


def whole_number(largest: int | None) -> Reader:
    """
    Make a reader of a whole number from 1.

    :param largest: The largest that is taken; None for any.
    :return: The reader.
    """

    def read(name: str, value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        text = str(value).strip()
        is_number = not isinstance(value, (bool, float)) and text.isascii() and text.isdigit()
        if not is_number or int(text) < 1 or (largest is not None and int(text) > largest):
            allowed = f"a whole number from 1 to {largest}" if largest else "a whole number from 1"
            raise TallyfyInputError(f"filters[{name!r}] takes {allowed}, not {shown(value)}.")
        return (str(int(text)),)

    return read


def _elements(name: str, value: Any) -> list[str]:
    """Give the elements of a list, of text with commas, or of one value; empty ones are left out."""
    if value is None:
        return []
    if isinstance(value, str):
        _refuse_text_of_a_list(name, value)
        return [part.strip() for part in value.split(",") if plain(part) is not None]
    if isinstance(value, (bool, float, bytes, Mapping)):
        raise TallyfyInputError(f"filters[{name!r}] takes text, a number or a list of them, not {shown(value)}.")
    if isinstance(value, Iterable):
        return [part for element in value for part in _elements(name, element)]
    return [str(value)]


def _refuse_text_of_a_list(name: str, value: str) -> None:
    if value.lstrip().startswith("["):
        raise TallyfyInputError(
            f"filters[{name!r}] is the text of a list: {shown(value)}. A template renders to text; hand the list over "
            f"as it is (filters={{{name!r}: task.output}}), join it ({{{{ … | join(',') }}}}), or set "
            "render_template_as_native_obj=True on the Dag."
        )


def suggestion(value: str, allowed: Sequence[str]) -> str:
    """
    Say what could have been meant.

    :param value: What was written.
    :param allowed: What is allowed.
    :return: The nearest, where one is near, and all that is allowed.
    """
    nearest = difflib.get_close_matches(value.lower(), allowed, n=1, cutoff=0.6)
    options = f"allowed: {', '.join(allowed)}."
    return f"did you mean {nearest[0]!r}? {options.capitalize()}" if nearest else options


def shown(value: object) -> str:
    """
    Show a value in a message.

    :param value: Any value.
    :return: It as Python writes it, cut where it is long.
    """
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
