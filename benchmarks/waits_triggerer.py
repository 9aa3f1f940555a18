"""
Airflow's own TriggerRunner in a process of its own, with instruments; started by :class:`Triggerer`.

It is driven by lines: the first one on its standard input holds the triggers, each later one asks for something, and
each is answered by a line of JSON. What is replaced of the TriggerRunner is how it talks to its supervisor, which
stands between it and the database. Private to Airflow, so tried with 3.3 only.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_HEARTBEAT = 0.002


class Triggerer:
    """
    A running triggerer, seen from outside.

    :param process: Its process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def ask(self, question: str) -> Any:
        """
        Ask it something.

        :param question: ``state``, ``measure`` (what was measured since this was asked last) or ``events``.
        :return: The answer.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("The triggerer is gone; its output says why.")
        return json.loads(answer)


@contextmanager
def triggerer_with(
    triggers: Sequence[tuple[str, Mapping[str, Any]]], connections: Mapping[str, str]
) -> Iterator[Triggerer]:
    """
    Start a triggerer and stop it at the end.

    :param triggers: Class paths and arguments; a trigger's id is its place among them.
    :param connections: Ids of Airflow connections to their JSON.
    :return: The triggerer, which has imported Airflow and waits for the first question to start the triggers.
    """
    with tempfile.TemporaryDirectory() as home:
        variables = {
            **os.environ,
            **{f"AIRFLOW_CONN_{name.upper()}": connection for name, connection in connections.items()},
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",  # so that nobody is measured by lines of log
            "_AIRFLOW_PROCESS_CONTEXT": "client",
        }
        command = [sys.executable, str(Path(__file__).resolve())]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables
        ) as process:
            triggerer = Triggerer(process)
            try:
                triggerer.ask(json.dumps(triggers))
                yield triggerer
            finally:
                process.kill()  # what it has under way is of no interest any more


class Instruments:
    """Measures the process and its event loop from inside."""

    def __init__(self) -> None:
        self._collecting_since = 0.0
        self.reset()
        gc.callbacks.append(self._note_collection)

    def reset(self) -> None:
        """Begin anew."""
        self._wall, self._cpu = time.monotonic(), time.process_time()
        self._longest_gap = self._cpu_in_gap = self._longest_without_collection = 0.0
        self._longest_collection = self._collecting = 0.0
        self._gaps_over_50_ms = self._full_collections = self.blocked = 0

    def read(self) -> dict[str, float]:
        """Give what was measured since the beginning: seconds, cores, bytes."""
        wall = time.monotonic() - self._wall
        return {
            "seconds": wall,
            "cpu": (time.process_time() - self._cpu) / wall,
            "longest_stall": self._longest_gap,
            "cpu_in_longest_stall": self._cpu_in_gap,
            "longest_stall_but_for_collections": self._longest_without_collection,
            "stalls_over_50_ms": self._gaps_over_50_ms,
            "longest_collection": self._longest_collection,
            "full_collections": self._full_collections,
            "blocked_by_airflows_watchdog": self.blocked,
            "memory": resident(),
        }

    async def beat(self) -> None:
        """Note how long the event loop takes to come round; a gap includes the pause, so it is never too short."""
        while True:
            wall, cpu, collecting = time.monotonic(), time.thread_time(), self._collecting
            await asyncio.sleep(_HEARTBEAT)
            gap = time.monotonic() - wall
            self._longest_without_collection = max(
                self._longest_without_collection, gap - max(0.0, self._collecting - collecting)
            )
            self._gaps_over_50_ms += gap > 0.05
            if gap > self._longest_gap:
                self._longest_gap, self._cpu_in_gap = gap, time.thread_time() - cpu

    def _note_collection(self, phase: str, details: Mapping[str, int]) -> None:
        now = time.monotonic()
        if phase == "start":
            self._collecting_since = now
            return
        took = now - self._collecting_since
        self._collecting += took
        self._longest_collection = max(self._longest_collection, took)
        self._full_collections += details["generation"] == 2


def resident() -> int:
    """Give the process's resident memory in bytes."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


class Events(deque[Any]):
    """Takes the time of each event as its trigger gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[tuple[int, float]] = []

    def append(self, entry: Any) -> None:
        """Take an event."""
        self.times.append((entry.trigger_id, time.time()))
        super().append(entry)


def run(triggers: Sequence[tuple[str, dict[str, Any]]], answers: Any) -> None:
    """
    Run triggers until the process is ended.

    :param triggers: Class paths and arguments.
    :param answers: Where answers go.
    """
    from airflow.executors.workloads import RunTrigger
    from airflow.jobs import triggerer_job_runner
    from airflow.models.trigger import Trigger

    instruments = Instruments()

    class MeasuredRunner(triggerer_job_runner.TriggerRunner):
        def __init__(self) -> None:
            super().__init__()
            self.events = Events()
            self.failures: list[Any] = []

        async def init_comms(self) -> None:
            self.comms_decoder = SimpleNamespace(_reader_task=asyncio.create_task(asyncio.sleep(1e6)))

        async def sync_state_to_supervisor(self, finished_ids: list[int]) -> None:
            self.failures += self.process_trigger_events(finished_ids=finished_ids).failures or ()

        def answer(self, question: str) -> Any:
            if question == "measure":
                measured = instruments.read()
                instruments.reset()
                return measured
            if question == "events":
                return self.events.times
            failure = "".join(self.failures[0][1] or ["it ended without an event"]) if self.failures else None
            waiting = len(self.to_create)
            return {
                "started": len(triggers) - waiting,
                "running": len(self.triggers),
                "events": len(self.events.times),
                "failed": len(self.failures),
                "first_failure": failure,
            }

    def count(name: str, *_: object, **__: object) -> None:
        instruments.blocked += name == "triggers.blocked_main_thread"

    triggerer_job_runner.stats.incr = count
    runner = MeasuredRunner()
    for number, (classpath, arguments) in enumerate(triggers):
        encrypted = Trigger.encrypt_kwargs(arguments)
        runner.to_create.append(RunTrigger(id=number, classpath=classpath, encrypted_kwargs=encrypted, ti=None))

    async def serve() -> None:
        questions = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
        heart = asyncio.create_task(instruments.beat())
        running = None
        while line := (await questions.readline()).decode().strip():
            running = running or asyncio.create_task(runner.arun())
            if running.done():
                running.result()
            print(json.dumps(runner.answer(line)), file=answers, flush=True)
        heart.cancel()

    print(json.dumps({"memory": resident()}), file=answers, flush=True)
    asyncio.run(serve())


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    own_output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever Airflow prints must not stand between the answers
    run(json.loads(sys.stdin.readline()), own_output)
