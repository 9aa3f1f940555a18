"""Act on templates, tasks and threads as a person does: the emulator's controls of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from tallyfy_emulator.model import forms
from tallyfy_emulator.model.catalog import GUEST_SECRET, Checklist, Person
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_tasks import form_rows, task_row, thread_row
from tallyfy_emulator.model.task import Task, Thread
from tallyfy_emulator.model.task_changes import HIDDEN, commented, filled, reopened, resolved
from tallyfy_emulator.seed.templates import build_checklist
from tallyfy_emulator.store.organization import Organization


class TaskAdmin:
    """
    Templates, tasks and threads, as a person has them before him.

    :param organization: the emulated organization.
    """

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def add_checklist(
        self,
        title: str,
        kickoff: Iterable[Mapping[str, Any]] = (),
        steps: Iterable[Mapping[str, Any]] = (),
        checklist_id: str | None = None,
        kind: Literal["procedure", "form", "document"] = "procedure",
    ) -> dict[str, Any]:
        """
        Add a template.

        :param title: its title.
        :param kickoff: the fields of its kick-off form: ``label``, and ``field_type`` (text unless given),
            ``required``, ``options`` (texts), ``columns`` (texts), ``alias``, ``guidance``, ``id``.
        :param steps: its steps: ``title``, and ``alias``, ``task_type`` (task unless given), ``form_fields`` (as
            ``kickoff``), ``auto_skipped``, ``id``; with ``completes_in``, a person does it so many seconds after
            each launch, by the emulator's clock, fills in ``values`` (by alias or label) and, in an approval, says
            ``is_approved`` (yes unless given); ``rule`` (``{"field": alias, "equals": text}``) shows the step if the
            kick-off form says so, or, with ``deadline_days``, sets its deadline.
        :param checklist_id: its id; made of the title when None.
        :param kind: its type.
        :return: the template as the API gives it, with its steps.
        :raises ValueError: if something can't be used; the message names it.
        """
        checklist = build_checklist(self._organization.catalog, title, kickoff, steps, checklist_id, kind)
        self._organization.catalog.checklists[checklist.id] = checklist
        return _checklist_row(checklist)

    def checklist(self, title_or_id: str) -> dict[str, Any]:
        """
        Look up a template.

        :param title_or_id: its title or its id.
        :return: the template as the API gives it, with its steps.
        :raises KeyError: if there is no such template.
        """
        known = self._organization.catalog.checklists
        found = [each for each in known.values() if title_or_id in (each.id, each.title)]
        if not found:
            raise KeyError(title_or_id)
        return _checklist_row(found[-1])

    @property
    def fired(self) -> list[dict[str, Any]]:
        """
        The webhooks and e-mails that Tallyfy would have sent, oldest first.

        Each has ``event`` (``process.launched``, ``task.completed``, ``process.completed``), ``run_id``,
        ``task_id`` and ``at``. What happens twice is there twice.
        """
        return self._organization.work.fired

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        """
        List the tasks of a run, those that rules skipped too.

        :param run_id: the run's id.
        :return: the tasks as the API gives them, with their forms, in order.
        :raises KeyError: if there is no such run.
        """
        run = self._run(run_id)
        return [self._row(run, task) for task in run.tasks]

    def task(self, run_id: str, alias_or_title: str) -> dict[str, Any]:
        """
        Look up a task of a run.

        :param run_id: the run's id.
        :param alias_or_title: the task's alias, title or id.
        :return: the task as the API gives it, with its form.
        :raises KeyError: if there is no such run, or no such task in it.
        """
        for name in ("id", "alias", "title"):
            for task in self.tasks(run_id):
                if task[name] == alias_or_title:
                    return task
        raise KeyError(alias_or_title)

    def fill_task(self, task_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """
        Fill fields of a task's form; the others keep their values.

        :param task_id: the task's id.
        :param values: the values by alias, label or id; options by their texts.
        :return: the task as the API gives it.
        :raises KeyError: if there is no such task.
        :raises ValueError: if a value can't be taken, or the task can't be filled now.
        """
        _, task = self._organization.work.find(task_id)
        sent = forms.from_labels(task.form_fields, values)
        checked = forms.parse_values("values", task.form_fields, sent, self._organization.catalog.member_ids)
        return self._row(*self._organization.work.update(task_id, lambda run, at: filled(run, task_id, at, checked)))

    def complete_task(
        self,
        task_id: str,
        is_approved: bool | None = None,
        values: Mapping[str, Any] | None = None,
        by: int | str | None = None,
    ) -> dict[str, Any]:
        """
        Complete a task.

        :param task_id: the task's id.
        :param is_approved: the verdict, which an approval needs.
        :param values: what to fill in before, as for :meth:`fill_task`.
        :param by: who does it, by id or e-mail address; the first of its owners when None.
        :return: the task as the API gives it.
        :raises KeyError: if there is no such task.
        :raises ValueError: if it is completed already or can't be completed now, or there is no such person.
        """
        run, task = self._organization.work.find(task_id)
        owner = task.owners.users[0] if task.owners.users else run.owner_id
        person = owner if by is None else self._person(by).id
        if values:
            self.fill_task(task_id, values)
        return self._row(*self._organization.work.complete(task_id, is_approved, person))

    def reopen_task(self, task_id: str) -> dict[str, Any]:
        """
        Reopen a task; one that is open stays as it is.

        :param task_id: the task's id.
        :return: the task as the API gives it.
        :raises KeyError: if there is no such task.
        """
        return self._row(*self._organization.work.update(task_id, lambda run, at: reopened(run, task_id, at)))

    def add_comment(self, task_id: str, content: str) -> dict[str, Any]:
        """
        Comment on a task.

        :param task_id: its id.
        :param content: the text, which may be HTML.
        :return: the comment as the API gives it.
        :raises KeyError: if there is no such task.
        """

        def update(run: Run, at: float) -> Run:
            return commented(run, task_id, at, "comment", content, run.owner_id, HIDDEN)

        run, task = self._organization.work.update(task_id, update)
        return thread_row(run, task.threads[-1])

    def report_problem(self, task_id: str, content: str) -> dict[str, Any]:
        """
        Report an issue on a task; a completed one is open again.

        :param task_id: the task's id.
        :param content: what the problem is.
        :return: the task as the API gives it.
        :raises KeyError: if there is no such task.
        """

        def update(run: Run, at: float) -> Run:
            return commented(run, task_id, at, "problem", content, run.owner_id, HIDDEN)

        return self._row(*self._organization.work.update(task_id, update))

    def resolve_problems(self, task_id: str) -> dict[str, Any]:
        """
        Resolve every open issue on a task.

        :param task_id: the task's id.
        :return: the task as the API gives it.
        :raises KeyError: if there is no such task.
        """
        _, task = self._organization.work.find(task_id)

        def update(run: Run, at: float) -> Run:
            for thread in task.threads:
                if thread.is_open_issue:
                    run = resolved(run, task_id, at, thread.id, "", run.owner_id)
            return run

        return self._row(*self._organization.work.update(task_id, update))

    def threads(self, run_id: str) -> list[dict[str, Any]]:
        """
        List the comments and issues of a run and of its tasks.

        :param run_id: the run's id.
        :return: them as the API gives them, each with ``task_id`` (None = the run itself), oldest first.
        :raises KeyError: if there is no such run.
        """
        run = self._run(run_id)
        found: list[tuple[Thread, str | None]] = [(thread, None) for thread in run.threads]
        found += [(thread, task.id) for task in run.tasks for thread in task.threads]
        found.sort(key=lambda each: (each[0].at, each[0].number))
        return [thread_row(run, thread) | {"task_id": task_id} for thread, task_id in found]

    @property
    def guest_secret(self) -> str:
        """What the secret of every guest's link begins with: where this is found, a link has leaked."""
        return GUEST_SECRET

    def _run(self, run_id: str) -> Run:
        run = self._organization.runs.get(run_id)
        if run is None:
            raise KeyError(run_id)
        return run

    def _row(self, run: Run, task: Task) -> dict[str, Any]:
        quirks = self._organization.quirks
        return task_row(run, task, quirks) | {"form_fields": {"data": form_rows(task, quirks)}}

    def _person(self, by: int | str) -> Person:
        catalog = self._organization.catalog
        person = catalog.person(by) if isinstance(by, str) else catalog.person_by_id(by)
        if person is None:
            raise ValueError(f"{by!r} is no member: give the id or e-mail address of one of the people.")
        return person


def _checklist_row(checklist: Checklist) -> dict[str, Any]:
    return checklist.to_json() | {"steps": {"data": checklist.step_rows()}}
