"""What the tests with a whole Airflow share: a Tallyfy, and an Airflow 2 that runs tasks side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallyfy_emulator import Emulator

#: Airflow 2 runs one task at a time on SQLite, unless told as Airflow's own tests are. Airflow 3 needs no telling.
AIRFLOW_2_IN_PARALLEL = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
}


@pytest.fixture(scope="module")
def tallyfy() -> Iterator[Emulator]:
    """A Tallyfy without runs."""
    with Emulator(seed=False) as emulator:
        yield emulator


def logs_below(home: Path) -> list[str]:
    """Return the text of each log of an Airflow."""
    return [path.read_text(errors="replace") for path in home.rglob("*.log*")]
