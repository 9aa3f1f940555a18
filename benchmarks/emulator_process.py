"""A Tallyfy in a process of its own, so that its CPU is not counted as the client's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

_PROGRAM = Path(__file__).resolve().parent / "emulator_server.py"


class Asked(NamedTuple):
    """
    A request and its answer.

    :param at: When it came in, in seconds since the epoch.
    :param ended: When it was answered.
    :param status: The answer's status.
    """

    at: float
    ended: float
    status: int


def most_at_once(asked: Sequence[Asked]) -> int:
    """
    Count how many requests were being answered at the same time.

    :param asked: The requests.
    :return: The most.
    """
    changes = sorted([(each.ended, -1) for each in asked] + [(each.at, 1) for each in asked])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


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
        #: Of the runs that were added, not of those that are generated.
        self.run_ids: list[str] = known["ids"]

    def requests(self) -> list[tuple[float, int]]:
        """
        Tell what was asked of it so far, by anybody but its own controls.

        :return: Of each request when it came in, in seconds since the epoch, and the status of its answer.
        """
        return [(each.at, each.status) for each in self.asked()]

    def asked(self) -> list[Asked]:
        """Tell what was asked of it since it was last told to forget, in the order in which it was answered."""
        return [Asked(*each) for each in self._order("requests")]

    def forget(self) -> None:
        """Let it forget what was asked so far."""
        self._order("forget")

    def limit(self, limit: str | None) -> None:
        """
        Limit the rate from now on.

        :param limit: Requests and seconds, such as ``10/1``; None for no limit.
        """
        self._order("limit", limit=limit)

    def completed(self) -> set[str]:
        """Give the ids of the runs that completed while it was asked."""
        return set(self._order("completed"))

    def connection_with(self, **extra: Any) -> str:
        """
        Give a connection to it.

        :param extra: Extras of the connection.
        :return: JSON for ``AIRFLOW_CONN_*``.
        """
        fields = json.loads(self.connection)
        return json.dumps({**fields, "extra": {**fields.get("extra", {}), **extra}})

    def _order(self, order: str, **details: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"order": order, **details}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


@contextmanager
def emulator_with(
    runs: int | Mapping[str, int],
    *,
    archived: bool = False,
    alike: bool = False,
    generated: int = 0,
    delay: float = 0.0,
    completing: int = 0,
    reopening: int = 0,
    launching: int = 0,
    steps: int = 0,
    includes: str = "given",
) -> Iterator[EmulatorProcess]:
    """
    Start an emulator and stop it at the end. A ``GET`` of an archived run answers 404 there.

    :param runs: How many runs it holds; of each status, or all of them active.
    :param archived: Whether they are archived.
    :param alike: Whether all are written in the same way: dates, progress and owner.
    :param generated: How many more runs it makes up while it is asked, all active.
    :param delay: Seconds by which every answer is late.
    :param completing: How many of the runs complete during each request.
    :param reopening: How many of the completed ones are reopened during each request; one in ten is completed at first.
    :param launching: How many are launched during each request.
    :param steps: How many steps, of five fields each, the generated runs have, all of them with answers and some with
        comments; 0 leaves the answers out.
    :param includes: What lists do with includes: see ``Quirks.list_includes`` of the emulator.
    :return: The emulator.
    """
    wanted = {
        "runs": {"active": runs} if isinstance(runs, int) else dict(runs),
        "archived": archived,
        "alike": alike,
        "generated": generated,
        "delay": delay,
        "completing": completing,
        "reopening": reopening,
        "launching": launching,
        "steps": steps,
        "includes": includes,
    }
    command = [sys.executable, str(_PROGRAM), json.dumps(wanted)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        try:
            yield EmulatorProcess(process)
        finally:
            process.kill()  # it answers slowly where it is told to
