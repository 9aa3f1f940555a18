"""
Change a run as a Dag author wrote it, and leave everything else alone.

Tallyfy applies a template's rules when a kick-off form is completed, not when an answer of a completed form is changed
(docs/tallyfy-api.md, "Endpoints"). So the form is reopened, saved and completed again. Meanwhile nobody can complete a
task of the run; whatever goes wrong in between, also an end from outside, the form is completed again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tallyfy_provider.client.checklists import ChecklistsResource
from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.decode import stored_values
from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import FormField, read_fields
from tallyfy_provider.client.forms.values import is_blank
from tallyfy_provider.client.redaction import shown
from tallyfy_provider.client.resource import assigned_ids, with_added
from tallyfy_provider.client.runs.api import RULES_REPORT, RunsResource
from tallyfy_provider.client.runs.launch_marker import line_in, with_line
from tallyfy_provider.client.runs.launch_request import LONGEST_NAME
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyResponseError,
    TallyfyValidationError,
)
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.timestamps import is_date

_FLAGS = ("starred", "is_public")
#: Answers to reopening a form that say that it was not reopened.
_REFUSALS = (TallyfyAuthError, TallyfyPermissionError, TallyfyNotFoundError, TallyfyValidationError)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunUpdate:
    """A change to a run, checked as far as it can be without the run."""

    values: Mapping[str, Any]
    summary: str | None
    kickoff: Any
    add: Mapping[str, list[Any]]
    reapply_rules: bool = True

    @classmethod
    def build(
        cls,
        *,
        values: Mapping[str, Any],
        summary: str | None,
        kickoff: Any,
        add: Mapping[str, Any],
        reapply_rules: bool = True,
    ) -> RunUpdate:
        """Check what a Dag author wrote; values that render to nothing change nothing."""
        kept = {name: _value(name, value) for name, value in values.items() if not is_blank(value)}
        added = {bucket: _ids(bucket, ids) for bucket, ids in add.items() if not is_blank(ids)}
        answers = None if is_blank(kickoff) else kickoff
        update = cls(kept, arguments.text("summary", summary), answers, added, reapply_rules)
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
        changes["prerun"] = dict(encoded.values)
        updated = self._saved(runs, run, changes)
        differences = compare(encoded.values, updated.get("prerun"), fields)
        return updated, [*encoded.notes, *map(str, differences)]

    def _saved(self, runs: RunsResource, run: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """Save the answers, and have the rules applied to them."""
        run_id = str(run["id"])
        if not self.reapply_rules:
            return runs.update(run_id, changes)
        if not _is_kickoff_completed(run):
            log.warning(
                "The kick-off form of run %s is open: the answers are saved, and rules apply to them when somebody "
                "completes the form.",
                run_id,
            )
            return runs.update(run_id, changes)
        with _kickoff_open(runs, run, changes["prerun"]):
            runs.update(run_id, changes)
            updated = runs.complete_kickoff(run_id)
        log.info("%s", _describe_rules(updated))
        return updated


@contextmanager
def _kickoff_open(runs: RunsResource, run: Mapping[str, Any], answers: Mapping[str, Any]) -> Iterator[None]:
    """Reopen the kick-off form for the body, which completes it again; after any error, complete it."""
    run_id, reopened = str(run["id"]), True
    try:
        try:
            runs.reopen_kickoff(run_id)
        except _REFUSALS:
            reopened = False
            raise
        yield
    except BaseException as error:
        if reopened:
            _complete_after(error, runs, run, answers)
        raise


def _complete_after(
    error: BaseException, runs: RunsResource, run: Mapping[str, Any], answers: Mapping[str, Any]
) -> None:
    """Complete the form with the answers that it has, or else with those that it had."""
    run_id = str(run["id"])
    try:
        try:
            runs.complete_kickoff(run_id)
        except TallyfyError:  # the answers do not complete it, Tallyfy fails over them, or its response was lost
            if not _is_kickoff_completed(runs.get(run_id)):
                before = stored_values(run.get("prerun"))
                runs.update(run_id, {"prerun": {field_id: before.get(field_id) for field_id in answers}})
                runs.complete_kickoff(run_id)
    except TallyfyError as second:
        hint = f"The kick-off form of run {run_id} may be open now, which blocks its tasks: complete it in Tallyfy."
        if isinstance(error, TallyfyError):
            error.message = f"{error.message} {hint}"
        log.error("%s It could not be completed again: %s", hint, second)
    else:
        log.warning("Changing the kick-off form of run %s failed in between; the form is completed again.", run_id)


def _is_kickoff_completed(run: Mapping[str, Any]) -> bool:
    return is_date(run.get("prerun_completed_at")) or run.get("prerun_status") in ("complete", "completed")


def _describe_rules(run: Mapping[str, Any]) -> str:
    changed, evaluated = (run.get(name) for name in RULES_REPORT)
    if changed is None and evaluated is None:
        return f"Tallyfy does not say what rules changed in run {shown(run.get('id'))}."
    tasks = ", ".join(map(shown, changed)) if isinstance(changed, (Mapping, list)) and changed else "no tasks"
    rules = (
        len(evaluated) if isinstance(evaluated, (Mapping, list)) else None if evaluated is None else shown(evaluated)
    )
    return f"Rules changed {tasks} of run {shown(run.get('id'))}" + (
        "." if rules is None else f" ({rules} rules were evaluated)."
    )


def _fields(checklists: ChecklistsResource, run: Mapping[str, Any]) -> tuple[FormField, ...]:
    return read_fields(run.get("ko_form_fields") or checklists.get_kickoff_fields(str(run.get("checklist_id"))))


def _value(name: str, value: Any) -> Any:
    flag = value.strip().lower() if isinstance(value, str) else value
    if name in _FLAGS and (isinstance(flag, bool) or flag in ("true", "false")):
        return flag in (True, "true")
    if name in _FLAGS:
        raise TallyfyInputError(f"{name} takes true or false, not {arguments.as_written(value)}.")
    if name == "owner_id":
        return arguments.one_id(name, value)
    text = arguments.text(name, value) or ""
    if name == "name" and len(text) > LONGEST_NAME:
        raise TallyfyInputError(f"name has {len(text)} characters; Tallyfy takes at most {LONGEST_NAME}.")
    return text


def _ids(bucket: str, value: Any) -> list[Any]:
    return arguments.user_ids("add_users", value) if bucket == "users" else arguments.ids(f"add_{bucket}", value)


def _assigned(run: Mapping[str, Any], bucket: str, run_id: str) -> list[Any]:
    ids = assigned_ids(run.get(bucket), bucket)
    if ids is None:
        raise TallyfyResponseError(f"Tallyfy does not say which {bucket} are assigned to run {run_id}.")
    return ids
