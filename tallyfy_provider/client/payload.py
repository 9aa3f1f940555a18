"""Paths, queries and bodies as people write them, put into the form that is sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from tallyfy_provider.exceptions import TallyfyInputError


def segments_of(path: str) -> tuple[str, ...]:
    """
    Take a path apart.

    :param path: Such as ``runs/ID/export``, or ``/me`` from the root of the API. Its parts are given as they are, not
        percent-encoded.
    :return: The parts, unescaped.
    :raises TallyfyInputError: It is a whole URL, holds a query, or could lead to another place than it says.
    """
    if not isinstance(path, str) or not path.strip("/ "):
        raise TallyfyInputError(f"path is {path!r}: give one such as 'runs/ID/export', or '/me' from the API's root.")
    if "://" in path or path.startswith("//"):
        # The rest may be a guest's link, which opens the task for whoever has it.
        parts = urlsplit(path)
        raise TallyfyInputError(
            f"path is a whole address ({parts.scheme or 'https'}://{parts.hostname or ''}…): leave out the host, which "
            "is the connection's, and give the path alone, such as 'runs/ID/export' or '/me'."
        )
    for mark, name in (("?", "query"), ("#", "fragment")):
        if mark in path:
            raise TallyfyInputError(
                f"path {path.partition(mark)[0]!r} is followed by a {name} ({mark!r}): give a query as "
                "params={'name': value}."
            )
    segments = tuple(path.removeprefix("/").split("/"))
    if any(not segment.strip() for segment in segments):
        raise TallyfyInputError(f"path {path!r} has an empty part: an id that it was to hold is missing.")
    if any(segment.strip() in {".", ".."} for segment in segments):
        raise TallyfyInputError(f"path {path!r} leads elsewhere by '.' or '..': write the path that is meant.")
    if segments[0] == "organizations" and not path.startswith("/"):
        raise TallyfyInputError(
            f"path {path!r} is taken to be within the organization: leave out 'organizations/ID/', or begin with a "
            "slash for a path from the API's root."
        )
    return segments


def query_of(params: Mapping[str, Any] | None) -> dict[str, str]:
    """
    Put a query into Tallyfy's form.

    :param params: Names to values: text, numbers, dates, booleans, or lists of them; None is left out.
    :return: Booleans as ``true`` and ``false``, lists separated by commas.
    :raises TallyfyInputError: A value has no such form.
    """
    return {str(name): _text(name, value) for name, value in (params or {}).items() if value is not None}


def _text(name: object, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return ",".join(_text(name, element) for element in value if element is not None)
    raise TallyfyInputError(
        f"params[{name!r}] takes text, a number, true or false, a date or a list of them, not a {type(value).__name__}."
    )


def body_of(given: Any) -> Any:
    """
    Put a body into the form that JSON has for it, so that nothing fails later, while it is sent.

    :param given: What is to be sent.
    :return: Only dicts, lists, text, numbers, booleans and None.
    :raises TallyfyInputError: There is something in it that JSON has no form for; values are not shown.
    """
    try:
        return json.loads(json.dumps(given, allow_nan=False, default=_plain))
    except TypeError as error:
        reason = str(error)
    except (ValueError, RecursionError):
        reason = "a number that is none, or something that holds itself"
    raise TallyfyInputError(
        f"What is to be sent to Tallyfy cannot be written as JSON ({reason}); nothing was sent. Give text, numbers, "
        "true or false, lists and dicts."
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"it holds a {type(value).__name__}")
