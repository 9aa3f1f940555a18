"""Facts about what ``with`` adds, in lists and to one run."""

from __future__ import annotations

from typing import Any

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.finding import Finding, cannot_tell, differs, found
from tallyfy_provider.check.reader import ApiReader, Row
from tallyfy_provider.check.shapes import type_of

INCLUDES = Subject("includes", "Endpoints")

_MISSING = "missing"


def _shape(value: Any) -> str:
    """Return whether an include is nested under ``data``, and its type there."""
    if isinstance(value, dict) and "data" in value:
        return "data"
    return type_of(value)


def _added(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _shape(row[name]) if name in row else _MISSING for name in names}


@INCLUDES.fact("with-on-lists", "with adds checklist, tasks, tags and folders in lists", "runs with those")
def with_on_lists(reader: ApiReader) -> Finding:
    rows = samples.needed(samples.newest(reader).rows, "a run that the user of the connection sees")
    added = _added(rows[0], ("checklist", "tasks", "tags", "folders"))
    quirks = {}
    if added["tasks"] == _MISSING:
        quirks = {"list_includes": "left out" if samples.accepted_includes(reader) else "refused"}
    return found(set(added.values()) == {"data"}, quirks=quirks, **added)


@INCLUDES.fact("with-nested", "tasks.form_fields and tasks.threads are added to each task in lists", "runs with those")
def with_nested(reader: ApiReader) -> Finding:
    tasks = [task for run in samples.newest(reader).rows for task in samples.rows_in(run, "tasks")]
    if not tasks:
        return cannot_tell("It needs a list of runs with tasks.")
    if samples.accepted_includes(reader) == samples.OUTER_INCLUDES:
        return differs("Tallyfy refuses them, and the list without them is given.", tasks=len(tasks))
    added = _added(tasks[0], ("form_fields", "threads"))
    quirks = {"list_includes": "without nested"} if set(added.values()) == {_MISSING} else {}
    return found(set(added.values()) == {"data"}, quirks=quirks, tasks=len(tasks), **added)


@INCLUDES.fact("with-on-a-run", "with adds everything that can be included to one run", "a run with all of it")
def with_on_a_run(reader: ApiReader) -> Finding:
    run = samples.run_alone(reader)
    if samples.refused_of_a_run(reader) == "with":
        return differs("Tallyfy refuses the request for all of it.")
    outer = _added(run, tuple(name for name in samples.RUN_INCLUDES if "." not in name))
    tasks = samples.rows_in(run, "tasks")
    nested = _added(tasks[0], ("form_fields", "threads")) if tasks else {}
    added = outer | {f"tasks.{name}": shape for name, shape in nested.items()}
    missing = [name for name, shape in added.items() if shape == _MISSING]
    bare = [name for name, shape in added.items() if shape not in ("data", _MISSING)]
    return found(not missing, missing=missing, bare=bare)


@INCLUDES.fact("run-form-values", "form_fields_values=true adds the values of a run's forms", "a run with it")
def run_form_values(reader: ApiReader) -> Finding:
    run = samples.run_alone(reader)
    if samples.refused_of_a_run(reader) == "form_fields_values":
        return differs("Tallyfy refuses the request for it.")
    if "form_fields_values" not in run:
        return differs(form_fields_values=_MISSING)
    return found(
        type_of(run["form_fields_values"]) in ("object", "[]", "list", "{}"),
        form_fields_values=type_of(run["form_fields_values"]),
    )
