"""Tells Tallyfy of an event, once, and in a time that a callback has. Blocking."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import mask_secret

from tallyfy_provider.client.forms.compare import compare
from tallyfy_provider.client.forms.encode import encode_form
from tallyfy_provider.client.forms.fields import read_fields, rows_of
from tallyfy_provider.client.runs.launch import Launcher
from tallyfy_provider.client.runs.launch_marker import with_line
from tallyfy_provider.client.runs.launch_request import build_launch_request
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
    from tallyfy_provider.notifications.message import Notice

log = logging.getLogger(__name__)

#: Seconds after which nothing more is asked of Tallyfy. Airflow ends a Dag processor that takes 50 s for a file
#: (``dag_file_processor_timeout``), callbacks included.
LONGEST = 30.0
#: Seconds without a byte from Tallyfy after which an attempt is given up.
_ATTEMPT = 10.0
_ATTEMPTS = 3
#: Seconds for which a run is looked for whose launch was not answered.
_PATIENCE = 10.0

_LAUNCH_ARGUMENTS = ("owner_id", "parent_id", "tags", "folders", "users", "groups", "roles", "steps")


def deliver(connection: Connection, notice: Notice, *, longest: float = LONGEST) -> str:
    """
    Launch the run or write the comment that a notice asks for, unless that has been done before.

    :param connection: A connection of type ``tallyfy``.
    :param notice: What to say.
    :param longest: Seconds after which nothing more is asked of Tallyfy.
    :return: What was done, in a sentence.
    :raises TallyfyIndeterminateError: The answer was lost: it may have been done.
    :raises TallyfyError: Of the kind that fits; then it was not done.
    """
    with _client_for(connection, longest) as client:
        return _launch(client, notice) if notice.launches else _comment(client, notice)


@contextmanager
def _client_for(connection: Connection, longest: float) -> Iterator[TallyfyClient]:
    """Give a client that is closed when the time is up: it sends nothing more then, and waits for nothing."""
    settings = read_connection(connection)
    hurried = replace(
        settings, timeout=min(settings.timeout, _ATTEMPT), max_attempts=min(settings.max_attempts, _ATTEMPTS)
    )
    client = build_client(hurried, on_secret=mask_secret)
    is_late = threading.Event()

    def give_up() -> None:
        is_late.set()
        client.close()

    timer = threading.Timer(longest, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield client
    except TallyfyIndeterminateError:
        raise
    except TallyfyError as error:
        if is_late.is_set():
            raise TallyfyConnectionError(f"Tallyfy took more than {longest:.0f} s, so it was given up.") from error
        raise
    finally:
        timer.cancel()
        client.close()


def _launch(client: TallyfyClient, notice: Notice) -> str:
    checklist_id = notice.text("checklist_id") or ""
    launcher = Launcher(client, checklist_id, notice.reference, since=notice.event.since, patience=_PATIENCE)
    if (run := launcher.find()) is not None:
        return f"Run {run['id']} has been launched for it before: {run_url(run['id'])}".rstrip(": ")
    steps = notice.arguments.get("steps")
    checklist = client.checklists.get(checklist_id, include=("steps",) if steps else ())
    fields = read_fields(checklist.get("prerun"))
    encoded = encode_form(fields, notice.arguments.get("kickoff"))
    for note in encoded.notes:
        log.info(note)
    body = build_launch_request(
        checklist,
        name=notice.name,
        prerun=encoded.values,
        given={"summary": notice.body("summary"), **_given(notice.arguments)},
        other=notice.arguments.get("options"),
    )
    run = _launched(launcher, body, notice)
    if differences := compare(body.get("prerun") or {}, run.get("prerun"), fields):
        log.warning("Look at the kick-off form of run %s: %s.", run["id"], "; ".join(map(str, differences)))
    return f"Launched run {run['id']}: {run_url(run['id'])}".rstrip(": ")


def _launched(launcher: Launcher, body: Mapping[str, Any], notice: Notice) -> dict[str, Any]:
    try:
        return launcher.launch(body).run
    except TallyfyIndeterminateError as error:
        # Unlike a task, a callback has no retry that would look once more.
        raise TallyfyIndeterminateError(
            "Tallyfy's answer to the launch was lost, and the run was not to be found since. Look in Tallyfy for "
            f"{notice.reference.token} in a summary before you launch one yourself.",
            status=error.status,
            request_id=error.request_id,
        ) from error


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: arguments.get(name) for name in _LAUNCH_ARGUMENTS}


def _comment(client: TallyfyClient, notice: Notice) -> str:
    content = with_line(notice.body("comment"), notice.reference.line)
    run_id, name = _read(notice, "run_id", arguments.run_id), _read(notice, "step", arguments.step)
    is_problem = notice.arguments.get("kind") == "problem"
    if name is None:
        # Tallyfy has no list of a run's own comments (docs/tallyfy-api.md, "Endpoints"), so none can be looked for.
        run = run_id or ""
        client.comments.report_problem_on_run(run, content) if is_problem else client.comments.add_to_run(run, content)
        return f"Commented on run {run}: {run_url(run)}".rstrip(": ")
    task = look_up_task(client.tasks, run_id, name, include=("threads",))
    if _is_said(notice, task):
        return f"Task {task['id']} has been commented on for it before."
    task_id = str(task["id"])
    client.comments.report_problem_on_task(task_id, content) if is_problem else client.comments.add_to_task(
        task_id, content
    )
    return f"Commented on task {task_id}."


def _read(notice: Notice, argument: str, read: Callable[[Any], str]) -> str | None:
    return None if notice.text(argument) is None else read(notice.arguments[argument])


def _is_said(notice: Notice, task: Mapping[str, Any]) -> bool:
    try:
        threads = rows_of(task.get("threads"))
    except TallyfyResponseError:
        return False
    return any(notice.reference.is_in({"summary": thread.get("content")}) for thread in threads)
