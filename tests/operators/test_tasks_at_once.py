"""Two Airflow tasks that complete the same step at the same moment fire it once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.client.tasks import locks as claims
from tallyfy_provider.operators.tasks import CompleteTaskOperator

ROUNDS = 25

#: A task of Airflow in a process of its own: completes the tasks whose ids it reads, each when it is told to.
PROCESS = """
import json, sys
from types import SimpleNamespace
from tallyfy_provider.operators.tasks import CompleteTaskOperator
claim = sys.argv[1] == "claim"
print("READY", flush=True)
for line in sys.stdin:
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=1, xcom_push=lambda key, value: None)
    operator = CompleteTaskOperator(task_id="complete", step=line.strip(), claim=claim)
    print("DONE", bool(operator.execute(context={"ti": ti})["completed_at"]), flush=True)
"""


@pytest.fixture(params=["fires again", "error"])
def steps(request, emulator, connect):
    """Many steps that can be completed, in a Tallyfy that takes a moment for it."""
    hook = connect()
    emulator.quirks = Quirks(complete_twice=request.param)
    checklist = emulator.add_checklist("Long", steps=[{"title": f"Step {number}"} for number in range(ROUNDS)])
    run = hook.launch_run({"checklist_id": checklist["id"], "name": "Long"})
    emulator.order(Fault(kind="delay", delay=0.02, method="POST", path="completed-tasks"))
    return [task["id"] for task in emulator.tasks(run["id"])]


@pytest.fixture
def complete_in_threads(task_context) -> Callable[..., list[bool]]:
    """Complete a step in several threads, and give which operators found it completed by another."""

    def complete_in_threads(task_id: str, count: int = 2, **arguments: Any) -> list[bool]:
        together, told, failed = threading.Barrier(count), [], []

        def complete() -> None:
            context = task_context(dag_id="contracts", task_id="step")
            operator = CompleteTaskOperator(task_id="complete", step=task_id, **arguments)
            # Airflow 2 keeps in the main thread alone who calls execute, and would refuse it here.
            execute = getattr(CompleteTaskOperator.execute, "__wrapped__", CompleteTaskOperator.execute)
            together.wait()
            try:
                execute(operator, context)
            except Exception as error:
                failed.append(error)
            told.append(context["ti"].pushed.get("already_completed"))

        threads = [threading.Thread(target=complete) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        return sorted(told)

    return complete_in_threads


def test_without_what_keeps_them_apart_a_step_is_fired_twice(
    steps, emulator, completions, monkeypatch, complete_in_threads
):
    """That the tests below can fail."""
    monkeypatch.setattr("tallyfy_provider.client.tasks.complete.host_lock", lambda *names: nullcontext())
    for task_id in steps[:5]:
        complete_in_threads(task_id, count=4)
    fired = sum(completions(task_id) for task_id in steps[:5])
    assert fired > 5 if emulator.quirks.complete_twice == "fires again" else fired == 5


def test_two_threads(steps, completions, complete_in_threads):
    for task_id in steps:
        assert complete_in_threads(task_id) == [False, True]
        assert completions(task_id) == 1


class Processes:
    """Two tasks of Airflow, each in a process of its own, perhaps on machines of their own."""

    def __init__(self, *, claim: bool, environments: list[dict[str, str]]) -> None:
        command = [sys.executable, "-c", PROCESS, "claim" if claim else "lock"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._processes = [subprocess.Popen(command, env=environment, **pipes) for environment in environments]
        for process in self._processes:
            self._read(process, "READY")

    def complete(self, task_id: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{task_id}\n")
            process.stdin.flush()
        for process in self._processes:
            assert self._read(process, "DONE") == "True"

    @staticmethod
    def _read(process: subprocess.Popen[str], word: str) -> str:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(word):
                return line.removeprefix(word).strip()
        raise AssertionError(f"The process ended with {process.wait(30)}.")

    def end(self) -> None:
        for process in self._processes:
            process.communicate(timeout=30)


@pytest.fixture
def processes(connect, tmp_path_factory):
    """Start two processes; each with a folder for lock files of its own if they are on machines of their own."""
    started = []

    def start(*, machines: int, claim: bool = False) -> Processes:
        folders = [str(tmp_path_factory.mktemp("machine")) for _ in range(machines)]
        environments = [{**os.environ, "TMPDIR": folders[number % machines]} for number in range(2)]
        started.append(Processes(claim=claim, environments=environments))
        return started[-1]

    yield start
    for each in started:
        each.end()


def test_two_processes_on_one_machine(steps, completions, processes: Callable[..., Processes]):
    both = processes(machines=1)
    for task_id in steps:
        both.complete(task_id)
    assert [completions(task_id) for task_id in steps] == [1] * ROUNDS


def test_two_processes_on_two_machines_that_claim(steps, emulator, completions, processes):
    both = processes(machines=2, claim=True)
    for task_id in steps[:3]:
        both.complete(task_id)
    assert [completions(task_id) for task_id in steps[:3]] == [1] * 3


@pytest.fixture
def two_machines(monkeypatch):
    """No lock file keeps the threads apart, as on different machines, and claims settle at once."""
    monkeypatch.setattr("tallyfy_provider.client.tasks.complete.host_lock", lambda *names: nullcontext())
    monkeypatch.setattr(claims, "SETTLING", 0.0)
    monkeypatch.setattr(claims, "PAUSE", 0.02)


def test_many_that_claim_on_machines_of_their_own(steps, emulator, completions, two_machines, complete_in_threads):
    for task_id in steps:
        assert complete_in_threads(task_id, count=3, claim=True) == [False, True, True]
        assert completions(task_id) == 1


def test_a_claim_is_a_comment_that_says_who_and_that_guests_do_not_see(
    steps, emulator, two_machines, complete_in_threads
):
    complete_in_threads(steps[0], claim=True)
    task_run = emulator.launched[0]["id"]
    comments = [thread for thread in emulator.threads(task_run) if thread["task_id"] == steps[0]]
    assert len(comments) == 2
    assert {comment["state"] for comment in comments} == {"hide-for-guests"}
    words = "Airflow (dag 'contracts', task 'step', run 'manual__1') is completing this step."
    assert all(comment["content"].startswith(words) for comment in comments)


def test_without_a_claim_nothing_is_said(steps, emulator, complete_in_threads):
    complete_in_threads(steps[0])
    assert emulator.threads(emulator.launched[0]["id"]) == []
