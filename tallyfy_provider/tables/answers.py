"""
The table of answers: what people wrote into forms, in the long form, so that a new field never changes the columns.

A field is a row, whether it was answered or not; a table field that was answered is a row for each cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallyfy_provider.client.forms.decode import selected, stored_values
from tallyfy_provider.client.forms.fields import CHOICES, FormField, is_empty, rows_of
from tallyfy_provider.tables.schema import Row, Table, columns
from tallyfy_provider.tables.tasks import tasks_of
from tallyfy_provider.tables.values import MISFIT, plain_text, read_decimal
from tallyfy_provider.utils.arguments import parse_json
from tallyfy_provider.utils.html import as_plain_text
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Types whose text may be a number.
_NUMERIC = frozenset({"text", "textarea", "radio", "dropdown", "number", "table"})
_STRUCTURED = frozenset({"dropdown", "multiselect", "table", "assignees_form", "file", "radio"})


Described = Mapping[str, Any]


def _rows(run: Mapping[str, Any]) -> Iterator[Row]:
    of_run: Row = {"run_id": run["id"], "checklist_id": run.get("checklist_id")}
    kickoff = stored_values(run.get("prerun")) if isinstance(run.get("prerun"), Mapping) else {}
    described = _kickoff_fields(run)
    yield from _of_form(described, kickoff, {**of_run, "form": "kickoff"}, f"{run['id']}:kickoff")
    for task in tasks_of(run):
        of_task = {**of_run, "form": "task", "task_id": task["id"], "step_id": task.get("step_id")}
        values = stored_values(task.get("taskdata")) if isinstance(task.get("taskdata"), Mapping) else {}
        yield from _of_form(rows_of(task.get("form_fields")), values, of_task, str(task["id"]))


def _kickoff_fields(run: Mapping[str, Any]) -> list[Described]:
    """Return the kick-off form's fields: of the run, else of its template, else the bare ids of the values."""
    if "ko_form_fields" in run:
        return rows_of(run["ko_form_fields"])
    checklist = run.get("checklist")
    template = checklist.get("data") if isinstance(checklist, Mapping) else None
    if isinstance(template, Mapping) and "prerun" in template:
        return rows_of(template["prerun"])
    prerun = run.get("prerun")
    return [{"id": field_id} for field_id in prerun] if isinstance(prerun, Mapping) else []


def _of_form(described: list[Described], values: Mapping[str, Any], place: Row, prefix: str) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for number, field in enumerate(described, 1):
        field_id, alias = field.get("id") or field.get("timeline_id"), field.get("alias")
        name = str(field_id or alias or number)
        seen[name] = seen.get(name, 0) + 1
        again = f"#{seen[name]}" if seen[name] > 1 else ""
        kind = str(field.get("field_type") or "").lower()
        yield from _of_field(
            field,
            kind,
            _value(field, kind, values.get(str(field_id))),
            {
                **place,
                "id": f"{prefix}:{name}{again}",
                "field_id": field_id,
                "field_alias": alias or None,
                "field_label": field.get("label") or None,
                "field_type": kind or None,
                "position": field.get("position") or number,
            },
        )


def _value(field: Described, kind: str, of_form: Any) -> Any:
    """Return a field's value, which stands beside it, or among the values of the form by its id."""
    beside = (field.get("field_value"), field.get("value"))
    found = next((value for value in beside if not is_empty(value)), of_form)
    if is_empty(found):
        return None
    return parse_json(found) if kind in _STRUCTURED else found


def _of_field(field: Described, kind: str, value: Any, row: Row) -> Iterator[Row]:
    if kind == "table" and isinstance(value, (list, Mapping)):
        yield from _cells(FormField.read(field), value, row)
        return
    if value is None:
        yield row
        return
    text = _text(kind, value)
    yield {
        **row,
        "value_text": text,
        "value_json": value,
        "value_number": _number(kind, text),
        "value_date": value if kind == "date" and parse_timestamp(value) is not None else None,
        "option_ids": _option_ids(FormField.read(field), value) if kind in CHOICES else None,
    }


def _cells(field: FormField, value: Any, row: Row) -> Iterator[Row]:
    for line, cells in enumerate(_lines(field, value), 1):
        for number, (column, cell) in enumerate(cells, 1):
            text = None if is_empty(cell) else as_plain_text(plain_text(cell))
            yield {
                **row,
                "id": f"{row['id']}:{line}:{number}",
                "table_row": line,
                "table_column": column,
                "value_text": text,
                "value_json": cell,
                "value_number": _number("table", text),
            }


