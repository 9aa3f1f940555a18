"""What all tests share: an Airflow home of their own, a Tallyfy to ask, and a connection to it."""

from __future__ import annotations

import asyncio
import atexit
import gc
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

#: Whether tests of random cases try many (``make test-all``) or few.
THOROUGH = os.environ.get("THOROUGH") == "1"
# The machines are shared and slow at times: how long an example takes says nothing about the code.
settings.register_profile(
    "shared machine",
    deadline=None,
    max_examples=300 if THOROUGH else 40,
    suppress_health_check=[HealthCheck.too_slow],
)
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

from airflow.providers.common.compat.module_loading import import_string

import airflow_home
from tallyfy_emulator import Emulator, Fault
from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tests.dag_runs import DagRuns

Connect = Callable[..., TallyfyHook]
Said = Callable[[], str]
TaskContext = Callable[..., dict[str, Any]]
Fire = Callable[..., dict[str, Any]]


def pytest_collection_finish() -> None:
    """Leave all that is loaded now, hundreds of thousands of objects, out of each later search for garbage."""
    gc.collect()
    gc.freeze()


def build_task_context(try_number: int = 1, map_index: int = -1, **more: Any) -> dict[str, Any]:
    """
    Build what operators, sensors and transfers use of Airflow's context.

    That is ``ti``, whose ``pushed`` holds the XComs, and ``dag_run``. ``more`` are attributes of ``ti``.
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


def fire_trigger(trigger: Any, run: Callable[..., Any] = asyncio.run) -> dict[str, Any]:
    """Run a trigger as another process would, from its serialized form, and give its event as JSON carries it."""
    path, arguments = trigger.serialize()
    copy = import_string(path)(**json.loads(json.dumps(arguments)))

    async def first_event() -> Any:
        async for event in copy.run():
            return event.payload

    return json.loads(json.dumps(run(first_event())))


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
def max_attempts() -> int:
    """Attempts for a request unless a test sets others: few, so that tests of lasting faults are quick."""
    return 2


@pytest.fixture
def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, max_attempts: int) -> Connect:
    """
    Set the connection ``tallyfy_default`` to the emulator and give a hook for it.

    Named fields of the connection can be changed; ``extra`` is a dict.
    """

    def connect(**changes: Any) -> TallyfyHook:
        fields = json.loads(emulator.connection_json())
        extra = {"max_attempts": max_attempts, **changes.pop("extra", {})}
        monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", json.dumps({**fields, **changes, "extra": extra}))
        return TallyfyHook()

    connect()
    return connect


@pytest.fixture
def ignores_filters(emulator: Emulator) -> dict[str, Any]:
    """A Tallyfy that ignores the filters and returns everything, as the real one does with what it does not know."""
    run = emulator.add_run(name="Stray", status="active")
    emulator.order(Fault(kind="status", status=200, body={"data": [run]}))
    return run


@pytest.fixture
def task_context() -> TaskContext:
    """Build a fake context of Airflow's: see :func:`build_task_context`."""
    return build_task_context


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metadata database as Airflow has migrated it, to be copied: that takes Airflow a while."""
    home = tmp_path_factory.mktemp("migrated")
    airflow_home.migrate(airflow_home.variables(home), home / "airflow.log")
    return home / "airflow.db"


@pytest.fixture(scope="session")
def home_with_database(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Make an AIRFLOW_HOME with a migrated metadata database."""

    def make() -> Path:
        home = tmp_path_factory.mktemp("airflow")
        shutil.copy(migrated_database, home)
        return home

    return make


@pytest.fixture(scope="session")
def dag_runs(home_with_database: Callable[[], Path]) -> DagRuns:
    """What came of a run of each example, and of each Dag in ``tests/airflow/dags`` and ``tests/transfers/dags``."""
    return DagRuns(home_with_database())
