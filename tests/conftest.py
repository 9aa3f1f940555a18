"""What all tests share: an Airflow home of their own, a Tallyfy to ask, and a connection to it."""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# The machines are shared and slow at times: how long an example takes says nothing about the code.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

# Airflow reads its settings when it is imported, so they must stand before any test module is.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="tallyfy-tests-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
# What a test learns about limits is its own, and not that of a server that had the same port yesterday.
os.environ["TALLYFY_BUDGET_FOLDER"] = tempfile.mkdtemp(prefix="tallyfy-budgets-")
atexit.register(shutil.rmtree, os.environ["TALLYFY_BUDGET_FOLDER"], ignore_errors=True)
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent.parent / "example_dags")

from tallyfy_emulator import Emulator
from tallyfy_provider.hooks.tallyfy import TallyfyHook

Connect = Callable[..., TallyfyHook]
Said = Callable[[], str]
TaskContext = Callable[..., dict[str, Any]]


def build_task_context(try_number: int = 1, map_index: int = -1, **more: Any) -> dict[str, Any]:
    """
    Build what operators, sensors and transfers use of Airflow's context.

    :param try_number: The number of the try.
    :param map_index: The index of a mapped task, else -1.
    :param more: Other attributes of the task instance, such as ``task_id`` or ``xcom_push``.
    :return: ``ti``, whose ``pushed`` holds the XComs, and ``dag_run``.
    """
    started = datetime.now(UTC)
    pushed: dict[str, Any] = {}
    attributes = {
        "dag_id": "dag",
        "task_id": "task",
        "run_id": "manual__1",
        "max_tries": 0,
        "pushed": pushed,
        "xcom_push": lambda key, value: pushed.update({key: value}),
        "get_first_reschedule_date": lambda context: started,
        **more,
    }
    task_instance = SimpleNamespace(try_number=try_number, map_index=map_index, **attributes)
    return {"ti": task_instance, "dag_run": SimpleNamespace(start_date=started)}


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Said:
    """
    Give all that was logged or printed since it was asked last.

    Airflow 2 logs through ``logging``, Airflow 3 prints through structlog: both are read.
    """
    caplog.set_level(logging.INFO)

    def said() -> str:
        printed = capsys.readouterr()
        text = caplog.text + printed.out + printed.err
        caplog.clear()
        return text

    return said


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A Tallyfy without runs."""
    with Emulator(seed=False) as emulator:
        yield emulator


@pytest.fixture
def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """
    Set the connection ``tallyfy_default`` to the emulator and give a hook for it.

    Named fields of the connection can be changed; ``extra`` is a dict. Two attempts for a request, unless told
    otherwise, so that tests of lasting faults are quick.
    """

    def connect(**changes: Any) -> TallyfyHook:
        fields = json.loads(emulator.connection_json())
        extra = {"max_attempts": 2, **changes.pop("extra", {})}
        monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", json.dumps({**fields, **changes, "extra": extra}))
        return TallyfyHook()

    connect()
    return connect


@pytest.fixture
def task_context() -> TaskContext:
    """Build a fake context of Airflow's: see :func:`build_task_context`."""
    return build_task_context
