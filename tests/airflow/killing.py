"""Kills the processes of tasks that launch a run, at moments of choice, and keeps a record of what came of it."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

import psutil

from tallyfy_emulator import RequestRecord
from tests.airflow.bad_days import Tallyfy

#: When a process is killed: whenever; until the request that launches is over; around that request; just when Tallyfy
#: has dealt with it; when the process goes on after a deferral.
Moment = Literal["any", "early", "around", "launched", "resumed"]
#: How far the launch was, as Tallyfy saw it.
Stage = Literal["before", "under way", "after"]
#: What a process of a task does.
Phase = Literal["first", "resumed"]

#: Seconds after a launch in which a process is still killed "around" it.
_AFTERWARDS = 0.1
#: Seconds that count as "just when".
_AT_ONCE = 0.03
#: Seconds that a process may take at most.
_LONGEST = 120.0


@dataclass
class Kill:
    """A process that was killed."""

    moment: Moment
    try_number: int
    at: float


@dataclass
class Launch:
    """One task that launches a run."""

    number: int
    dag_id: str
    tallyfy: Tallyfy
    plan: deque[Moment]
    checklist_id: str = ""
    dag_run_id: str = ""
    state: str = ""
    result: object = None
    log: str = ""
    started_at: float = 0.0
    kills: list[Kill] = field(default_factory=list)
    begun: list[tuple[int, float]] = field(default_factory=list)
    looked_at: float | None = None
    sent: list[tuple[float, float]] = field(default_factory=list)
    process: psutil.Process | None = None
    lasted: dict[Phase, float] = field(default_factory=dict)

    @property
    def try_number(self) -> int:
        """The number of the last try, 0 before the first."""
        return self.begun[-1][0] if self.begun else 0

    @property
    def began_at(self) -> float:
        """When the last try began."""
        return next((at for number, at in self.begun if number == self.try_number), 0.0)

    def takes(self, moment: Moment) -> bool:
        """Tell whether a process is to be killed at such a moment next; then that is no longer planned."""
        if not self.plan or self.plan[0] != moment:
            return False
        self.plan.popleft()
        return True

    @property
    def runs(self) -> list[str]:
        """The ids of the runs that Tallyfy has of it, archived or not."""
        return [run["id"] for run in self.tallyfy.emulator.runs(self.checklist_id)]

    def stage(self, kill: Kill) -> Stage:
        """Tell how far the launch was when its process was killed."""
        begun = [(begin, end) for begin, end in self.sent if begin <= kill.at]
        if not begun:
            return "before"
        return "under way" if any(kill.at < end for _, end in begun) else "after"


@dataclass(frozen=True)
class Pace:
    """How long an undisturbed launch takes, in seconds."""

    first: float  # from the task's beginning to the end of its process
    resumed: float  # the same, when it goes on after a deferral
    until_sent: float  # from the task's beginning to the request that launches
    gap: float  # from the last request before that one to that one

    @classmethod
    def of(cls, launches: Iterable[Launch]) -> Pace:
        """Take the median of some that were not disturbed."""
        undisturbed = list(launches)
        lasted = defaultdict(list)
        for launch in undisturbed:
            for phase, seconds in launch.lasted.items():
                lasted[phase].append(seconds)
        return cls(
            first=median(lasted["first"]),
            resumed=median(lasted["resumed"] or [0.0]),
            until_sent=median(launch.sent[0][0] - launch.began_at for launch in undisturbed),
            gap=median(launch.sent[0][0] - (launch.looked_at or launch.began_at) for launch in undisturbed),
        )


class Ear:
    """Hears what the tasks announce."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._hear: Callable[[dict[str, Any]], None] | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where the tasks say it: a UDP port of 127.0.0.1."""
        return int(self._socket.getsockname()[1])

    def _listen(self) -> None:
        while told := self._socket.recv(65536):
            if self._hear is not None:
                self._hear(json.loads(told))

    def listen(self, hear: Callable[[dict[str, Any]], None] | None) -> None:
        """Have somebody told, or nobody any more."""
        self._hear = hear

    def close(self) -> None:
        """Hear no more."""
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


class Killer:
    """Kills the processes of tasks as planned."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._launches: dict[str, Launch] = {}
        self._measures: list[threading.Thread] = []
        self.paces: dict[str, Pace] = {}

    def settle(self) -> None:
        """Wait for the end of all processes that are being measured."""
        while self._measures:
            self._measures.pop().join(_LONGEST)

    def watch(self, launch: Launch) -> None:
        """Watch over a launch, from before it begins."""
        self._launches[launch.checklist_id] = launch

    def hear(self, told: dict[str, Any]) -> None:
        """Take note that a process of a task begins or resumes its work, and see to its end if that is planned."""
        launch = self._launches[told["checklist"]]
        number = int(told["try_number"])
        phase: Phase = "resumed" if number == launch.try_number else "first"
        launch.begun.append((number, time.time()))
        launch.process = psutil.Process(told["pid"])
        pace = self.paces.get(launch.dag_id)
        if pace is None:
            self._measures.append(threading.Thread(target=_measure, args=(launch, launch.process, phase), daemon=True))
            self._measures[-1].start()
        elif phase == "first" and launch.takes("any"):
            self._kill_within(pace.first, "any", launch)
        elif phase == "first" and launch.takes("early"):
            self._kill_within(pace.until_sent + launch.tallyfy.day.seconds_under_way, "early", launch)
        elif phase == "resumed" and launch.takes("resumed"):
            self._kill_within(pace.resumed, "resumed", launch)

    def see(self, record: RequestRecord) -> None:
        """Take note of a request that Tallyfy has done with."""
        now = time.time()
        if record.method == "POST" and record.path.endswith("/runs"):
            launch = self._launches[json.loads(record.body)["checklist_id"]]
            launch.sent.append((record.at, now))
            if launch.takes("launched"):
                self._kill_within(_AT_ONCE, "launched", launch)
            return
        if record.method == "GET" and (launch := self._launches.get(record.path.rpartition("/")[2])):
            self._see_form_read(launch, now)

    def _see_form_read(self, launch: Launch, now: float) -> None:
        # What comes next is the launch.
        launch.looked_at = now
        pace = self.paces.get(launch.dag_id)
        if pace is not None and launch.takes("around"):
            self._kill_within(pace.gap + launch.tallyfy.day.seconds_under_way + _AFTERWARDS, "around", launch)

    def _kill_within(self, seconds: float, moment: Moment, launch: Launch) -> None:
        assert launch.process is not None
        planned = (moment, launch, launch.process, launch.try_number)
        threading.Timer(self._chance.uniform(0.0, seconds), _kill, planned).start()


def _kill(moment: Moment, launch: Launch, process: psutil.Process, try_number: int) -> None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return
        process.kill()  # kill -9
    except psutil.NoSuchProcess:
        return
    launch.kills.append(Kill(moment, try_number, time.time()))


def _measure(launch: Launch, process: psutil.Process, phase: Phase) -> None:
    begun = time.time()
    process.wait(timeout=_LONGEST)
    launch.lasted[phase] = time.time() - begun
