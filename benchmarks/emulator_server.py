"""The other side of emulator_process.py: an emulator that is told what to hold, and then takes orders line by line."""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from digest import Digest

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
            "truth": lambda: truth(self.emulator),
            "includes": lambda includes: setattr(self.emulator, "quirks", quirks_with(includes)),
            "change": lambda count, shown: change(self.emulator, count, shown),
            "limit": lambda limit: setattr(self.emulator, "rate_limit", limit),
        }
        return orders[order.pop("order")](**order)


def quirks_with(includes: Any, *, feed_records: bool = True) -> Quirks:
    """Make an emulator whose lists do that with includes."""
    return Quirks(archived_run_status=404, list_includes=includes, feed_records=feed_records)


def change(emulator: Emulator, count: int, shown: int) -> list[str]:
    """
    Add runs of old that have changed just now: an answer and a comment each.

    :param count: How many.
    :param shown: How many of them the activity feed shows.
    :return: Their ids.
    """
    checklist_id, ids = emulator.checklists["Equipment"], []
    for number in range(count):
        emulator.quirks = quirks_with("given", feed_records=False)
        times = {"created_at": "2026-01-01T00:00:00Z", "last_updated": "2026-01-01T00:00:00Z"}
        run = emulator.add_run(f"Old {number}", checklist_id=checklist_id, tasks_done=0, **times)
        emulator.quirks = quirks_with("given", feed_records=number < shown)
        task_id = emulator.tasks(run["id"])[0]["id"]
        emulator.fill_task(task_id, {"Amount": "12.50"})
        emulator.add_comment(task_id, "Changed")
        ids.append(str(run["id"]))
    return ids


def truth(emulator: Emulator) -> dict[str, tuple[int, int]]:
    """Digest what the emulator itself holds, read from its own objects and not from its answers."""
    generated = emulator._organization.runs.generated
    digests = {name: Digest() for name in ("runs", "tasks", "answers", "comments", "assignees")}
    for number in range(generated.count):
        run = generated.with_tasks(generated.run(number))
        digests["runs"].add(run.id, run.name, run.status, run.checklist.id)
        forms = [(None, run.checklist.kickoff, run.prerun), *((t.id, t.form_fields, t.values) for t in run.tasks)]
        for task_id, fields, values in forms:
            for field in fields:
                digests["answers"].add(run.id, task_id, field.label, as_text(field.field_type, values.get(field.id)))
        for task in run.tasks:
            digests["tasks"].add(task.id, run.id, task.title, task.is_done)
            for thread in task.threads:
                digests["comments"].add(thread.id, run.id, task.id, thread.content)
            for kind, people in zip(("user", "guest", "group"), vars_of(task.owners), strict=True):
                for each in people:
                    digests["assignees"].add(task.id, kind, str(each))
    return {name: digest.result for name, digest in digests.items()}


def vars_of(owners: Any) -> tuple[Any, Any, Any]:
    """Give the users, guests and groups of a task."""
    return owners.users, owners.guests, owners.groups


def as_text(field_type: str, value: Any) -> str | None:
    """Give an answer as people read it."""
    if field_type == "multiselect":
        return ", ".join(option["text"] for option in value if option["selected"]) if value else None
    if field_type == "textarea" and value:
        plain = value.replace("</p><p>", "\n").replace("<br>", "\n").replace("&amp;", "&")
        return re.sub(r"</?[a-z]+>", "", plain)
    return value["text"] if isinstance(value, dict) else value


FIELDS: tuple[dict[str, Any], ...] = (
    {"label": "Amount", "field_type": "text"},
    {"label": "Reason", "field_type": "textarea"},
    {"label": "Due", "field_type": "date"},
    {"label": "Office", "field_type": "dropdown", "options": ["Lisbon", "London", "Oslo"]},
    {"label": "Needs", "field_type": "multiselect", "options": ["Desk", "Phone", "Bag"]},
)


def add_filled_runs(emulator: Emulator, count: int, steps: int, since: float | None) -> None:
    """Generate runs of one template whose forms have answers."""
    made = [{"title": f"Step {number}", "form_fields": FIELDS} for number in range(1, steps + 1)]
    checklist = emulator.add_checklist("Equipment", kickoff=FIELDS, steps=made)
    emulator.add_generated_runs(count, checklist_id=checklist["id"], first_created_at=since, filled=True)


def main() -> None:
    """Serve until the orders end."""
    wanted = json.loads(sys.argv[1])
    more: dict[str, Any] = {"archived_at": time.time()} if wanted["archived"] else {}
    if wanted["alike"]:
        more["shape"] = Shape()
    quirks = quirks_with(wanted["includes"])
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
            add_filled_runs(emulator, wanted["generated"], wanted["steps"], wanted["since"])
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
