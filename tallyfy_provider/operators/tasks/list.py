"""ListTasksOperator: hands on the tasks of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from tallyfy_provider.client.guest_links import without_guest_links
from tallyfy_provider.client.runs.filter_check import select
from tallyfy_provider.client.tasks.filters import OF_A_RUN
from tallyfy_provider.exceptions import TallyfyError, TallyfyInputError
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.operators.base import TallyfyBaseOperator
from tallyfy_provider.operators.mapping import mappable_output
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.arguments import is_nothing, names

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg


OnEmpty = Literal["pass", "skip", "fail"]
_ON_EMPTY = ("pass", "skip", "fail")


class ListTasksOperator(TallyfyBaseOperator):
    """
    List the tasks (steps) of a run and hand them on by XCom, in the order of the process.

    Returns the tasks as Tallyfy gave them, without guest links, or only their ``fields``; pushes ``task_ids`` (a list
    of str) and ``count`` beside them. Tasks that a rule hides are among them, with the status ``auto-skipped``.

    :param run_id: The run; templated.
    :param filters: Tallyfy's own filter names to values, templated: ``status``, ``owners`` and more, see
        ``docs/tasks.md``.
    :param include: What to get along with each, such as ``form_fields`` or ``threads``; templated.
    :param fields: Names of the fields to keep of each, templated; None keeps all.
    :param on_empty: When no task matches: ``pass`` an empty list on, ``skip`` the task, or ``fail`` it.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: A filter is wrong: its name when the Dag is parsed, its value before anything is asked.
    :raises TallyfyNotFoundError: There is no such run.
    :raises TallyfyError: Of the kind that fits.
    """

    template_fields: Sequence[str] = ("run_id", "filters", "include", "fields", "tallyfy_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    operator_extra_links = (TallyfyRunLink(),)

    def __init__(
        self,
        *,
        run_id: str,
        filters: Mapping[str, Any] | None = None,
        include: Sequence[str] | str = (),
        fields: Sequence[str] | str | None = None,
        on_empty: OnEmpty = "pass",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(filters, Mapping):
            OF_A_RUN.check_names(filters)  # names of filters are never templates
        if on_empty not in _ON_EMPTY:
            raise TallyfyInputError(f"on_empty is {on_empty!r}; it takes 'pass', 'skip' or 'fail'.")
        self.run_id = run_id
        self.filters = filters
        self.include = include
        self.fields = fields
        self.on_empty = on_empty

    @property
    def output(self) -> XComArg:
        """The tasks; ``output["task_ids"]`` are their ids. Both can be mapped over."""
        return mappable_output(self)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """
        List the tasks.

        :param context: Airflow's task context.
        :return: The tasks, or their ``fields``.
        """
        run_id, kept = arguments.run_id(self.run_id), names("fields", self.fields)
        include = () if is_nothing(self.include) or not self.include else names("include", self.include) or ()
        TallyfyRunLink.persist(context, run_id)
        tasks = [
            without_guest_links(task) for task in self.hook.client.tasks.list_of_run(run_id, self.filters, include)
        ]
        self.log.info("Listed %d tasks of run %s.", len(tasks), run_id)
        if self.do_xcom_push:
            context["ti"].xcom_push(key="task_ids", value=[str(task["id"]) for task in tasks])
            context["ti"].xcom_push(key="count", value=len(tasks))
        if not tasks:
            self._meet_emptiness(run_id)
        return tasks if kept is None else select(tasks, kept)

    def _meet_emptiness(self, run_id: str) -> None:
        message = f"No task of run {run_id} matches the filters"
        if self.on_empty == "skip":
            raise AirflowSkipException(f"{message} (on_empty='skip').")
        if self.on_empty == "fail":
            raise TallyfyError(f"{message} (on_empty='fail').")
