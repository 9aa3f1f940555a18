"""``make demo``: runs every example Dag in a real Airflow against the emulator, and tells what they did.

Nothing is needed but this project's environment: the Tallyfy is the emulator on a free loopback port, the
Airflow has a home and a SQLite database of its own, and both are gone at the end.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import time
from collections import Counter
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow_home
import processes
from console import say, seconds, step
from file_table import table_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE_DAGS = ROOT / "example_dags"
_LOGS = ROOT / ".run"
_LOGS_TO_KEEP = 10
_POLL_SECONDS = 0.1
# The example Dags take seconds; a run that takes so long hangs.
_SECONDS_FOR_ONE_EVENT = 300.0
_WIDTH = 100
_LINES_OF_A_LIST = 3
_ROWS_OF_A_TABLE = 6
_MARKS = {"success": "ok", "skipped": "--"}
#: XComs of Airflow's own, beside those that begin with ``_``, such as the links of an operator.
_AIRFLOWS_OWN = ("pipeline_outlets", "skipmixin_key")
_WRAPPER = textwrap.TextWrapper(_WIDTH, subsequent_indent="  ", max_lines=2, placeholder=" …", break_on_hyphens=False)
# Tallyfy writes times in several ways.
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d):\d\d(?:\.\d+)?(?:Z|\+00:00)?")
_LEGEND = """
Each Dag below runs to its end in this Airflow, against a pretend Tallyfy of its own in which people act by
themselves. A line for each task:
  ok  it succeeded      --  it was skipped, since a person decided otherwise      !!  it failed
and under it its XComs (what other tasks can use), by their names. Times are UTC. "in Tallyfy" names the
processes that the Dag launched there, each with its id: each once, also where a task is retried."""
_NEXT = """
Next: `make ui` starts the same with Airflow's UI and a page for each process, where you are the one who approves.
Then copy example_dags/tallyfy_approve_before_payment.py, and put your template's id and form into it."""


class DemoFailure(Exception):
    """The demonstration cannot go on; the message says why."""


def new_log() -> Path:
    """Make the file that Airflow's own output goes to; old ones are removed.

    :return: its path.
    """
    _LOGS.mkdir(exist_ok=True)
    log = _LOGS / f"demo-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**6:06}.log"
    log.touch()
    for old in sorted(_LOGS.glob("demo-*.log"))[:-_LOGS_TO_KEEP]:
        old.unlink(missing_ok=True)
    return log


