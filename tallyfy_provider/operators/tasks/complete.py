"""CompleteTaskOperator: fill, decide and complete a task, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowSkipException

from tallyfy_provider.client.tasks.decision import check_decision, read_decision
from tallyfy_provider.client.tasks.status import completer_of, decision_of, describe_completion, name_of
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.operators.runs.launch_state import describe_task_instance
from tallyfy_provider.operators.tasks.base import TaskOperator
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

IfCompleted = Literal["pass", "skip", "fail"]


class CompleteTaskOperator(TaskOperator):
    """
    Fill a task's form and complete the task, unless it is completed already.

    A completed task is never completed again, which could send its webhooks and e-mails once more; its form is not
    filled in either. Pushes ``already_completed`` in addition to the task.

    :param values: Values of the task's form by field alias, label or id, filled in before; templated.
    :param decision: The decision, templated: true or ``approve``, false or ``reject``. An approval needs it, a task
        that can expire takes ``acknowledge`` or ``expire``, all others take none.
    :param override_user: Id of the member whom Tallyfy names as the one who completed it; templated.
    :param if_completed: When somebody else has completed it before: ``pass``, ``skip`` or ``fail``. A retry passes if
        an earlier try of the same Airflow task completed it.
    :param claim: Claim the task first by a comment that guests do not see, so that two Airflow tasks on different
        machines never both complete it. Two on one machine never do.
    :raises TallyfyInputError: A value or the decision cannot be used, or a required field is empty; nothing was
        changed.
    :raises TallyfyValidationError: Tallyfy refused it, for example because an issue is open.
    :raises TallyfyIndeterminateError: The response was lost and the task does not show it; a retry checks first.
    """

    template_fields: Sequence[str] = (*TaskOperator.template_fields, "values", "decision", "override_user")
    template_fields_renderers: ClassVar[dict[str, str]] = {"values": "json"}
    include = ("form_fields",)

    def __init__(
        self,
        *,
        values: Mapping[str, Any] | str | None = None,
        decision: bool | str | None = None,
        override_user: int | str | None = None,
        if_completed: IfCompleted = "pass",
        claim: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.values = values
        self.decision = decision
        self.override_user = override_user
        self.if_completed = if_completed
        self.claim = claim
        with arguments.checking_literals(self):
            arguments.choice("if_completed", if_completed, get_args(IfCompleted))
            arguments.boolean("claim", claim)
            if arguments.is_literal(decision):
                read_decision(decision)

    def _check(self) -> None:
        read_decision(self.decision)
        arguments.whole_number("override_user", self.override_user)

    def _act(self, context: Context, task: dict[str, Any]) -> dict[str, Any]:
        from tallyfy_provider.client.tasks.complete import TaskCompletion

        decision = read_decision(self.decision)
        done = TaskCompletion(
            decision=decision,
            values=arguments.parse_json(arguments.optional(self.values)),
            override_user=arguments.whole_number("override_user", self.override_user),
            claimant=f"Airflow ({describe_task_instance(context['ti'])})" if self.claim else None,
        ).apply(self.hook.client.tasks, self.hook.client.comments, task)
        for note in done.notes:
            self.log.warning(note)
        self._push(context, already_completed=done.was_before)
        if done.was_before:
            self._end_completed_before(context, done.task, decision)
        else:
            self.log.info("Task %s.", _in_words(done.task))
        return done.task

    def _end_completed_before(self, context: Context, task: dict[str, Any], decision: str | None) -> None:
        message = f"Task {_in_words(task)} already; it was not completed again"
        self.log.info("%s.", message)
        if decision is not None and decision_of(task) is not None:
            self._compare(task, decision)
        if not arguments.is_nothing(self.values):
            self.log.warning("values were not filled in, since the task was completed before.")
        if self.if_completed == "pass" or self._is_of_an_earlier_try(context, task):
            return
        if self.if_completed == "skip":
            raise AirflowSkipException(f"{message} (if_completed='skip').")
        raise TallyfyError(f"{message} (if_completed='fail').")

    def _compare(self, task: dict[str, Any], decision: str) -> None:
        if check_decision(decision, task) is not task.get("is_approved"):
            self.log.warning("Its decision is %r, not the one that was asked for.", decision_of(task))

    def _is_of_an_earlier_try(self, context: Context, task: Mapping[str, Any]) -> bool:
        """Tell whether an earlier try of this task completed it without Airflow learning of it."""
        if context["ti"].try_number <= 1:
            return False
        who = completer_of(task)[0]
        own = arguments.whole_number("override_user", self.override_user) or self._user_id()
        return own is not None and str(who) == str(own)

    def _user_id(self) -> Any:
        client = self.hook.get_conn()
        return client.organization.get_me().get("id") if client.session.tokens.acts_as_person else None


def _in_words(task: Mapping[str, Any]) -> str:
    return f"{name_of(task)} was {describe_completion(task)}"
