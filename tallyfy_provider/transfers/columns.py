"""Which columns a table of runs has, and a run's value in each of them. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

#: What a column holds. ``text``: text, with anything else written as JSON. ``json``: JSON text.
Kind = Literal["text", "json", "integer", "number", "boolean", "moment"]

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
    "prerun_completed_at": "moment",
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
    "created_at": "moment",
    "started_at": "moment",
    "last_updated": "moment",
    "due_date": "moment",
    "due_date_passed": "boolean",
    "due_soon": "boolean",
    "late_tasks": "integer",
    "max_task_deadline": "moment",
    "completed_at": "moment",
    "archived_at": "moment",
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
#: How many names of fields a message lists at most.
_MOST_NAMES = 20
_MISSING: Any = object()
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def kind_of(name: str) -> Kind:
    """
    Tell what a column holds.

    :param name: The column's name: a field of a run, or a dotted path into one.
    :return: Its kind; a field that is not documented is text.
    """
    return RUN_COLUMNS.get(name) or _NESTED.get(name) or "text"


class Columns:
    """
    The columns of an export, known before the first run is read and the same for every run.

    :param fields: Names of fields, or dotted paths into them, such as ``progress.percent``; None means every field of
        a run that Tallyfy documents.
    :param includes: What was asked for along with the runs (Tallyfy's ``with``); it has columns too.
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
        """
        Take a run's values.

        :param run: The run as the API gave it.
        :return: A value for each of :attr:`names`; None where the run has none.
        """
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
        """What a user should know once runs have been read: sentences that hold names of fields, never values."""
        if not self._fields_seen and not self._left_out:
            return []
        notes = [f"fields: no run has {name!r}, so it is null for all; {self._hint(name)}" for name in self._missing]
        if self._left_out:
            notes.append(
                f"The runs also have {_listed(self._left_out)}, for which there is no column: name the columns that "
                "are wanted with fields=[…], or write JSON Lines, which keep everything."
            )
        return notes

    @property
    def _missing(self) -> list[str]:
        return [name for name in self.names if name in self._never_found]

    def _hint(self, name: str) -> str:
        nearest = difflib.get_close_matches(name, list(self._fields_seen), n=1, cutoff=0.6)
        return f"did you mean {nearest[0]!r}?" if nearest else f"runs have {_listed(self._fields_seen)}."


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
    everything = sorted(names)
    rest = len(everything) - _MOST_NAMES
    return ", ".join(everything[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def json_text(value: Any) -> str:
    """
    Write a value as JSON, on one line and as short as it goes.

    :param value: What JSON was read into.
    :return: The JSON; letters of all scripts as they are, halves of surrogate pairs, which no UTF-8 can hold, escaped.
    """
    text = _encode(value)
    return text if _is_utf8(text) else json.dumps(value, separators=(",", ":"))


def plain_text(value: Any) -> str:
    """
    Write a value as text: text as it is, anything else as JSON.

    :param value: The value, not None.
    :return: The text; a half of a surrogate pair, which no UTF-8 can hold, becomes a question mark.
    """
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
