"""CommentOperator: comment on a run or a task, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.redaction import quoted, shown, without_guest_links
from tallyfy_provider.exceptions import TallyfyError, TallyfyIndeterminateError, TallyfyInputError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.operators.tasks.base import find_task
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


Kind = Literal["comment", "problem"]
#: Seconds by which Tallyfy's clock may be behind Airflow's.
_CLOCK_DIFFERENCE = 120.0


class CommentOperator(TallyfyBaseOperator):
    """
    Comment on a run or on a task, or report a problem there. Returns the comment as Tallyfy gave it.

    On a task, a comment whose response was lost is looked for before the Airflow task fails, and a retry does not
    repeat what this Dag run has written there. Tallyfy lists no comments of a run: there a lost response is an error,
    and a retry comments again.

    :param content: The comment, text or HTML; templated. ``@[12]`` notifies the user with the id 12.
    :param run_id: The run; templated.
    :param step: The task: its alias or title within ``run_id``, or its id; templated. None comments on the run.
    :param kind: ``comment``, or ``problem``: a task with a problem cannot be completed until people resolve it, and a
        run with one stands still.
    :param state: Who sees it, a problem too: ``hide-for-guests`` (members only), ``open`` (everybody) or ``collapsed``;
        templated.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: An argument cannot be used; nothing was written.
    :raises TallyfyNotFoundError: There is no such run or task.
    :raises TallyfyIndeterminateError: The response was lost, and the comment may have been written.
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
        state: str = arguments.DEFAULT_COMMENT_STATE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._is_on_a_task = step is not None
        self.content = content
        self.run_id = run_id
        self.step = step
        self.kind = kind
        self.state = state
        with arguments.checking_literals(self):
            arguments.choice("kind", kind, get_args(Kind))
            if arguments.is_literal(state):
                arguments.choice("state", state, arguments.COMMENT_STATES)
            if run_id is None and step is None:
                raise TallyfyInputError("Neither run_id nor step is given: one of them says what to comment on.")

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the comment."""
        arguments.raise_wrong_literal(self)
        state = arguments.choice("state", self.state, arguments.COMMENT_STATES)
        if (content := arguments.text("content", self.content)) is None:
            raise TallyfyInputError("content is empty: a comment or a problem needs words.")
        self.content = content
        write = self._comment_on_task if self._is_on_a_task else self._comment_on_run
        comment: dict[str, Any] = without_guest_links(write(context, state))
        return comment

    def _comment_on_run(self, context: Context, state: str) -> dict[str, Any]:
        run_id = arguments.run_id(self.run_id)
        TallyfyRunLink.persist(context, run_id)
        comments = self.hook.client.comments
        if self.kind == "problem":
            comment = comments.report_problem_on_run(run_id, self.content, state)
        else:
            comment = comments.add_to_run(run_id, self.content, state)
        self.log.info("Commented on run %s (%s %s).", run_id, self.kind, shown(comment.get("id")))
        return comment

    def _comment_on_task(self, context: Context, state: str) -> dict[str, Any]:
        from tallyfy_provider.client.tasks.lookup import run_of

        # A template that renders to nothing must not turn a comment on a task into one on the run.
        task = find_task(self, context, include=("threads",))
        run_id = arguments.optional_run_id(self.run_id) or run_of(task)
        threads = [dict(thread) for thread in rows_of(task.get("threads"))]
        if (comment := self._find_of_earlier_try(context, threads)) is not None:
            self.log.info(
                "Not repeated: an earlier try has commented on task %s (%s %s).",
                shown(task["id"]),
                self.kind,
                shown(comment["id"]),
            )
            return comment
        comment = self._write(str(task["id"]), run_id, state, known=[str(thread.get("id")) for thread in threads])
        self.log.info("Commented on task %s (%s %s).", quoted(task.get("title")), self.kind, shown(comment.get("id")))
        return comment

    def _find_of_earlier_try(self, context: Context, threads: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Find what an earlier try of this Dag run wrote; nothing is found where its start is unknown."""
        start = getattr(context.get("dag_run"), "start_date", None)
        if context["ti"].try_number <= 1 or not isinstance(start, datetime):
            return None
        return self._find(threads, since=start.timestamp() - _CLOCK_DIFFERENCE)

    def _write(self, task_id: str, run_id: str | None, state: str, known: list[str]) -> dict[str, Any]:
        comments = self.hook.client.comments
        try:
            if self.kind == "problem":
                return comments.report_problem_on_task(task_id, self.content, state)
            return comments.add_to_task(task_id, self.content, state)
        except TallyfyIndeterminateError as error:
            lost = error
        try:
            comment = self._find(comments.list_of_task(task_id, run_id), known=known)
        except TallyfyError as error:
            self.log.warning("The response was lost, and the comments cannot be read: %s", error)
            comment = None
        if comment is None:
            raise lost
        self.log.info("The response was lost, but the comment was written.")
        return comment

    def _find(self, threads: list[dict[str, Any]], **narrowed: Any) -> dict[str, Any] | None:
        from tallyfy_provider.client.comments import find_comment

        label = "problem" if self.kind == "problem" else None
        return find_comment(threads, self.content, label=label, **narrowed)
