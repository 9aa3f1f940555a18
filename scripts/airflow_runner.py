"""A whole Airflow of one's own, started and stopped from a program: the UI, the end-to-end tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Self

import processes
from airflow_home import migrate, temporary_home, variables
from airflow_rest import PATIENCE, AirflowRest, RestError, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AirflowRest", "RestError", "Standalone", "free_port", "migrate", "temporary_home", "variables"]

USERNAME = PASSWORD = "admin"  # noqa: S105 - a server on loopback that lives as long as this program
_SECONDS_TO_START = 600.0
_SECONDS_TO_STOP = 20.0
# How long after a task has deferred itself its worker may take to report that (5 by Airflow's own default).
_SECONDS_TO_REPORT_A_DEFERRAL = 1
# How long a task waits for the API server. By Airflow's default of 5, a busy machine fails tasks without a fault.
_SECONDS_FOR_AN_ANSWER = 60


def free_port() -> int:
    """Find a port that nothing listens on.

    :return: a port of 127.0.0.1.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Standalone(AirflowRest):
    """``airflow standalone`` of the environment that this program runs in: scheduler, triggerer, web server.

    A context manager: healthy and logged in when entered; all its processes and its home are gone when left.
    It has the methods of :class:`AirflowRest`.

    :param dags_folder: where its Dags are.
    :param connections: connection id to its JSON or URI, given to every part as ``AIRFLOW_CONN_*``.
    :param environment: further environment variables.
    :param home: its AIRFLOW_HOME, left in place; a temporary one, removed at the end, when None.
    :param port: the web server's port; a free one when None.
    """

    def __init__(
        self,
        *,
        dags_folder: Path,
        connections: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        home: Path | None = None,
        port: int | None = None,
    ) -> None:
        port = port or free_port()
        major = int(metadata.version("apache-airflow").split(".")[0])
        super().__init__(f"http://127.0.0.1:{port}", major)
        self._resources = ExitStack()
        self._home = home
        self._port = port
        self._dags_folder = dags_folder
        self._connections = connections
        self._extra = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._more_parts: list[subprocess.Popen[bytes]] = []
        self.environment: dict[str, str] = {}

    @property
    def home(self) -> Path:
        """Its AIRFLOW_HOME."""
        if self._home is None:
            raise RuntimeError("Enter the context manager first: the home folder is made then.")
        return self._home

    @property
    def dags_folder(self) -> Path:
        """Where its Dags are."""
        return self._dags_folder

    @property
    def log(self) -> Path:
        """File with all that its parts print."""
        return self.home / "standalone.log"

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def prepare(self) -> None:
        """Make the home folder and the environment variables."""
        if self._home is None:
            self._home = self._resources.enter_context(temporary_home())
        self.home.mkdir(parents=True, exist_ok=True)
        extra = self._settings() | self._extra
        self.environment = variables(
            self.home, dags_folder=self._dags_folder, connections=self._connections, extra=extra
        )

    def _settings(self) -> dict[str, str]:
        # Two on one machine need ports of their own, for the servers of log files too.
        settings = {
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": str(_SECONDS_TO_REPORT_A_DEFERRAL),
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(_SECONDS_FOR_AN_ANSWER),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }
        if self.major < 3:
            return settings | {
                "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
                "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
                "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self._port),
                "AIRFLOW__WEBSERVER__BASE_URL": self.url,
                "AIRFLOW__WEBSERVER__WORKERS": "1",
            }
        passwords = self.home / "passwords.json"
        passwords.write_text(json.dumps({USERNAME: PASSWORD}))
        return settings | {
            "AIRFLOW__API__HOST": "127.0.0.1",
            # 3.0 has four by default, under a supervisor that kills those that a busy machine keeps waiting for 5 s.
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        }

    def start(self) -> None:
        """Start it and wait until all its parts are healthy.

        :raises processes.CommandError: if it ends by itself; the message has the end of its log.
        :raises TimeoutError: if it is not healthy in time; the message names what is missing and has the log.
        """
        process = self._start_part("standalone", log=self.log, environment=self.environment)
        self._process = process

        def healthy() -> bool:
            if process.poll() is not None:
                message = f"airflow standalone ended with code {process.returncode}.\n"
                raise processes.CommandError(message + processes.tail(self.log))
            return not self.unhealthy()

        try:
            wait_until(healthy, timeout=_SECONDS_TO_START, what="Airflow to be healthy")
        except TimeoutError as error:
            missing = ", ".join(self.unhealthy())
            raise TimeoutError(f"{error} Not running: {missing}.\n{processes.tail(self.log)}") from None
        self.log_in(USERNAME, self.password)

    def _start_part(self, name: str, *, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        program = shutil.which("airflow", path=self.environment["PATH"])
        if program is None:
            raise FileNotFoundError("There is no airflow program beside this Python; start it with `make`.")
        return processes.start_group([program, name], log=log, environment=environment, folder=self.home)

    def start_triggerer(self) -> Path:
        """Start a further triggerer and wait until it works.

        :return: file with all that it prints.
        :raises TimeoutError: if it does not work in time; the message has the end of its log.
        """
        ports = {"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port())}
        log = self._start_another("triggerer", self.environment | ports)

        def works() -> bool:
            return "Starting the triggerer" in log.read_text(errors="replace")

        try:
            wait_until(works, timeout=_SECONDS_TO_START, what="a triggerer to start")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{processes.tail(log)}") from None
        return log

    def start_scheduler(self) -> Path:
        """Start a further scheduler.

        :return: file with all that it prints.
        """
        return self._start_another("scheduler", self.environment)

    def _start_another(self, name: str, environment: Mapping[str, str]) -> Path:
        log = self.home / f"{name}-{len(self._more_parts) + 2}.log"
        self._more_parts.append(self._start_part(name, log=log, environment=environment))
        return log

    def kill_triggerer(self) -> None:
        """End the triggerer that has run for longest, and all its children, as a crash would: with ``kill -9``.

        :raises RuntimeError: if none runs.
        """
        triggerers = self._running("triggerer")
        if not triggerers:
            raise RuntimeError("No triggerer is running.")
        for member in triggerers[0]:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)

    def leave_one_triggerer(self) -> None:
        """End all triggerers but the last that was started, and start one if none runs."""
        while len(self._running("triggerer")) > 1:
            self.kill_triggerer()
        if not self._running("triggerer"):
            self.start_triggerer()

    def restart_what_has_ended(self) -> None:
        """Start a scheduler or a triggerer if none runs: they end when SQLite is locked for long."""
        if not self._running("scheduler"):
            self.start_scheduler()
        if not self._running("triggerer"):
            self.start_triggerer()

    def _running(self, name: str) -> list[list[int]]:
        """List the processes of each part of that name that runs, the one that has run for longest first."""
        started = [self._process, *self._more_parts] if self._process else self._more_parts
        found = [_families(f"airflow {name}", processes.session_members(process.pid)) for process in started]
        return [family for family in found if family]

    @property
    def password(self) -> str:
        """Password of the user ``admin``; Airflow 2 makes one up."""
        made_up = self.home / "standalone_admin_password.txt"
        return made_up.read_text().strip() if made_up.exists() else PASSWORD

    def wait(self) -> None:
        """Wait until it ends by itself, which it does only when something is wrong."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """End all its processes and remove its home, if that is a temporary one."""
        for process in self._more_parts:
            processes.stop_group(process, first=signal.SIGINT, grace=_SECONDS_TO_STOP)
        self._more_parts.clear()
        if self._process is not None:
            # It passes SIGINT on to its parts; SIGTERM would leave them behind.
            processes.stop_group(self._process, first=signal.SIGINT, grace=_SECONDS_TO_STOP)
            self._process = None
        self._resources.close()

    def wait_until_deferred(self, dag_id: str, run_id: str, task_id: str, *, timeout: float = PATIENCE) -> None:
        """Wait for a task to be deferred, and for its worker to have reported that.

        Airflow 3 fails a task whose trigger fires before that report is in (apache/airflow, issue 67287), so
        end what a task waits for only after this.

        :param dag_id: the Dag.
        :param run_id: the run.
        :param task_id: the task.
        :param timeout: seconds to wait for the deferral.
        :raises TimeoutError: if it is not deferred in time.
        """
        self.wait_for_task_state(dag_id, run_id, task_id, "deferred", timeout=timeout)
        time.sleep(2 * _SECONDS_TO_REPORT_A_DEFERRAL)

    def task_log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Read what a task has logged, all attempts and mapped instances, the triggerer's part included.

        :param dag_id: the Dag.
        :param run_id: the run.
        :param task_id: the task.
        :return: the text, empty if there is none.
        """
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*.log*")))

    def read_again(self) -> None:
        """Have it read its Dag files anew, as it does with those that have changed."""
        for path in self._dags_folder.glob("*.py"):
            path.touch()

    def run_airflow(self, *arguments: str) -> None:
        """Run an ``airflow`` command in this Airflow's environment.

        :param arguments: for example ``connections``, ``add``, …
        :raises processes.CommandError: if it fails.
        """
        program = Path(self.environment["PATH"].split(os.pathsep)[0], "airflow")
        processes.run(
            [program, *arguments],
            log=self.home / "commands.log",
            environment=self.environment,
            folder=self.home,
        )


def _families(program: str, members: list[int]) -> list[int]:
    """Choose, among the processes of a session, those of a program and all that descends from them."""
    known = {member: _parent_and_command(member) for member in members}
    chosen = [member for member, (_, command) in known.items() if command.endswith(program)]
    for process in chosen:
        chosen += [member for member, (parent, _) in known.items() if parent == process and member not in chosen]
    return chosen


def _parent_and_command(process: int) -> tuple[int, str]:
    """Read who started a process, and with which words; (0, "") if it has ended meanwhile."""
    entry = Path("/proc", str(process))
    try:
        if Path("/proc/self/stat").exists():
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            return int(parent), (entry / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return 0, ""
    command = ["ps", "-o", "ppid=,command=", "-p", str(process)]  # macOS
    words = subprocess.run(command, capture_output=True, text=True).stdout.split(maxsplit=1)
    return (int(words[0]), words[1].strip()) if len(words) == 2 else (0, "")
