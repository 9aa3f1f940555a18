"""
Compare the values of a form that Tallyfy stored with those that were sent. Pure.

Tallyfy drops what it does not know without a word, and writes what it keeps in its own way (docs/tallyfy-api.md, "Form
values"): dates in another form, text as HTML, options with those that were not chosen. Only a loss is a difference. A
difference names the field and never a value, which may be personal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tallyfy_provider.client.forms.decode import selected, stored_values
from tallyfy_provider.client.forms.fields import TEXT_TYPES, FormField, is_empty
from tallyfy_provider.utils.arguments import parse_json
from tallyfy_provider.utils.html import readings

#: No time zone is further from UTC, so a date without a time zone can move by this much.
_FURTHEST_FROM_UTC = timedelta(hours=14)
#: Tallyfy may cut seconds off.
_SAME_TIME = timedelta(minutes=1)


@dataclass(frozen=True)
class Difference:
    """A value that was dropped, or not stored as it was sent."""

    field_id: str
    field_name: str
    is_dropped: bool

    def __str__(self) -> str:
        """Name the field, without the value."""
        return f"{self.field_name} {'was not stored' if self.is_dropped else 'was stored differently than it was sent'}"


def compare(sent: Mapping[str, Any], stored: Any, fields: Sequence[FormField]) -> list[Difference]:
    """Return the values that Tallyfy did not store as they were sent, in the order of what was sent."""
    values = stored_values(stored)
    by_id = {field.id: field for field in fields}
    differences = []
    for field_id, value in sent.items():
        field = by_id.get(field_id, FormField(field_id, field_type=""))
        if is_empty(value):
            continue
        if field_id not in values:
            differences.append(Difference(field_id, field.name, is_dropped=True))
        elif not _is_same(field, value, values[field_id]):
            differences.append(Difference(field_id, field.name, is_dropped=False))
    return differences


def _is_same(field: FormField, sent: Any, stored: Any) -> bool:
    if field.field_type == "date":
        return _date(sent, stored)
    if field.field_type in TEXT_TYPES:
        return _alike(sent, stored)
    compare_values = _COMPARISONS.get(field.field_type)
    if compare_values is None:
        return _alike(parse_json(sent), parse_json(stored))
    return compare_values(sent, parse_json(stored))


def _alike(sent: Any, stored: Any) -> bool:
    """Compare values of any kind; Tallyfy may add keys to an object."""
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        return all(_alike(value, stored.get(key)) for key, value in sent.items())
    if isinstance(sent, list) and isinstance(stored, list):
        return len(sent) == len(stored) and all(map(_alike, sent, stored))
    if isinstance(sent, (Mapping, list)) or isinstance(stored, (Mapping, list)):
        return is_empty(sent) and is_empty(stored)
    if is_empty(sent) or is_empty(stored):
        return is_empty(sent) and is_empty(stored)
    return bool((readings(sent) or {""}) & (readings(stored) or {""}))


def _date(sent: Any, stored: Any) -> bool:
    one, other = _parse_date(sent), _parse_date(stored)
    if one is None or other is None:
        return True  # Written in a form of the organization's, which cannot be parsed for sure.
    difference = one.replace(tzinfo=one.tzinfo or UTC) - other.replace(tzinfo=other.tzinfo or UTC)
    if one.tzinfo is not None and other.tzinfo is not None:
        return abs(difference) < _SAME_TIME
    day = timedelta(days=1) if _is_day(stored) and not _is_day(sent) else timedelta()
    return -_FURTHEST_FROM_UTC <= difference <= _FURTHEST_FROM_UTC + day


def _is_day(value: Any) -> bool:
    return ":" not in str(value)


def _parse_date(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None


def _choice(sent: Any, stored: Any) -> bool:
    if isinstance(stored, list):
        chosen = selected(stored)
        return len(chosen) == 1 and _choice(sent, chosen[0])
    one, other = _option(sent), _option(stored)
    if one.get("id") is not None and other.get("id") is not None:
        return str(one["id"]) == str(other["id"])
    if _alike(one.get("text"), other.get("text")):
        return True
    return one.get("id") is not None and str(one["id"]) == str(other.get("text"))


def _option(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"text": value}


def _choices(sent: Any, stored: Any) -> bool:
    if not isinstance(sent, list) or not isinstance(stored, list):
        return _alike(sent, stored)
    chosen = selected(stored)
    return len(sent) == len(chosen) and all(any(_choice(each, other) for other in chosen) for each in sent)


def _assignees(sent: Any, stored: Any) -> bool:
    """Compare people; Tallyfy stores a user instead of a guest whose address is that of a member."""
    if not isinstance(sent, Mapping) or not isinstance(stored, Mapping):
        return _alike(sent, stored)
    users, guests, groups = (_people(sent.get(bucket)) for bucket in ("users", "guests", "groups"))
    their_users, their_guests, their_groups = (_people(stored.get(each)) for each in ("users", "guests", "groups"))
    if groups != their_groups or not users <= their_users or not their_guests <= guests:
        return False
    return len(their_users) + len(their_guests) == len(users) + len(guests)


def _people(listed: Any) -> set[str]:
    people = listed if isinstance(listed, list) else []
    named = (person.get("id", person.get("email")) if isinstance(person, Mapping) else person for person in people)
    return {str(person).strip().casefold() for person in named}


def _files(sent: Any, stored: Any) -> bool:
    """Compare files by id, address or name; Tallyfy adds to them and may rewrite addresses."""
    if not isinstance(sent, list) or not isinstance(stored, list):
        return _alike(sent, stored)
    return len(sent) == len(stored) and all(any(_same_file(file, other) for other in stored) for file in sent)


def _same_file(file: Any, other: Any) -> bool:
    if not isinstance(file, Mapping) or not isinstance(other, Mapping):
        return _alike(file, other)
    keys = ("id", "url", "full_url", "filename")
    return any(file.get(key) is not None and str(file[key]) == str(other.get(key)) for key in keys)


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "radio": _choice,
    "dropdown": _choice,
    "multiselect": _choices,
    "assignees_form": _assignees,
    "file": _files,
}
