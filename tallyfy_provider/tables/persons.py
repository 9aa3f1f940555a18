"""
The ids of users, guests and groups, as all tables have them.

Guests go by their addresses: the id of a guest opens the guest's page.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from tallyfy_provider.tables.values import plain_text

#: What an assignee is called in the tables, by Tallyfy's name of the list.
PERSON_KINDS = {"users": "user", "guests": "guest", "groups": "group"}
#: What stands for a guest whose address is not known.
_DIGEST = re.compile("guest-[0-9a-f]{16}")


def elements_of(value: Any) -> Any:
    """Return the list that stands under ``data``, or has numbers as keys; anything else as it is."""
    if isinstance(value, Mapping) and "data" in value:
        value = value["data"]
    return list(value.values()) if isinstance(value, Mapping) and all(str(key).isdigit() for key in value) else value


def ids_of(people: Any, kind: str) -> Any:
    """Return the ids of people or groups of one of :data:`PERSON_KINDS`; what is no list of any stays as it is."""
    people = elements_of(people)
    return [found for each in people if (found := id_of(each, kind))] if isinstance(people, list) else people


def id_of(assignee: Any, kind: str) -> str:
    """Return the id of a user or a group, or a guest's address; empty for none."""
    if isinstance(assignee, Mapping):
        assignee = (assignee.get("email") or assignee.get("id")) if kind == "guests" else assignee.get("id")
    found = "" if assignee is None else plain_text(assignee)
    if kind != "guests" or not found or "@" in found or _DIGEST.fullmatch(found):
        return found
    # The id of a guest opens the guest's page: a digest tells guests apart as well.
    return f"guest-{hashlib.sha256(found.encode()).hexdigest()[:16]}"


def without_guest_ids(value: Any) -> Any:
    """Return a value of JSON with the address of each guest in it instead of the id."""
    return _without_guest_ids(value) if _may_name_guests(value) else value


def _may_name_guests(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return "guests" in value or "email" in value or any(map(_may_name_guests, value.values()))
    return kind is list and any(map(_may_name_guests, value))


def _without_guest_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_guest_ids(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if _is_by_kind(value):
        guests = elements_of(value["guests"])
        given = ids_of(guests if isinstance(guests, list) else [guests], "guests")
        return {name: given if name == "guests" else _without_guest_ids(each) for name, each in value.items()}
    if "email" in value and "id" in value and not plain_text(value["id"]).isdigit():
        value = {**value, "id": id_of(value, "guests")}
    return {name: _without_guest_ids(each) for name, each in value.items()}


def _is_by_kind(value: Mapping[str, Any]) -> bool:
    """Tell whether an object has people by their kinds, guests among them."""
    guests = value.get("guests")
    is_list = isinstance(elements_of(guests), list)
    return bool(guests) and (is_list or len(value) == 1 or len(PERSON_KINDS.keys() & value.keys()) > 1)
