"""The initial organization: a small company and about sixty runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from tallyfy_emulator.model.catalog import AutoCompletion, Catalog, Checklist, Named, Person, plain_steps
from tallyfy_emulator.model.forms import FormField
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.task_changes import commented
from tallyfy_emulator.model.wire import stable_id
from tallyfy_emulator.seed.templates import add_templates_with_forms
from tallyfy_emulator.store.organization import Organization

_HOUR = 3600.0
_DAY = 24 * _HOUR
_BYTE_ORDER_MARK = "\ufeff"

_PEOPLE = (
    Person(10201, "priya.raman@brightwater.example", "Priya", "Raman", "admin"),
    Person(10202, "jonas.weber@brightwater.example", "Jonas", "Weber"),
    Person(10203, "amara.okafor@brightwater.example", "Amara", "Okafor"),
    Person(10204, "luis.ortega@brightwater.example", "Luis", "Ortega"),
    Person(10205, "mei.tanaka@brightwater.example", "Mei", "Tanaka"),
    Person(10206, "sofia.rossi@brightwater.example", "Sofia", "Rossi", "light"),
)
_GUESTS = ("buyer@acme.example", "counsel@globex.example")
_GROUPS = ("Finance", "Legal", "Security", "Customer success")
_TAGS = ("urgent", "enterprise", "renewal", "quarter-end")
_FOLDERS = {"Finance": "311", "Customers": "312", "Vendors": "313", "People": "314"}


def _checklist(
    title: str,
    steps: tuple[str, ...],
    kickoff: tuple[str, ...] = (),
    form: bool = False,
    pace: float | None = None,
) -> Checklist:
    """Build a template; with a pace, a step of each launched run is completed every so many seconds."""
    fields = tuple(FormField(stable_id("field", title, label), label) for label in kickoff)
    checklist_id = stable_id("checklist", title)
    kind: Literal["procedure", "form"] = "form" if form else "procedure"
    made = plain_steps(checklist_id, steps)
    if pace is not None:
        made = tuple(
            replace(step, auto_completion=AutoCompletion(pace * number)) for number, step in enumerate(made, 1)
        )
    return Checklist(checklist_id, title, kind, made, fields)


_ONBOARDING = _checklist(
    "Customer onboarding",
    (
        "Kick-off call",
        "Collect requirements",
        "Set up workspace",
        "Train the team",
        "Go live",
        "First review",
    ),
    ("Customer", "Contract value"),
)
_CONTRACT = _checklist(
    "Contract review",
    ("Check parties", "Legal review", "Commercial review", "Sign"),
    ("Counterparty",),
)
_MONTH_END = _checklist(
    "Month-end close",
    ("Reconcile bank", "Accruals", "Intercompany", "Review variances", "Lock the period"),
    ("Period",),
)
_VENDOR = _checklist(
    "Vendor security review",
    ("Send questionnaire", "Assess answers", "Penetration report", "Decide"),
    ("Vendor", "Data shared"),
)
_EMPLOYEE = _checklist(
    "Employee onboarding",
    ("Contract", "Laptop", "Accounts", "First day", "30-day talk"),
    ("New colleague", "Start date"),
    pace=3.0,
)
_EXPENSE = _checklist("Expense request", ("Approve", "Pay"), ("Reason", "Amount"), form=True)

# The folder and the group of the runs of each template; empty = none.
_PLACES = {
    _ONBOARDING.id: ("Customers", "Customer success"),
    _CONTRACT.id: ("Customers", "Legal"),
    _MONTH_END.id: ("Finance", "Finance"),
    _VENDOR.id: ("Vendors", "Security"),
    _EMPLOYEE.id: ("People", ""),
    _EXPENSE.id: ("", "Finance"),
}

# The name after the dash, and the status, of the runs of each template. The running Contract reviews and Month-end
# close are not here but below, among those that complete: a wait for all of them must end.
_RUNS: dict[str, dict[str, str]] = {
    _ONBOARDING.id: {
        "Acme Corp": "active",
        "Blue Harbor Foods": "active",
        "Cedar & Pine": "delayed",
        "Delta Freight": "active",
        "Evergreen Clinics": "problem",
        "Fjord Energy": "complete",
        "Granite Bank": "active",
        "Helix Labs": "complete",
        "Ibis Travel": "delayed",
        "Juniper Schools": "active",
        "Kestrel Air": "complete",
        "Lumen Optics": "issue",
        "Meridian Hotels": "active",
        "Nimbus Software": "complete",
    },
    _CONTRACT.id: {
        "Oakridge lease": "complete",
        "Pinnacle reseller agreement": "complete",
        "Quartz data processing addendum": "delayed",
        "Riverside framework contract": "problem",
        "Summit licence renewal": "complete",
        "Tidal joint venture": "issue",
        "Umbra NDA": "complete",
    },
    _MONTH_END.id: {
        "May 2026": "complete",
        "June 2026": "complete",
        "July 2026": "complete",
        "August 2026": "complete",
        "September 2026": "complete",
    },
    _VENDOR.id: {
        "Atlas Hosting": "active",
        "Beacon Payroll": "delayed",
        "Cobalt Analytics": "problem",
        "Dune Couriers": "active",
        "Ember Print": "complete",
        "Falcon Telecom": "active",
        "Glacier Backup": "delayed",
        "Harvest Catering": "complete",
    },
    _EMPLOYEE.id: {
        "Ana Silva": "active",
        "Ben Carter": "active",
        "Chloe Martin": "delayed",
        "Daniel Novak": "complete",
        "Elif Demir": "active",
        "Finn Larsen": "problem",
        "Grace Mbeki": "complete",
        "Hugo Bernard": "active",
    },
    _EXPENSE.id: {
        "Conference in Lisbon": "active",
        "New monitors": "complete",
        "Team dinner": "active",
        "Train tickets": "delayed",
        "Trade fair stand": "active",
        "Software licences": "complete",
    },
}


# Template, name after the dash, and after how many seconds the run gets which status.
_CHANGING_RUNS: tuple[tuple[Checklist, str, tuple[tuple[float, str], ...]], ...] = (
    (_CONTRACT, "Globex master services agreement", ((5.0, "complete"),)),
    (_CONTRACT, "Initech NDA", ((10.0, "complete"),)),
    (_CONTRACT, "Northwind supply contract", ((15.0, "complete"),)),
    (_MONTH_END, "October 2026", ((20.0, "complete"),)),
    (_VENDOR, "Yarrow Robotics", ((25.0, "problem"), (60.0, "active"))),
    (_ONBOARDING, "Zephyr Sports", ((30.0, "delayed"), (90.0, "complete"))),
    (_EMPLOYEE, "Ingrid Holm", ((45.0, "complete"),)),
)


def catalog() -> Catalog:
    """Return the organization without its runs."""
    checklists = (_ONBOARDING, _CONTRACT, _MONTH_END, _VENDOR, _EMPLOYEE, _EXPENSE)
    found = Catalog(
        organization_id=stable_id("organization"),
        organization_name="Brightwater Trading",
        people=_PEOPLE,
        checklists={each.id: each for each in checklists},
        groups=_named("group", _GROUPS),
        tags=_named("tag", _TAGS),
        folders={number: Named(number, name) for name, number in _FOLDERS.items()},
        guests=_GUESTS,
    )
    add_templates_with_forms(found)
    return found


def seed_runs(organization: Organization) -> None:
    """Add the initial runs to an organization, and schedule changes of some of them."""
    for number, fields in enumerate(_initial_runs(organization)):
        organization.add_varied_run({**_varied_fields(organization, number), **fields}, since=0.0)
    _add_archived_runs(organization)
    _add_changing_runs(organization)
    organization.activities.number_by_time()


def _initial_runs(organization: Organization) -> Iterator[dict[str, Any]]:
    now = organization.clock.now()
    age = 0
    for checklist_id, runs in _RUNS.items():
        for label, status in runs.items():
            age += 1
            created = now - age * 1.3 * _DAY
            fields = _fields(organization, organization.catalog.checklists[checklist_id], label)
            yield fields | {"status": status, "created_at": created} | _times(status, created, now)


def _times(status: str, created: float, now: float) -> dict[str, Any]:
    if status == "complete":
        return {
            "completed_at": created + 0.6 * (now - created),
            "last_updated": created + 0.6 * (now - created),
        }
    due = now - _DAY if status == "delayed" else now + 9 * _DAY
    return {"due_date": due, "last_updated": created + 0.8 * (now - created)}


def _fields(organization: Organization, checklist: Checklist, label: str) -> dict[str, Any]:
    folder, group = _PLACES[checklist.id]
    groups = {each.name: each.id for each in organization.catalog.groups.values()}
    return {
        "checklist_id": checklist.id,
        "name": checklist.run_name(label),
        "folders": [_FOLDERS[folder]] if folder else [],
        "groups": [groups[group]] if group else [],
        "prerun": {checklist.kickoff[0].id: label} if checklist.kickoff else {},
    }


def _varied_fields(organization: Organization, number: int) -> dict[str, Any]:
    """Build varied owners, tags and the like, so that every filter matches some runs and not others."""
    tags = list(organization.catalog.tags)
    owner = _PEOPLE[number % len(_PEOPLE)].id
    helper = _PEOPLE[(number * 5 + 2) % len(_PEOPLE)].id
    return {
        "owner_id": owner,
        "assignees": [owner, helper],
        "users": [owner],
        "tags": [] if number % 3 == 0 else [tags[number % len(tags)]],
        "starred": number % 7 == 0,
        "improvement": number % 11 == 0,
        "is_public": number % 9 == 0,
        "summary": f"<p>Run number {number + 1} of <b>Brightwater Trading</b>.</p>" if number % 2 else "",
    }


def _add_archived_runs(organization: Organization) -> None:
    now = organization.clock.now()
    cancelled = _fields(organization, _CONTRACT, "Vertex merger (called off)")
    organization.add_varied_run(
        cancelled | {"status": "active", "created_at": now - 50 * _DAY, "archived_at": now - 40 * _DAY},
        since=0.0,
    )
    finished = _fields(organization, _ONBOARDING, "Willow Bakery")
    times = {"created_at": now - 400 * _DAY, "completed_at": now - 380 * _DAY, "archived_at": now - 16 * _DAY}
    organization.add_varied_run(finished | {"status": "complete"} | times, since=0.0)
    delayed = _fields(organization, _VENDOR, "Xenon Cleaning")
    organization.add_varied_run(
        delayed | {"status": "delayed", "created_at": now - 90 * _DAY, "archived_at": now - 20 * _DAY},
        since=0.0,
    )


def _add_changing_runs(organization: Organization) -> None:
    """Add the runs that change by themselves soon after the start, for those who try out waiting."""
    for checklist, label, changes in _CHANGING_RUNS:
        now = organization.clock.now()
        fields = _fields(organization, checklist, label) | {"created_at": now - 2 * _HOUR, "due_date": now + _DAY}
        run = organization.add_varied_run(fields, since=0.0)
        for seconds, status in changes:
            organization.runs.schedule(run.id, seconds, {"status": status})
    auto_named = _fields(organization, _EXPENSE, "Taxi to the airport")
    auto_named["name"] = _BYTE_ORDER_MARK + auto_named["name"]  # as the names that Tallyfy makes itself can begin
    taxi = organization.add_varied_run(auto_named | {"created_at": organization.clock.now() - _HOUR}, since=0.0)
    _discuss(organization, taxi)


def _discuss(organization: Organization, run: Run) -> None:
    """Add comments of two people to the first task of a run."""
    for minutes, person, content in ((40, _PEOPLE[1], "The receipt is missing."), (20, _PEOPLE[2], "It is attached.")):
        organization.runs.update(
            run.id, partial(_with_comment, seconds_ago=60.0 * minutes, content=content, by=person.id)
        )


def _with_comment(run: Run, now: float, *, seconds_ago: float, content: str, by: int) -> Run:
    return commented(run, run.tasks[0].id, now - seconds_ago, "comment", content, by, "open")


def _named(kind: str, names: tuple[str, ...]) -> dict[str, Named]:
    found = (Named(stable_id(kind, name), name) for name in names)
    return {each.id: each for each in found}
