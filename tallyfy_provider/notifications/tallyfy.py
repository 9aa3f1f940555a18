"""TallyfyNotifier: launches a run, or comments on one, when something becomes of a Dag or a task."""

from __future__ import annotations

import traceback
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseNotifier

from tallyfy_provider.exceptions import TallyfyConfigurationError, TallyfyError, TallyfyInputError
from tallyfy_provider.notifications.event import event_of

if TYPE_CHECKING:
    import jinja2
    from airflow.providers.common.compat.sdk import Connection, Context

    from tallyfy_provider.notifications.event import Event
    from tallyfy_provider.notifications.message import Notice

Kind = Literal["comment", "problem"]

_FOR_LAUNCHES = (
    "name",
    "kickoff",
    "summary",
    "owner_id",
    "tags",
    "folders",
    "users",
    "groups",
    "roles",
    "steps",
    "parent_id",
    "options",
)
#: Texts that are better replaced than missing.
_WITH_DEFAULT = ("name", "summary", "comment")


class TallyfyNotifier(BaseNotifier):
    """
    Launch a run (a process of Tallyfy), or comment on one, when a Dag or a task fails, succeeds or misses a deadline.

    For ``on_failure_callback``, ``on_success_callback``, ``on_retry_callback`` and ``on_skipped_callback`` of Dags and
    tasks, for deadlines (Airflow 3.1 and later) and ``sla_miss_callback`` (Airflow 2.11). Once for each event, also
    where Airflow calls back twice. Nothing that goes wrong here is raised; it is logged. What a callback's context has,
    and the limits, are in ``docs/notifications.md``.

    Either ``checklist_id`` is given, or ``run_id``, ``step`` or both.

    :param checklist_id: The checklist (template) to launch; templated.
    :param name: The run's name; templated. None, or a template that cannot be rendered, means what happened to what.
    :param kickoff: Values of the kick-off form by field alias, label or id, templated; see ``docs/form-values.md``.
    :param summary: The run's summary, text or HTML; templated. None, or a template that cannot be rendered, means what
        there is to know: Dag, task, run, try, kind of exception, log. Not what the exception says: it may hold secrets.
    :param owner_id: The user who owns the run; templated. None means the user of the connection.
    :param tags: Ids of tags; templated.
    :param folders: Ids of folders; templated.
    :param users: Ids of users to assign; templated.
    :param groups: Ids of groups to assign; templated.
    :param roles: As for ``LaunchRunOperator``; templated.
    :param steps: As for ``LaunchRunOperator``; templated.
    :param parent_id: The run that the new one belongs to; templated.
    :param options: As for ``LaunchRunOperator``; templated.
    :param run_id: The run to comment on; templated.
    :param step: The task to comment on: its id, or its alias or title within ``run_id``; templated.
    :param comment: What to say there, text or HTML; templated. As ``summary`` where it is None.
    :param kind: ``comment``, or ``problem``, which keeps people from going on until somebody resolves it.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :param context: What a deadline calls back with; given by Airflow.
    :raises TallyfyInputError: The arguments do not go together.
    """

    template_fields: Sequence[str] = (
        "checklist_id",
        *_FOR_LAUNCHES,
        "run_id",
        "step",
        "comment",
        "tallyfy_conn_id",
    )

    def __init__(
        self,
        *,
        checklist_id: str | None = None,
        name: str | None = None,
        kickoff: Mapping[str, Any] | str | None = None,
        summary: str | None = None,
        owner_id: int | str | None = None,
        tags: Sequence[str] | str | None = None,
        folders: Sequence[str | int] | str | None = None,
        users: Sequence[int | str] | str | None = None,
        groups: Sequence[str] | str | None = None,
        roles: Mapping[str, Any] | str | None = None,
        steps: Mapping[str, Any] | str | None = None,
        parent_id: str | None = None,
        options: Mapping[str, Any] | None = None,
        run_id: str | int | None = None,
        step: str | int | None = None,
        comment: str | None = None,
        kind: Kind = "comment",
        tallyfy_conn_id: str = "tallyfy_default",
        context: Context | None = None,
    ) -> None:
        super().__init__()
        self.checklist_id = checklist_id
        self.name = name
        self.kickoff = kickoff
        self.summary = summary
        self.owner_id = owner_id
        self.tags = tags
        self.folders = folders
        self.users = users
        self.groups = groups
        self.roles = roles
        self.steps = steps
        self.parent_id = parent_id
        self.options = options
        self.run_id = run_id
        self.step = step
        self.comment = comment
        self.kind = kind
        self.tallyfy_conn_id = tallyfy_conn_id
        self.context: Any = {} if context is None else context
        self._check_what_is_given()

    def _check_what_is_given(self) -> None:
        """Refuse, while the Dag is parsed, what no template can put right."""
        for_comments = [name for name in ("run_id", "step", "comment") if getattr(self, name) is not None]
        for_launches = [name for name in _FOR_LAUNCHES if getattr(self, name) is not None]
        if self.kind not in get_args(Kind):
            raise TallyfyInputError(f"kind is {self.kind!r}; it takes 'comment' or 'problem'.")
        if self.checklist_id is not None and for_comments:
            raise TallyfyInputError(
                f"checklist_id launches a run, {for_comments[0]} is for comments: a notifier does one of the two. "
                "Two notifiers in a list do both."
            )
        if self.checklist_id is not None:
            return
        if self.run_id is None and self.step is None:
            raise TallyfyInputError("Say what to launch (checklist_id), or where to comment (run_id, step or both).")
        if for_launches:
            raise TallyfyInputError(f"{for_launches[0]} is for a run that is launched; run_id is one to comment on.")

    def __call__(self, *args: Any) -> None:
        """
        Tell Tallyfy of an event. Never raises, never changes the context.

        :param args: What Airflow calls back with: the context; or Dag, tasks, blocking tasks, SLAs and blocking task
            instances.
        """
        # Not by way of the base class: it puts the arguments into the context that other callbacks get after this one,
        # where run_id and name would be others than Airflow's, and renders for good in an object that is used again.
        self.notify(_context_of(args))

    def __await__(self) -> Generator[Any, Any, None]:
        """Tell Tallyfy of the event that ``context`` is of. Never raises."""
        return self.async_notify(self.context).__await__()

    def notify(self, context: Context) -> None:
        """
        Tell Tallyfy of an event, after rendering what was written. Never raises.

        :param context: What Airflow calls back with.
        """
        try:
            from tallyfy_provider.notifications.delivery import deliver

            notice = self._notice(context)
            self._report_done(notice, deliver(self._connection(notice), notice))
        except Exception as error:
            self._report_failed(context, error)

    async def async_notify(self, context: Context) -> None:
        """
        Do what :meth:`notify` does without blocking the event loop.

        :param context: What Airflow calls back with.
        """
        try:
            from tallyfy_provider.notifications.delivery import deliver

            notice = self._notice(context)
            connection = await self._async_connection(notice)
            self._report_done(notice, await _in_thread(lambda: deliver(connection, notice)))
        except Exception as error:
            self._report_failed(context, error)

    def _notice(self, context: Context) -> Notice:
        from tallyfy_provider.notifications.message import Notice, mark_of

        written = {name: getattr(self, name) for name in (*self.template_fields, "kind")}
        event = event_of(context)
        return Notice(event, {**self._rendered(context, event), "kind": self.kind}, mark_of(written))

    def _rendered(self, context: Any, event: Event) -> dict[str, Any]:
        if "run_id" not in context:  # as in that of a deadline
            context = {**context, "run_id": event.facts.get("Run", "")}
        environment = self.get_template_env(dag=_dag_in(context))
        return {name: self._rendered_argument(name, context, environment) for name in self.template_fields}

    def _rendered_argument(self, name: str, context: Context, environment: jinja2.Environment) -> Any:
        try:
            return self.render_template(getattr(self, name), context, environment)
        except Exception as error:
            if name not in _WITH_DEFAULT:
                raise TallyfyInputError(f"{name} cannot be rendered: {_explained(error)}") from error
            self.log.warning(
                "%s cannot be rendered, so people are told in the notifier's own words: %s", name, _explained(error)
            )
            return None

    def _render(self, template: Any, context: Context, dag: Any = None) -> Any:
        # Past the base class, which in Airflow 2 takes it that there always is a Dag.
        return super(BaseNotifier, self)._render(template, context, dag or _dag_in(context))

    def _connection(self, notice: Notice) -> Connection:
        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        name = notice.text("tallyfy_conn_id") or TallyfyHook.default_conn_name
        try:
            return TallyfyHook.get_connection(name)
        except AirflowNotFoundException as error:
            raise TallyfyConfigurationError(f"There is no connection {name!r}: {error}") from None

    async def _async_connection(self, notice: Notice) -> Connection:
        from airflow.providers.common.compat.connection import get_async_connection

        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        name = notice.text("tallyfy_conn_id") or TallyfyHook.default_conn_name
        try:
            return await get_async_connection(name, TallyfyHook(name))
        except AirflowNotFoundException as error:
            raise TallyfyConfigurationError(f"There is no connection {name!r}: {error}") from None

    def _report_done(self, notice: Notice, done: str) -> None:
        self.log.info("Tallyfy knows that %s. %s", notice.event.sentence, done)

    def _report_failed(self, context: Context, error: Exception) -> None:
        try:
            event = event_of(context).sentence
        except Exception:
            event = "something happened to a Dag"
        self.log.error("Tallyfy could not be told that %s: %s", event, _explained(error))
        self.log.debug("Why Tallyfy could not be told:", exc_info=error)


def _context_of(args: Sequence[Any]) -> Any:
    if len(args) == 1:
        return args[0]
    # The arguments of an sla_miss_callback of Airflow 2.
    names = ("dag", "task_list", "blocking_task_list", "slas", "blocking_tis")
    return dict(zip(names, args, strict=False))


def _dag_in(context: Any) -> Any:
    """Give the Dag, if it can render: ``dag.test()`` of Airflow 3 calls back with the stored form of it."""
    dag = context.get("dag")
    return dag if hasattr(dag, "get_template_env") else None


def _explained(error: Exception) -> str:
    """Say what went wrong, but not what an error of unknown origin says: that may quote a form value, or a secret."""
    from jinja2 import TemplateError

    if isinstance(error, TallyfyError):
        return str(error)
    if isinstance(error, TemplateError):
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}; the log has more at the level DEBUG"


async def _in_thread(function: Any) -> Any:
    # By way of asgiref, whose threads know the loop they came from: Airflow 3.1 masks secrets by talking to its
    # supervisor. A thread of its own, so that a slow Tallyfy keeps nobody else's.
    from asgiref.sync import sync_to_async

    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tallyfy-notifier")
    try:
        return await sync_to_async(function, thread_sensitive=False, executor=executor)()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
