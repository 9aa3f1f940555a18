"""Runs every example Dag in this process, one after the other; ``demo.py`` starts it and tells what it did.

Airflow's own output goes where this process's output goes. What happened is written as JSON, a line for each
event, to the file that the command line names.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import airflow_home
import asset_events
from tallyfy_emulator import Emulator

FAILED_STATES = frozenset({"failed", "upstream_failed"})
#: Tag of a Dag whose failure is what it shows.
FAILS_ON_PURPOSE = "fails on purpose"
#: Seconds between two looks; the examples have minutes, as Dags in production.
_POKE_INTERVAL = "3"
# The first number of a Tallyfy's processes, from which their ids are derived, and how far apart those of two Dags are.
_FIRST_NUMBER, _NUMBERS_FOR_A_DAG = 5001, 1000


class Events:
    """The file that the events are written to.

    :param path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, kind: str, **values: Any) -> None:
        """Add an event.

        :param kind: ``loaded``, ``started``, ``finished`` or ``broken``.
        :param values: what is known of it.
        """
        # In one write, so that the reader sees the line whole or not at all.
        line = json.dumps({"event": kind, **values}, default=str) + "\n"
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(line)


class ClockOfDag:
    """Stands still until the first request, so that no run has moved on before a Dag that starts slowly looks."""

    def __init__(self) -> None:
        self._created = time.time()
        self._began: float | None = None

    def now(self) -> float:
        """Return the present time.

        :return: seconds since 1970-01-01 UTC.
        """
        return self._created if self._began is None else self._created + time.monotonic() - self._began

    def begin(self, _request: object) -> None:
        """Let time pass from now on."""
        if self._began is None:
            self._began = time.monotonic()


