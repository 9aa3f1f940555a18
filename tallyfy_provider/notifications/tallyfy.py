"""TallyfyNotifier: launch a run, or comment on one, when a Dag or a task ends or misses a deadline."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import BaseNotifier

from tallyfy_provider.client.runs.launch_request import ARGUMENTS
from tallyfy_provider.exceptions import TallyfyConnectionError, TallyfyError, TallyfyInputError
from tallyfy_provider.notifications.event import event_of
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    import jinja2
    from airflow.providers.common.compat.sdk import Connection, Context

    from tallyfy_provider.notifications.event import Event
    from tallyfy_provider.notifications.message import Message

Kind = Literal["comment", "problem"]

_FOR_LAUNCHES = ("name", "kickoff", *ARGUMENTS, "options")
#: Texts with a default that is better than no message.
_WITH_DEFAULT = ("name", "summary", "comment")
#: Seconds between the look-ups of a connection that Airflow does not give: a callback has no retry.
_LOOKUP_PAUSES = (1.0, 2.0)


class TallyfyNotifier(BaseNotifier):
    """
    Launch a run (a process of Tallyfy), or comment on one, when a Dag or a task fails, succeeds or misses a deadline.

    Launch an incident when a Dag fails, or comment on a task of a run that people work on:

    .. code-block:: python

        on_failure_callback=TallyfyNotifier(
            checklist_id="{{ var.value.incident_template }}",
            name="{{ dag.dag_id }} failed",
        )
        on_success_callback=TallyfyNotifier(run_id="{{ params.run_id }}", step="load-data", comment="The data is here.")

    For ``on_failure_callback``, ``on_success_callback``, ``on_retry_callback`` and ``on_skipped_callback`` of Dags and
    tasks, for deadlines (Airflow 3.1 and later) and ``sla_miss_callback`` (Airflow 2.11). It acts once for each event,
    even where Airflow calls back twice. Errors are logged and not raised. The context of each callback, and the limits,
    are in ``docs/guides/notify.md``.

    Give either ``checklist_id``, or ``run_id``, ``step`` or both.

    :param checklist_id: The checklist (template) to launch; templated.
    :param name: The run's name; templated. None, or a template that cannot be rendered, names it after the event.
    :param kickoff: Values of the kick-off form by field alias, label or id, templated; see
        ``docs/reference/form-values.md``.
    :param summary: The run's summary, text or HTML; templated. None, or a template that cannot be rendered, gives Dag,
        task, run, try, type of the exception and log, but not the exception's message, which may hold secrets.
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
    :param comment: The comment, text or HTML; templated. None means the same as for ``summary``.
    :param kind: ``comment``, or ``problem``, which blocks the task or run until somebody resolves it.
    :param state: Who sees the comment or problem: ``hide-for-guests`` (members only), ``open`` or ``collapsed``.
    :param tallyfy_conn_id: The Airflow connection, of type ``tallyfy``; templated.
    :param context: The context of a deadline; given by Airflow.
    :raises TallyfyInputError: The arguments contradict each other.
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
        state: str = arguments.DEFAULT_COMMENT_STATE,
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
        self.state = state
        self.tallyfy_conn_id = tallyfy_conn_id
        self.context: Any = {} if context is None else context
        self._check_what_is_given()

    def _check_what_is_given(self) -> None:
        """Validate the combination of arguments when the Dag is parsed."""
        for_comments = [name for name in ("run_id", "step", "comment") if getattr(self, name) is not None]
        for_launches = [name for name in _FOR_LAUNCHES if getattr(self, name) is not None]
        arguments.choice("kind", self.kind, get_args(Kind))
        arguments.choice("state", self.state, arguments.COMMENT_STATES)
        if self.checklist_id is not None and for_comments:
            raise TallyfyInputError(
                f"checklist_id launches a run, {for_comments[0]} is for comments: a notifier does one of the two. "
                "Use two notifiers in a list for both."
            )
        if self.checklist_id is not None:
            return
        if self.run_id is None and self.step is None:
            raise TallyfyInputError("Give what to launch (checklist_id), or where to comment (run_id, step or both).")
        if for_launches:
            raise TallyfyInputError(f"{for_launches[0]} is for a run that is launched; run_id is one to comment on.")

    def __call__(self, *args: Any) -> None:
        """Notify Tallyfy of an event. Never raises, never changes the context."""
        # The base class puts the arguments into the context that later callbacks get, where run_id and name would not
        # be Airflow's any more, and stores what it renders in an object that is used again.
        self.notify(_context_of(args))

    def __await__(self) -> Generator[Any, Any, None]:
        """Notify Tallyfy of the event of ``context``. Never raises."""
        return self.async_notify(self.context).__await__()

    def notify(self, context: Context) -> None:
        """Render the arguments and notify Tallyfy of an event. Never raises."""
        try:
            from tallyfy_provider.notifications.delivery import deliver

            message = self._message(context)
            self._report_done(message, deliver(self._connection(message), message))
        except Exception as error:
            self._report_failed(context, error)

    async def async_notify(self, context: Context) -> None:
        """Do what :meth:`notify` does without blocking the event loop."""
        try:
            from tallyfy_provider.notifications.delivery import deliver

            message = self._message(context)
            connection = await self._async_connection(message)
            self._report_done(message, await _in_thread(lambda: deliver(connection, message)))
        except Exception as error:
            self._report_failed(context, error)

    def _message(self, context: Context) -> Message:
        from tallyfy_provider.notifications.message import Message, fingerprint_of

        written = {name: getattr(self, name) for name in (*self.template_fields, "kind", "state")}
        event = event_of(context)
        return Message(
            event, {**self._rendered(context, event), "kind": self.kind, "state": self.state}, fingerprint_of(written)
        )

    def _rendered(self, context: Any, event: Event) -> dict[str, Any]:
        if "run_id" not in context:  # as in that of a deadline
            context = {**context, "run_id": event.facts.get("Run", "")}
        environment = self.get_template_env(dag=_dag_in(context))
        # Not all callbacks have one, and whoever names it in kickoff is to be told all the same.
        environment.globals.setdefault("exception", "")
        return {name: self._rendered_argument(name, context, environment) for name in self.template_fields}

    def _rendered_argument(self, name: str, context: Context, environment: jinja2.Environment) -> Any:
        try:
            rendered = self.render_template(getattr(self, name), context, environment)
            return arguments.text(name, rendered) if name in _WITH_DEFAULT else rendered
        except Exception as error:
            if name not in _WITH_DEFAULT:
                raise TallyfyInputError(f"{name} cannot be rendered: {_describe(error)}") from error
            self.log.warning("Using the default of %s, which cannot be rendered: %s", name, _describe(error))
            return None

    def _render(self, template: Any, context: Context, dag: Any = None) -> Any:
        # Skips the base class, which in Airflow 2 assumes that there always is a Dag.
        return super(BaseNotifier, self)._render(template, context, dag or _dag_in(context))

    def _connection(self, message: Message) -> Connection:
        for pause in _LOOKUP_PAUSES:
            with suppress(TallyfyConnectionError):
                return self._look_up(message)
            time.sleep(pause)
        return self._look_up(message)

    def _look_up(self, message: Message) -> Connection:
        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        with _explaining_failures(conn_id := _conn_id(message)):
            return TallyfyHook.get_connection(conn_id)

    async def _async_connection(self, message: Message) -> Connection:
        for pause in _LOOKUP_PAUSES:
            with suppress(TallyfyConnectionError):
                return await self._async_look_up(message)
            await asyncio.sleep(pause)
        return await self._async_look_up(message)

    async def _async_look_up(self, message: Message) -> Connection:
        from airflow.providers.common.compat.connection import get_async_connection

        from tallyfy_provider.hooks.tallyfy import TallyfyHook

        with _explaining_failures(conn_id := _conn_id(message)):
            return await get_async_connection(conn_id, TallyfyHook(conn_id))

    def _report_done(self, message: Message, done: str) -> None:
        self.log.info("Notified Tallyfy that %s. %s", message.event.sentence, done)

    def _report_failed(self, context: Context, error: Exception) -> None:
        try:
            event = event_of(context).sentence
        except Exception:
            event = "something happened to a Dag"
        self.log.error("Tallyfy could not be notified that %s: %s", event, _describe(error))
        self.log.debug("Why Tallyfy could not be notified:", exc_info=error)


