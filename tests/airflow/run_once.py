"""Runs a Dag in this process until each of its tasks has ended or waits for a retry, and prints what came of them."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session

import airflow_home
from run_example_dags import load
from tallyfy_emulator import Emulator, Fault


class NothingToDo(Exception):
    """All that is left waits for its retry, hours away; ``dag.test()`` would sit that out."""


def sleep(seconds: float, *, really: Callable[[float], None] = time.sleep) -> None:
    """Sleep, but where ``dag.test()`` does so because no task can run."""
    if sys._getframe(1).f_globals["__name__"] == "airflow.sdk.definitions.dag":
        raise NothingToDo
    really(seconds)


def look(dag: Any) -> list[dict[str, Any]]:
    """What has come of each task instance so far."""
    with create_session() as session:
        found = []
        for instance in session.query(TaskInstance).filter(TaskInstance.dag_id == dag.dag_id):
            instance.task = dag.get_task(instance.task_id)
            state = str(instance.state)
            wait = (instance.next_retry_datetime() - instance.end_date) if state == "up_for_retry" else None
            found.append(
                {
                    "task": instance.task_id,
                    "map_index": instance.map_index,
                    "state": state,
                    "try_number": instance.try_number,
                    "retry_after": wait and wait.total_seconds(),
                    "reason": instance.retry_reason,
                }
            )
        return found


def main(folder: Path) -> None:
    """Run the only Dag of the folder."""
    dags, broken = load(folder)
    assert not broken, broken
    (dag,) = dags.values()
    with Emulator(seed=False) as emulator:
        fields = json.loads(emulator.connection_json())
        connection = {**fields, "extra": {"max_attempts": 1, "max_rate_limit_wait": 0}}
        # Where no file can be: a task would wait for what another one was refused for.
        os.environ["TALLYFY_BUDGET_FOLDER"] = os.devnull
        os.environ.update(airflow_home.connection_variables({"tallyfy_default": json.dumps(connection)}))
        emulator.order(Fault(kind="status", status=403, path="q=forbidden"))
        emulator.order(Fault(kind="status", status=429, path="q=limited", headers={"Retry-After": "40"}))
        emulator.order(Fault(kind="status", status=500, path="q=broken"))
        run_id = emulator.add_run()["id"]
        emulator.order(Fault(kind="status", status=403, path=f"/runs/{run_id}", after=1))
        time.sleep = sleep
        with suppress(NothingToDo):
            dag.test(run_conf={"run_id": run_id})
        sys.stdout.write("RESULT" + json.dumps(look(dag)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
