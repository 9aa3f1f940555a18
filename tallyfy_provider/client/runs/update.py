"""Change a run as a Dag author wrote it, and leave everything else alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.checklists import ChecklistsResource
from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import FormField, read_fields
from tallyfy_provider.client.forms.values import is_blank
from tallyfy_provider.client.resource import assigned_ids, with_added
from tallyfy_provider.client.runs.api import RunsResource
from tallyfy_provider.client.runs.launch_marker import line_in, with_line
from tallyfy_provider.client.runs.launch_request import LONGEST_NAME
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError
from tallyfy_provider.utils import arguments

_FLAGS = ("starred", "is_public")


@dataclass(frozen=True)
class RunUpdate:
    """A change to a run, checked as far as it can be without the run."""

    values: Mapping[str, Any]
    summary: str | None
    kickoff: Any
    add: Mapping[str, list[Any]]

    @classmethod
    def build(
        cls, *, values: Mapping[str, Any], summary: str | None, kickoff: Any, add: Mapping[str, Any]
    ) -> RunUpdate:
        """Check what a Dag author wrote; values that render to nothing change nothing."""
        kept = {name: _value(name, value) for name, value in values.items() if not is_blank(value)}
        added = {bucket: _ids(bucket, ids) for bucket, ids in add.items() if not is_blank(ids)}
        update = cls(kept, None if is_blank(summary) else summary, None if is_blank(kickoff) else kickoff, added)
        if not update.named:
            raise TallyfyInputError("There is nothing to change: name, summary, owner_id and all others are empty.")
        return update

    @property
    def named(self) -> str:
        """What is changed, for people."""
        optional = {"summary": self.summary, "kickoff": self.kickoff}
        return ", ".join([*self.values, *(name for name, value in optional.items() if value is not None), *self.add])

    def apply(
        self, runs: RunsResource, checklists: ChecklistsResource, run_id: str
    ) -> tuple[dict[str, Any], list[str]]:
        """Change the run; return it as it is then, and what a user should know."""
        run = runs.get(run_id, include=("ko_form_fields",) if self.kickoff is not None else ())
        changes = dict(self.values)
        if self.summary is not None:
            line = line_in(run.get("summary"))
            changes["summary"] = with_line(self.summary, line) if line else self.summary
        for bucket, ids in self.add.items():
            changes[bucket] = with_added(_assigned(run, bucket, run_id), ids)
        if self.kickoff is None:
            return runs.update(run_id, changes), []
        fields = _fields(checklists, run)
        encoded = encode_form(fields, self.kickoff, require=False)
        updated = runs.update(run_id, {**changes, "prerun": dict(encoded.values)})
        differences = compare(encoded.values, updated.get("prerun"), fields)
        return updated, [*encoded.notes, *map(str, differences)]


def _fields(checklists: ChecklistsResource, run: Mapping[str, Any]) -> tuple[FormField, ...]:
    return read_fields(run.get("ko_form_fields") or checklists.get_kickoff_fields(str(run.get("checklist_id"))))


def _value(name: str, value: Any) -> Any:
    if name in _FLAGS and str(value).strip().lower() in {"true", "false"}:
        return str(value).strip().lower() == "true"
    if name in _FLAGS:
        raise TallyfyInputError(f"{name} takes true or false, not {value!r}.")
    if name == "name" and len(str(value)) > LONGEST_NAME:
        raise TallyfyInputError(f"name has {len(str(value))} characters; Tallyfy takes at most {LONGEST_NAME}.")
    return value


def _ids(bucket: str, value: Any) -> list[Any]:
    ids = arguments.ids(f"add_{bucket}", value)
    return [int(each) if bucket == "users" and str(each).isdigit() else each for each in ids]


def _assigned(run: Mapping[str, Any], bucket: str, run_id: str) -> list[Any]:
    ids = assigned_ids(run.get(bucket), bucket)
    if ids is None:
        raise TallyfyResponseError(f"Tallyfy does not say which {bucket} are assigned to run {run_id}.")
    return ids
