"""CommentOperator: says something about a run or a task, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from tallyfy_provider.client.guest_links import without_guest_links
from tallyfy_provider.exceptions import TallyfyError, TallyfyIndeterminateError, TallyfyInputError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.arguments import is_literal, is_nothing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


Kind = Literal["comment", "problem"]
_KINDS = ("comment", "problem")
_STATES = ("open", "hide-for-guests", "collapsed")
#: Seconds by which Tallyfy's clock may be behind Airflow's.
_CLOCKS_DIFFER = 120.0


class CommentOperator(TallyfyBaseOperator):
    """
    Comment on a run or on a task, or report a problem there. Returns the comment as Tallyfy gave it.

    On a task, an answer that was lost is looked for among its comments before the task fails, and a retry does not say
    again what this Dag run has said there. Tallyfy lists no comments of a run, so there an answer that was lost is an
    error, and a retry says it again.

    :param content: What to say, text or HTML; templated. ``@[12]`` tells the user with the id 12.
    :param run_id: The run; templated.
    :param step: The task: its alias or title within ``run_id``, or its id; templated. None comments on the run.
    :param kind: ``comment``, or ``problem``: a task with a problem cannot be completed before people resolve it, and a
        run with one stands still.
    :param state: Who sees a comment: ``open`` (everybody), ``hide-for-guests`` or ``collapsed``; templated.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: An argument cannot be used; nothing was said.
    :raises TallyfyIndeterminateError: The answer was lost, and the comment may be there.
    :raises TallyfyError: Of the kind that fits.
    """

    template_fields: Sequence[str] = ("content", "run_id", "step", "state", "tallyfy_conn_id")
    operator_extra_links = (TallyfyRunLink(),)

    def __init__(
        self,
        *,
        content: str,
        run_id: str | None = None,
        step: str | None = None,
        kind: Kind = "comment",
        state: str = "open",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kind not in _KINDS:
            raise TallyfyInputError(f"kind is {kind!r}; it takes 'comment' or 'problem'.")
        if is_literal(state):
            _check_state(state)
        if run_id is None and step is None:
            raise TallyfyInputError("Neither run_id nor step is given: one says what to comment on.")
        self._is_on_a_task = step is not None
        self.content = content
        self.run_id = run_id
        self.step = step
        self.kind = kind
        self.state = state

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Say it.

        :param context: Airflow's task context.
        :return: The comment.
        """
        _check_state(self.state)
        if is_nothing(self.content):
            raise TallyfyInputError("content is empty: a comment or a problem needs words.")
        run_id = None if is_nothing(self.run_id) else arguments.run_id(self.run_id)
        if run_id is not None:
            TallyfyRunLink.persist(context, run_id)
        said = self._on_task(context, run_id) if self._is_on_a_task else self._on_run(arguments.run_id(run_id))
        comment: dict[str, Any] = without_guest_links(said)
        return comment

    def _on_run(self, run_id: str) -> dict[str, Any]:
        if self.kind == "problem":
            said = self.hook.client.comments.report_problem_on_run(run_id, self.content)
        else:
            said = self.hook.client.comments.add_to_run(run_id, self.content, self.state)
        self.log.info("Said it on run %s (%s %s).", run_id, self.kind, said.get("id"))
        return said

    def _on_task(self, context: Context, run_id: str | None) -> dict[str, Any]:
        from tallyfy_provider.client.tasks.lookup import look_up_task, run_of

        client = self.hook.get_conn()
        # A template that renders to nothing must not turn a comment on a task into one on the run.
        task = look_up_task(client.tasks, run_id, arguments.step(self.step), include=("threads",))
        run_id = run_id or run_of(task)
        if run_id is not None:
            TallyfyRunLink.persist(context, run_id)
        threads = _threads(task)
        if (said := self._said_before(context, threads)) is not None:
            self.log.info("An earlier try has said it on task %s already (%s %s).", task["id"], self.kind, said["id"])
            return said
        said = self._say(str(task["id"]), run_id, known=[str(thread.get("id")) for thread in threads])
        self.log.info("Said it on task %r (%s %s).", task.get("title"), self.kind, said.get("id"))
        return said

    def _said_before(self, context: Context, threads: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Find what an earlier try of this Dag run said; without knowing when that began, nothing is found."""
        since = _beginning(context) if context["ti"].try_number > 1 else None
        return None if since is None else self._found(threads, since=since)

    def _say(self, task_id: str, run_id: str | None, known: list[str]) -> dict[str, Any]:
        try:
            if self.kind == "problem":
                return self.hook.client.comments.report_problem_on_task(task_id, self.content)
            return self.hook.client.comments.add_to_task(task_id, self.content, self.state)
        except TallyfyIndeterminateError as error:
            lost = error
        try:
            said = self._found(self.hook.client.comments.list_of_task(task_id, run_id), known=known)
        except TallyfyError as error:
            self.log.warning("The answer was lost, and the comments cannot be read: %s", error)
            said = None
        if said is None:
            raise lost
        self.log.info("The answer was lost, and what was said is there.")
        return said

    def _found(self, threads: list[dict[str, Any]], **narrowed: Any) -> dict[str, Any] | None:
        from tallyfy_provider.client.comments import find_comment

        label = "problem" if self.kind == "problem" else None
        return find_comment(threads, self.content, label=label, **narrowed)


def _check_state(state: str) -> None:
    if state not in _STATES:
        raise TallyfyInputError(f"state cannot be {state!r}; allowed: {', '.join(_STATES)}.")


def _threads(task: dict[str, Any]) -> list[dict[str, Any]]:
    from tallyfy_provider.client.forms.fields import rows_of

    return [dict(thread) for thread in rows_of(task.get("threads"))]


def _beginning(context: Context) -> float | None:
    """Give the moment before which no try of this Dag run can have said anything."""
    start = getattr(context.get("dag_run"), "start_date", None)
    return start.timestamp() - _CLOCKS_DIFFER if isinstance(start, datetime) else None
