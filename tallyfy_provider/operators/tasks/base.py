"""The base of the operators on one task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tallyfy_provider.client.redaction import without_guest_links
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


def find_task(operator: Any, context: Context, include: Sequence[str]) -> dict[str, Any]:
    """Find the task that an operator's ``step`` and ``run_id`` name, and store the link to its run."""
    from tallyfy_provider.client.tasks.lookup import look_up_task, run_of

    step, run_id = arguments.step(operator.step), arguments.optional_run_id(operator.run_id)
    if run_id is not None:
        TallyfyRunLink.persist(context, run_id)
    task = look_up_task(operator.hook.client.tasks, run_id, step, include)
    if run_id is None and (found := run_of(task)) is not None:
        TallyfyRunLink.persist(context, found)
    return task


class TaskOperator(TallyfyBaseOperator):
    """
    Base of the operators on one task. Returns the task as Tallyfy gave it, without guest links.

    :param step: The task: its alias or title within ``run_id``, or its id; templated.
    :param run_id: The run that it belongs to, templated; needed unless ``step`` is an id.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: The run has no such task, or several.
    :raises TallyfyNotFoundError: There is no such run, or no task with this id.
    """

    template_fields: Sequence[str] = ("step", "run_id", "tallyfy_conn_id")
    operator_extra_links = (TallyfyRunLink(),)
    #: What comes along with the task (Tallyfy's ``with``).
    include: Sequence[str] = ()

    def __init__(self, *, step: str, run_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.run_id = run_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Act on the task."""
        arguments.raise_wrong_literal(self)
        self._check()
        task: dict[str, Any] = without_guest_links(self._act(context, find_task(self, context, self.include)))
        return task

    def _check(self) -> None:
        """Validate the arguments before the first request."""

    @abstractmethod
    def _act(self, context: Context, task: dict[str, Any]) -> dict[str, Any]:
        """Do what the operator is for, and return the task as it is afterwards."""
