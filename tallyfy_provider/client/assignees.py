"""Read who is assigned: ids as Tallyfy gives them, and ids as Dag authors give them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import is_nothing, parse_json

#: Who a task can be assigned to.
BUCKETS = ("users", "guests", "groups")


def ids_of(given: Any, bucket: str) -> list[Any] | None:
    """
    Return the ids of those that Tallyfy says are assigned, as they are sent; None where they cannot be read.

    A user is a number or an object with an ``id``, a guest an email address or an object with an ``email``, a group an
    id or an object (docs/tallyfy-api.md, "Endpoints"). They come in a list, in one under ``data``, or in an object with
    a list's numbers as its keys, which is how PHP writes a list with gaps.
    """
    if isinstance(given, Mapping) and "data" in given:
        given = given["data"]
    if isinstance(given, Mapping) and all(str(key).isdigit() for key in given):
        given = list(given.values())
    if not isinstance(given, list):
        return None
    ids = [_id_of(each, bucket) for each in given]
    return None if any(each is None for each in ids) else ids


def read_ids(argument: str, value: Any) -> list[Any]:
    """Read the ids of an argument: a list, its JSON text, text with commas, or one id."""
    value = parse_json(value)
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, Iterable) or isinstance(value, (Mapping, bytes)):
        raise TallyfyInputError(f"{argument} takes a list of ids, or one id, not a {type(value).__name__}.")
    ids = [each.strip() if isinstance(each, str) else each for each in value]
    return [each for each in ids if not is_nothing(each)]


def added_ids(assigned: list[Any], added: Iterable[Any]) -> list[Any]:
    """Return those who are assigned and those who are added, each once."""
    known = {str(each).casefold() for each in assigned}
    return [*assigned, *(each for each in added if str(each).casefold() not in known)]


def _id_of(each: Any, bucket: str) -> Any:
    if isinstance(each, Mapping):
        # A guest is sent by the address, whatever id the object has.
        each = each.get("email" if bucket == "guests" else "id")
    return each if isinstance(each, (int, str)) and not isinstance(each, bool) and each != "" else None