def load(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the Dag files of a folder as Airflow does.

    :param folder: the folder.
    :return: Dags by their id, in the order of their ids, and errors by file.
    """
    try:
        module = importlib.import_module("airflow.dag_processing.dagbag")  # Airflow 3
    except ModuleNotFoundError:
        module = importlib.import_module("airflow.models.dagbag")  # Airflow 2
    bag = module.DagBag(dag_folder=str(folder))
    return dict(sorted(bag.dags.items())), dict(bag.import_errors)


def purpose(dag: Any) -> str:
    """Tell what a Dag is for.

    :param dag: the Dag.
    :return: the first line of its documentation or its description.
    """
    text = (dag.doc_md or dag.description or "").strip()
    return str(text.splitlines()[0].lstrip("# ")) if text else ""


def xcoms(dag_id: str, run_id: str) -> dict[tuple[str, int], dict[str, Any]]:
    """Read the XComs of the tasks of a run.

    :param dag_id: the Dag.
    :param run_id: its run.
    :return: by task id and map index, the values by key.
    """
    from airflow.utils.session import create_session

    module: Any = importlib.import_module("airflow.models.xcom")
    is_airflow_3 = hasattr(module, "XComModel")
    model = module.XComModel if is_airflow_3 else module.XCom
    found: dict[tuple[str, int], dict[str, Any]] = {}
    with create_session() as session:
        rows = session.query(model).filter(model.dag_id == dag_id, model.run_id == run_id)
        for row in rows.order_by(model.key):
            # A row of Airflow 2 has turned its value back by itself.
            value = model.deserialize_value(row) if is_airflow_3 else row.value
            found.setdefault((row.task_id, row.map_index), {})[row.key] = value
    return found


def describe_tasks(run: Any, dag_id: str) -> list[dict[str, Any]]:
    """Tell how the tasks of a run ended, with their XComs.

    :param run: the run of a Dag, as ``dag.test()`` gives it.
    :param dag_id: the Dag.
    :return: a description of each task instance, in the order in which they ended.
    """
    handed_on = xcoms(dag_id, run.run_id)
    instances = sorted(
        run.get_task_instances(),
        key=lambda task: (task.end_date is None, task.end_date or 0, task.task_id, task.map_index),
    )
    described = []
    last_end = run.start_date
    for task in instances:
        duration = task.duration
        if duration is None and None not in (last_end, task.end_date):
            # Airflow 2 notes no start in dag.test(), which runs the tasks one after the other.
            duration = (task.end_date - last_end).total_seconds()
        last_end = task.end_date or last_end
        described.append(
            {
                "task_id": task.task_id,
                "map_index": task.map_index,
                "map_name": task.rendered_map_index,
                "state": str(task.state),
                "duration": duration,
                "xcoms": handed_on.get((task.task_id, task.map_index), {}),
            }
        )
    return described


def run_dag(dag_id: str, dag: Any, events: Events, *, number: int = 0, with_event: bool = False) -> None:
    """Run one Dag to its end.

    :param dag_id: its id.
    :param dag: the Dag.
    :param events: where to tell about it.
    :param number: how many Dags have been run before: no two have a process of the same id.
    :param with_event: whether a Dag with an asset watcher is started by an event.
    """
    events.write("started", dag_id=dag_id, purpose=purpose(dag))
    expected = "failed" if FAILS_ON_PURPOSE in dag.tags else "success"
    launched: list[str] = []
    processes: list[str] = []
    watched = None
    started = time.monotonic()
    try:
        # A fresh Tallyfy for each: its runs move on by the clock, so what one Dag finds must not hang on how
        # long another one took.
        clock, first = ClockOfDag(), _FIRST_NUMBER + number * _NUMBERS_FOR_A_DAG
        with Emulator(clock=clock, first_number=first) as emulator, ExitStack() as resources:
            emulator.listen(clock.begin)
            connection = {"tallyfy_default": emulator.connection_json()}
            os.environ.update(airflow_home.connection_variables(connection))
            os.environ["AIRFLOW__TALLYFY__RUN_URL"] = f"{emulator.tracker_url}/{{run_id}}"
            watched = asset_events.watcher_of(dag) if with_event else None
            if watched is not None:
                asset, trigger = watched
                payload = asset_events.watch(trigger, lambda: complete_onboarding(emulator))
                resources.enter_context(asset_events.triggering(asset, payload))
            run = dag.test()
            launched = [each["name"] for each in emulator.launched]
            processes = [each["id"] for each in emulator.launched]
        tasks = describe_tasks(run, dag_id)
        state, error = str(run.state), ""
    except Exception as problem:
        # Whatever it was, the other Dags are still worth running; the traceback is in the log.
        traceback.print_exc()
        tasks, state, error = [], "failed", f"{type(problem).__name__}: {problem}"
    if any(task["state"] in FAILED_STATES for task in tasks):
        state = "failed"
    seconds = time.monotonic() - started
    events.write(
        "finished",
        dag_id=dag_id,
        state=state,
        expected=expected,
        seconds=seconds,
        tasks=tasks,
        launched=launched,
        processes=processes,
        by_event=watched is not None,
        error=error,
    )


def complete_onboarding(emulator: Emulator) -> None:
    """Complete a process, as a person does, for the Dag that is started by that."""
    onboardings = emulator.runs(emulator.checklists["Customer onboarding"])
    emulator.complete_run(next(run["id"] for run in onboardings if run["status"] == "active"))


def main() -> None:
    """Run all Dags of the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Run every Dag of a folder inside this process.")
    parser.add_argument("folder", type=Path, help="folder with the Dag files")
    parser.add_argument("events", type=Path, help="file that the events are written to")
    parser.add_argument("--with-events", action="store_true", help="start Dags with an asset watcher by an event")
    options = parser.parse_args()
    os.environ.setdefault("TALLYFY_EXAMPLES_POKE_INTERVAL", _POKE_INTERVAL)
    events = Events(options.events)
    dags, broken = load(options.folder)
    events.write("loaded", dags=list(dags))
    for file, error in broken.items():
        events.write("broken", file=file, error=error)
    for number, (dag_id, dag) in enumerate(dags.items()):
        run_dag(dag_id, dag, events, number=number, with_event=options.with_events)


if __name__ == "__main__":
    main()
