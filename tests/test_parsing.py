"""A Dag file is parsed every few seconds: it must cost next to nothing, and touch nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "example_dags").glob("tallyfy_*.py"))

#: Parses a Dag of Airflow's own first, as the Dag processor has, then each example, with the network out of reach. A
#: fork for each, so that one finds loaded only what Airflow has loaded, which takes seconds.
PROBE = """
import json, os, runpy, socket, sys
from datetime import datetime
import airflow.triggers.base  # what every trigger, and so every asset watcher, is made of
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator, dag, task

@dag(schedule="0 7 * * MON", start_date=datetime(2026, 1, 1), params={"a": "b"})
def of_airflow_alone():
    @task
    def use(value): ...
    use.expand(value=BaseOperator(task_id="a").output)
    BaseSensorOperator.partial(task_id="b").expand(timeout=[1, 2])

of_airflow_alone()

def refuse(*args, **kwargs):
    raise AssertionError("a Dag file opened a connection while it was parsed")

socket.socket.connect = refuse
socket.create_connection = refuse
before = set(sys.modules)
for path in sys.argv[1:]:
    if not os.fork():
        runpy.run_path(path)
        print("RESULT" + json.dumps([path, sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)  # without tidying up all that Airflow has made, which takes longer than the rest
    if os.wait()[1]:
        sys.exit(f"{path} could not be parsed")
"""


@pytest.fixture(scope="module")
def parsed() -> dict[str, list[str]]:
    """Modules that each example loads, by the example's name."""
    command = [sys.executable, "-c", PROBE, *EXAMPLES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line.removeprefix("RESULT")) for line in done.stdout.splitlines() if line.startswith("RESULT")]
    return {Path(path).name: modules for path, modules in found}


def test_there_are_examples():
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("name", [path.name for path in EXAMPLES])
def test_parsing_loads_no_http_client_and_no_emulator(parsed, name):
    new = parsed[name]
    unwanted = ("requests", "urllib3", "starlette", "uvicorn", "tallyfy_emulator", "tallyfy_provider.hooks")
    assert [module for module in new if module.startswith(unwanted)] == []
    triggers = {module for module in new if module.startswith("tallyfy_provider.triggers.")}
    assert not triggers or "tallyfy_provider.triggers.events" in triggers  # an asset watcher holds its trigger
    assert not triggers & {"tallyfy_provider.triggers.executor", "tallyfy_provider.triggers.poller"}


@pytest.mark.parametrize("name", [path.name for path in EXAMPLES])
def test_parsing_loads_little_beside_airflow_and_this_package(parsed, name):
    new = {module.split(".")[0] for module in parsed[name]}
    assert new - {"airflow", "tallyfy_provider"} <= set(sys.stdlib_module_names)
