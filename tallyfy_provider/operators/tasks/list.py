"""ListTasksOperator: return the tasks of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tallyfy_provider.client.redaction import without_guest_links
from tallyfy_provider.client.runs.filter_check import select
from tallyfy_provider.client.tasks.filters import RUN_TASK_FILTERS
from tallyfy_provider.links.tallyfy import TallyfyRunLink
from tallyfy_provider.operators.base import OnEmpty, TallyfyBaseOperator, check_on_empty, end_empty
from tallyfy_provider.operators.mapping import mappable_output
from tallyfy_provider.utils import arguments
from tallyfy_provider.utils.plurals import counted

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg


class ListTasksOperator(TallyfyBaseOperator):
    """
    List the tasks (steps) of a run, in the order of the process, and return them as an XCom.

    Returns the tasks as Tallyfy gave them, without guest links, or only their ``fields``; pushes ``task_ids`` (a list
    of str) and ``count`` beside them. Tasks that a rule hides are among them, with the status ``auto-skipped``.

    :param run_id: The run; templated.
    :param filters: Tallyfy's own filter names to values, templated: ``status``, ``owners`` and more, see
        ``docs/guides/read-answers.md``.
    :param include: What to get along with each (Tallyfy's ``with``), such as ``form_fields`` or ``threads``; templated.
    :param fields: Names of the fields to keep of each, templated; None keeps all.
    :param on_empty: When no task matches: ``pass`` returns an empty list, ``skip`` skips the task, ``fail`` fails it.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :raises TallyfyInputError: A filter is wrong: its name when the Dag is parsed, its value before the first request.
    :raises TallyfyNotFoundError: There is no such run.
    """

    template_fields: Sequence[str] = ("run_id", "filters", "include", "fields", "tallyfy_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    operator_extra_links = (TallyfyRunLink(),)

    def __init__(
        self,
        *,
        run_id: str,
        filters: Mapping[str, Any] | str | None = None,
        include: Sequence[str] | str = (),
        fields: Sequence[str] | str | None = None,
        on_empty: OnEmpty = "pass",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.filters = filters
        self.include = include
        self.fields = fields
        self.on_empty = on_empty
        with arguments.checking_literals(self):
            if isinstance(filters, Mapping):
                RUN_TASK_FILTERS.check_names(filters)  # names of filters are never templates
                RUN_TASK_FILTERS.check_literals(filters)
            check_on_empty(on_empty)

    #: The key of the XCom that is as long as the return value.
    list_key = "task_ids"

    @property
    def output(self) -> XComArg:
        """The tasks; ``output["task_ids"]`` are their ids. Both can be mapped over."""
        return mappable_output(self)

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the tasks."""
        arguments.raise_wrong_literal(self)
        run_id, fields = arguments.run_id(self.run_id), arguments.names("fields", self.fields)
        TallyfyRunLink.persist(context, run_id)
        filters = arguments.mapping("filters", self.filters)
        found = self.hook.client.tasks.list_of_run(run_id, filters, arguments.includes(self.include))
        tasks = [without_guest_links(task) for task in found]
        self.log.info("Listed %s of run %s.", counted(len(tasks), "task"), run_id)
        self._push(context, task_ids=[str(task["id"]) for task in tasks], count=len(tasks))
        if not tasks:
            end_empty(self.on_empty, f"No task of run {run_id} matches the filters")
        return tasks if fields is None else select(tasks, fields)
