"""
The table of answers: what people wrote into forms, in the long form, so that a new field never changes the columns.

A field is a row, whether it was answered or not; a table field that was answered is a row for each cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallyfy_provider.client.forms.decode import selected, stored_values
from tallyfy_provider.client.forms.fields import CHOICES, FormField, Option, is_empty, rows_of
from tallyfy_provider.tables.persons import PERSON_KINDS, elements_of, without_guest_ids
from tallyfy_provider.tables.schema import Row, Table, columns
from tallyfy_provider.tables.tasks import tasks_of
from tallyfy_provider.tables.values import MISFIT, plain_text, read_decimal, read_given
from tallyfy_provider.utils.arguments import parse_json
from tallyfy_provider.utils.html import as_plain_text
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Types whose text is no number, even where it has digits only.
_NOT_NUMERIC = frozenset({"date", "email", "file", "multiselect", "assignees_form"})
_STRUCTURED = frozenset({"dropdown", "multiselect", "table", "assignees_form", "file", "radio"})
#: Names of a field's id: the second one is that of the template.
_IDS = ("id", "timeline_id")
#: Names of what people read of an option, a file or a person, the best first.
_NAMES = ("text", "filename", "full_name", "name", "label", "email", "url", "full_url", "id")

Described = Mapping[str, Any]


def _rows(run: Mapping[str, Any]) -> Iterator[Row]:
    of_run: Row = {"run_id": run["id"], "checklist_id": run.get("checklist_id")}
    kickoff = _stored(run.get("prerun"))
    yield from _of_form(_kickoff_fields(run), kickoff, {**of_run, "form": "kickoff"}, f"{run['id']}:kickoff")
    for task in tasks_of(run):
        of_task = {**of_run, "form": "task", "task_id": task["id"], "step_id": task.get("step_id")}
        yield from _of_form(rows_of(task.get("form_fields")), _stored(task.get("taskdata")), of_task, str(task["id"]))


def _stored(values: Any) -> dict[str, Any]:
    """Return the values of a form by the ids of their fields; none where they are in no form that is known."""
    values = parse_json(values, read_given)
    if isinstance(values, list) and not all(isinstance(each, Mapping) for each in values):
        return {}
    return stored_values(values) if isinstance(values, (Mapping, list)) else {}


def _kickoff_fields(run: Mapping[str, Any]) -> list[Described]:
    """Return the kick-off form's fields: of the run, else of its template."""
    if run.get("ko_form_fields") is not None:
        return rows_of(run["ko_form_fields"])
    checklist = run.get("checklist")
    template = checklist.get("data") if isinstance(checklist, Mapping) else None
    return rows_of(template["prerun"]) if isinstance(template, Mapping) and "prerun" in template else []


def _of_form(described: list[Described], values: Mapping[str, Any], place: Row, prefix: str) -> Iterator[Row]:
    seen: dict[str, int] = {}
    # What was written into a field that the form does not have any more is an answer as well.
    unknown = set(values).difference(str(field.get(name)) for name in _IDS for field in described) if values else ()
    bare: list[Described] = [{"id": field_id} for field_id in values if field_id in unknown]
    for number, field in enumerate([*described, *bare], 1):
        field_id, alias = field.get("id") or field.get("timeline_id"), field.get("alias")
        name = str(field_id or alias or number)
        seen[name] = seen.get(name, 0) + 1
        again = f"#{seen[name]}" if seen[name] > 1 else ""
        kind = str(field.get("field_type") or "").lower()
        yield from _of_field(
            field,
            kind,
            _value(field, kind, values),
            {
                **_unknown_of(field),
                **place,
                "id": f"{prefix}:{name}{again}",
                "field_id": field_id,
                "field_alias": alias or None,
                "field_label": field.get("label") or None,
                "field_type": kind or None,
                "position": field.get("position") or number,
            },
        )


def _unknown_of(field: Described) -> Row:
    """Return what Tallyfy says of a field that is in no column, here or where templates are described."""
    known = ANSWERS.known
    return {} if known.issuperset(field) else {name: field[name] for name in field.keys() - known}


def _value(field: Described, kind: str, of_form: Mapping[str, Any]) -> Any:
    """Return a field's value, which stands beside it, or among the values of the form by its id; None for none."""
    found = next((field[name] for name in ("field_value", "value") if not is_empty(field.get(name))), None)
    if found is None and of_form:
        stored = (of_form.get(str(field.get(name))) for name in _IDS)
        found = next((value for value in stored if not is_empty(value)), None)
    if kind in _STRUCTURED:
        found = None if found == "null" else parse_json(found, read_given)
    return None if is_empty(found) else found


