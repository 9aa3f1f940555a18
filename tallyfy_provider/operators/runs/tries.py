"""Which launch a try of a task stands for. Pure but for what Airflow knows of the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from tallyfy_provider.client.runs.launch_marker import LaunchMarker

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

Reuse = Literal["retry", "always", "never"]
REUSES = ("retry", "always", "never")


@dataclass(frozen=True)
class Try:
    """
    One try of a task that launches a run.

    :param marker: What the launch is known by.
    :param since: When an earlier try may have launched it at the earliest, in seconds since the epoch, if known.
    :param may_follow_another: Whether an earlier try may have launched it.
    """

    marker: LaunchMarker
    since: float | None
    may_follow_another: bool


def try_of(context: Context, reuse: Reuse, checklist_id: str) -> Try:
    """
    Tell which launch a try stands for.

    With ``retry`` all tries of a task stand for one launch until the task is cleared: Airflow raises ``max_tries`` then
    and only then. With ``always`` cleared tasks do as well, with ``never`` each try stands for a launch of its own.

    :param context: Airflow's task context.
    :param reuse: ``retry``, ``always`` or ``never``.
    :param checklist_id: The checklist that is launched.
    :return: What the try stands for.
    """
    task_instance = context["ti"]
    number = task_instance.try_number
    chapter = {"retry": f"cleared {task_instance.max_tries}", "always": "", "never": f"try {number}"}[reuse]
    map_index = getattr(task_instance, "map_index", -1)
    where = f"dag '{task_instance.dag_id}', task '{task_instance.task_id}', run '{task_instance.run_id}'"
    place = f"{where}, map index {map_index}" if map_index >= 0 else where
    marker = LaunchMarker.build(
        f"Launched by Airflow: {place}",
        task_instance.dag_id,
        task_instance.run_id,
        task_instance.task_id,
        map_index,
        checklist_id,
        chapter,
    )
    return Try(marker, _beginning(context, reuse), number > 1 and reuse != "never")


def _beginning(context: Mapping[str, Any], reuse: Reuse) -> float | None:
    """Give the moment before which no try can have launched anything."""
    dag_run = context.get("dag_run")
    # A cleared Dag run starts anew, and so has a new start_date: right for tries since then, too late for all.
    names = ("start_date",) if reuse == "retry" else ("run_after", "logical_date", "start_date")
    moments = [moment for name in names if isinstance(moment := getattr(dag_run, name, None), datetime)]
    return min(moment.timestamp() for moment in moments) if moments else None
