"""Two Airflow tasks that complete the same step at the same moment fire it once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.client.tasks import locks
from tallyfy_provider.operators.tasks import CompleteTaskOperator

ROUNDS = 25

#: Two tasks of Airflow, each in a process of its own, complete each step that they read, at once when they read it.
#: They are forks of one that has loaded Airflow, which takes seconds. What they answer goes through a pipe of its own,
#: since Airflow's log is printed.
PROGRAM = """
import json, os, sys, tempfile
from types import SimpleNamespace
from tallyfy_provider.client.tasks import locks
from tallyfy_provider.operators.tasks import CompleteTaskOperator
answers = int(sys.argv[1])
# The emulator's lists are never behind, so claims settle when the second is over in which they were written.
locks.SETTLING, locks.PAUSE = 1.0, 0.02

def complete(order, machine):
    os.environ["AIRFLOW_CONN_TALLYFY_DEFAULT"], tempfile.tempdir = order["connection"], machine
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=1, xcom_push=lambda key, value: None)
    operator = CompleteTaskOperator(task_id="complete", step=order["step"], claim=order["claim"])
    is_done = bool(operator.execute(context={"ti": ti})["completed_at"])
    os.write(answers, f"{is_done}\\n".encode())

pipes = []
for number in range(2):
    reading, writing = os.pipe()
    if not os.fork():
        os.close(writing)
        for line in os.fdopen(reading):
            order = json.loads(line)
            complete(order, order["machines"][number])
        os._exit(0)
    pipes.append(os.fdopen(writing, "w"))
os.write(answers, b"ready\\n")
for line in sys.stdin:
    for pipe in pipes:
        print(line, file=pipe, end="", flush=True)
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

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(writing)], stdin=subprocess.PIPE, text=True, pass_fds=[writing]
        )
        os.close(writing)
        self._answers = os.fdopen(reading)
        assert self._answers.readline() == "ready\n"

    def complete(self, step: str, machines: list[Any], *, claim: bool = False) -> None:
        """Complete a step in both; a machine is its folder for lock files."""
        connection = os.environ["AIRFLOW_CONN_TALLYFY_DEFAULT"]
        order = {"connection": connection, "machines": [*map(str, machines)], "step": step, "claim": claim}
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        assert [self._answers.readline() for _ in machines] == ["True\n", "True\n"]

    def end(self) -> None:
        self._process.communicate(timeout=30)
        self._answers.close()


@pytest.fixture(scope="module")
def processes():
    """Start two processes, once for all tests: that takes longer than what they do."""
    started = Processes()
    yield started
    started.end()


def test_two_processes_on_one_machine(steps, completions, processes, tmp_path):
    for task_id in steps:
        processes.complete(task_id, [tmp_path, tmp_path])
    assert [completions(task_id) for task_id in steps] == [1] * ROUNDS


def test_two_processes_on_two_machines_that_claim(steps, completions, processes, tmp_path_factory):
    machines = [tmp_path_factory.mktemp("machine") for _ in range(2)]
    for task_id in steps[:5]:
        processes.complete(task_id, machines, claim=True)
    assert [completions(task_id) for task_id in steps[:5]] == [1] * 5


@pytest.fixture
def two_machines(monkeypatch):
    """No lock file keeps the threads apart, as on different machines, and claims settle within a second."""
    monkeypatch.setattr("tallyfy_provider.client.tasks.complete.host_lock", lambda *names: nullcontext())
    monkeypatch.setattr(locks, "SETTLING", 1.0)
    monkeypatch.setattr(locks, "PAUSE", 0.02)


@pytest.mark.parametrize("newest_first", [False, True])
def test_many_that_claim_on_machines_of_their_own(
    steps, emulator, completions, two_machines, complete_in_threads, newest_first
):
    emulator.quirks = replace(emulator.quirks, newest_thread_first=newest_first)
    for task_id in steps[:6]:
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
    assert all(comment["content"].endswith(words) for comment in comments)


def test_without_a_claim_no_comment_is_written(steps, emulator, complete_in_threads):
    complete_in_threads(steps[0])
    assert emulator.threads(emulator.launched[0]["id"]) == []
