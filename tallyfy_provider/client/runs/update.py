"""Changing a run as a Dag author wrote it, without touching anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.assignees import ids_of
from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import FormField, read_fields
from tallyfy_provider.client.forms.values import is_blank
from tallyfy_provider.client.runs.launch_marker import line_in, with_line
from tallyfy_provider.client.runs.launch_request import LONGEST_NAME
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError
from tallyfy_provider.utils.arguments import parse_json

_FLAGS = ("starred", "is_public")


@dataclass(frozen=True)
class RunUpdate:
    """
    What is to be changed about a run.

    :param values: The API's own names to values.
    :param summary: The new summary; None leaves it.
    :param kickoff: Values of the kick-off form by alias, label or id; None leaves it.
    :param add: Ids to be assigned in addition, by bucket: ``users`` and ``groups``.
    """

    values: Mapping[str, Any]
    summary: str | None
    kickoff: Any
    add: Mapping[str, list[Any]]

    @classmethod
    def build(
        cls, *, values: Mapping[str, Any], summary: str | None, kickoff: Any, add: Mapping[str, Any]
    ) -> RunUpdate:
        """
        Check what a Dag author wrote.

        :param values: The API's own names to values; what is nothing is left as it is.
        :param summary: The new summary.
        :param kickoff: Values of the kick-off form.
        :param add: Ids to be assigned in addition, by bucket.
        :return: The update.
        :raises TallyfyInputError: There is nothing to change, or a value cannot be used.
        """
        kept = {name: _value(name, value) for name, value in values.items() if not is_blank(value)}
        added = {bucket: _ids(bucket, ids) for bucket, ids in add.items() if not is_blank(ids)}
        update = cls(kept, None if is_blank(summary) else summary, None if is_blank(kickoff) else kickoff, added)
        if not update.named:
            raise TallyfyInputError("There is nothing to change: name, summary, owner_id and all others are empty.")
        return update

    @property
    def named(self) -> str:
        """What is changed, for people."""
        more = [
            *(("summary",) if self.summary is not None else ()),
            *(("kickoff",) if self.kickoff is not None else ()),
        ]
        return ", ".join([*self.values, *more, *self.add])

    def apply(self, client: TallyfyClient, run_id: str) -> tuple[dict[str, Any], list[str]]:
        """
        Change the run.

        :param client: The client.
        :param run_id: The run's id.
        :return: The run as it is then, and what a user should know.
        :raises TallyfyInputError: A value of the form cannot be used; nothing was changed.
        :raises TallyfyError: Of the kind that fits.
        """
        run = client.runs.get(run_id, include=("ko_form_fields",) if self.kickoff is not None else ())
        changes = dict(self.values)
        if self.summary is not None:
            line = line_in(run.get("summary"))
            changes["summary"] = with_line(self.summary, line) if line else self.summary
        for bucket, ids in self.add.items():
            changes[bucket] = _assigned(run, bucket, run_id) + [
                each for each in ids if str(each) not in {str(one) for one in _assigned(run, bucket, run_id)}
            ]
        fields = self._fields(client, run)
        notes: list[str] = []
        if self.kickoff is not None:
            encoded = encode_form(fields, self.kickoff, require=False)
            changes["prerun"] = dict(encoded.values)
            notes += encoded.notes
        updated = client.runs.update(run_id, changes)
        notes += [str(each) for each in compare(changes.get("prerun") or {}, updated.get("prerun"), fields)]
        return updated, notes

    def _fields(self, client: TallyfyClient, run: Mapping[str, Any]) -> tuple[FormField, ...]:
        if self.kickoff is None:
            return ()
        described = run.get("ko_form_fields")
        return read_fields(described or client.checklists.get_kickoff_fields(str(run.get("checklist_id"))))


def _value(name: str, value: Any) -> Any:
    if name in _FLAGS and str(value).strip().lower() in {"true", "false"}:
        return str(value).strip().lower() == "true"
    if name in _FLAGS:
        raise TallyfyInputError(f"{name} takes true or false, not {value!r}.")
    if name == "name" and len(str(value)) > LONGEST_NAME:
        raise TallyfyInputError(f"name has {len(str(value))} characters; Tallyfy takes at most {LONGEST_NAME}.")
    return value


def _ids(bucket: str, value: Any) -> list[Any]:
    value = parse_json(value)
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, (list, tuple, set)):
        raise TallyfyInputError(f"add_{bucket} takes a list of ids, not {type(value).__name__}.")
    return [int(each) if bucket == "users" and str(each).isdigit() else each for each in value]


def _assigned(run: Mapping[str, Any], bucket: str, run_id: str) -> list[Any]:
    ids = ids_of(run.get(bucket), bucket)
    if ids is None:
        raise TallyfyResponseError(f"Tallyfy does not say which {bucket} are assigned to run {run_id}.")
    return ids
