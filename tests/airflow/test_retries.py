"""TallyfyRetryPolicy in Airflow's own task runner."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import airflow_home

pytestmark = pytest.mark.airflow
pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="retry policies came with Airflow 3.3")

HERE = Path(__file__).resolve().parent
HOUR = 3600.0
FAILED = {"state": "failed", "try_number": 1, "retry_after": None, "reason": None}


@pytest.fixture(scope="module")
def tasks(home_with_database) -> dict[str, dict[str, Any]]:
    """What came of each task after its first try."""
    home = home_with_database()
    folder = HERE / "dags_retries"
    environment = airflow_home.variables(home, dags_folder=folder)
    environment["PYTHONPATH"] = str(Path(airflow_home.__file__).parent)
    command = [sys.executable, HERE / "run_once.py", folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    found = json.loads(line.removeprefix("RESULT"))
    names = [task.pop("task") + (f"[{index}]" if (index := task.pop("map_index")) >= 0 else "") for task in found]
    return dict(zip(names, found, strict=True))


def waits(seconds: float, reason: str | None = None) -> dict[str, Any]:
    return {"state": "up_for_retry", "try_number": 1, "retry_after": pytest.approx(seconds), "reason": reason}


TOLD = "TallyfyRateLimitError (429): Tallyfy requires a wait of 40 s."


def test_what_people_must_mend_fails_without_a_retry(tasks):
    assert tasks["forbidden"] == FAILED
    assert tasks["misspelt"] == FAILED


def test_a_rate_limit_is_retried_after_the_required_wait(tasks):
    assert tasks["limited"] == waits(40, TOLD)
    assert tasks["wrapped"] == waits(40, TOLD)


def test_a_rate_limit_gets_no_more_tries_than_the_task_has(tasks):
    assert tasks["limited_and_without_retries"] == FAILED


def test_a_failure_of_tallyfys_is_retried_as_the_task_says(tasks):
    assert tasks["broken"] == waits(HOUR)


def test_a_mapped_task_is_judged_instance_by_instance(tasks):
    assert (tasks["mapped[0]"], tasks["mapped[1]"]) == (FAILED, waits(40, TOLD))


def test_an_error_from_the_triggerer_is_judged_like_one_from_the_worker(tasks):
    assert tasks["refused_while_deferred"] == FAILED


def test_without_the_policy_even_that_is_retried(tasks):
    assert tasks["without_policy"] == waits(HOUR)
