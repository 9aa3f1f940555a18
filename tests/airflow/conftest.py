"""
The one Airflow that all end-to-end tests share, and the Tallyfys that it knows.

It starts beside the first test that needs it, in a thread, since that takes half a minute. Its settings let it notice
within a second what Airflow otherwise notices within ten. A test finds its own things in it by name: another test's
Dag runs, and its runs in Tallyfy, are there too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path

import pytest

from airflow_runner import Standalone
from tallyfy_emulator import Emulator
from tests.airflow.bad_days import DAYS, PATIENCE, Tallyfy
from tests.airflow.killing import Ear

HERE = Path(__file__).resolve().parent
AIRFLOW_MAJOR = int(metadata.version("apache-airflow").split(".")[0])
#: The checklist that notifications launch.
INCIDENT = "1" * 32
DAG_FILES = [
    "dags/waits.py",
    "dags/approvals.py",
    "dags_kills/launches.py",
    "dags_notifications/deadlines.py",
    "dags_notifications/failures.py",
]
if AIRFLOW_MAJOR >= 3:
    DAG_FILES += ["dags_airflow3/reactions.py", "../../example_dags/tallyfy_react_to_completed_run.py"]
ENVIRONMENT = {
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    # A triggerer that is not heard of for so many seconds counts as dead, and another takes its triggers.
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    # Seconds after which a scheduler, and a task whose worker has gone with it, count as dead.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "30",
    # A Dag file is read again when it has changed, as Standalone.read_again() makes it seem, and else not.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "3600",
    "TALLYFY_TEST_PATIENCE": str(PATIENCE),
}
#: Airflow 2 runs one task at a time on SQLite, unless told as Airflow's own tests are. Airflow 3 needs no telling.
AIRFLOW_2 = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
    # A task whose process was killed is found by the scheduler, which looks that often. If it looks again before the
    # Dag processor has dealt with what it found, Airflow fails the next try for it as well.
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "7",
}


#: Seconds for a single end-to-end test, which waits for a dozen things that a busy machine needs minutes for.
PATIENCE_WITH_A_TEST = 1800


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Be more patient with end-to-end tests, unless the command line says how patient to be."""
    if config.getoption("timeout") is None:
        for item in items:
            if item.get_closest_marker("end_to_end"):
                item.add_marker(pytest.mark.timeout(PATIENCE_WITH_A_TEST))


@pytest.fixture(scope="session")
def tallyfy() -> Iterator[Emulator]:
    """The Tallyfy of the connection ``tallyfy_default``: no runs, and a checklist for incidents."""
    with Emulator(seed=False) as emulator:
        fields = [{"label": "What failed", "required": True}, {"label": "Details"}]
        emulator.add_checklist("Incident", kickoff=fields, steps=[{"title": "Repair"}], checklist_id=INCIDENT)
        yield emulator


@pytest.fixture(scope="session")
def tallyfys_on_bad_days() -> Iterator[dict[str, Tallyfy]]:
    """A Tallyfy for each kind of day, by the day's name."""
    with ExitStack() as resources:
        tallyfys = {day.name: Tallyfy(day, f"tallyfy_{number}") for number, day in enumerate(DAYS)}
        for each in tallyfys.values():
            resources.enter_context(each.emulator)
        yield tallyfys


@pytest.fixture(scope="session")
def ear() -> Iterator[Ear]:
    """What hears the tasks that are to be killed."""
    ear = Ear()
    yield ear
    ear.close()


@pytest.fixture(scope="session", autouse=True)
def starting_airflow(request: pytest.FixtureRequest) -> Iterator[Future[Standalone] | None]:
    """Start Airflow in a thread, if any of the chosen tests needs it."""
    if not any(item.get_closest_marker("end_to_end") for item in request.session.items):
        yield None
        return
    airflow = Standalone(
        dags_folder=_copy_dags(request.getfixturevalue("tmp_path_factory").mktemp("dags")),
        connections=_connections(request),
        environment=ENVIRONMENT
        | (AIRFLOW_2 if AIRFLOW_MAJOR < 3 else {})
        | {
            "TALLYFY_TEST_CHECKLIST": request.getfixturevalue("tallyfy").checklists["Contract review"],
            "TALLYFY_TEST_EAR": str(request.getfixturevalue("ear").port),
        },
    )
    try:
        with ThreadPoolExecutor(1) as thread:
            yield thread.submit(airflow.__enter__)
    finally:
        airflow.stop()


@pytest.fixture(scope="session")
def airflow(starting_airflow: Future[Standalone]) -> Standalone:
    """The Airflow, once it runs."""
    return starting_airflow.result()


def _copy_dags(folder: Path) -> Path:
    for name in DAG_FILES:
        shutil.copy(HERE / name, folder)
    return folder


def _connections(request: pytest.FixtureRequest) -> dict[str, str]:
    on_bad_days = request.getfixturevalue("tallyfys_on_bad_days").values()
    connections = {each.connection_id: each.connection() for each in on_bad_days}
    return connections | {"tallyfy_default": request.getfixturevalue("tallyfy").connection_json()}


def logs_below(home: Path) -> list[str]:
    """Return the text of each log of an Airflow."""
    return [path.read_text(errors="replace") for path in home.rglob("*.log*")]
