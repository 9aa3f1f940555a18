"""Find a task by id, or by the alias or title that it has within a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.names import attribute_of, find_by_name, suggest
from tallyfy_provider.client.redaction import quoted, shown
from tallyfy_provider.client.tasks.api import TasksResource
from tallyfy_provider.exceptions import TallyfyInputError, TallyfyNotFoundError

Task = Mapping[str, Any]

_ID = re.compile(r"[0-9a-fA-F]{32}")
#: People may change a task's title; ``original_title`` is the one in the template.
_NAMES = ("id", "alias", "title", "original_title")
#: Tasks named in a message.
_SHOWN = 20


def look_up_task(tasks: TasksResource, run_id: str | None, name: str, include: Iterable[str] = ()) -> dict[str, Any]:
    """
    Get a task by id, or by alias or title within a run.

    The list of a run's tasks may be behind, so only the id is taken from it, and the task itself is requested then.
    """
    if run_id is None:
        return tasks.get(name, None, include)
    if looks_like_an_id(name):
        try:
            return tasks.get(name, run_id, include)
        except TallyfyNotFoundError as error:
            if error.code == ENDPOINT_NOT_FOUND:
                raise
    found = find_task(list(tasks.list_of_run(run_id)), name, run_id)
    return tasks.get(found["id"], run_id, include)


def find_task(tasks: Sequence[Task], name: str, run_id: str) -> dict[str, Any]:
    """Return the task with this id, alias or title; raise TallyfyInputError where there is none, or several."""
    found = find_by_name(tasks, name, _NAMES)
    if len(found) == 1:
        return dict(found[0])
    if found:
        raise TallyfyInputError(
            f"{name!r} is the name of {len(found)} tasks of run {run_id}: {_listed(found)}. Say which by alias or id."
        )
    if not tasks:
        raise TallyfyInputError(f"Run {run_id} has no task {name!r}: Tallyfy lists no tasks for it.")
    suggestion = suggest(tasks, name, ("title", "alias"))
    raise TallyfyInputError(f"Run {run_id} has no task {name!r}{suggestion or '.'} Its tasks are {_listed(tasks)}.")


def looks_like_an_id(name: str) -> bool:
    """Tell whether a name is an id of Tallyfy's: 32 hexadecimal digits."""
    return bool(_ID.fullmatch(name))


def run_of(task: Task) -> str | None:
    """Return the id of the run that a task belongs to; None for a one-off task that belongs to none."""
    run_id = task.get("run_id")
    return str(run_id) if isinstance(run_id, (str, int)) and run_id != "" else None


def _listed(tasks: Sequence[Task]) -> str:
    named = "; ".join(
        f"{quoted(attribute_of(task, 'title'))} (alias {quoted(attribute_of(task, 'alias'))}, "
        f"id {shown(attribute_of(task, 'id'))})"
        for task in tasks[:_SHOWN]
    )
    more = len(tasks) - _SHOWN
    return f"{named} and {more} more" if more > 0 else named