def _of_field(field: Described, kind: str, value: Any, row: Row) -> Iterator[Row]:
    if value is None:
        yield row
        return
    described = FormField.read(field) if kind in _STRUCTURED else FormField("", field_type=kind)
    if kind == "table" and isinstance(value, (list, Mapping)):
        cells = list(_cells(described, value, row))
        yield from cells or [row]
        return
    if kind == "assignees_form":
        value = without_guest_ids(value)
    text = _text(described, value)
    yield {
        **row,
        "value_text": text,
        "value_json": value,
        "value_number": _number(kind, text),
        "value_date": value if kind == "date" and parse_timestamp(value) is not None else None,
        "option_ids": _option_ids(described, value) if kind in CHOICES else None,
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
    of_ids = {column.id: column.label or column.id for column in field.columns if column.id}
    if isinstance(value, Mapping) and ("data" in value and "data" not in labels):
        value = value["data"]
    if isinstance(value, Mapping):
        if set(map(str, value)) & {*labels, *of_ids} and not any(isinstance(each, list) for each in value.values()):
            return [_named(of_ids, value)]
        value = list(value.values())
    elements = value if isinstance(value, list) else [value]
    if not any(isinstance(each, (list, Mapping)) for each in elements):
        return [_labelled(labels, elements)]
    if all(isinstance(each, Mapping) and len(each) == 1 for each in elements) and len(elements) == len(labels):
        cells = [cell for each in elements for cell in _named(of_ids, each)]
        if len(dict(cells)) == len(labels):
            return [cells]
    return [_line(labels, of_ids, each) for each in elements]


def _line(labels: list[str], of_ids: Mapping[str, str], element: Any) -> list[tuple[str, Any]]:
    if isinstance(element, Mapping):
        return _named(of_ids, element)
    if isinstance(element, list):
        return _labelled(labels, element)
    return [] if is_empty(element) else _labelled(labels, [element])


def _named(of_ids: Mapping[str, str], cells: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    """Return cells by the labels of their columns, which may be named by id."""
    return [(of_ids.get(str(name), str(name)), cell) for name, cell in cells.items()]


def _labelled(labels: list[str], cells: list[Any]) -> list[tuple[str, Any]]:
    return [(labels[number] if number < len(labels) else str(number + 1), cell) for number, cell in enumerate(cells)]


def _text(field: FormField, value: Any) -> str | None:
    """Return a value as people read it; None for no text, as that of a choice of which nothing is selected."""
    if type(value) is str and field.field_type not in CHOICES:
        return as_plain_text(value) or None
    chosen = _chosen(value) if field.field_type in CHOICES else [value]
    return ", ".join(filter(None, (_text_of_one(field, each) for each in chosen))) or None


def _text_of_one(field: FormField, value: Any) -> str:
    if field.field_type in CHOICES:
        option = _option(field, value) if not isinstance(value, Mapping) or is_empty(value.get("text")) else None
        value = option.text if option else value
    if isinstance(value, str):
        return as_plain_text(value) or ""
    if isinstance(value, Mapping) and field.field_type == "assignees_form" and set(value) & set(PERSON_KINDS):
        people = [elements_of(value.get(kind)) for kind in PERSON_KINDS]
        value = [each for kind in people if isinstance(kind, list) for each in kind]
    if isinstance(value, list):
        return ", ".join(filter(None, (_text_of_one(field, each) for each in value)))
    if isinstance(value, Mapping):
        named = [value.get(name) for name in _NAMES]
        found = next((name for name in named if not is_empty(name)), None)
        return plain_text(value if found is None else found)
    return "" if value is None else plain_text(value)


def _number(kind: str, text: str | None) -> str | None:
    if text is None or kind in _NOT_NUMERIC:
        return None
    found = read_decimal(text)
    return None if found is MISFIT else found


def _option_ids(field: FormField, value: Any) -> list[Any]:
    found = []
    for each in _chosen(value):
        given = each.get("id") if isinstance(each, Mapping) else None
        option = _option(field, each) if given is None else None
        found.append(option.id if option else given)
    return [each for each in found if each is not None]


def _chosen(value: Any) -> list[Any]:
    """Return the selected elements of a choice, which may be a list, an object with numbers as keys, or one."""
    if isinstance(value, Mapping) and value and all(isinstance(each, Mapping) for each in value.values()):
        value = list(value.values())
    elements = value if isinstance(value, list) else [value]
    return [each for each in selected(elements) if not (isinstance(each, Mapping) and _is_no_option(each))]


def _is_no_option(value: Mapping[str, Any]) -> bool:
    return all(is_empty(value.get(name)) for name in _NAMES)


def _option(field: FormField, value: Any) -> Option | None:
    """Return the option that is meant by its text, or by its id where no text is given."""
    by_text = value.get("text") if isinstance(value, Mapping) else value
    found = None if by_text is None else next((each for each in field.options if each.text == str(by_text)), None)
    if found is not None or (isinstance(value, Mapping) and not is_empty(by_text)):
        return found
    by_id = value.get("id") if isinstance(value, Mapping) else value
    return next((option for option in field.options if str(option.id) == str(by_id)), None)


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
    own_fields=frozenset(
        ("timeline_id", "alias", "label", "value", "field_value", "options", "columns", "required", "guidance")
    ),
)
