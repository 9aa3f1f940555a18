"""Runs Dags in Airflows that have a metadata database and nothing else: no scheduler, no triggerer."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import airflow_home

ROOT = Path(__file__).resolve().parent.parent
#: Folders of Dags that are run once each: the examples that users read, and Dags for what only a real Airflow shows.
FOLDERS = [ROOT / "example_dags", ROOT / "tests/airflow/dags", ROOT / "tests/transfers/dags"]


class DagRuns:
    """
    What came of a run of each Dag.

    :param home: The Airflow's home folder, with a migrated metadata database.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        dags = home / "dags"
        dags.mkdir()
        for path in (path for folder in FOLDERS for path in folder.glob("*.py")):
            shutil.copy(path, dags)
        self.environment = airflow_home.variables(home, dags_folder=dags)
        self._log = home / "airflow.log"
        airflow_home.make_assets_known(self.environment, self._log)
        events = home / "events.jsonl"
        self._run([sys.executable, ROOT / "scripts" / "run_example_dags.py", dags, events])
        told = [json.loads(line) for line in events.read_text().splitlines()]
        assert [event for event in told if event["event"] == "broken"] == []
        #: By Dag id: ``state``, ``expected``, ``launched``, and ``tasks`` with their ``xcoms``.
        self.by_dag_id = {event["dag_id"]: event for event in told if event["event"] == "finished"}

    def __getitem__(self, dag_id: str) -> dict[str, Any]:
        return self.by_dag_id[dag_id]

    @property
    def log(self) -> str:
        """All that Airflow has logged."""
        return self._log.read_text()

    def _run(self, command: Iterable[str | Path]) -> None:
        with self._log.open("a") as output:
            subprocess.run(list(command), env=self.environment, stdout=output, stderr=output, check=True)
