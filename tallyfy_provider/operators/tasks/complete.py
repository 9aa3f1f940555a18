"""CompleteTaskOperator: fills, decides and completes a task, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from tallyfy_provider.client.tasks.decision import check_verdict, read_verdict
from tallyfy_provider.client.tasks.status import completer_of, decision_of, describe_completion
from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError
from tallyfy_provider.operators.tasks.base import TaskOperator
from tallyfy_provider.utils.arguments import is_literal, is_nothing, whole_number

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

IfCompleted = Literal["pass", "skip", "fail"]
_IF_COMPLETED = ("pass", "skip", "fail")


class CompleteTaskOperator(TaskOperator):
    """
    Fill a task's form and complete the task, unless it is completed already.

    A task that is completed is never completed again, which could send its webhooks and e-mails once more; what was to
    be filled in is not filled in then. Pushes ``already_completed`` beside the task.

    :param values: Values of the task's form by field alias, label or id, filled in before; templated.
    :param is_approved: The verdict, templated: true or ``approve``, false or ``reject``. An approval needs it, a task
        that can expire takes ``acknowledge`` or ``expire``, all others take none.
    :param override_user: Id of the member who is to be named as the one who completed it; templated.
    :param if_completed: When it was completed by somebody else before: ``pass``, ``skip`` or ``fail``. A retry that
        finds what an earlier try of the same task completed passes.
    :param claim: Claim the task by a comment before, which guests do not see, so that tasks of Airflow on different
        machines never complete it both. Those on one machine never do.
    :raises TallyfyInputError: A value or the verdict cannot be used, or a required field is empty; nothing was changed.
    :raises TallyfyValidationError: Tallyfy refused it, for example since an issue is open.
    :raises TallyfyIndeterminateError: The answer was lost and the task does not tell; a retry looks first.
    """

    template_fields: Sequence[str] = (*TaskOperator.template_fields, "values", "is_approved", "override_user")
    template_fields_renderers: ClassVar[dict[str, str]] = {"values": "json"}
    include = ("form_fields",)

    def __init__(
        self,
        *,
        values: Mapping[str, Any] | str | None = None,
        is_approved: bool | str | None = None,
        override_user: int | str | None = None,
        if_completed: IfCompleted = "pass",
        claim: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if if_completed not in _IF_COMPLETED:
            raise TallyfyInputError(f"if_completed is {if_completed!r}; it takes 'pass', 'skip' or 'fail'.")
        if is_literal(is_approved):
            read_verdict(is_approved)
        self.values = values
        self.is_approved = is_approved
        self.override_user = override_user
        self.if_completed = if_completed
        self.claim = claim

    def _check(self) -> None:
        read_verdict(self.is_approved)
        whole_number("override_user", self.override_user)

    def _act(self, context: Context, task: dict[str, Any]) -> dict[str, Any]:
        from tallyfy_provider.client.tasks.complete import TaskCompletion

        verdict = read_verdict(self.is_approved)
        done = TaskCompletion(
            verdict=verdict,
            values=self.values,
            override_user=whole_number("override_user", self.override_user),
            claimant=_claimant(context) if self.claim else None,
        ).apply(self.hook.get_conn(), task)
        for note in done.notes:
            self.log.warning(note)
        if self.do_xcom_push:
            context["ti"].xcom_push(key="already_completed", value=done.was_before)
        if done.was_before:
            self._meet_completion(context, done.task, verdict)
        else:
            self.log.info("Task %s.", _in_words(done.task))
        return done.task

    def _meet_completion(self, context: Context, task: dict[str, Any], verdict: str | None) -> None:
        message = f"Task {_in_words(task)} already; it was not completed again"
        self.log.info("%s.", message)
        if verdict is not None and decision_of(task) is not None:
            self._compare(task, verdict)
        if not is_nothing(self.values):
            self.log.warning("The task was completed before: values were not filled in.")
        if self.if_completed == "pass" or self._is_of_an_earlier_try(context, task):
            return
        if self.if_completed == "skip":
            raise AirflowSkipException(f"{message} (if_completed='skip').")
        raise TallyfyError(f"{message} (if_completed='fail').")

    def _compare(self, task: dict[str, Any], verdict: str) -> None:
        if check_verdict(verdict, task) is not task.get("is_approved"):
            self.log.warning("Its verdict is %r, not the one that is_approved says.", decision_of(task))

    def _is_of_an_earlier_try(self, context: Context, task: Mapping[str, Any]) -> bool:
        """Tell whether an earlier try of this task completed it, and Airflow did not hear of it."""
        if context["ti"].try_number <= 1:
            return False
        who = completer_of(task)[0]
        own = whole_number("override_user", self.override_user) or self._user_id()
        return own is not None and str(who) == str(own)

    def _user_id(self) -> Any:
        client = self.hook.get_conn()
        return client.organization.get_me().get("id") if client.session.tokens.acts_as_person else None


def _claimant(context: Context) -> str:
    task_instance = context["ti"]
    place = f"dag '{task_instance.dag_id}', task '{task_instance.task_id}', run '{task_instance.run_id}'"
    map_index = getattr(task_instance, "map_index", -1)
    return f"Airflow ({place}, map index {map_index})" if map_index >= 0 else f"Airflow ({place})"


def _in_words(task: Mapping[str, Any]) -> str:
    return f"{task.get('title')!r} ({task.get('id')}) was {describe_completion(task)}"
