"""Which columns a table of runs has, and a run's value in each of them. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from tallyfy_provider.client.redaction import shown
from tallyfy_provider.utils.suggestions import did_you_mean

#: What a column holds. ``text``: text, with anything else written as JSON. ``json``: JSON text.
Kind = Literal["text", "json", "integer", "number", "boolean", "timestamp"]

#: The fields of a run (docs/tallyfy-api.md, "Run object"). Ids are text: Tallyfy gives some as a number or as text.
RUN_COLUMNS: Mapping[str, Kind] = {
    "id": "text",
    "increment_id": "integer",
    "checklist_id": "text",
    "checklist_title": "text",
    "name": "text",
    "summary": "text",
    "status": "text",
    "progress": "json",
    "whole_progress": "json",
    "started_by": "text",
    "owner_id": "text",
    "prerun": "json",
    "prerun_status": "text",
    "prerun_completed_at": "timestamp",
    "prerun_completed_by": "text",
    "prerun_submitted_by": "text",
    "prerun_length": "integer",
    "starred": "boolean",
    "is_public": "boolean",
    "type": "text",
    "parent_id": "text",
    "users": "json",
    "groups": "json",
    "collaborators": "json",
    "tags": "json",
    "created_at": "timestamp",
    "started_at": "timestamp",
    "last_updated": "timestamp",
    "due_date": "timestamp",
    "due_date_passed": "boolean",
    "due_soon": "boolean",
    "late_tasks": "integer",
    "max_task_deadline": "timestamp",
    "completed_at": "timestamp",
    "archived_at": "timestamp",
    "assign_someone_else": "boolean",
    "can_add_oot": "boolean",
    "has_open_issue": "boolean",
    "custom_fields": "json",
}
_PARTS_OF_PROGRESS: Mapping[str, Kind] = {"complete": "integer", "total": "integer", "percent": "number"}
_NESTED: Mapping[str, Kind] = {
    f"{progress}.{part}": kind
    for progress in ("progress", "whole_progress")
    for part, kind in _PARTS_OF_PROGRESS.items()
}
#: Names of fields that a message lists at most.
_MOST_NAMES = 20
_MISSING: Any = object()
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def kind_of(name: str) -> Kind:
    """Return the type of a column, a field of a run or a dotted path into one; an undocumented field is text."""
    return RUN_COLUMNS.get(name) or _NESTED.get(name) or "text"


class Columns:
    """
    The columns of an export, known before the first run is read and the same for every run.

    ``fields`` are names of fields, or dotted paths into them, such as ``progress.percent``; without them, every field
    of a run that Tallyfy documents is a column, and so is each of ``includes`` (Tallyfy's ``with``).
    """

    def __init__(self, fields: Iterable[str] | None = None, includes: Iterable[str] = ()) -> None:
        self._are_default = fields is None
        added = [include.partition(".")[0] for include in includes if include]
        self.names = tuple(dict.fromkeys([*RUN_COLUMNS, *added] if fields is None else fields))
        self._known = frozenset(self.names)
        self._never_found = set() if fields is None else set(self.names)
        self._left_out: dict[str, None] = {}
        self._fields_seen: dict[str, None] = {}

    def values(self, run: Mapping[str, Any]) -> list[Any]:
        """Return a run's value for each of :attr:`names`; None where the run has none."""
        if self._are_default:
            self._left_out.update(dict.fromkeys(run.keys() - self._known))
            return [run.get(name) for name in self.names]
        if self._never_found:
            self._fields_seen.update(dict.fromkeys(run))
            self._never_found = {name for name in self._never_found if _find(run, name) is _MISSING}
        found = (_find(run, name) for name in self.names)
        return [None if value is _MISSING else value for value in found]

    @property
    def notes(self) -> list[str]:
        """What the user should know once runs have been read: sentences with names of fields, never values."""
        if not self._fields_seen and not self._left_out:
            return []
        notes = [f"fields: no run has {name!r}, so it is null for all{self._hint(name)}" for name in self._missing]
        if self._left_out:
            notes.append(
                f"The runs also have {_listed(self._left_out)}, for which there is no column: name the columns "
                "with fields=[…], or write JSON Lines, which keep everything."
            )
        return notes

    @property
    def _missing(self) -> list[str]:
        return [name for name in self.names if name in self._never_found]

    def _hint(self, name: str) -> str:
        return did_you_mean(name, self._fields_seen) or f"; runs have {_listed(self._fields_seen)}."


def _find(run: Mapping[str, Any], name: str) -> Any:
    """Find a value by name, or by a path of names; a field whose own name has dots in it comes first."""
    if name in run:
        return run[name]
    value: Any = run
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _listed(names: Iterable[str]) -> str:
    everything = sorted(map(shown, names))
    rest = len(everything) - _MOST_NAMES
    return ", ".join(everything[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


class Misfits:
    """Counts the values that a file cannot hold, which become null in it."""

    def __init__(self) -> None:
        self._of_another_type: Counter[tuple[str, Kind]] = Counter()
        self._not_finite: Counter[str] = Counter()

    def count(self, name: str, kind: Kind, number: int = 1) -> None:
        """Count values that are not of the type of their column."""
        self._of_another_type[name, kind] += number

    def finite(self, name: str, value: Any) -> Any:
        """Return the value of a column or a field with null for each number in it that JSON cannot write."""
        if isinstance(value, float) and not math.isfinite(value):
            self._not_finite[name] += 1
            return None
        if isinstance(value, Mapping):
            return {key: self.finite(name, inner) for key, inner in value.items()}
        return [self.finite(name, inner) for inner in value] if isinstance(value, list) else value

    @property
    def notes(self) -> list[str]:
        """One sentence for each column that has any, without values."""
        return [
            *(
                f"Column {name!r} is of type {kind}: {count} of its values are not, and became null."
                for (name, kind), count in self._of_another_type.items()
            ),
            *(
                f"{name!r} holds {count} numbers that are none (NaN or infinite), which became null."
                for name, count in self._not_finite.items()
            ),
        ]


def json_text(value: Any) -> str:
    """
    Return a value as compact JSON on one line; halves of surrogate pairs, which UTF-8 cannot hold, are escaped.

    :raises ValueError: It holds NaN or an infinite number, which JSON does not have.
    """
    text = _encode(value)
    return text if _is_utf8(text) else json.dumps(value, separators=(",", ":"), allow_nan=False)


def plain_text(value: Any) -> str:
    """Return text as it is, anything else as JSON; halves of surrogate pairs become question marks."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else json_text(value)
    return text if _is_utf8(text) else text.encode("utf-8", "replace").decode()


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
