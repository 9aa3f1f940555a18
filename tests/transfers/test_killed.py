"""A task that is killed while it writes, and tried again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from tallyfy_emulator import Fault

PROGRAM = """
import sys
from types import SimpleNamespace
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

ti = SimpleNamespace(dag_id="dag", run_id="manual__1", task_id="export_runs", map_index=-1, try_number=1)
export = TallyfyToObjectStorageOperator(task_id="export_runs", path=sys.argv[1], filters={"per_page": 10})
export.execute(context={"ti": ti})
"""
SECONDS = 60


@pytest.fixture
def killed(emulator, connect):
    """Start an export in a process of its own and kill it when half of the runs are read and some are written."""
    connect()

    def killed(path, pages):
        emulator.order(Fault(kind="delay", delay=SECONDS, path="/runs", after=pages // 2))
        half, wait = threading.Event(), threading.Event()
        emulator.listen(lambda record: half.set() if len(emulator.requests) >= pages // 2 else None)
        search = os.pathsep.join(each for each in sys.path if each)
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, path], env=os.environ | {"PYTHONPATH": search})
        try:
            assert half.wait(SECONDS), process.poll()
            for _ in range(SECONDS * 10):
                if any(each.stat().st_size for each in path.parent.iterdir() if each.name.endswith(".part")):
                    break
                wait.wait(0.1)
            assert process.poll() is None, "it ended before it could be killed"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        emulator.listen(None)
        emulator.clear_faults()

    return killed


def test_a_retry_writes_the_whole_file_and_clears_what_the_killed_attempt_left(emulator, export, killed, tmp_path):
    ids = emulator.add_runs(3000)
    path = tmp_path / "runs.jsonl"
    path.write_text("of an earlier run")
    killed(path, pages=300)
    (left,) = (each for each in tmp_path.iterdir() if each != path)
    assert left.name.startswith(".runs.jsonl.")
    assert left.stat().st_size > 0
    assert path.read_text() == "of an earlier run"
    assert export(str(path), attempt=2)["rows"] == 3000
    assert [json.loads(line)["id"] for line in path.open()] == ids
    assert list(tmp_path.iterdir()) == [path]
