"""What is wrong with a value of a form, told without the value, which may be personal. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tallyfy_provider.utils import arguments


class WrongValueError(Exception):
    """
    A value that a field does not take.

    It never leaves this package: :func:`~tallyfy_provider.client.forms.encode.encode_form` collects what they say.
    """


def is_nothing(value: Any) -> bool:
    """
    Tell whether a value stands for none.

    :param value: A value from a Dag, rendered.
    :return: True for None, what a template renders for None, blank text and empty lists and dicts.
    """
    return arguments.is_nothing(value) or (isinstance(value, (list, tuple, set, frozenset, Mapping)) and not value)


def kind_of(value: Any) -> str:
    """
    Describe a value by its kind and size alone.

    :param value: Any value.
    :return: Such as ``text of 12 characters``.
    """
    if isinstance(value, str):
        return f"text of {len(value)} character{'' if len(value) == 1 else 's'}"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, Mapping):
        return f"a dict of {len(value)}"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"a list of {len(value)}"
    return f"a {type(value).__name__}"


def parsed(value: Any) -> Any:
    """
    Read a list or dict that a template rendered with ``tojson``.

    :param value: A value from a Dag or from Tallyfy.
    :return: The list or dict; any other value as it is.
    """
    if not isinstance(value, str) or not value.strip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