def _conn_id(message: Message) -> str:
    return message.text("tallyfy_conn_id") or "tallyfy_default"


@contextmanager
def _explaining_failures(conn_id: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of any kind: each secrets backend has errors of its own
        from tallyfy_provider.hooks.tallyfy import failed_lookup

        raise failed_lookup(conn_id, error) from None


def _context_of(args: Sequence[Any]) -> Any:
    if len(args) == 1:
        return args[0]
    # The arguments of an sla_miss_callback of Airflow 2.
    names = ("dag", "task_list", "blocking_task_list", "slas", "blocking_tis")
    return dict(zip(names, args, strict=False))


def _dag_in(context: Any) -> Any:
    """Return the Dag, if it can render: ``dag.test()`` of Airflow 3 gives the serialized Dag, which cannot."""
    dag = context.get("dag")
    return dag if hasattr(dag, "get_template_env") else None


def _describe(error: Exception) -> str:
    """Describe an error without the message of one of unknown origin, which may quote a form value or a secret."""
    from jinja2 import TemplateError

    if isinstance(error, TallyfyError):
        return str(error)
    if isinstance(error, TemplateError):
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}; the log has more at the level DEBUG"


async def _in_thread(function: Any) -> Any:
    # The threads of asgiref know their event loop, which Airflow 3.1 needs to mask secrets by way of its supervisor.
    # It is a thread of its own, so that a slow Tallyfy does not occupy a shared one.
    from asgiref.sync import sync_to_async

    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tallyfy-notifier")
    try:
        return await sync_to_async(function, thread_sensitive=False, executor=executor)()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
