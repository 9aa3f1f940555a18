"""What a person does on a page, through the same functions as the API: statuses, rules and the feed follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tallyfy_emulator.api.runs import launch, stored_kickoff
from tallyfy_emulator.model import forms
from tallyfy_emulator.model.catalog import Checklist
from tallyfy_emulator.model.rules import with_rules_applied
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.task import Task
from tallyfy_emulator.model.task_changes import HIDDEN, commented, filled, recalculated, reopened, resolved
from tallyfy_emulator.model.wire import ValidationError, format_date
from tallyfy_emulator.store.organization import Organization
from tallyfy_emulator.web.fields import Sent, values_from

#: The decision that a button stands for.
_DECISIONS: Mapping[str, bool | None] = {"complete": None, "approve": True, "reject": False, "acknowledge": True}
NAME_LIMIT = 550


@dataclass(frozen=True)
class Visit:
    """A person at a page, and what the browser sent."""

    organization: Organization
    person_id: int
    sent: Sent

    def text(self, name: str) -> str:
        """Return what was typed, without the space around it."""
        return next(iter(self.sent.get(name, ())), "").strip()


def launch_from_page(visit: Visit, checklist: Checklist) -> Run:
    """Launch a process with the answers of its kick-off form."""
    organization = visit.organization
    prerun = stored_kickoff(organization, checklist, values_from(checklist.kickoff, visit.sent))
    name = visit.text("name")[:NAME_LIMIT] or f"{checklist.title} - {format_date(organization.clock.now())[:10]}"
    fields = {
        "checklist_id": checklist.id,
        "name": name,
        "owner_id": visit.person_id,
        "assignees": (visit.person_id,),
        "prerun": prerun,
    }
    return launch(organization, fields, {}, visit.person_id)


def act_on_task(visit: Visit, task: Task, action: str) -> None:
    """Do what a step's button says."""
    if action in _DECISIONS:
        _fill(visit, task)
        visit.organization.work.complete(task.id, _DECISIONS[action], visit.person_id)
        return
    _TASK_ACTIONS.get(action, _refuse)(visit, task)


def act_on_run(visit: Visit, run: Run, action: str) -> None:
    """Do what a button beside the steps says."""
    _RUN_ACTIONS.get(action, _refuse)(visit, run)


def _refuse(visit: Visit, subject: Task | Run) -> None:
    raise ValidationError.of("action", "There is no such button.")


def _fill(visit: Visit, task: Task) -> None:
    members = visit.organization.catalog.member_ids
    sent = values_from(task.form_fields, visit.sent)
    values = forms.parse_values("taskdata", task.form_fields, sent, members)
    visit.organization.work.update(task.id, lambda run, at: filled(run, task.id, at, values), visit.person_id)


def _reopen(visit: Visit, task: Task) -> None:
    visit.organization.work.update(task.id, lambda run, at: reopened(run, task.id, at), visit.person_id)


def _comment_on_task(label: str) -> Callable[[Visit, Task], None]:
    def act(visit: Visit, task: Task) -> None:
        content = _required(visit, label)

        def update(run: Run, at: float) -> Run:
            return commented(run, task.id, at, label, content, visit.person_id, HIDDEN)

        visit.organization.work.update(task.id, update, visit.person_id)

    return act


def _comment_on_run(label: str) -> Callable[[Visit, Run], None]:
    def act(visit: Visit, run: Run) -> None:
        content = _required(visit, label)

        def update(before: Run, at: float) -> Run:
            return commented(before, None, at, label, content, visit.person_id, HIDDEN)

        visit.organization.runs.update(run.id, update, visit.person_id)

    return act


def _required(visit: Visit, label: str) -> str:
    content = visit.text("content")
    if not content:
        raise ValidationError.of("content", f"Write the {label} first.")
    return content


def _resolve_on_task(visit: Visit, task: Task) -> None:
    def update(run: Run, at: float) -> Run:
        for thread in task.threads:
            if thread.is_open_issue:
                run = resolved(run, task.id, at, thread.id, visit.text("content"), visit.person_id)
        return run

    visit.organization.work.update(task.id, update, visit.person_id)


def _resolve_on_run(visit: Visit, run: Run) -> None:
    def update(before: Run, at: float) -> Run:
        for thread in run.threads:
            if thread.is_open_issue:
                before = resolved(before, None, at, thread.id, visit.text("content"), visit.person_id)
        return before

    visit.organization.runs.update(run.id, update, visit.person_id)


def _complete_kickoff(visit: Visit, run: Run) -> None:
    prerun = stored_kickoff(visit.organization, run.checklist, values_from(run.checklist.kickoff, visit.sent))

    def update(before: Run, at: float) -> Run:
        if not before.kickoff_is_open:
            return before
        after = replace(before, prerun={**before.prerun, **prerun}, kickoff_is_open=False)
        return with_rules_applied(recalculated(after, at), at)

    visit.organization.runs.update(run.id, update, visit.person_id)


def _archive(visit: Visit, run: Run) -> None:
    visit.organization.runs.change(run.id, {"status": "archived"}, visit.person_id)


def _activate(visit: Visit, run: Run) -> None:
    visit.organization.runs.change(run.id, {"archived_at": None}, visit.person_id)


_TASK_ACTIONS: Mapping[str, Callable[[Visit, Task], None]] = {
    "save": _fill,
    "reopen": _reopen,
    "comment": _comment_on_task("comment"),
    "problem": _comment_on_task("problem"),
    "resolve": _resolve_on_task,
}
_RUN_ACTIONS: Mapping[str, Callable[[Visit, Run], None]] = {
    "comment": _comment_on_run("comment"),
    "problem": _comment_on_run("problem"),
    "resolve": _resolve_on_run,
    "kickoff": _complete_kickoff,
    "archive": _archive,
    "activate": _activate,
}
