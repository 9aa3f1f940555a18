"""A whole deployment of Airflow: PostgreSQL, Redis, Celery with two workers, two triggerers, scheduler, API server.

PostgreSQL and Redis come from Debian's packages, Celery from PyPI. All that is started ends with this program, and its
data is in a temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import airflow_home
import processes
from airflow_rest import AirflowRest, wait_until
from airflow_runner import PASSWORD, USERNAME, free_port
from console import step

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What the environment has beside the newest Airflow.
PACKAGES = ("apache-airflow[celery,postgres]", "redis")
#: Tasks that a worker runs at a time.
WORKER_CONCURRENCY = 4
_SECONDS_TO_STOP = 15.0
_SERVERS = ("postgresql", "redis")  # which the others need until they have ended
_PROGRAMS = ("initdb", "postgres", "createdb", "redis-server")


class DeploymentProblem(Exception):
    """The deployment cannot be had; the message says what to do."""


def find_programs() -> dict[str, Path]:
    """Find the programs of PostgreSQL and Redis.

    :return: their paths by their names.
    :raises DeploymentProblem: if one is not installed.
    """
    # Debian keeps PostgreSQL's programs out of PATH, a folder for each version.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    searched = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    programs = {name: shutil.which(name, path=searched) for name in _PROGRAMS}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        raise DeploymentProblem(f"{', '.join(missing)}: not installed. apt-get install postgresql redis-server")
    return {name: Path(path) for name, path in programs.items() if path}


class Deployment(AirflowRest):
    """An Airflow of several processes of each kind; a context manager.

    :param python: Python of the environment that it runs in.
    :param dags_folder: where its Dags are.
    :param variables: further environment variables, connections among them.
    :param patience: seconds that it may take to start.
    :raises DeploymentProblem: if it does not start.
    """

    def __init__(self, python: Path, dags_folder: Path, variables: Mapping[str, str], *, patience: float) -> None:
        self._port = free_port()
        super().__init__(f"http://127.0.0.1:{self._port}", 3)
        self._programs = find_programs()
        self._python = python
        self._dags_folder = dags_folder
        self._variables = variables
        self._patience = patience
        self._resources = ExitStack()
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self.home = Path()
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Deployment:
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
            self.home,
            python=self._python,
            dags_folder=self._dags_folder,
            extra=self._settings(database, broker) | dict(self._variables),
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
            wait_until(self._runs, timeout=self._patience, what="Airflow to be healthy")
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
        self._run([*as_user, self._programs["initdb"], "-D", data, "-U", "airflow", "-A", "trust", "--no-sync"], log)
        command: list[str | Path] = [*as_user, self._programs["postgres"], "-D", data, "-p", str(port), "-k", folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=300"]
        # SIGINT has it end at once instead of waiting for its clients.
        self._part("postgresql", command, log=log, first=signal.SIGINT)
        create: list[str | Path] = [
            self._programs["createdb"],
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-U",
            "airflow",
            "airflow",
        ]
        wait_until(lambda: self._succeeds(create), timeout=60, what="PostgreSQL")
        return f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"

    def _start_redis(self) -> str:
        port = free_port()
        command: list[str | Path] = [self._programs["redis-server"], "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--dir", self.home]
        self._part("redis", command, log=self.home / "redis.log")
        return f"redis://127.0.0.1:{port}/0"

    def _settings(self, database: str, broker: str) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({USERNAME: PASSWORD}))
        return {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            # Few more than the workers run at a time: what waits in Celery's queue for over a minute counts as stuck,
            # as does what a dead worker has taken and not begun; stuck too often, a task fails without a retry.
            "AIRFLOW__CORE__PARALLELISM": str(4 * WORKER_CONCURRENCY),
            "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "100",
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
        words = [
            "celery",
            "worker",
            "--concurrency",
            str(WORKER_CONCURRENCY),
            "--celery-hostname",
            f"{name}@%h",
            "--without-mingle",
        ]
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
                raise DeploymentProblem(f"{name} ended by itself.\n{processes.tail(self.home / f'{name}.log')}")
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
