"""Launch the run or write the comment of a message, once, in the time that a callback has. Blocking."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import mask_secret

from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.redaction import shown
from tallyfy_provider.client.runs.launch import Launcher
from tallyfy_provider.client.runs.launch_marker import with_line
from tallyfy_provider.client.runs.launch_request import ARGUMENTS, prepare_launch
from tallyfy_provider.client.settings import build_client
from tallyfy_provider.client.tasks.lookup import look_up_task
from tallyfy_provider.exceptions import (
    TallyfyConnectionError,
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyResponseError,
)
from tallyfy_provider.hooks.connection import read_connection
from tallyfy_provider.links.tallyfy import run_url
from tallyfy_provider.utils import arguments

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from tallyfy_provider.client.client import TallyfyClient
    from tallyfy_provider.notifications.message import Message

log = logging.getLogger(__name__)

#: Seconds after which no more requests are sent. Airflow ends a Dag processor that takes 50 s for a file
#: (``dag_file_processor_timeout``), callbacks included.
TIME_LIMIT = 30.0
#: Seconds without a byte from Tallyfy after which an attempt has failed.
_REQUEST_TIMEOUT = 10.0
_MAX_ATTEMPTS = 3
#: Seconds for which a run is looked for whose launch got no response.
_LOOKUP_TIMEOUT = 10.0


def deliver(connection: Connection, message: Message, *, time_limit: float = TIME_LIMIT) -> str:
    """Launch the run or write the comment of a message, unless that has been done before."""
    with _client_for(connection, time_limit) as client:
        return _launch(client, message) if message.launches else _comment(client, message)


@contextmanager
def _client_for(connection: Connection, time_limit: float) -> Iterator[TallyfyClient]:
    """Give a client that is closed when the time is up, and neither sends nor waits for anything more."""
    settings = read_connection(connection)
    settings = replace(
        settings,
        timeout=min(settings.timeout, _REQUEST_TIMEOUT),
        max_attempts=min(settings.max_attempts, _MAX_ATTEMPTS),
    )
    client = build_client(settings, on_secret=mask_secret)
    is_late = threading.Event()

    def close_late() -> None:
        is_late.set()
        client.close()

    timer = threading.Timer(time_limit, close_late)
    timer.daemon = True
    timer.start()
    try:
        yield client
    except TallyfyIndeterminateError:
        raise
    except TallyfyError as error:
        if is_late.is_set():
            message = f"Tallyfy took more than {time_limit:.0f} s, which is all the time that a callback has."
            raise TallyfyConnectionError(message) from error
        raise
    finally:
        timer.cancel()
        client.close()


def _launch(client: TallyfyClient, message: Message) -> str:
    checklist_id = arguments.checklist_id(message.arguments.get("checklist_id"))
    launcher = Launcher(
        client.runs, checklist_id, message.marker, since=message.event.since, lookup_timeout=_LOOKUP_TIMEOUT
    )
    if (run := launcher.find()) is not None:
        return f"Run {shown(run['id'])} has been launched for it before: {run_url(run['id'])}".rstrip(": ")
    request = prepare_launch(
        client.checklists,
        checklist_id,
        name=message.name,
        kickoff=message.arguments.get("kickoff"),
        given={**{name: message.arguments.get(name) for name in ARGUMENTS}, "summary": message.body("summary")},
        options=message.arguments.get("options"),
    )
    run = _launched(launcher, request.body, message)
    request.warn_of_differences(run)
    return f"Launched run {shown(run['id'])}: {run_url(run['id'])}".rstrip(": ")


def _launched(launcher: Launcher, body: Mapping[str, Any], message: Message) -> dict[str, Any]:
    try:
        return launcher.launch(body)
    except TallyfyIndeterminateError as error:
        # Unlike a task, a callback has no retry that would look again.
        raise TallyfyIndeterminateError(
            f"Look in Tallyfy for {message.marker.token} in a summary before you launch a run yourself: the response "
            "to the launch was lost, and the run has not been found since.",
            status=error.status,
            request_id=error.request_id,
        ) from error


def _comment(client: TallyfyClient, message: Message) -> str:
    content = with_line(message.body("comment"), message.marker.line)
    run_id, name = _read(message, "run_id", arguments.run_id), _read(message, "step", arguments.step)
    is_problem, state = message.arguments["kind"] == "problem", message.arguments["state"]
    if name is None:
        # Tallyfy has no list of a run's own comments (docs/tallyfy-api.md, "Endpoints"), so none can be looked for.
        run = run_id or ""
        comment_on_run = client.comments.report_problem_on_run if is_problem else client.comments.add_to_run
        comment_on_run(run, content, state)
        return f"Commented on run {run}: {run_url(run)}".rstrip(": ")
    task = look_up_task(client.tasks, run_id, name, include=("threads",))
    if _is_written(message, task):
        return f"Task {shown(task['id'])} has been commented on for it before."
    task_id = str(task["id"])
    comment_on_task = client.comments.report_problem_on_task if is_problem else client.comments.add_to_task
    comment_on_task(task_id, content, state)
    return f"Commented on task {task_id}."


def _read(message: Message, argument: str, read: Callable[[Any], str]) -> str | None:
    return read(message.arguments[argument]) if message.gives(argument) else None


def _is_written(message: Message, task: Mapping[str, Any]) -> bool:
    try:
        threads = rows_of(task.get("threads"))
    except TallyfyResponseError:
        return False
    return any(message.marker.is_in({"summary": thread.get("content")}) for thread in threads)
