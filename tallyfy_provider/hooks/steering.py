"""The hook's methods that launch and steer runs: each asks the client, whose methods say more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient


class Steering:
    """What a hook can do once it has a client."""

    def get_conn(self) -> TallyfyClient:
        """
        Give the client.

        :return: The client for the connection's organization.
        """
        raise NotImplementedError

    def launch_run(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Launch a run; sent once, and never again unless nothing can have happened.

        A retry of the task launches another one: ``LaunchRunOperator`` looks for the first one before.

        :param body: The API's own names to values: ``checklist_id``, ``name``, ``prerun`` and more.
        :return: The run exactly as the API gave it.
        :raises TallyfyIndeterminateError: The answer was lost: the run may be there. Look before launching it again.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().launch_run(body)

    def update_run(self, run_id: str | int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """
        Change a run and leave alone what ``changes`` does not name, the people assigned to it among them.

        :param run_id: The run's id.
        :param changes: The API's own names to values: ``name``, ``summary``, ``owner_id``, ``users``, ``groups``,
            ``prerun`` and more.
        :return: The run as it is then.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().update_run(run_id, changes)

    def archive_run(self, run_id: str | int) -> dict[str, Any]:
        """
        Archive a run; one that is archived stays so.

        :param run_id: The run's id.
        :return: The run as it is then.
        :raises TallyfyNotFoundError: There is no such run, not among the archived ones either.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().archive_run(run_id)

    def activate_run(self, run_id: str | int) -> dict[str, Any]:
        """
        Bring a run back from the archive; one that is not archived stays as it is.

        :param run_id: The run's id.
        :return: The run as it is then.
        :raises TallyfyNotFoundError: There is no such run, not among the archived ones either.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().activate_run(run_id)

    def list_run_tasks(
        self, run_id: str | int, filters: Mapping[str, Any] | None = None, include: Iterable[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """
        List the tasks of a run, each once, page by page as they are asked for.

        :param run_id: The run's id.
        :param filters: The API's own names to values, such as ``status`` or ``owners``.
        :param include: What to get along with each (Tallyfy's ``with``), such as ``form_fields``.
        :return: Tasks exactly as the API gave them, those that a rule hides (``auto-skipped``) among them.
        :raises TallyfyInputError: A filter is wrong; raised before anything is asked.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().list_run_tasks(run_id, filters, include)

    def get_task(
        self, task_id: str | int, run_id: str | int | None = None, include: Iterable[str] = ()
    ) -> dict[str, Any]:
        """
        Get a task.

        :param task_id: The task's id.
        :param run_id: The run that it belongs to, where it is known.
        :param include: What to get along with it (Tallyfy's ``with``), such as ``form_fields`` or ``threads``.
        :return: The task exactly as the API gave it.
        :raises TallyfyNotFoundError: There is no such task.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().get_task(task_id, run_id, include)

    def update_task(self, run_id: str | int | None, task_id: str | int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """
        Change a task and leave alone what ``changes`` does not name, other owners and form values among them.

        :param run_id: The run that the task belongs to; None for a one-off task that belongs to none.
        :param task_id: The task's id.
        :param changes: The API's own names to values: ``title``, ``deadline``, ``owners``, ``taskdata`` (values by
            field id, in Tallyfy's form) and more.
        :return: The task as it is then.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().update_task(run_id, task_id, changes)

    def complete_task(
        self,
        run_id: str | int | None,
        task_id: str | int,
        is_approved: bool | None = None,
        override_user: int | None = None,
    ) -> dict[str, Any]:
        """
        Complete a task; sent once, and never again unless nothing can have happened.

        Completing a completed task can send its webhooks again: look first.

        :param run_id: The run that the task belongs to; None for a one-off task that belongs to none.
        :param task_id: The task's id.
        :param is_approved: The verdict, which an approval needs.
        :param override_user: The member who is to be named as the one who completed it.
        :return: The task as it is then.
        :raises TallyfyIndeterminateError: The answer was lost: the task may be completed.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().complete_task(run_id, task_id, is_approved, override_user)

    def reopen_task(self, run_id: str | int | None, task_id: str | int) -> dict[str, Any]:
        """
        Reopen a completed task; one that is open stays as it is.

        :param run_id: The run that the task belongs to; None for a one-off task that belongs to none.
        :param task_id: The task's id.
        :return: The task as it is then.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().reopen_task(run_id, task_id)

    def comment_on_run(
        self, run_id: str | int, content: str, state: str = "open", label: str | None = None
    ) -> dict[str, Any]:
        """
        Comment on a run.

        :param run_id: The run's id.
        :param content: What to say; HTML is taken.
        :param state: Who sees it: ``open``, ``hide-for-guests`` or ``collapsed``.
        :param label: What it is marked as, such as ``improvement``; None leaves that to Tallyfy.
        :return: The thread as the API gave it.
        :raises TallyfyIndeterminateError: The answer was lost: the comment may be there.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().comment_on_run(run_id, content, state, label)

    def comment_on_task(
        self, task_id: str | int, content: str, state: str = "open", label: str | None = None
    ) -> dict[str, Any]:
        """
        Comment on a task.

        :param task_id: The task's id.
        :param content: What to say; HTML is taken.
        :param state: Who sees it: ``open``, ``hide-for-guests`` or ``collapsed``.
        :param label: What it is marked as, such as ``improvement``; None leaves that to Tallyfy.
        :return: The thread as the API gave it.
        :raises TallyfyIndeterminateError: The answer was lost: the comment may be there.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().comment_on_task(task_id, content, state, label)

    def report_problem_on_run(self, run_id: str | int, content: str) -> dict[str, Any]:
        """
        Report a problem on a run, whose tasks are frozen until somebody resolves it.

        :param run_id: The run's id.
        :param content: What is wrong.
        :return: The thread as the API gave it.
        :raises TallyfyIndeterminateError: The answer was lost: the problem may be reported.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().report_problem_on_run(run_id, content)

    def report_problem_on_task(self, task_id: str | int, content: str) -> dict[str, Any]:
        """
        Report a problem on a task, which cannot be completed until somebody resolves it.

        :param task_id: The task's id.
        :param content: What is wrong.
        :return: The thread as the API gave it.
        :raises TallyfyIndeterminateError: The answer was lost: the problem may be reported.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().report_problem_on_task(task_id, content)

    def get_checklist(self, checklist_id: str | int, include: Iterable[str] = ()) -> dict[str, Any]:
        """
        Get a checklist (template).

        :param checklist_id: The checklist's id.
        :param include: What to get along with it (Tallyfy's ``with``), such as ``steps``.
        :return: The checklist exactly as the API gave it.
        :raises TallyfyNotFoundError: There is no such checklist in this organization.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().get_checklist(checklist_id, include)

    def list_checklists(self, filters: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """
        List checklists (templates), each once, page by page as they are asked for.

        :param filters: The API's own names to values, such as ``q`` or ``tag``.
        :return: Checklists exactly as the API gave them.
        :raises TallyfyInputError: A filter is wrong; raised before anything is asked.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().list_checklists(filters)

    def get_kickoff_fields(self, checklist_id: str | int) -> list[dict[str, Any]]:
        """
        Get the fields of a checklist's kick-off form.

        :param checklist_id: The checklist's id.
        :return: Fields exactly as the API gave them: ``id``, ``alias``, ``label``, ``field_type`` and more.
        :raises TallyfyNotFoundError: There is no such checklist in this organization.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().get_kickoff_fields(checklist_id)

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """
        Ask any endpoint, with the same credentials, retries and errors as all other methods.

        :param method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
        :param path: Relative to the organization (``runs/ID/export``), or from the API's root with a slash before it
            (``/me``).
        :param params: The query; booleans and lists are put into Tallyfy's form, None is not sent.
        :param json: A body to be sent as JSON.
        :return: What the answer's JSON says, mostly with the thing itself under ``data``; None for an empty answer.
        :raises TallyfyInputError: The path or a parameter cannot be used; nothing was sent.
        :raises TallyfyIndeterminateError: A change may or may not have happened: its answer was lost.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().request(method, path, params=params, json=json)

    def paginate(
        self, path: str, params: Mapping[str, Any] | None = None, *, max_rows: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        List the rows of any endpoint that gives pages, each once, page by page as they are asked for.

        :param path: As for :meth:`request`.
        :param params: As for :meth:`request`.
        :param max_rows: Stop after so many rows.
        :return: Rows exactly as the API gave them.
        :raises TallyfyInputError: The path or a parameter cannot be used; raised before anything is asked.
        :raises TallyfyError: Of the kind that fits.
        """
        return self.get_conn().paginate(path, params, max_rows=max_rows)
