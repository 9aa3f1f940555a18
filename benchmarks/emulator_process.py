"""A Tallyfy in a process of its own, so that its CPU is not counted as the client's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_PROGRAM = """
import json, sys, time
from tallyfy_provider.emulator import Emulator, Quirks
order = json.loads(sys.argv[1])
more = {"archived_at": time.time()} if order["archived"] else {}
asked = []
with Emulator(seed=False, quirks=Quirks(archived_run_status=404)) as emulator:
    emulator.listen(lambda request: asked.append((request.at, request.status)))
    ids = [each for status, count in order["runs"].items() for each in emulator.add_runs(count, status=status, **more)]
    print(json.dumps({"connection": emulator.connection_json(), "base_url": emulator.base_url, "token": emulator.token,
                      "organization_id": emulator.organization_id, "ids": ids}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(asked), flush=True)
"""


class EmulatorProcess:
    """
    A running emulator.

    :param process: Its process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        known = self._read()
        self.connection: str = known["connection"]  # JSON for AIRFLOW_CONN_*
        self.base_url: str = known["base_url"]
        self.token: str = known["token"]
        self.organization_id: str = known["organization_id"]
        self.run_ids: list[str] = known["ids"]

    def requests(self) -> list[tuple[float, int]]:
        """
        Tell what was asked of it so far, by anybody but its own controls.

        :return: Of each request when it came in, in seconds since the epoch, and the status of its answer.
        """
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return [(at, status) for at, status in self._read()]

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


@contextmanager
def emulator_with(runs: int | Mapping[str, int], *, archived: bool = False) -> Iterator[EmulatorProcess]:
    """
    Start an emulator and stop it at the end. A ``GET`` of an archived run answers 404 there.

    :param runs: How many runs it holds; of each status, or all of them active.
    :param archived: Whether they are archived.
    :return: The emulator.
    """
    order = {"runs": {"active": runs} if isinstance(runs, int) else dict(runs), "archived": archived}
    command = [sys.executable, "-c", _PROGRAM, json.dumps(order)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        try:
            yield EmulatorProcess(process)
        finally:
            process.stdin.close()
            process.wait(20)
