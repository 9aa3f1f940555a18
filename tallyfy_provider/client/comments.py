"""Comments and problems: the threads on runs and on tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.resource import Resource, included, item_of
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyResponseError
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.html import readings
from tallyfy_provider.utils.timestamps import parse_timestamp

#: What a comment is marked as.
LABELS = ("comment", "problem", "resolve", "improvement", "advice")

Thread = Mapping[str, Any]


class CommentsResource(Resource):
    """
    Comments and problems on runs and tasks.

    A comment is sent once, and again only if it cannot have arrived; a lost response is a
    :class:`~tallyfy_provider.exceptions.TallyfyIndeterminateError`. ``@[ID]`` in a comment notifies the member with
    this user id.
    """

    def add_to_run(
        self, run_id: str | int, content: str, state: str = arguments.DEFAULT_COMMENT_STATE, label: str | None = None
    ) -> dict[str, Any]:
        """
        Comment on a run (``POST /organizations/{org}/runs/{id}/comment``).

        :param run_id: The run's id.
        :param content: The text, which may be HTML.
        :param state: Who sees it: ``hide-for-guests`` (members only), ``open`` or ``collapsed``. Always sent, since
            sources disagree on Tallyfy's default (docs/tallyfy-api.md, "Endpoints").
        :param label: What it is marked as: ``comment``, ``problem``, ``resolve``, ``improvement`` or ``advice``; None
            leaves that to Tallyfy.
        :return: The thread as the API gave it; empty where the response is.
        :raises TallyfyInputError: ``content`` is empty, or ``state`` or ``label`` is none of those.
        :raises TallyfyIndeterminateError: The response was lost.
        """
        return self._comment(("runs", run_id), content, state, label)

    def add_to_task(
        self, task_id: str | int, content: str, state: str = arguments.DEFAULT_COMMENT_STATE, label: str | None = None
    ) -> dict[str, Any]:
        """
        Comment on a task (``POST /organizations/{org}/tasks/{id}/comment``), otherwise as :meth:`add_to_run`.

        :param task_id: The task's id.
        """
        return self._comment(("tasks", task_id), content, state, label)

    def report_problem_on_run(
        self, run_id: str | int, content: str, state: str = arguments.DEFAULT_COMMENT_STATE
    ) -> dict[str, Any]:
        """
        Report a problem on a run (``POST /organizations/{org}/runs/{id}/problem``).

        The run's status becomes ``issue``, and its tasks cannot be completed before the problem is resolved.

        :param run_id: The run's id.
        :param content: What is wrong.
        :param state: As for :meth:`add_to_run`.
        :return: The thread as the API gave it; empty where the response is.
        :raises TallyfyInputError: ``content`` is empty, or ``state`` is none of those.
        :raises TallyfyIndeterminateError: The response was lost.
        """
        return self._problem(("runs", run_id), content, state)

    def report_problem_on_task(
        self, task_id: str | int, content: str, state: str = arguments.DEFAULT_COMMENT_STATE
    ) -> dict[str, Any]:
        """
        Report a problem on a task (``POST /organizations/{org}/tasks/{id}/problem``).

        A completed task is reopened. The rest is as for :meth:`report_problem_on_run`.

        :param task_id: The task's id.
        """
        return self._problem(("tasks", task_id), content, state)

    def resolve_on_run(
        self,
        run_id: str | int,
        thread_id: str | int,
        content: str = "Resolved",
        state: str = arguments.DEFAULT_COMMENT_STATE,
    ) -> dict[str, Any]:
        """
        Resolve a problem on a run (``POST /organizations/{org}/runs/{id}/resolved-threads``).

        :param run_id: The run's id.
        :param thread_id: The id of the problem, as :meth:`report_problem_on_run` returned it.
        :param content: What was done about it.
        :param state: As for :meth:`add_to_run`.
        :return: As :meth:`report_problem_on_run`, with the same errors.
        """
        return self._resolve(("runs", run_id), thread_id, content, state)

    def resolve_on_task(
        self,
        task_id: str | int,
        thread_id: str | int,
        content: str = "Resolved",
        state: str = arguments.DEFAULT_COMMENT_STATE,
    ) -> dict[str, Any]:
        """
        Resolve a problem on a task (``POST /organizations/{org}/tasks/{id}/resolved-threads``).

        :param task_id: The task's id.
        :param thread_id: The id of the problem, as :meth:`list_of_task` shows it.
        :param content: What was done about it.
        :param state: As for :meth:`add_to_run`.
        :return: As :meth:`report_problem_on_run`, with the same errors.
        """
        return self._resolve(("tasks", task_id), thread_id, content, state)

    def list_of_task(self, task_id: str | int, run_id: str | int | None = None) -> list[dict[str, Any]]:
        """
        List the comments and problems on a task (``threads`` of the task, which come all at once).

        The API has no such list for a run itself. An open problem has the label ``problem`` and no ``resolve_id``.

        :param task_id: The task's id.
        :param run_id: The run that it belongs to, where it is known.
        :return: Threads exactly as the API gave them; in which order is not documented.
        :raises TallyfyResponseError: The response has no threads, although they were asked for.
        """
        of_run = () if run_id is None else ("runs", run_id)
        path = self._path(*of_run, "tasks", task_id)
        task = item_of(self._send("GET", path, params=included(("threads",))), f"task {task_id}", task_id)
        if "threads" not in task:
            raise TallyfyResponseError(
                f"Tallyfy's response for task {task_id} holds no 'threads', which were asked for."
            )
        return [dict(thread) for thread in rows_of(task["threads"])]

    def _comment(self, place: tuple[object, ...], content: str, state: str, label: str | None) -> dict[str, Any]:
        arguments.choice("state", state, arguments.COMMENT_STATES)
        body = {"content": content, "state": state}
        if label is not None:
            arguments.choice("label", label, LABELS)
            body["label"] = label
        return self._add_thread((*place, "comment"), body)

    def _problem(self, place: tuple[object, ...], content: str, state: str) -> dict[str, Any]:
        arguments.choice("state", state, arguments.COMMENT_STATES)
        return self._add_thread((*place, "problem"), {"content": content, "state": state})

    def _resolve(self, place: tuple[object, ...], thread_id: str | int, content: str, state: str) -> dict[str, Any]:
        arguments.choice("state", state, arguments.COMMENT_STATES)
        body = {"thread_id": str(thread_id), "content": content, "state": state}
        return self._add_thread((*place, "resolved-threads"), body)

    def _add_thread(self, segments: tuple[object, ...], body: dict[str, Any]) -> dict[str, Any]:
        content = body["content"]
        if not isinstance(content, str) or not content.strip():
            raise TallyfyInputError("content is empty: a comment or a problem needs words.")
        return self._item_or(self._send("POST", self._path(*segments), json=body), dict)


def age_of(thread: Thread) -> tuple[float, str]:
    """
    Return what puts threads in order, the oldest first: when one was written, then its id.

    An id is text, mostly 32 hexadecimal digits, and tells nothing but one thread from another written in the same
    second. In which order Tallyfy lists threads is not documented (docs/tallyfy-api.md, "Endpoints").
    """
    return parse_timestamp(thread.get("created_at")) or 0.0, str(thread.get("id"))


def find_comment(
    threads: Sequence[Thread],
    content: str,
    *,
    label: str | None = None,
    known: Collection[str] = (),
    since: float | None = None,
) -> dict[str, Any] | None:
    """
    Find the newest comment with some content.

    Tallyfy may return text as HTML, so only the words are compared.
    """
    for thread in sorted(threads, key=age_of, reverse=True):
        if str(thread.get("id")) in known or (label is not None and thread.get("label") != label):
            continue
        if since is not None and (parse_timestamp(thread.get("created_at")) or 0.0) < since:
            continue
        if readings(thread.get("content")) & readings(content):
            return dict(thread)
    return None