def follow(path: Path, process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Read events while they are written.

    :param path: the file of :mod:`run_example_dags`.
    :param process: the program that writes it.
    :return: the events; it ends when the program has ended.
    :raises DemoFailure: if nothing happens for minutes.
    """
    with path.open(encoding="utf-8") as stream:
        last = time.monotonic()
        while True:
            ended = process.poll() is not None  # asked before reading: what it wrote last is read still
            line = stream.readline()
            if line:
                last = time.monotonic()
                yield json.loads(line)
            elif ended:
                return
            elif time.monotonic() - last > _SECONDS_FOR_ONE_EVENT:
                raise DemoFailure(f"Nothing has happened for {seconds(_SECONDS_FOR_ONE_EVENT)}; ended it.")
            else:
                time.sleep(_POLL_SECONDS)


def shorten(text: str, width: int) -> str:
    """Cut a text to a width.

    :param text: the text.
    :param width: characters at most.
    :return: the text on one line.
    """
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def value_lines(value: Any) -> list[str]:
    """Write the value of an XCom as a person reads it.

    :param value: from an XCom.
    :return: for a list its length and its first items, a line for each; for a dict two lines at most, since what
        matters, such as a decision, does not always come first; one line for any other.
    """
    if isinstance(value, list):
        noun = "item" if len(value) == 1 else "items"
        lines = [f"{len(value)} {noun}", *(f"  {_one_line(item)}" for item in value[:_LINES_OF_A_LIST])]
        if len(value) > _LINES_OF_A_LIST:
            lines.append(f"  … and {len(value) - _LINES_OF_A_LIST} more")
        return lines
    if isinstance(value, dict):
        return _WRAPPER.wrap(_text(value)) or ["{}"]
    return [_one_line(value)]


def _one_line(value: Any) -> str:
    return shorten(_text(value), _WIDTH)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _in_one_format(value)
    if isinstance(value, dict):
        pairs = (f"{key}: {item if isinstance(item, str) else json.dumps(item)}" for key, item in value.items())
        return _in_one_format(" · ".join(pairs))
    return _in_one_format(json.dumps(value, ensure_ascii=False))


def _in_one_format(text: str) -> str:
    return _TIME.sub(r"\1 \2", text)


def show_task(task: dict[str, Any]) -> None:
    """Print how a task ended, and its XComs.

    :param task: from the event ``finished``.
    """
    instance = task["map_name"] or task["map_index"]
    name = task["task_id"] + (f" [{instance}]" if task["map_index"] >= 0 else "")
    duration = "" if task["duration"] is None else seconds(task["duration"])
    mark = _MARKS.get(task["state"], "!!")
    print(f"  {mark} {name:<40} {task['state']:<16} {duration}".rstrip())
    for key, value in task["xcoms"].items():
        if key.startswith("_") or key in _AIRFLOWS_OWN:
            continue
        first, *rest = value_lines(value)
        print(f"       {key}: {first}")
        for line in rest:
            print(f"       {line}")
        if isinstance(value, dict) and isinstance(value.get("path"), str):
            for line in table_lines(value["path"], rows=_ROWS_OF_A_TABLE, width=_WIDTH):
                print(f"         | {_in_one_format(line)}")


def show_end(event: dict[str, Any]) -> None:
    """Print what people have got to do now, and that a failure was meant to be.

    :param event: the event ``finished``.
    """
    if event["by_event"]:
        print("     An event started it: the asset watcher saw a person complete the process.")
    for name, process in zip(event["launched"], event["processes"], strict=True):
        print(f"     in Tallyfy: {shorten(name, _WIDTH)} (process {process})")
    if event["state"] == event["expected"] == "failed":
        print("     It failed on purpose.")


def show_dags(events: Iterator[dict[str, Any]]) -> tuple[Counter[str], list[str]]:
    """Print what happens while it happens.

    :param events: from :func:`follow`.
    :return: how many tasks ended in which state, and a line for each Dag that failed.
    """
    states: Counter[str] = Counter()
    failures = []
    with step("starting Airflow and reading the example Dags"):
        event = next(events, None)
    while event is not None:
        if event["event"] == "broken":
            failures.append(f"{event['file']} cannot be imported: {event['error'].strip().splitlines()[-1]}")
        if event["event"] == "started":
            print(f"\n{event['dag_id']}\n  {event['purpose']}", flush=True)
            with step("  running"):
                event = next(events, None)
            continue
        if event["event"] == "finished":
            for task in event["tasks"]:
                show_task(task)
                states[task["state"]] += 1
            show_end(event)
            if event["state"] != event["expected"]:
                failures.append(f"{event['dag_id']} {event['state']} {event['error']}".rstrip())
            sys.stdout.flush()
        event = next(events, None)
    return states, failures


def demonstrate(log: Path) -> Counter[str]:
    """Run the example Dags.

    :param log: file for Airflow's own output.
    :return: how many tasks ended in which state.
    :raises DemoFailure: if one of them failed, or there is none.
    :raises processes.CommandError: if Airflow cannot be set up.
    """
    with ExitStack() as resources:
        home = resources.enter_context(airflow_home.temporary_home("tallyfy-demo-"))
        environment = airflow_home.variables(home, dags_folder=EXAMPLE_DAGS)
        with step("migrating the database"):
            airflow_home.migrate(environment, log)
            airflow_home.make_assets_known(environment, log)
        recorded = home / "events.jsonl"
        recorded.touch()
        command: list[str | Path] = [sys.executable, Path(__file__).with_name("run_example_dags.py")]
        process = processes.start_group(
            [*command, EXAMPLE_DAGS, recorded, "--with-events"], log=log, environment=environment, folder=home
        )
        # A Dag that waits does not hear SIGTERM, and nothing that it holds is needed any more.
        resources.callback(processes.stop_group, process, grace=1.0)
        states, failures = show_dags(follow(recorded, process))
        if process.returncode != 0:
            failures.append(f"the program that ran the Dags ended with code {process.returncode}")
    if not states:
        failures.append(f"no task ran: is there a Dag in {EXAMPLE_DAGS}?")
    if failures:
        raise DemoFailure("\n".join(failures))
    return states


def main() -> int:
    """Run the demonstration.

    :return: the exit code: 0 if every Dag did what it should.
    """
    started = time.monotonic()
    log = new_log()
    say(f"Airflow {metadata.version('apache-airflow')}; its own log is {log.relative_to(ROOT)}")
    print(_LEGEND)
    try:
        states = demonstrate(log)
    except (DemoFailure, processes.CommandError) as problem:
        elapsed = seconds(time.monotonic() - started)
        print(f"\n{processes.tail(log)}\n\nFAILED after {elapsed}, exit code 1:\n{problem}")
        return 1
    told = ", ".join(f"{number} {state}" for state, number in states.most_common())
    elapsed = seconds(time.monotonic() - started)
    print(f"\nEvery example Dag did what it should, in {elapsed}. Tasks: {told}. Exit code 0.")
    print(_NEXT)
    return 0


if __name__ == "__main__":
    processes.end_on_signals()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; all that was started has been ended.")
