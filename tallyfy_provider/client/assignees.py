"""Who is assigned, in the shapes that Tallyfy gives and takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Who a task can be assigned to.
BUCKETS = ("users", "guests", "groups")


def ids_of(given: Any, bucket: str) -> list[Any] | None:
    """
    Take the ids of those that Tallyfy says are assigned.

    A user is a number or an object with an ``id``, a guest an email address or an object with an ``email``, a group an
    id or an object (docs/tallyfy-api.md, "Endpoints").

    :param given: ``users``, ``guests`` or ``groups`` as the API gave it: a list, one that is wrapped in ``data``, or an
        object with a list's numbers as its keys, which is how PHP writes a list with gaps.
    :param bucket: Which of the three it is.
    :return: The ids as they are sent; empty where nobody is assigned; None where it cannot be read.
    """
    if isinstance(given, Mapping) and "data" in given:
        given = given["data"]
    if isinstance(given, Mapping) and all(str(key).isdigit() for key in given):
        given = list(given.values())
    if not isinstance(given, list):
        return None
    ids = [_id_of(each, bucket) for each in given]
    return None if any(each is None for each in ids) else ids


def _id_of(each: Any, bucket: str) -> Any:
    if isinstance(each, Mapping):
        # A guest is sent by the address, whatever id the object has.
        each = each.get("email" if bucket == "guests" else "id")
    return each if isinstance(each, (int, str)) and not isinstance(each, bool) and each != "" else None
