"""A Tallyfy in a process of its own, so that its CPU is not counted as the client's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PROGRAM = """
import json, sys
from tallyfy_provider.emulator import Emulator
with Emulator(seed=False) as emulator:
    emulator.add_runs(int(sys.argv[1]))
    print(json.dumps({"connection": emulator.connection_json(), "base_url": emulator.base_url, "token": emulator.token,
                      "organization_id": emulator.organization_id}), flush=True)
    sys.stdin.read()
"""


@contextmanager
def emulator_with(runs: int) -> Iterator[dict[str, str]]:
    """
    Start an emulator and stop it at the end.

    :param runs: How many runs it holds.
    :return: ``connection`` (JSON for ``AIRFLOW_CONN_*``), ``base_url``, ``token`` and ``organization_id``.
    """
    command = [sys.executable, "-c", _PROGRAM, str(runs)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(20)
