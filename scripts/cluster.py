"""``make cluster``: a whole deployment, with two workers and two triggerers, of which one each is killed at work.

PostgreSQL and Redis come from Debian's packages, Celery from PyPI; the Tallyfy is the emulator. All that is started
ends with this program, and its data is in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import airflow_home
import environment
import interpreters
import processes
from airflow_rest import FINAL_STATES, AirflowRest, wait_until
from airflow_runner import PASSWORD, USERNAME, free_port
from console import seconds, step
from tallyfy_emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DAGS = Path(__file__).resolve().parent / "cluster_dags"
#: What the environment has beside the newest Airflow.
PACKAGES = ("apache-airflow[celery,postgres]", "redis")
EXPORT = "exported.jsonl"
_PATIENCE = 3600.0
_SECONDS_TO_STOP = 15.0
_COMPLETIONS_A_SECOND = 5
_SERVERS = ("postgresql", "redis")  # which the others need until they have ended
_PROGRAMS = {"initdb": "postgresql", "postgres": "postgresql", "redis-server": "redis-server"}


class ClusterProblem(Exception):
    """The deployment cannot be had; the message says what to do."""


def find_program(name: str) -> Path:
    """Find a program of PostgreSQL or Redis.

    :param name: for example ``initdb``.
    :return: its path.
    :raises ClusterProblem: if it is not installed.
    """
    # Debian keeps PostgreSQL's programs out of PATH, a folder for each version.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)]))
    if found is None:
        raise ClusterProblem(f"{name} is not installed: apt-get install postgresql redis-server ({_PROGRAMS[name]}).")
    return Path(found)


class Cluster(AirflowRest):
    """An Airflow of several processes of each kind; a context manager.

    :param python: Python of the environment that it runs in.
    :param variables: further environment variables, connections among them.
    """

    def __init__(self, python: Path, variables: dict[str, str]) -> None:
        self._port = free_port()
        super().__init__(f"http://127.0.0.1:{self._port}", 3)
        self._python = python
        self._variables = variables
        self._resources = ExitStack()
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self.home = Path()
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self._resources.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with step("stopping all"):
            for name, process in self._parts.items():  # all at once, so that they end side by side
                if name not in _SERVERS and process.poll() is None:
                    process.terminate()
            self._resources.close()

    def _start(self) -> None:
        self.home = self._resources.enter_context(airflow_home.temporary_home("tallyfy-cluster-"))
        # Whatever escapes its session is found by the name of its home.
        self._resources.callback(processes.stop_all_in, self.home)
        (self.home / "tmp").mkdir()
        with step("starting PostgreSQL and Redis"):
            database, broker = self._start_postgresql(), self._start_redis()
        self.environment = airflow_home.variables(
            self.home, python=self._python, dags_folder=DAGS, extra=self._settings(database, broker) | self._variables
        )
        with step("migrating the database"):
            airflow_home.migrate(self.environment, self.home / "migrate.log")
        with step("starting Airflow"):
            for name in ("api-server", "scheduler", "dag-processor"):
                self._start_airflow(name, name)
            for number in (1, 2):
                log_port = {"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port())}
                self._start_airflow(f"triggerer-{number}", "triggerer", more=log_port)
                self._start_worker(number)
            wait_until(self._runs, timeout=_PATIENCE, what="Airflow to be healthy")
            self.log_in(USERNAME, PASSWORD)

    def _start_postgresql(self) -> str:
        # As root it refuses to run: then it is the user that its package made.
        as_user: list[str | Path] = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        )
        folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="tallyfy-cluster-db-")))
        if as_user:
            shutil.chown(folder, "postgres")
        log, port = self.home / "postgresql.log", free_port()
        data = folder / "data"
        self._run([*as_user, find_program("initdb"), "-D", data, "-U", "airflow", "-A", "trust", "--no-sync"], log)
        command: list[str | Path] = [*as_user, find_program("postgres"), "-D", data, "-p", str(port), "-k", folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=300"]
        # SIGINT has it end at once instead of waiting for its clients.
        self._part("postgresql", command, log=log, first=signal.SIGINT)
        create: list[str | Path] = [
            find_program("postgres").with_name("createdb"),
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-U",
            "airflow",
        ]
        wait_until(lambda: self._succeeds([*create, "airflow"]), timeout=60, what="PostgreSQL")
        return f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"

    def _start_redis(self) -> str:
        port = free_port()
        command: list[str | Path] = [
            find_program("redis-server"),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]
        self._part("redis", [*command, "--dir", self.home], log=self.home / "redis.log")
        return f"redis://127.0.0.1:{port}/0"

    def _settings(self, database: str, broker: str) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({USERNAME: PASSWORD}))
        return {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "64",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__API_AUTH__JWT_SECRET": "of a deployment that lives for minutes",
            # What has died is found within half a minute, not within five.
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
        }

    def _start_airflow(self, name: str, *words: str, more: dict[str, str] | None = None) -> None:
        command: list[str | Path] = [self._python.with_name("airflow"), *words]
        self._part(name, command, log=self.home / f"{name}.log", variables=self.environment | (more or {}))

    def _start_worker(self, number: int) -> None:
        name = f"worker-{number}"
        words = ["celery", "worker", "--concurrency", "4", "--celery-hostname", f"{name}@%h", "--without-mingle"]
        words += ["--without-gossip", "--pid", str(self.home / f"{name}.pid"), "--skip-serve-logs"]
        self._start_airflow(name, *words)

    def _part(
        self,
        name: str,
        command: list[str | Path],
        *,
        log: Path,
        variables: dict[str, str] | None = None,
        first: int = signal.SIGTERM,
    ) -> None:
        # The variables by which it is found if it escapes; what it makes is in the home, too, and removed with it.
        mine = {**(variables or os.environ), "AIRFLOW_HOME": str(self.home), "TMPDIR": str(self.home / "tmp")}
        process = processes.start_group(command, log=log, environment=mine, folder=Path("/"))
        self._parts[name] = process
        self._resources.callback(processes.stop_group, process, first=first, grace=_SECONDS_TO_STOP)

    def _run(self, command: list[str | Path], log: Path) -> None:
        processes.run(command, log=log, folder=Path("/"))

    def _succeeds(self, command: list[str | Path]) -> bool:
        return subprocess.run(command, capture_output=True, cwd="/").returncode == 0

    def _runs(self) -> bool:
        for name, process in self._parts.items():
            if process.poll() is not None:
                raise ClusterProblem(f"{name} ended by itself.\n{processes.tail(self.home / f'{name}.log')}")
        ready = ["ready" in (self.home / f"worker-{number}.log").read_text(errors="replace") for number in (1, 2)]
        return all(ready) and not self.unhealthy()

    def kill(self, name: str) -> None:
        """End a part and all its children as a crash would: with ``kill -9``.

        :param name: for example ``worker-1``.
        """
        for member in processes.session_members(self._parts[name].pid):
            try:
                os.kill(member, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._parts[name].wait()

    def all_task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """List the task instances of a run, however many they are.

        :param dag_id: the Dag.
        :param run_id: the run.
        :return: as the API gives them.
        """
        found: list[dict[str, Any]] = []
        while True:
            path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=100&offset={len(found)}&order_by=id"
            answer = self.rest("GET", path)
            found += answer["task_instances"]
            if len(found) >= answer["total_entries"] or not answer["task_instances"]:
                return found


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


def make_environment() -> Path:
    """Make the environment of the deployment if it is missing or out of date.

    :return: its Python.
    """
    tested = environment.plan("3.3")
    deployed = tested._replace(purpose="cluster", packages=PACKAGES)
    environment.make(deployed)
    return deployed.python


class Work:
    """The work that a deployment is given, and what came of it.

    :param cluster: the deployment.
    :param tallyfy: the emulator.
    :param amounts: how much it is.
    """

    def __init__(self, cluster: Cluster, tallyfy: Emulator, amounts: Amounts) -> None:
        self._cluster = cluster
        self._amounts = amounts
        self._tallyfy = tallyfy
        self._awaited = tallyfy.add_runs(amounts.waits, name="Awaited")
        self._exported = tallyfy.add_runs(amounts.exported, name="Other work")
        self._ended_at: dict[str, float] = {}
        self._runs: dict[str, str] = {}

    def do(self) -> None:
        """Start the work, and kill a worker and a triggerer in the middle of it."""
        self._tallyfy.clear_requests()
        for dag_id in ("waits", "launches", "export"):
            self._cluster.unpause(dag_id)
            self._runs[dag_id] = self._cluster.trigger(dag_id)
        waits, launches, exported = self._amounts
        with step(f"deferring {waits} waits, launching {launches} runs, exporting {exported}: to the half"):
            self._await("half of the waits to be deferred", lambda: self._deferred() >= waits // 2)
        with step("kill -9 of a worker, and people go on"):
            self._cluster.kill("worker-1")
            self._complete(self._awaited[: waits // 3])
        with step("kill -9 of a triggerer, and people go on"):
            self._cluster.kill("triggerer-1")
            self._complete(self._awaited[waits // 3 :])
        with step("all that is left"):
            self._await("the Dag runs to end", lambda: all(map(self._has_ended, self._runs)))

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        wait_until(condition, timeout=_PATIENCE, what=what)

    def _instances(self, dag_id: str) -> list[dict[str, Any]]:
        return self._cluster.all_task_instances(dag_id, self._runs[dag_id])

    def _deferred(self) -> int:
        time.sleep(1)  # hundreds of instances a look
        return sum(each["state"] == "deferred" for each in self._instances("waits"))

    def _has_ended(self, dag_id: str) -> bool:
        return self._cluster.dag_run(dag_id, self._runs[dag_id])["state"] in FINAL_STATES

    def _complete(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            self._tallyfy.complete_run(run_id)
            self._ended_at[run_id] = time.time()
            time.sleep(1 / _COMPLETIONS_A_SECOND)

    def rows(self) -> list[Row]:
        """Count what was lost and what was doubled."""
        return [
            count("waits answered", self._awaited, (run_id for run_id, _ in self._answers())),
            count(
                "runs launched",
                (f"Launched {number:03}" for number in range(self._amounts.launches)),
                (run["name"] for run in self._tallyfy.launched),
            ),
            count("runs exported", self._exported, self._lines_of_export()),
        ]

    def _answers(self) -> list[tuple[str, float]]:
        """Return, for each wait that succeeded, the run in its XCom, and when it succeeded."""
        answers = []
        for task in self._instances("waits"):
            if task["task_id"] == "wait" and task["state"] == "success":
                waited = self._cluster.xcom("waits", self._runs["waits"], "wait", map_index=task["map_index"])
                answers += [(run["id"], datetime.fromisoformat(task["end_date"]).timestamp()) for run in waited]
        return answers

    def _lines_of_export(self) -> list[str]:
        path = self._cluster.home / EXPORT
        return [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []

    def measurements(self) -> dict[str, str]:
        """Tell how long it took, and what it cost."""
        times = sorted(at - self._ended_at[run_id] for run_id, at in self._answers() if run_id in self._ended_at)
        tries = Counter(task["try_number"] for dag_id in self._runs for task in self._instances(dag_id))
        requests = Counter(
            f"{request.method} {'/'.join(request.path.split('/')[3:4])}" for request in self._tallyfy.requests
        )
        return {
            "from a run's end to its task's success": ", ".join(
                f"{name} {seconds(times[int(share * (len(times) - 1))])}"
                for name, share in (("median", 0.5), ("95 %", 0.95), ("longest", 1.0))
                if times
            ),
            "tasks by their tries": ", ".join(f"{number}: {tasks}" for number, tasks in sorted(tries.items())),
            "requests to Tallyfy": f"{requests.total()}: "
            + ", ".join(f"{number} {what}" for what, number in requests.most_common()),
        }


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
    for program in _PROGRAMS:
        find_program(program)
    python = make_environment()
    started = time.monotonic()
    with Emulator(seed=False) as tallyfy:
        checklist = tallyfy.add_checklist("Launched here", steps=[{"title": "Do it"}])
        variables = {
            **airflow_home.connection_variables({"tallyfy_default": tallyfy.connection_json()}),
            "CLUSTER_CHECKLIST": checklist["id"],
            "CLUSTER_LAUNCHES": str(amounts.launches),
            "CLUSTER_EXPORT": EXPORT,
        }
        with Cluster(python, variables) as cluster:
            work = Work(cluster, tallyfy, amounts)
            work.do()
            rows, measurements = work.rows(), work.measurements()
    show(rows, measurements | {"all of it": seconds(time.monotonic() - started)})
    return 1 if any(row.lost or row.doubled for row in rows) else 0


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        sys.exit(main())
    except (ClusterProblem, environment.EnvironmentProblem, interpreters.InterpreterError) as problem:
        sys.exit(f"\n{problem}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; all that was started has been ended.")
