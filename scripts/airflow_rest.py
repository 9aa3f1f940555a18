"""The REST API of a running Airflow, as far as tests need it: its version 2 (Airflow 3) and 1 (Airflow 2)."""

from __future__ import annotations

import ast
import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds that something may take before it counts as stuck: far longer than it takes, as machines are busy at times.
PATIENCE = 400.0
FINAL_STATES = ("success", "failed")
_POLL_SECONDS = 0.4
# Loopback only: a proxy that the machine has set up must not be asked.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RestError(Exception):
    """Airflow answered with an error.

    :param status: HTTP status.
    :param message: method, address and the answer's text.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def fetch(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """Send a request and read the JSON of its answer.

    :param method: HTTP method.
    :param url: address.
    :param body: what to send as JSON; nothing when None.
    :param headers: further headers.
    :return: the parsed answer, None if it is empty.
    :raises RestError: if the status is not 2xx.
    :raises OSError: if there is no answer.
    """
    data = None if body is None else json.dumps(body).encode()
    # Asking for a closed connection keeps a stopping server from waiting for us.
    sent = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}
    request = urllib.request.Request(url, data=data, headers=sent | (headers or {}), method=method)
    try:
        with _opener.open(request, timeout=120) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        shown = error.read().decode(errors="replace")
        raise RestError(error.code, f"{method} {url} answered {error.code}: {shown}") from error
    return json.loads(text) if text else None


def wait_until(condition: Callable[[], bool], *, timeout: float, what: str) -> None:
    """Wait for something to become true.

    :param condition: asked twice a second or so.
    :param timeout: seconds to wait.
    :param what: what is waited for, for the message.
    :raises TimeoutError: if it is not true in time.
    """
    deadline = time.monotonic() + timeout
    while not _holds(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {timeout:.0f} s in vain for {what}.")
        time.sleep(_POLL_SECONDS)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except OSError:
        return False  # a server that is too busy to answer may do so next time


class AirflowRest:
    """A client of one running Airflow.

    :param url: its address, for example ``http://127.0.0.1:8080``.
    :param major: Airflow's major version, 2 or 3.
    """

    def __init__(self, url: str, major: int) -> None:
        self.url = url
        self.major = major
        self._prefix = f"{url}/api/v{2 if major >= 3 else 1}"
        self._headers: dict[str, str] = {}

    def log_in(self, username: str, password: str) -> None:
        """Get the right to use the API.

        :param username: the user.
        :param password: the user's password.
        :raises RestError: if Airflow does not accept them.
        """
        if self.major >= 3:
            login = {"username": username, "password": password}
            token = fetch("POST", f"{self.url}/auth/token", login)["access_token"]
            self._headers = {"Authorization": f"Bearer {token}"}
            return
        both = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {both}"}

    @property
    def token(self) -> str:
        """The bearer token (Airflow 3), which the UI takes as the cookie ``_token``."""
        return self._headers.get("Authorization", "").removeprefix("Bearer ")

    def rest(self, method: str, path: str, json: Any = None) -> Any:
        """Call the API.

        :param method: HTTP method.
        :param path: path below ``/api/v2`` (Airflow 3) or ``/api/v1``, for example ``/dags``.
        :param json: the body; nothing when None.
        :return: the parsed answer, None if it is empty.
        :raises RestError: if the status is not 2xx.
        """
        return fetch(method, f"{self._prefix}{path}", json, self._headers)

    def unhealthy(self) -> list[str]:
        """Name the parts of Airflow that do not run yet.

        :return: for example ``["triggerer"]``; empty when all is well.
        """
        parts = ["metadatabase", "scheduler", "triggerer"]
        parts += ["dag_processor"] if self.major >= 3 else []
        path = "/monitor/health" if self.major >= 3 else "/health"
        try:
            health = fetch("GET", f"{self._prefix}{path}")
        except (RestError, OSError, ValueError):
            return ["web server"]
        return [part for part in parts if (health.get(part) or {}).get("status") != "healthy"]

    def unpause(self, dag_id: str, *, timeout: float = PATIENCE) -> None:
        """Let a Dag run; wait until Airflow has read its file, if need be.

        :param dag_id: the Dag.
        :param timeout: seconds to wait for the file to be read.
        :raises TimeoutError: if the Dag is not there in time; the message has Airflow's import errors.
        """
        path = f"/dags/{_quoted(dag_id)}"

        def known() -> bool:
            try:
                self.rest("PATCH", path, {"is_paused": False})
            except RestError as error:
                if error.status == 404:
                    return False
                raise
            return True

        try:
            wait_until(known, timeout=timeout, what=f"Airflow to read the Dag {dag_id}")
        except TimeoutError as error:
            problems = self.rest("GET", "/importErrors").get("import_errors")
            raise TimeoutError(f"{error} Import errors: {problems or 'none'}") from None

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run of a Dag.

        :param dag_id: the Dag, unpaused.
        :param conf: the run's configuration.
        :return: the run's id.
        """
        body: dict[str, Any] = {"conf": conf or {}}
        if self.major >= 3:
            body["logical_date"] = None
        answer = self.rest("POST", f"/dags/{_quoted(dag_id)}/dagRuns", body)
        return str(answer["dag_run_id"])

    def dag_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Read a run of a Dag.

        :param dag_id: the Dag.
        :param run_id: the run.
        :return: the run as the API gives it; ``state`` among it.
        """
        run: dict[str, Any] = self.rest("GET", f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}")
        return run

    def wait_for_dag_run(self, dag_id: str, run_id: str, *, timeout: float = PATIENCE) -> dict[str, Any]:
        """Wait for a run of a Dag to end, well or badly.

        :param dag_id: the Dag.
        :param run_id: the run.
        :param timeout: seconds to wait.
        :return: the run as the API gives it; ``state`` is ``success`` or ``failed``.
        :raises TimeoutError: if it has not ended in time; the message has the tasks' states.
        """
        what = f"the run {run_id} of the Dag {dag_id} to end"
        try:
            wait_until(lambda: self.dag_run(dag_id, run_id)["state"] in FINAL_STATES, timeout=timeout, what=what)
        except TimeoutError as error:
            states = {task["task_id"]: task["state"] for task in self.task_instances(dag_id, run_id)}
            raise TimeoutError(f"{error} Its tasks: {states}") from None
        return self.dag_run(dag_id, run_id)

    def wait_for_task_state(
        self, dag_id: str, run_id: str, task_id: str, state: str, *, timeout: float = PATIENCE
    ) -> None:
        """Wait for a task, of a mapped one all its instances, to get into a state, for example ``deferred``.

        :param dag_id: the Dag.
        :param run_id: the run.
        :param task_id: the task.
        :param state: the state.
        :param timeout: seconds to wait.
        :raises TimeoutError: if it does not in time.
        :raises RuntimeError: if it never will, since the run has ended; the message has the tasks' states.
        """

        def reached() -> bool:
            run = self.dag_run(dag_id, run_id)
            tasks = self.task_instances(dag_id, run_id)
            states = [task["state"] for task in tasks if task["task_id"] == task_id]
            if states and all(found == state for found in states):
                return True
            if run["state"] in FINAL_STATES:
                ends = {task["task_id"]: task["state"] for task in tasks}
                raise RuntimeError(f"The run {run_id} of the Dag {dag_id} ended as {run['state']}. Its tasks: {ends}")
            return False

        wait_until(reached, timeout=timeout, what=f"the task {task_id} of {dag_id} to be {state}")

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """List the task instances of a run, however many they are.

        :param dag_id: the Dag.
        :param run_id: the run.
        :return: as the API gives them: ``task_id``, ``state``, ``map_index``, ``duration`` and more.
        """
        return self._all(f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances", "task_instances")

    def _all(self, path: str, name: str, **query: str) -> list[dict[str, Any]]:
        """Read all pages of a list."""
        found: list[dict[str, Any]] = []
        while True:
            page = urllib.parse.urlencode({**query, "limit": 100, "offset": len(found)})
            answer = self.rest("GET", f"{path}?{page}")
            found += answer[name]
            if len(found) >= answer["total_entries"] or not answer[name]:
                return found

    def event_logs(self, dag_id: str, run_id: str, event: str) -> list[dict[str, Any]]:
        """List the entries of the audit log on the tasks of a run (Airflow 3).

        :param dag_id: the Dag.
        :param run_id: the run.
        :param event: only these, for example ``heartbeat timeout``.
        :return: as the API gives them: ``event``, ``task_id``, ``map_index``, ``try_number`` and more.
        """
        return self._all("/eventLogs", "event_logs", dag_id=dag_id, run_id=run_id, event=event)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", *, map_index: int = -1) -> Any:
        """Read an XCom of a task.

        :param dag_id: the Dag.
        :param run_id: the run.
        :param task_id: the task.
        :param key: the XCom's key.
        :param map_index: which of a mapped task's instances; -1 for a task that is not mapped.
        :return: the value. Airflow 2 gives it as Python would print it; that is read back, so that a text which
            looks like a number comes out as one there.
        :raises RestError: with status 404 if there is none.
        """
        run = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}"
        path = f"{run}/taskInstances/{_quoted(task_id)}/xcomEntries/{_quoted(key)}?map_index={map_index}"
        value = self.rest("GET", path)["value"]
        if self.major >= 3 or not isinstance(value, str):
            return value
        try:
            return ast.literal_eval(value)
        except (SyntaxError, ValueError):
            return value

    def links(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1) -> dict[str, str | None]:
        """Read the links that a task's operator gives it, as buttons of the UI.

        :param dag_id: the Dag.
        :param run_id: the run.
        :param task_id: the task.
        :param map_index: which of a mapped task's instances; -1 for a task that is not mapped.
        :return: the addresses by the buttons' names; None where there is none yet.
        """
        run = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}"
        path = f"{run}/taskInstances/{_quoted(task_id)}/links?map_index={map_index}"
        answer: dict[str, Any] = self.rest("GET", path)
        return answer["extra_links"] if self.major >= 3 else answer


def _quoted(segment: str) -> str:
    return urllib.parse.quote(segment, safe="")
