"""
Encode one value of a form in the shape that Tallyfy takes for its field's type. Pure.

The shapes are Tallyfy's (docs/tallyfy-api.md, "Form values"); :mod:`tallyfy_provider.client.forms.options` has those of
fields with options. Text works everywhere, since templates render to text; no message repeats a value, which may be
personal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from tallyfy_provider.client.forms.fields import LARGEST, FormField, is_empty, whole_number
from tallyfy_provider.utils.arguments import is_nothing, object_text_of, parse_json

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
_BUCKETS = ("users", "guests", "groups")
_TO_JSON = "a list or dict in a template is written with '| tojson'"


class WrongValueError(Exception):
    """A value that a field does not take; encode_form collects the messages, so it never leaves this package."""


def is_blank(value: Any) -> bool:
    """Tell whether a value from a Dag stands for "not given"; None in a template renders as text."""
    return is_nothing(value) or is_empty(value)


def kind_of(value: Any) -> str:
    """Describe a value by its kind and size alone, such as ``text of 12 characters``."""
    if isinstance(value, str):
        return f"text of {len(value)} character{'' if len(value) == 1 else 's'}"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, Mapping):
        return f"a dict of {len(value)}"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, (set, frozenset)):
        return f"a set of {len(value)}"
    return f"a {type(value).__name__}"


def refuse_sets(value: Any) -> None:
    """Refuse a set, or one within a value: its order differs from run to run, and Airflow 2 cannot store it."""
    if isinstance(value, (set, frozenset)):
        raise WrongValueError(f"is {kind_of(value)}, which has no order and which Airflow cannot store; use a list")
    elements = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    if any(isinstance(element, (set, frozenset)) for element in elements):
        raise WrongValueError(f"is {kind_of(value)} with a set in it, which Airflow cannot store; use a list")


def encode_text(field: FormField, value: Any) -> str:
    """Encode text, with dates in ISO 8601 and at most the bytes that Tallyfy stores."""
    if isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, (str, int, float, Decimal)):
        text = str(value)
    else:
        raise WrongValueError(f"is {kind_of(value)}")
    if what := object_text_of(text):
        raise WrongValueError(f"is the text of a {what}: end the template with '| list' or '| join'")
    size, largest = len(text.encode("utf-8", "replace")), LARGEST[field.field_type]
    if size > largest:
        raise WrongValueError(f"is {kind_of(text)}, {size:,} bytes in UTF-8, which is {size - largest:,} too many")
    return text


def encode_date(field: FormField, value: Any) -> str:
    """Encode a date or a datetime, which goes out in UTC if it has a time zone."""
    if isinstance(value, datetime):
        return _utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise WrongValueError("is a number; seconds since 1970 are no date to Tallyfy")
    if not isinstance(value, str):
        raise WrongValueError(f"is {kind_of(value)}")
    text = value.strip()
    if text.isdigit():
        raise WrongValueError("is a number; seconds since 1970 are no date to Tallyfy")
    if not _is_date(text):
        raise WrongValueError(f"is {kind_of(value)}, which is no date")
    return text


def _utc_text(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat(timespec="seconds")
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        utc = None
    if utc is None:
        raise WrongValueError("is a datetime outside of the calendar")
    return f"{utc.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def encode_email(field: FormField, value: Any) -> str:
    """Encode one email address."""
    if not isinstance(value, str) or not _EMAIL.fullmatch(value.strip()):
        raise WrongValueError(f"is {kind_of(value)}, which is no email address")
    return value.strip()


def encode_table(field: FormField, value: Any) -> list[Any]:
    """Encode a table row as a list with an entry for each column."""
    if isinstance(value, Mapping):
        entries = _by_column(field, value)
    elif isinstance(value, (list, tuple)):
        entries = list(value)
    else:
        raise WrongValueError(f"is {kind_of(value)}; {_TO_JSON}")
    if field.columns and len(entries) != len(field.columns):
        raise WrongValueError(f"is a list of {len(entries)} for {len(field.columns)} columns")
    if any(_names_columns(field, entry) > 1 for entry in entries):
        raise WrongValueError("is a list of rows; Tallyfy takes an entry for each column")
    return list(as_json(entries))


def _by_column(field: FormField, value: Mapping[Any, Any]) -> list[Any]:
    if not field.columns:
        raise WrongValueError(f"is {kind_of(value)}; as Tallyfy lists no columns for it, it takes a list")
    given = {str(key).strip().casefold(): entry for key, entry in value.items()}
    names = [_first_given(given, (column.label, column.id)) for column in field.columns]
    missing = [column.label or column.id for column, name in zip(field.columns, names, strict=True) if name is None]
    if missing:
        raise WrongValueError(f"lacks the column {', '.join(map(repr, missing))}")
    if len(value) != len(set(names)) or len(set(names)) != len(field.columns):
        raise WrongValueError(f"is {kind_of(value)} for {len(field.columns)} columns")
    return [given[name] for name in names if name is not None]


def _first_given(given: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return next((key for key in (name.strip().casefold() for name in names) if key and key in given), None)


def _names_columns(field: FormField, entry: Any) -> int:
    if not isinstance(entry, Mapping):
        return 0
    labels = {column.label.strip().casefold() for column in field.columns}
    return sum(str(key).strip().casefold() in labels for key in entry)


def encode_assignees(field: FormField, value: Any) -> dict[str, list[Any]]:
    """Encode people as lists of users, guests and groups; empty where nobody is left."""
    if isinstance(value, Mapping):
        return _buckets(value)
    people = [person for person in _listed(value) if not is_blank(person)]
    users = [person for person in map(_user, people) if person is not None]
    guests = [person for person in map(_guest, people) if person is not None]
    if len(users) + len(guests) != len(people):
        wrong = len(people) - len(users) - len(guests)
        raise WrongValueError(
            f"is {kind_of(value)}, of which {wrong} {'is' if wrong == 1 else 'are'} neither a user id nor an email "
            "address; groups go into {'groups': […]}"
        )
    return _unless_nobody({"users": _each_once(users), "guests": _each_once(guests), "groups": []})


def _buckets(value: Mapping[Any, Any]) -> dict[str, list[Any]]:
    others = [key for key in value if key not in _BUCKETS]
    if others:
        raise WrongValueError(f"is {kind_of(value)}, of which {len(others)} is not users, guests or groups")
    readers: dict[str, Callable[[Any], Any]] = {"users": _user, "guests": _guest, "groups": _group}
    encoded = {}
    for bucket, read in readers.items():
        given = [each for each in _listed(parse_json(value.get(bucket))) if not is_blank(each)]
        found = [each for each in map(read, given) if each is not None]
        if len(found) != len(given):
            wanted = {"users": "user ids", "guests": "email addresses", "groups": "group ids"}[bucket]
            raise WrongValueError(f"has something other than {wanted} in {bucket!r}")
        encoded[bucket] = _each_once(found)
    return _unless_nobody(encoded)


def _unless_nobody(people: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return people if any(people.values()) else {}


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return value.split(",")
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return list(value)
    return [value]


def _user(value: Any) -> int | None:
    number = whole_number(value.get("id") if isinstance(value, Mapping) else value)
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None


def _guest(value: Any) -> str | None:
    address = value.get("email") if isinstance(value, Mapping) else value
    if isinstance(address, str) and _EMAIL.fullmatch(address.strip()):
        return address.strip()
    return None


def _group(value: Any) -> str | None:
    group = value.get("id") if isinstance(value, Mapping) else value
    is_id = isinstance(group, (str, int)) and not isinstance(group, bool) and str(group).strip()
    return str(group).strip() if is_id else None


def _each_once(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def encode_files(field: FormField, value: Any) -> list[Any]:
    """Encode files that were uploaded before, or that are known by their address."""
    if isinstance(value, str):
        raise WrongValueError(
            f"is {kind_of(value)}; upload the file to Tallyfy first and give what it answered, or {{'url': …}}"
        )
    files = [value] if isinstance(value, Mapping) else list(value) if isinstance(value, (list, tuple)) else None
    if files is None or not all(isinstance(file, Mapping) for file in files):
        raise WrongValueError(f"is {kind_of(value)}, not of files")
    if not all(any(not is_blank(file.get(key)) for key in ("id", "url", "full_url")) for file in files):
        raise WrongValueError("has a file without id and without url")
    return [_file(file) for file in as_json(files)]


def _file(file: dict[str, Any]) -> dict[str, Any]:
    """Complete a file that is given by its address alone, as Tallyfy's own clients do."""
    if "id" in file or is_blank(file.get("url")):
        return file
    url = str(file["url"])
    return {"filename": urlsplit(url).path.rstrip("/").rpartition("/")[2] or url, "source": "url", **file}


def as_json(value: Any) -> Any:
    """Convert a value to what JSON has, so that nothing fails later, when it is sent."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        text = None
    if text is None:
        raise WrongValueError(f"is {kind_of(value)} with something in it that JSON has no form for")
    return json.loads(text)
