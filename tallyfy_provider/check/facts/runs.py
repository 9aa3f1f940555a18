"""Facts about what a run looks like."""

from __future__ import annotations

from typing import Any

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.finding import Finding, cannot_tell, differs, found, holds, own_answer
from tallyfy_provider.check.reader import ApiReader
from tallyfy_provider.check.shapes import READ_DATES, date_forms, id_forms, not_known, split_known, type_of, types_of
from tallyfy_provider.client.filtering import TYPES
from tallyfy_provider.client.runs.filters import RUN_STATUSES
from tallyfy_provider.utils.timestamps import is_date, parse_timestamp

RUNS = Subject("runs", "Run object")

#: Words for the status of a run that are understood.
STATUSES = frozenset({*RUN_STATUSES, "archived", "in-progress", "completed"})
_TIMES = ("created_at", "last_updated", "completed_at", "archived_at", "due_date", "started_at")


@RUNS.fact("run-ids", "Ids of runs, checklists and organizations are 32 hexadecimal digits", "pages of runs")
def run_ids(reader: ApiReader) -> Finding:
    rows = samples.sample(reader)
    forms = id_forms(value for row in rows for value in (row["id"], row.get("checklist_id")) if value is not None)
    return found(forms == ["32 hexadecimal digits"], ids=forms)


@RUNS.fact("owner-ids", "owner_id is a number, or the same as text", "pages of runs")
def owner_ids(reader: ApiReader) -> Finding:
    forms = id_forms(row.get("owner_id") for row in samples.sample(reader))
    return found(set(forms) <= {"number", "digits", "null"}, ids=forms)


@RUNS.fact("run-statuses", "The statuses of runs are those that are documented", "pages of runs", section="Run status")
def run_statuses(reader: ApiReader) -> Finding:
    known, others = split_known((row.get("status") for row in samples.sample(reader)), STATUSES)
    note = not_known(others)
    return found(bool(known) and not others, note, statuses=known, others=len(others))


@RUNS.fact("run-types", "The types of runs are procedure, form and document", "pages of runs", section="Filters")
def run_types(reader: ApiReader) -> Finding:
    known, others = split_known((row.get("type") for row in samples.sample(reader)), TYPES)
    return found(bool(known) and not others, not_known(others), types=known, others=len(others))


@RUNS.fact(
    "complete-runs", "A complete run has completed_at, and no other one has", "pages of runs", section="Run status"
)
def complete_runs(reader: ApiReader) -> Finding:
    rows = [row for row in samples.sample(reader) if not row.get("archived_at")]
    complete = [row for row in rows if row.get("status") in ("complete", "completed")]
    if not complete:
        return cannot_tell("It needs a complete run.")
    without = sum(not row.get("completed_at") for row in complete)
    others = sum(is_date(row.get("completed_at")) for row in rows if row not in complete)
    return found(without == 0 and others == 0, complete=len(complete), without_date=without, others_with_date=others)


@RUNS.fact("run-dates", "Times are ISO 8601 with Z, or like 2026-10-31 09:00:00", "pages of runs")
def run_dates(reader: ApiReader) -> Finding:
    values = [row.get(name) for row in samples.sample(reader) for name in _TIMES]
    forms = date_forms(values)
    unread = sum(parse_timestamp(value) is None for value in values if value not in (None, ""))
    return found(unread == 0 and set(forms) <= READ_DATES, dates=forms, unread=unread)


@RUNS.fact("created-at", "Each run in a list has a created_at", "pages of runs")
def created_at(reader: ApiReader) -> Finding:
    rows = samples.sample(reader)
    without = sum(not row.get("created_at") for row in rows)
    return found(without == 0, rows=len(rows), without_date=without)


@RUNS.fact("last-updated", "last_updated tells when a run was changed", "pages of runs")
def last_updated(reader: ApiReader) -> Finding:
    rows = samples.sample(reader)
    without = sum(not row.get("last_updated") for row in rows)
    return found(without == 0, rows=len(rows), without_date=without)


