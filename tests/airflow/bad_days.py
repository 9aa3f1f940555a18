"""Days on which Tallyfy misbehaves while a run is launched, an emulator for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tallyfy_emulator import Emulator, Fault, Quirks

#: Seconds that a launch is under way, so that there is time to be killed in.
UNDER_WAY = 0.1
#: Seconds by which lists are behind, and that a slow launch takes; whoever looks must look for longer.
BEHIND = 3.0
PATIENCE = 7.0
_CLIENT_TIMEOUT = 1.5


@dataclass(frozen=True)
class Day:
    """What a launch meets with."""

    name: str
    fault: Mapping[str, Any]
    lag: float = 0.0
    timeout: float = 30.0

    @property
    def seconds_under_way(self) -> float:
        """How long a launch goes on until its task knows, or gives up."""
        return min(float(self.fault["delay"]), self.timeout)


AFTER = {"when": "after", "delay": UNDER_WAY}
DAYS = (
    Day("a good day", {"kind": "delay", **AFTER}),
    Day("reset after the effect", {"kind": "reset", **AFTER}),
    Day("502 after the effect", {"kind": "status", "status": 502, **AFTER}),
    Day("answer cut off", {"kind": "truncate", "delay": UNDER_WAY}),
    Day("answer lost", {"kind": "delay", "when": "after", "delay": 2 * _CLIENT_TIMEOUT}, timeout=_CLIENT_TIMEOUT),
    Day("effect comes late", {"kind": "delay", "delay": BEHIND}),
    Day("lists lag", {"kind": "delay", **AFTER}, lag=BEHIND),
    Day("reset, and lists lag", {"kind": "reset", **AFTER}, lag=BEHIND),
)


@dataclass
class Tallyfy:
    """A Tallyfy that has such a day."""

    day: Day
    connection_id: str
    emulator: Emulator = field(init=False)

    def __post_init__(self) -> None:
        self.emulator = Emulator(seed=False, quirks=Quirks(list_lag=self.day.lag))
        self.emulator.order(Fault(method="POST", path=r"/runs$", **self.day.fault))
        # Every answer takes a moment; with the fault above, a launch takes its own.
        self.emulator.order(Fault(kind="delay", delay=0.01))

    def connection(self) -> str:
        """Give the Airflow connection to it, as JSON."""
        fields = json.loads(self.emulator.connection_json())
        return json.dumps({**fields, "extra": {"timeout": self.day.timeout}})
