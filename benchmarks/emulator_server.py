"""The other side of emulator_process.py: an emulator that is told what to hold, and then takes orders line by line."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from tallyfy_emulator import Emulator, Fault, Quirks, RequestRecord
from tallyfy_emulator.model.run import Shape


class Server:
    """
    An emulator that remembers when it was asked, and changes while it is.

    :param emulator: The emulator.
    :param completing: How many of its active runs complete at the end of each request, at random.
    :param reopening: How many of those that have completed are reopened then.
    :param launching: How many are launched then.
    """

    def __init__(self, emulator: Emulator, completing: int, reopening: int = 0, launching: int = 0) -> None:
        self.emulator = emulator
        self.completing = completing
        self.reopening = reopening
        self.launching = launching
        self.asked: list[tuple[float, float, int | None]] = []
        self.completed: list[str] = []
        self.gone: list[str] = []
        self.active: list[str] = []
        self.random = random.Random(20)
        emulator.listen(self.note)

    def note(self, request: RequestRecord) -> None:
        """Remember a request that is over."""
        self.asked.append((request.at, time.time(), request.status))
        for _ in range(min(self.reopening, len(self.gone))):
            self.active.append(self.gone.pop(self.random.randrange(len(self.gone))))
            self.emulator.reopen_run(self.active[-1])
        for _ in range(min(self.completing, len(self.active))):
            self.completed.append(self.active.pop(self.random.randrange(len(self.active))))
            self.gone.append(self.completed[-1])
            self.emulator.complete_run(self.completed[-1])
        if self.launching:
            self.emulator.add_runs(self.launching, shape=Shape())

    def complete_some(self, count: int) -> None:
        """Let some runs be completed when the list is read first."""
        for run_id in self.random.sample(self.active, count):
            self.active.remove(run_id)
            self.gone.append(run_id)
            self.completed.append(run_id)
            self.emulator.complete_run(run_id)

    def take(self, order: dict[str, Any]) -> Any:
        """Carry out an order."""
        orders: dict[str, Callable[..., Any]] = {
            "requests": lambda: self.asked,
            "forget": self.asked.clear,
            "completed": lambda: self.completed,
            "limit": lambda limit: setattr(self.emulator, "rate_limit", limit),
        }
        return orders[order.pop("order")](**order)


FIELDS: tuple[dict[str, Any], ...] = (
    {"label": "Amount", "field_type": "text"},
    {"label": "Reason", "field_type": "textarea"},
    {"label": "Due", "field_type": "date"},
    {"label": "Office", "field_type": "dropdown", "options": ["Lisbon", "London", "Oslo"]},
    {"label": "Needs", "field_type": "multiselect", "options": ["Desk", "Phone", "Bag"]},
)


def add_filled_runs(emulator: Emulator, count: int, steps: int) -> None:
    """Generate runs of one template whose forms have answers."""
    made = [{"title": f"Step {number}", "form_fields": FIELDS} for number in range(1, steps + 1)]
    checklist = emulator.add_checklist("Equipment", kickoff=FIELDS, steps=made)
    emulator.add_generated_runs(count, checklist_id=checklist["id"], filled=True)


def main() -> None:
    """Serve until the orders end."""
    wanted = json.loads(sys.argv[1])
    more: dict[str, Any] = {"archived_at": time.time()} if wanted["archived"] else {}
    if wanted["alike"]:
        more["shape"] = Shape()
    quirks = Quirks(archived_run_status=404, list_includes=wanted["includes"])
    with Emulator(seed=False, quirks=quirks) as emulator:
        if wanted["delay"]:
            emulator.order(Fault(kind="delay", delay=wanted["delay"]))
        server = Server(emulator, wanted["completing"], wanted["reopening"], wanted["launching"])
        ids = [
            each for status, count in wanted["runs"].items() for each in emulator.add_runs(count, status=status, **more)
        ]
        server.active = list(ids)
        if wanted["reopening"]:
            server.complete_some(len(ids) // 10)
        if wanted["generated"] and wanted["steps"]:
            add_filled_runs(emulator, wanted["generated"], wanted["steps"])
        elif wanted["generated"]:
            emulator.add_generated_runs(wanted["generated"])
        known = {
            "connection": emulator.connection_json(),
            "base_url": emulator.base_url,
            "token": emulator.token,
            "organization_id": emulator.organization_id,
            "ids": ids,
        }
        print(json.dumps(known), flush=True)
        for line in sys.stdin:
            print(json.dumps(server.take(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
