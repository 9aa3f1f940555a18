"""Comments and problems: the threads on runs and on tasks."""

from __future__ import annotations

from typing import Any

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.resource import Resource, included, item_of
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError

#: Who sees a comment: everybody, members only, or everybody after a click.
STATES = ("open", "hide-for-guests", "collapsed")
#: What a comment is marked as.
LABELS = ("comment", "problem", "resolve", "improvement", "advice")


class CommentsResource(Resource):
    """
    Comments and problems on runs and tasks.

    Each is sent once, and never again unless nothing can have happened; a lost answer is a
    :class:`~tallyfy_provider.exceptions.TallyfyIndeterminateError`. A member is told of a comment that holds
    ``@[ID]`` with the member's user id.
    """

    def add_to_run(
        self, run_id: str | int, content: str, state: str = "open", label: str | None = None
    ) -> dict[str, Any]:
        """
        Comment on a run (``POST /organizations/{org}/runs/{id}/comment``).

        :param run_id: The run's id.
        :param content: What to say; HTML is taken.
        :param state: Who sees it: ``open``, ``hide-for-guests`` or ``collapsed``. Always sent, since sources disagree
            on what Tallyfy takes for granted (docs/tallyfy-api.md, "Endpoints").
        :param label: What it is marked as: ``comment``, ``problem``, ``resolve``, ``improvement`` or ``advice``; None
            leaves that to Tallyfy.
        :return: The thread as the API gave it; empty where its answer is.
        :raises TallyfyInputError: ``content`` is empty, or ``state`` or ``label`` is none of those.
        :raises TallyfyIndeterminateError: The answer was lost.
        :raises TallyfyError: Of the kind that fits.
        """
        return self._comment(("runs", run_id), content, state, label)

    def add_to_task(
        self, task_id: str | int, content: str, state: str = "open", label: str | None = None
    ) -> dict[str, Any]:
        """
        Comment on a task (``POST /organizations/{org}/tasks/{id}/comment``).

        :param task_id: The task's id.
        :param content: As for :meth:`add_to_run`.
        :param state: As for :meth:`add_to_run`.
        :param label: As for :meth:`add_to_run`.
        :return: The thread as the API gave it; empty where its answer is.
        :raises TallyfyError: As :meth:`add_to_run`.
        """
        return self._comment(("tasks", task_id), content, state, label)

    def report_problem_on_run(self, run_id: str | int, content: str) -> dict[str, Any]:
        """
        Report a problem on a run (``POST /organizations/{org}/runs/{id}/problem``).

        The run's status is ``issue`` then, and its tasks cannot be completed before the problem is resolved.

        :param run_id: The run's id.
        :param content: What is wrong.
        :return: The thread as the API gave it; its ``id`` resolves it. Empty where the answer is.
        :raises TallyfyInputError: ``content`` is empty.
        :raises TallyfyIndeterminateError: The answer was lost.
        :raises TallyfyError: Of the kind that fits.
        """
        return self._thread(("runs", run_id, "problem"), {"content": content})

    def report_problem_on_task(self, task_id: str | int, content: str) -> dict[str, Any]:
        """
        Report a problem on a task (``POST /organizations/{org}/tasks/{id}/problem``).

        A completed task is open again then.

        :param task_id: The task's id.
        :param content: What is wrong.
        :return: As :meth:`report_problem_on_run`.
        :raises TallyfyError: As :meth:`report_problem_on_run`.
        """
        return self._thread(("tasks", task_id, "problem"), {"content": content})

    def resolve_problem_on_run(self, run_id: str | int, thread_id: str | int, content: str) -> dict[str, Any]:
        """
        Resolve a problem on a run (``POST /organizations/{org}/runs/{id}/resolved-threads``).

        :param run_id: The run's id.
        :param thread_id: The problem's id, as :meth:`report_problem_on_run` gave it.
        :param content: What was done about it.
        :return: The API's answer; empty where it is.
        :raises TallyfyError: As :meth:`report_problem_on_run`.
        """
        return self._thread(("runs", run_id, "resolved-threads"), {"thread_id": thread_id, "content": content})

    def resolve_problem_on_task(self, task_id: str | int, thread_id: str | int, content: str) -> dict[str, Any]:
        """
        Resolve a problem on a task (``POST /organizations/{org}/tasks/{id}/resolved-threads``).

        :param task_id: The task's id.
        :param thread_id: The problem's id, as :meth:`report_problem_on_task` gave it.
        :param content: What was done about it.
        :return: The API's answer; empty where it is.
        :raises TallyfyError: As :meth:`report_problem_on_run`.
        """
        return self._thread(("tasks", task_id, "resolved-threads"), {"thread_id": thread_id, "content": content})

    def list_of_task(self, task_id: str | int, run_id: str | int | None = None) -> list[dict[str, Any]]:
        """
        List the comments and problems on a task (``threads`` of the task, which come all at once).

        The API has no such list for a run itself. An open problem is one with the label ``problem`` and without a
        ``resolve_id``.

        :param task_id: The task's id.
        :param run_id: The run that it belongs to, where it is known.
        :return: Threads exactly as the API gave them.
        :raises TallyfyResponseError: Tallyfy gave none, although it was asked for them.
        :raises TallyfyError: Of the kind that fits.
        """
        of_run = () if run_id is None else ("runs", run_id)
        path = self._path(*of_run, "tasks", task_id)
        task = item_of(self._send("GET", path, params=included(("threads",))), f"task {task_id}")
        if "threads" not in task:
            raise TallyfyResponseError(f"Tallyfy's answer for task {task_id} holds no 'threads', which were asked for.")
        return [dict(thread) for thread in rows_of(task["threads"])]

    def _comment(self, place: tuple[object, ...], content: str, state: str, label: str | None) -> dict[str, Any]:
        _check("state", state, STATES)
        body = {"content": content, "state": state}
        if label is not None:
            _check("label", label, LABELS)
            body["label"] = label
        return self._thread((*place, "comment"), body)

    def _thread(self, segments: tuple[object, ...], body: dict[str, Any]) -> dict[str, Any]:
        content = body["content"]
        if not isinstance(content, str) or not content.strip():
            raise TallyfyInputError("content is empty: a comment or a problem needs words.")
        return self._item_or(self._send("POST", self._path(*segments), json=body), dict)


def _check(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise TallyfyInputError(f"{name} cannot be {value!r}; allowed: {', '.join(allowed)}.")