def _lines(field: FormField, value: Any) -> list[list[tuple[str, Any]]]:
    """Return the lines of a table, each a list of column and cell; mostly there is one, in the columns' order."""
    labels = [column.label or column.id for column in field.columns]
    elements = list(value.values()) if isinstance(value, Mapping) and "data" not in value else _elements(value)
    if isinstance(value, Mapping) and set(map(str, value)) & set(labels):
        return [[(str(name), cell) for name, cell in value.items()]]
    if elements and all(isinstance(each, list) for each in elements):
        return [_labelled(labels, each) for each in elements]
    if elements and all(isinstance(each, Mapping) for each in elements):
        if all(len(each) == 1 for each in elements) and len(elements) == len(labels):
            return [[(str(name), cell) for each in elements for name, cell in each.items()]]
        return [[(str(name), cell) for name, cell in each.items()] for each in elements]
    return [_labelled(labels, elements)]


def _elements(value: Any) -> list[Any]:
    """Return the elements of a list, which may stand under ``data``."""
    return list(rows_of(value)) if isinstance(value, Mapping) else list(value)


def _labelled(labels: list[str], cells: list[Any]) -> list[tuple[str, Any]]:
    return [(labels[number] if number < len(labels) else str(number + 1), cell) for number, cell in enumerate(cells)]


def _text(kind: str, value: Any) -> str | None:
    if isinstance(value, str):
        return as_plain_text(value)
    if kind == "assignees_form" and isinstance(value, Mapping):
        return ", ".join(str(each) for people in value.values() if isinstance(people, list) for each in people)
    if isinstance(value, list):
        return ", ".join(filter(None, (_text(kind, each) for each in selected(value))))
    if isinstance(value, Mapping):
        named = (value.get(key) for key in ("text", "filename", "name", "label", "url", "id"))
        return next((str(each) for each in named if not is_empty(each)), plain_text(value))
    return plain_text(value)


def _number(kind: str, text: str | None) -> str | None:
    if text is None or kind not in _NUMERIC:
        return None
    found = read_decimal(text)
    return None if found is MISFIT else found


def _option_ids(field: FormField, value: Any) -> list[Any]:
    chosen = selected(value) if isinstance(value, list) else [value]
    by_text = {option.text: option.id for option in field.options}
    found = [each.get("id") if isinstance(each, Mapping) else by_text.get(str(each)) for each in chosen]
    return [each for each in found if each is not None]


ANSWERS = Table(
    name="answers",
    description=(
        "What people wrote into forms, a row for each field of each form, answered or not, and for each cell of a "
        "table that was answered."
    ),
    columns=columns(
        ("id", "text", "The form, the field and, in a table, the cell: one row each.", False),
        ("run_id", "text", "The run: `runs.id`.", False),
        ("checklist_id", "text", "The template: `checklists.id`."),
        ("form", "text", "`kickoff` or `task`.", False),
        ("task_id", "text", "The task whose form it is: `tasks.id`; null for the kick-off form."),
        ("step_id", "text", "The step of the template that the task comes from: `steps.id`."),
        ("field_id", "text", "The field's id, the same in all runs of a template."),
        ("field_alias", "text", "The field's machine-readable name."),
        ("field_label", "text", "The field's label, as people see it."),
        (
            "field_type",
            "text",
            "`text`, `textarea`, `radio`, `dropdown`, `multiselect`, `date`, `table` and others.",
        ),
        ("position", "integer", "The field's place in its form, from 1."),
        ("table_row", "integer", "The row within a table, from 1; null for other fields."),
        ("table_column", "text", "The label of the column within a table."),
        ("value_text", "text", "The answer as people read it: plain text, an option's text, several with commas."),
        ("value_json", "json", "The answer as Tallyfy gave it, as JSON; HTML is as given."),
        ("value_number", "decimal", "The answer in digits as given, where it is a decimal number such as `-12.50`."),
        ("value_date", "timestamp", "The answer to a date field."),
        ("option_ids", "list", "Ids of the options that were chosen."),
    ),
    rows=_rows,
    includes=("tasks", "tasks.form_fields", "ko_form_fields"),
)
