"""Tasks: the steps of a run, and one-off tasks that belong to none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tallyfy_provider.client.forms.merge import merge_form
from tallyfy_provider.client.resource import Resource, assigned_to_keep, included, item_of
from tallyfy_provider.client.tasks import filters as task_filters
from tallyfy_provider.client.tasks.status import is_completed
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError
from tallyfy_provider.utils.arguments import ASSIGNEE_KINDS

#: What Tallyfy wants with every update of a one-off task that belongs to no run.
_ALWAYS_SENT_OF_A_ONE_OFF = ("title", "deadline")


class TasksResource(Resource):
    """
    Tasks: list them, get them, fill and complete them.

    Where ``run_id`` is None, the task is found by its own id alone; for changes, that fits a one-off task that belongs
    to no run.
    """

    def list_of_run(
        self, run_id: str | int, filters: Mapping[str, Any] | None = None, include: Iterable[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """
        List the tasks of a run, each once (``GET /organizations/{org}/runs/{id}/tasks``).

        All pages are read, unless ``filters`` names a ``page``. They are in the order of the process unless ``filters``
        names another ``sort``. Tasks that a rule hides are among them, with the status ``auto-skipped``.

        :param run_id: The run's id.
        :param filters: The API's own names to values: :data:`~tallyfy_provider.client.tasks.filters.RUN_TASK_FILTERS`.
        :param include: What to get along with each (Tallyfy's ``with``), such as ``form_fields`` or ``step``.
        :return: Tasks exactly as the API gave them.
        :raises TallyfyInputError: A filter is wrong; raised before anything is asked.
        :raises TallyfyNotFoundError: There is no such run.
        """
        # Which order the list has without a sort is not documented.
        params = _with({"sort": "position", **task_filters.RUN_TASK_FILTERS.encode(filters)}, include)
        return self._walk(self._path("runs", run_id, "tasks"), params, f"tasks of run {run_id}")

    def list(self, filters: Mapping[str, Any] | None = None, include: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
        """
        List tasks of the whole organization, each once (``GET /organizations/{org}/tasks``).

        All pages are read, unless ``filters`` names a ``page``. If a task leaves the list meanwhile, another may be
        missed between two pages; a warning is logged.

        :param filters: The API's own names to values:
            :data:`~tallyfy_provider.client.tasks.filters.OF_THE_ORGANIZATION`.
        :param include: What to get along with each (Tallyfy's ``with``), such as ``run`` or ``form_fields``.
        :return: Tasks exactly as the API gave them.
        :raises TallyfyInputError: A filter is wrong; raised before anything is asked.
        """
        return self._walk(self._path("tasks"), _with(task_filters.TASK_FILTERS.encode(filters), include), "tasks")

    def get(self, task_id: str | int, run_id: str | int | None = None, include: Iterable[str] = ()) -> dict[str, Any]:
        """
        Get a task (``GET /organizations/{org}/tasks/{id}``, or ``…/runs/{run}/tasks/{id}`` where the run is known).

        :param task_id: The task's id.
        :param run_id: The run that it belongs to.
        :param include: What to get along with it (Tallyfy's ``with``), such as ``form_fields`` or ``threads``.
        :return: The task exactly as the API gave it.
        :raises TallyfyNotFoundError: There is no such task.
        :raises TallyfyResponseError: The response cannot be read, or is about another task.
        """
        params = included(include) or None
        task = item_of(self._send("GET", self._task_path(run_id, task_id), params=params), f"task {task_id}", task_id)
        if run_id is not None and task.get("run_id") and str(task["run_id"]).lower() != str(run_id).strip().lower():
            raise TallyfyResponseError(f"Tallyfy was asked for task {task_id} of run {run_id}, not of another run.")
        return task

    def update(self, run_id: str | int | None, task_id: str | int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """
        Change a task (``PUT …/tasks/{id}``) and leave alone what ``changes`` does not name.

        Tallyfy takes some missing values for empty ones (docs/tallyfy-api.md, "Endpoints"). So the task is read first,
        and sent along are the ``users``, ``guests`` and ``groups`` that ``owners`` does not name, the values of the
        form that ``taskdata`` does not name, and all that a one-off task needs. What somebody else changes about these
        between the two requests is lost: the API has no way to lock a task.

        :param run_id: The run that the task belongs to; None for a one-off task that belongs to none.
        :param task_id: The task's id.
        :param changes: The API's own names to values: ``title``, ``summary``, ``deadline``, ``owners`` (users, guests,
            groups), ``taskdata`` (values by field id, in Tallyfy's form) and more.
        :return: The task as it is then.
        :raises TallyfyInputError: There is nothing in ``changes``, a field that the form does not have, or something
            that Tallyfy would ignore; nothing was sent.
        :raises TallyfyResponseError: Tallyfy does not say who the task is assigned to; nothing was sent.
        :raises TallyfyValidationError: Tallyfy refused it, for example since the task is completed; ``fields`` says
            what is wrong with each field.
        """
        _check_changes(changes, task_id)
        needs_reading = run_id is None or "owners" in changes or "taskdata" in changes
        task = self.get(task_id, run_id, include=("form_fields",)) if needs_reading else {}
        body = _update_body(changes, task, f"task {task_id}", is_one_off=run_id is None)
        payload = self._send("PUT", self._task_path(run_id, task_id), json=body)
        return self._item_or(payload, lambda: self.get(task_id, run_id), task_id)

    def complete(
        self,
        run_id: str | int | None,
        task_id: str | int,
        is_approved: bool | None = None,
        override_user: int | None = None,
    ) -> dict[str, Any]:
        """
        Complete a task (``POST …/completed-tasks``); sent once, and never again unless nothing can have happened.

        Completing a completed task may be an error, or send its webhooks and e-mails again (docs/tallyfy-api.md,
        "Endpoints"): look first. Form values do not travel with it: :meth:`update` fills them.

        :param run_id: The run that the task belongs to; None for a one-off task that belongs to none.
        :param task_id: The task's id.
        :param is_approved: The decision, which an approval needs. On an expiring task False means that it expired;
            other tasks ignore it.
        :param override_user: The member who is to be named as the one who completed it.
        :return: The task as it is then, with ``tasks_changed_by_rules`` where it belongs to a run.
        :raises TallyfyIndeterminateError: The response was lost: the task may be completed. Look before you repeat it.
        :raises TallyfyValidationError: A required field is empty, an issue is open, or the decision is missing.
        """
        optional = {"is_approved": is_approved, "override_user": override_user}
        body = {"task_id": task_id, **{name: value for name, value in optional.items() if value is not None}}
        payload = self._send("POST", self._path(*_of(run_id), "completed-tasks"), json=body)
        return self._item_or(payload, lambda: self.get(task_id, run_id), task_id)

    def reopen(self, run_id: str | int | None, task_id: str | int) -> dict[str, Any]:
        """
        Reopen a completed task (``DELETE …/completed-tasks/{id}``).

        :param run_id: The run that the task belongs to; None for a one-off task that belongs to none.
        :param task_id: The task's id.
        :return: The task as it is then, also where it was open before.
        :raises TallyfyNotFoundError: There is no such task.
        """
        path = self._path(*_of(run_id), "completed-tasks", task_id)

        def get() -> dict[str, Any]:
            return self.get(task_id, run_id)

        return self._ensure("DELETE", path, task_id, get, lambda task: not is_completed(task))

    def _task_path(self, run_id: str | int | None, task_id: str | int) -> tuple[object, ...]:
        return self._path(*_of(run_id), "tasks", task_id)


def _of(run_id: str | int | None) -> tuple[object, ...]:
    return () if run_id is None else ("runs", run_id)


def _with(params: dict[str, str], include: Iterable[str]) -> dict[str, str]:
    names = [*params.get("with", "").split(","), *included(include).get("with", "").split(",")]
    wanted = ",".join(dict.fromkeys(name for name in names if name))
    return {**params, "with": wanted} if wanted else params


def _check_changes(changes: Mapping[str, Any], task_id: str | int) -> None:
    if not changes:
        raise TallyfyInputError(f"changes is empty: it says what to change about task {task_id}.")
    if "status" in changes:
        raise TallyfyInputError(
            "changes['status'] would be ignored by Tallyfy: use complete() or reopen() to change a task's status."
        )


def _update_body(changes: Mapping[str, Any], task: Mapping[str, Any], what: str, *, is_one_off: bool) -> dict[str, Any]:
    body = dict(changes)
    if is_one_off:
        body = {**{name: task.get(name) for name in _ALWAYS_SENT_OF_A_ONE_OFF}, **body}
    if is_one_off or "owners" in changes:
        body["owners"] = _all_owners(changes.get("owners", {}), task.get("owners"), what)
    if "taskdata" in changes:
        body["taskdata"] = merge_form(changes["taskdata"], task.get("form_fields"), task.get("taskdata"), what)
    return body


def _all_owners(given: Any, current: Any, what: str) -> dict[str, Any]:
    if not isinstance(given, Mapping) or set(given) - set(ASSIGNEE_KINDS):
        raise TallyfyInputError(f"changes['owners'] takes a dict of lists with the keys {', '.join(ASSIGNEE_KINDS)}.")
    owners = dict(given)
    for kind in ASSIGNEE_KINDS:
        if kind not in owners:
            assigned = current.get(kind) if isinstance(current, Mapping) else None
            owners[kind] = assigned_to_keep(assigned, kind, what, f"changes['owners'][{kind!r}]")
    return owners
