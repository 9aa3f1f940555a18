"""Facts about checklists, and about the fields and values of forms."""

from __future__ import annotations

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.finding import Finding, cannot_tell, differs, found, own_answer
from tallyfy_provider.check.reader import ApiReader, Row
from tallyfy_provider.check.shapes import id_forms, keys_in, not_known, split_known, type_of, types_of
from tallyfy_provider.client.filtering import TYPES
from tallyfy_provider.client.forms.fields import CHOICES, TEXT_TYPES

FORMS = Subject("forms", "Form values")

FIELD_KEYS = ("id", "alias", "label", "field_type", "required")
FIELD_TYPES = frozenset({*TEXT_TYPES, *CHOICES, "file", "table", "assignees_form"})


@FORMS.fact("checklists", "Checklists are listed with id, title and type", "a page of checklists", section="Endpoints")
def checklists(reader: ApiReader) -> Finding:
    with own_answer(unless=samples.has_other_lists(reader)):
        page = samples.checklists(reader)
    rows = samples.needed(page.rows, "a checklist that the user of the connection sees")
    known, others = split_known((row.get("type") for row in rows), TYPES)
    keys = keys_in(rows, ("id", "title", "type"))
    note = not_known(others)
    return found(
        keys == ["id", "title", "type"] and not others, note, rows=len(rows), keys=keys, types=known, others=len(others)
    )


@FORMS.fact("checklist-form", "prerun of a checklist is a bare list", "a checklist with its steps", section="Endpoints")
def checklist_form(reader: ApiReader) -> Finding:
    samples.checklists(reader)
    with own_answer():
        prerun = samples.checklist_alone(reader).get("prerun")
    return found(type_of(prerun) in ("list", "[]"), prerun=type_of(prerun))


@FORMS.fact("checklist-steps", "with=steps adds steps under data, with id, title and captures", "the same")
def checklist_steps(reader: ApiReader) -> Finding:
    if samples.refuses_steps(reader):
        return differs("Tallyfy refuses with=steps.")
    checklist = samples.checklist_alone(reader)
    steps = samples.rows_in(checklist, "steps")
    nested = isinstance(checklist.get("steps"), dict) and "data" in checklist["steps"]
    if nested and not steps:
        return cannot_tell("It needs a checklist with steps.")
    keys = keys_in(steps, ("id", "title", "alias", "captures", "step_type"))
    return found(nested and {"id", "title", "captures"} <= set(keys), data=nested, rows=len(steps), keys=keys)


@FORMS.fact("field-keys", "A field has id, alias, label, field_type and required", "the fields of checklists")
def field_keys(reader: ApiReader) -> Finding:
    fields = _fields(reader)
    keys = keys_in(fields, FIELD_KEYS)
    required = types_of(field["required"] for field in fields if "required" in field)
    fits = keys == list(FIELD_KEYS) and set(required) <= {"boolean", "number"}
    return found(fits, fields=len(fields), keys=keys, required=required)


@FORMS.fact("field-ids", "Values are kept by the field's id, 32 hexadecimal digits", "the fields of checklists")
def field_ids(reader: ApiReader) -> Finding:
    ids = [field["id"] for field in _fields(reader) if field.get("id") is not None]
    forms = id_forms(samples.needed(ids, "fields with an id"))
    return found(set(forms) <= {"32 hexadecimal digits"}, ids=forms)


@FORMS.fact("field-types", "The types of fields are those that can be filled", "the fields of checklists")
def field_types(reader: ApiReader) -> Finding:
    known, others = split_known((field.get("field_type") for field in _fields(reader)), FIELD_TYPES)
    return found(not others, not_known(others), types=len(known), others=len(others))


@FORMS.fact("field-options", "Options are objects of id and text, the id a number", "fields with options")
def field_options(reader: ApiReader) -> Finding:
    fields = [field for field in _fields(reader) if str(field.get("field_type")) in CHOICES]
    listed = [option for field in fields for option in _each(field, "options")]
    options = [option for option in samples.needed(listed, "a field with options") if isinstance(option, dict)]
    keys = keys_in(options, ("id", "text"))
    ids = types_of(option.get("id") for option in options)
    fits = len(options) == len(listed) and keys == ["id", "text"] and ids == ["number"]
    return found(fits, options=len(listed), keys=keys, ids=ids)


@FORMS.fact("field-columns", "Columns of a table are objects of id and label", "fields that are tables")
def field_columns(reader: ApiReader) -> Finding:
    listed = [
        column for field in _fields(reader) if field.get("field_type") == "table" for column in _each(field, "columns")
    ]
    columns = [column for column in samples.needed(listed, "a table in a form") if isinstance(column, dict)]
    keys = keys_in(columns, ("id", "label"))
    return found(len(columns) == len(listed) and keys == ["id", "label"], columns=len(listed), keys=keys)


@FORMS.fact("value-key", "A field holds its value under field_value, or value", "the forms of runs and tasks")
def value_key(reader: ApiReader) -> Finding:
    fields = [*samples.rows_in(samples.run_alone(reader), "ko_form_fields"), *_task_fields(reader)]
    if not fields:
        return cannot_tell("It needs a run with a form.")
    keys = [key for key in ("field_value", "value") if any(key in field for field in fields)]
    quirks = {"form_value_key": keys[0]} if len(keys) == 1 else {}
    return found(bool(keys), fields=len(fields), keys=keys, quirks=quirks)


@FORMS.fact("kickoff-fields", "with=ko_form_fields gives a run's kick-off form", "a run by itself")
def kickoff_fields(reader: ApiReader) -> Finding:
    run = samples.run_alone(reader)
    if samples.refused_of_a_run(reader) == "with":
        return cannot_tell("It needs a run that is requested by itself with what can be included.")
    fields = samples.rows_in(run, "ko_form_fields")
    keys = keys_in(fields, FIELD_KEYS)
    if "ko_form_fields" in run and not fields:
        return cannot_tell("It needs a run with a kick-off form.")
    return found({"id", "field_type"} <= set(keys), fields=len(fields), keys=keys)


def _task_fields(reader: ApiReader) -> list[Row]:
    page = samples.optional(lambda: samples.tasks(reader))
    return [field for task in (page.rows if page else []) for field in samples.rows_in(task, "form_fields")]


def _fields(reader: ApiReader) -> list[Row]:
    rows = [*samples.checklists(reader).rows, samples.checklist_alone(reader)]
    of_steps = [field for step in samples.rows_in(rows[-1], "steps") for field in samples.rows_in(step, "captures")]
    kickoff = [field for row in rows for field in samples.rows_in(row, "prerun")]
    return samples.needed([*kickoff, *of_steps], "a checklist with a form")


def _each(field: Row, key: str) -> list[object]:
    value = field.get(key)
    value = value.get("data", list(value.values())) if isinstance(value, dict) else value
    return value if isinstance(value, list) else [value]
