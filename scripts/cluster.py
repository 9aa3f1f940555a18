"""``make cluster``: a deployment at work, of which a worker and a triggerer are killed. The Tallyfy is the emulator."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import airflow_home
import environment
import interpreters
import processes
from airflow_rest import FINAL_STATES, wait_until
from console import seconds, step
from deployment import PACKAGES, Deployment, DeploymentProblem, find_programs
from tallyfy_emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DAGS = Path(__file__).resolve().parent / "cluster_dags"
EXPORT, ANSWERS = "exported.jsonl", "answers.txt"
_PATIENCE = 3600.0
_COMPLETIONS_A_SECOND = 5
#: Why Airflow ends or delays a try from outside, as its audit log names it, what explains most first: who misses a
#: heartbeat is failed, which then does not match what the database has.
_REASONS = ("heartbeat timeout", "state mismatch", "stuck in queued tries exceeded", "stuck in queued reschedule")


class Amounts(NamedTuple):
    """How much there is to do."""

    waits: int = 300
    launches: int = 100
    exported: int = 3000


class Row(NamedTuple):
    """What came of one kind of work: how much was wanted, found, missing, and found more than once."""

    work: str
    wanted: int
    found: int
    lost: int
    doubled: int


def count(work: str, wanted: Iterable[str], found: Iterable[str]) -> Row:
    """Compare what was to be done with what was done.

    :param work: what it is.
    :param wanted: names of what was to be done, each once.
    :param found: names of what was done.
    :return: a row for the table.
    """
    names, times = set(wanted), Counter(found)
    return Row(work, len(names), times.total(), len(names - set(times)), times.total() - len(times))


class Work:
    """The work that a deployment is given, and what came of it.

    :param deployment: the deployment.
    :param tallyfy: the emulator.
    :param amounts: how much it is.
    """

    def __init__(self, deployment: Deployment, tallyfy: Emulator, amounts: Amounts) -> None:
        self._deployment = deployment
        self._amounts = amounts
        self._tallyfy = tallyfy
        self._awaited = tallyfy.add_runs(amounts.waits, name="Awaited")
        self._exported = tallyfy.add_runs(amounts.exported, name="Other work")
        self._ended_at: dict[str, float] = {}
        self._runs: dict[str, str] = {}
        self._running: Counter[str] = Counter()

    def do(self) -> None:
        """Start the work, and kill a worker and a triggerer in the middle of it."""
        self._tallyfy.clear_requests()
        for dag_id in ("waits", "launches", "export"):
            self._deployment.unpause(dag_id)
            self._runs[dag_id] = self._deployment.trigger(dag_id)
        waits, launches, exported = self._amounts
        with step(f"deferring {waits} waits, launching {launches} runs, exporting {exported}: to the half"):
            self._await("half of the waits to be deferred", lambda: self._deferred() >= waits // 2)
        with step("kill -9 of a worker, and people go on"):
            self._running = self._count_running()
            self._deployment.kill("worker-1")
            self._complete(self._awaited[: waits // 3])
        with step("kill -9 of a triggerer, and people go on"):
            self._deployment.kill("triggerer-1")
            self._complete(self._awaited[waits // 3 :])
        with step("all that is left"):
            self._await("the Dag runs to end", lambda: all(map(self._has_ended, self._runs)))

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        wait_until(condition, timeout=_PATIENCE, what=what)

    def _instances(self, dag_id: str) -> list[dict[str, Any]]:
        return self._deployment.task_instances(dag_id, self._runs[dag_id])

    def _deferred(self) -> int:
        time.sleep(1)  # hundreds of instances a look
        return sum(each["state"] == "deferred" for each in self._instances("waits"))

    def _count_running(self) -> Counter[str]:
        states = (each for dag_id in self._runs for each in self._instances(dag_id))
        return Counter(each["task_id"] for each in states if each["state"] == "running")

    def _has_ended(self, dag_id: str) -> bool:
        return self._deployment.dag_run(dag_id, self._runs[dag_id])["state"] in FINAL_STATES

    def _complete(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            self._tallyfy.complete_run(run_id)
            self._ended_at[run_id] = time.time()
            time.sleep(1 / _COMPLETIONS_A_SECOND)

    def rows(self) -> list[Row]:
        """Count what was lost and what was doubled."""
        return [
            count("waits answered", self._awaited, self._lines_of(ANSWERS)),
            count(
                "runs launched",
                (f"Launched {number:03}" for number in range(self._amounts.launches)),
                (run["name"] for run in self._tallyfy.launched),
            ),
            count("runs exported", self._exported, (json.loads(line)["id"] for line in self._lines_of(EXPORT))),
        ]

    def _answers(self) -> list[tuple[str, float]]:
        """Return, for each wait that succeeded, the run in its XCom, and when it succeeded."""
        answers = []
        for task in self._instances("waits"):
            if task["task_id"] == "wait" and task["state"] == "success":
                waited = self._deployment.xcom("waits", self._runs["waits"], "wait", map_index=task["map_index"])
                answers += [(run["id"], datetime.fromisoformat(task["end_date"]).timestamp()) for run in waited]
        return answers

    def _lines_of(self, name: str) -> list[str]:
        path = self._deployment.home / name
        return path.read_text().splitlines() if path.exists() else []

    def _tries_again(self) -> str:
        """Tell how many tries were followed by another one, and what Airflow did to tries from outside."""
        again = sum(max(0, task["try_number"] - 1) for _, task in self._tasks())
        reasons: dict[tuple[str, ...], str] = {}
        for dag_id, run_id in self._runs.items():
            for reason in _REASONS:
                for entry in self._deployment.event_logs(dag_id, run_id, reason):
                    key = (dag_id, *(str(entry[name]) for name in ("task_id", "map_index", "try_number")))
                    reasons.setdefault(key, reason)
        told = Counter(f"{key[1]}: {reason}" for key, reason in reasons.items())
        return f"{again} ({written(told)})"

    def _tasks(self) -> list[tuple[str, dict[str, Any]]]:
        return [(dag_id, task) for dag_id in self._runs for task in self._instances(dag_id)]

    def measurements(self) -> dict[str, str]:
        """Tell how long it took, and what it cost."""
        times = sorted(at - self._ended_at[run_id] for run_id, at in self._answers() if run_id in self._ended_at)
        requests = Counter(
            f"{request.method} {'/'.join(request.path.split('/')[3:4])}" for request in self._tallyfy.requests
        )
        return {
            "from a run's end to its task's success": ", ".join(
                f"{name} {seconds(times[int(share * (len(times) - 1))])}"
                for name, share in (("median", 0.5), ("95 %", 0.95), ("longest", 1.0))
                if times
            ),
            "running when the worker was killed": written(self._running),
            "tried again, and what Airflow did": self._tries_again(),
            "ended in": written(Counter(f"{task['task_id']}: {task['state']}" for _, task in self._tasks())),
            "requests to Tallyfy": f"{requests.total()}: {written(requests)}",
        }


def written(counts: Counter[str]) -> str:
    """Write counts, the largest first.

    :param counts: of what there are how many.
    :return: for example ``12 GET runs, 3 POST runs``.
    """
    return ", ".join(f"{number} {what}" for what, number in counts.most_common()) or "none"


def show(rows: list[Row], measurements: dict[str, str]) -> None:
    """Print the table.

    :param rows: of each kind of work.
    :param measurements: by their names.
    """
    print(f"\n{'':20}{'wanted':>10}{'done':>10}{'lost':>10}{'doubled':>10}")
    for row in rows:
        print(f"{row.work:20}{row.wanted:>10}{row.found:>10}{row.lost:>10}{row.doubled:>10}")
    print()
    for name, value in measurements.items():
        print(f"{name:42}{value}")


def main() -> int:
    """Run it.

    :return: the exit code: 0 if nothing was lost or doubled.
    """
    parser = argparse.ArgumentParser(description="Kill a worker and a triggerer of a deployment that is at work.")
    for name, default in Amounts()._asdict().items():
        parser.add_argument(f"--{name}", type=int, default=default, help="%(default)s when left out")
    amounts = Amounts(**vars(parser.parse_args()))
    find_programs()
    python = environment.made_for("cluster", PACKAGES)
    started = time.monotonic()
    with Emulator(seed=False) as tallyfy:
        checklist = tallyfy.add_checklist("Launched here", steps=[{"title": "Do it"}])
        variables = {
            **airflow_home.connection_variables({"tallyfy_default": tallyfy.connection_json()}),
            "CLUSTER_CHECKLIST": checklist["id"],
            "CLUSTER_LAUNCHES": str(amounts.launches),
            "CLUSTER_EXPORT": EXPORT,
            "CLUSTER_ANSWERS": ANSWERS,
        }
        with Deployment(python, DAGS, variables, patience=_PATIENCE) as deployment:
            work = Work(deployment, tallyfy, amounts)
            work.do()
            rows, measurements = work.rows(), work.measurements()
    show(rows, measurements | {"all of it": seconds(time.monotonic() - started)})
    return 1 if any(row.lost or row.doubled for row in rows) else 0


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        sys.exit(main())
    except (DeploymentProblem, environment.EnvironmentProblem, interpreters.InterpreterError) as problem:
        sys.exit(f"\n{problem}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; all that was started has been ended.")