@RUNS.fact("progress", "progress in lists is an object of complete, total and percent, or []", "pages of runs")
def progress(reader: ApiReader) -> Finding:
    values = [row["progress"] for row in samples.sample(reader) if "progress" in row]
    types = types_of(values)
    parts = ("complete", "total", "percent")
    whole = all(
        type_of(value.get(part)) == "number" for value in values if isinstance(value, dict) and value for part in parts
    )
    fits = bool(types) and set(types) <= {"object", "{}", "[]", "null"} and whole
    return found(fits, progress=types, whole=whole, quirks={"numbers_for_objects": "number" in types})


@RUNS.fact("kickoff-values", "prerun of a run is an object by field id; an empty one is []", "pages of runs")
def kickoff_values(reader: ApiReader) -> Finding:
    values = [row.get("prerun") for row in samples.sample(reader)]
    types = types_of(values)
    forms = id_forms(key for value in values if isinstance(value, dict) for key in value)
    is_known = set(types) <= {"object", "{}", "[]", "null"}
    return found(is_known and set(forms) <= {"32 hexadecimal digits"}, prerun=types, ids=forms)


@RUNS.fact("objects-as-lists", "An empty object may come as []", "pages of runs", section="Endpoints")
def empty_objects(reader: ApiReader) -> Finding:
    names = ("prerun", "custom_fields", "progress")
    types: dict[str, Any] = {
        name: types_of(row[name] for row in samples.sample(reader) if name in row) for name in names
    }
    # The others have a fact of their own.
    return found(set(types["custom_fields"]) <= {"object", "{}", "[]", "null"}, **types)


@RUNS.fact(
    "summary", "The rows of a list have the summary, which marks a launch", "pages of runs", section="Launching once"
)
def summary(reader: ApiReader) -> Finding:
    rows = samples.sample(reader)
    types = types_of(row.get("summary") for row in rows)
    missing = sum("summary" not in row for row in rows)
    note = "A run without one is requested by itself." if missing else ""
    return found(set(types) <= {"text", '""', "null"} and not missing, note, summary=types, missing=missing)


@RUNS.fact("run-users", "users and groups of a run are lists of ids, or of objects with an id", "a run by itself")
def run_users(reader: ApiReader) -> Finding:
    run = samples.run_alone(reader)
    if "users" not in run or "groups" not in run:
        return differs(users=type_of(run.get("users")), groups=type_of(run.get("groups")))
    elements = [*_elements(run["users"]), *_elements(run["groups"])]
    are_lists = all(isinstance(run[kind], (list, dict)) for kind in ("users", "groups"))
    are_ids = all(isinstance(each, (int, str)) or (isinstance(each, dict) and "id" in each) for each in elements)
    return found(
        are_lists and are_ids, users=type_of(run["users"]), groups=type_of(run["groups"]), ids=types_of(elements)
    )


def _elements(value: object) -> list[object]:
    data = value.get("data", list(value.values())) if isinstance(value, dict) else value
    return data if isinstance(data, list) else [data]


@RUNS.fact(
    "replica-lag", "A list may be behind the run itself", "a run in a list and by itself", section="Launching once"
)
def replica_lag(reader: ApiReader) -> Finding:
    listed, alone = samples.one_run(reader), samples.run_alone(reader)
    times = [parse_timestamp(row.get("last_updated")) for row in (listed, alone)]
    if times[0] is None or times[1] is None:
        return cannot_tell("It needs last_updated of a run.")
    # The list was read first, so that it is behind either way if the run was changed in between.
    return holds(behind=times[1] > times[0], seconds=round(max(0.0, times[1] - times[0])))


@RUNS.fact("same-run", "A run by itself says the same as its row in a list", "a run in a list and by itself")
def same_run(reader: ApiReader) -> Finding:
    listed = samples.one_run(reader)
    with own_answer():
        alone = samples.run_alone(reader)
    names = ("id", "checklist_id", "created_at", "owner_id")
    other = [name for name in names if str(listed.get(name)) != str(alone.get(name))]
    return found(not other, same=len(names) - len(other), others=other)
