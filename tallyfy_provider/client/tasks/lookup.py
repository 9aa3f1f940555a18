"""Finding a task by the name that a Dag author gave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.tasks.api import TasksResource
from tallyfy_provider.client.tasks.names import find_task, looks_like_an_id
from tallyfy_provider.exceptions import TallyfyNotFoundError


def look_up_task(tasks: TasksResource, run_id: str | None, name: str, include: Iterable[str] = ()) -> dict[str, Any]:
    """
    Get a task by id, or by alias or title within a run.

    The list of a run's tasks may be behind, so it only tells the id; the task itself is asked for then.

    :param tasks: The tasks of the organization.
    :param run_id: The run; None where ``name`` is an id.
    :param name: The task's id, alias or title.
    :param include: What to get along with it (Tallyfy's ``with``).
    :return: The task exactly as the API gave it.
    :raises TallyfyInputError: The run has no such task, or several.
    :raises TallyfyNotFoundError: There is no such run, or no task with this id.
    :raises TallyfyError: Of the kind that fits.
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


def run_of(task: dict[str, Any]) -> str | None:
    """
    Tell the run that a task belongs to.

    :param task: The task as the API gave it.
    :return: The run's id; None for a one-off task that belongs to none.
    """
    run_id = task.get("run_id")
    return None if run_id in (None, "") else str(run_id)
