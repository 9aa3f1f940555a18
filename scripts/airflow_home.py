"""An Airflow of one's own: its home folder, its environment variables and its metadata database."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Variables of the person's own Airflow, and proxies that would be asked for 127.0.0.1, must not reach ours.
_FOREIGN_PREFIXES = ("AIRFLOW_", "_AIRFLOW_", "TALLYFY_")
_LOOPBACK = "127.0.0.1,localhost,::1"


@contextmanager
def temporary_home(prefix: str = "tallyfy-airflow-") -> Iterator[Path]:
    """Make a home folder for an Airflow and remove it afterwards.

    :param prefix: how the folder's name begins.
    :return: its path, in the system's folder for temporary files.
    """
    home = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield home
    finally:
        # A process that is just ending may still write its last line into the folder.
        shutil.rmtree(home, ignore_errors=True)


def variables(
    home: Path,
    *,
    python: Path | None = None,
    dags_folder: Path | None = None,
    connections: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Build the environment variables of an Airflow that shares nothing with another on the machine.

    :param home: its AIRFLOW_HOME.
    :param python: the Python program of its virtual environment; the running one when None.
    :param dags_folder: where its Dags are; an empty ``dags`` in the home when None.
    :param connections: connection id to its JSON or URI, given as ``AIRFLOW_CONN_*``.
    :param extra: variables that go above all others.
    :return: all variables for a child process.
    """
    result = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_PREFIXES)}
    if dags_folder is None:
        dags_folder = home / "dags"
        dags_folder.mkdir(exist_ok=True)
    program_folder = str((python or Path(sys.executable)).parent)
    result |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # A scheduler ends when SQLite is locked for longer: by default five seconds, which a busy machine takes.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.absolute()}/airflow.db?timeout=60",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # On a busy machine even a small file takes longer than the half minute of Airflow's default.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT": "400",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "400",
        # Airflow's parts start each other as plain `airflow`.
        "PATH": os.pathsep.join([program_folder, os.environ.get("PATH", os.defpath)]),
    }
    for name in ("no_proxy", "NO_PROXY"):
        result[name] = ",".join(filter(None, [os.environ.get(name), _LOOPBACK]))
    return result | connection_variables(connections or {}) | dict(extra or {})


def connection_variables(connections: Mapping[str, str]) -> dict[str, str]:
    """Build the environment variables that give connections to an Airflow.

    :param connections: connection id to its JSON or URI.
    :return: the variables, ``AIRFLOW_CONN_…``.
    """
    return {f"AIRFLOW_CONN_{connection_id.upper()}": value for connection_id, value in connections.items()}


def migrate(environment: Mapping[str, str], log: Path) -> None:
    """Create the metadata database or bring it up to date.

    :param environment: from :func:`variables`.
    :param log: file that Airflow's output is appended to.
    :raises processes.CommandError: if Airflow fails.
    """
    _run(environment, log, "db", "migrate")


def make_assets_known(environment: Mapping[str, str], log: Path) -> None:
    """Tell the metadata database about the Dags' assets, which ``dag.test()`` does by itself from Airflow 3.1 on.

    Airflow 2 notes no event of a dataset that it does not know, and Airflow 3.0 fails a task with such an outlet.

    :param environment: from :func:`variables`.
    :param log: file that Airflow's output is appended to.
    :raises processes.CommandError: if Airflow fails.
    """
    major, minor = metadata.version("apache-airflow").split(".")[:2]
    if (int(major), int(minor)) < (3, 1):
        _run(environment, log, "dags", "reserialize")


def _run(environment: Mapping[str, str], log: Path, *arguments: str) -> None:
    command: list[str | Path] = [Path(environment["PATH"].split(os.pathsep)[0], "airflow"), *arguments]
    processes.run(command, log=log, environment=environment, folder=Path(environment["AIRFLOW_HOME"]))
