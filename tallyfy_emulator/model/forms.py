"""
Form fields of kick-offs and steps, and the values that they accept.

The shapes of values are those of docs/tallyfy-api.md, "Form values". A key that is not the id of a field is dropped
silently, as Tallyfy does, and so is a list in place of the form. Texts and e-mail addresses are stored unchecked by
type.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from tallyfy_emulator.model.wire import ValidationError, parse_date, slug

# Bytes of UTF-8, not characters.
TEXT_LIMIT = 200
TEXTAREA_LIMIT = 30_000
_FILE_KEYS = ("id", "url", "full_url")
_CLEARED_BY_EMPTY_TEXT = frozenset({"text", "textarea", "date", "email", "radio", "dropdown", "multiselect"})

FieldType = Literal[
    "text",
    "textarea",
    "date",
    "email",
    "radio",
    "dropdown",
    "multiselect",
    "table",
    "assignees_form",
    "file",
]
FIELD_TYPES: frozenset[str] = frozenset(get_args(FieldType))


@dataclass(frozen=True)
class FormField:
    """A field of a form. Its id is what a run's ``prerun``, or a task's ``taskdata``, is keyed by."""

    id: str
    label: str
    field_type: FieldType = "text"
    required: bool = False
    options: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    own_alias: str = ""
    guidance: str = ""

    @property
    def alias(self) -> str:
        """The field's machine-readable name, made of its label unless it was given one."""
        return self.own_alias or f"{slug(self.label)}-{self.id[:4]}"

    def option(self, text: str) -> dict[str, Any] | None:
        """Find an option."""
        return next((each for each in self.option_rows() if each["text"] == text), None)

    def option_rows(self) -> list[dict[str, Any]]:
        """Return the options as the API does, numbered from 1."""
        return [{"id": number, "text": text} for number, text in enumerate(self.options, 1)]

    def to_json(self, position: int = 1) -> dict[str, Any]:
        """Return the field as ``GET /checklists/{id}`` does."""
        return {
            "id": self.id,
            "alias": self.alias,
            "label": self.label,
            "field_type": self.field_type,
            "required": self.required,
            "options": self.option_rows(),
            "columns": [{"id": number, "label": label} for number, label in enumerate(self.columns, 1)],
            "guidance": self.guidance,
            "position": position,
            "default_value_enabled": False,
            "default_value": None,
            "use_wysiwyg_editor": False,
            "collect_time": False,
            "field_validation": [],
        }


def form_json(fields: tuple[FormField, ...]) -> list[dict[str, Any]]:
    """Return a form as the API does."""
    return [field.to_json(position) for position, field in enumerate(fields, 1)]


def form_with_values(fields: tuple[FormField, ...], values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a filled form as the API does."""
    return [row | {key: values.get(row["id"])} for row in form_json(fields)]


def parse_values(name: str, fields: Collection[FormField], sent: object, members: Collection[int]) -> dict[str, Any]:
    """Parse the values that were sent for a form."""
    if name == "prerun" and isinstance(sent, list):  # PHP takes it for an object whose keys are numbers
        return {}
    if not isinstance(sent, dict):
        raise ValidationError.of(name, f"The {name} must be an object.")
    known = {field.id: field for field in fields}
    values = {key: value for key, value in sent.items() if key in known}
    problems = {key: _value_error(known[key], value, members) for key, value in values.items()}
    errors = {key: [f"{known[key].label} {problem}"] for key, problem in problems.items() if problem}
    if errors:
        raise ValidationError({name: errors})
    return values


def check_required(name: str, fields: Collection[FormField], values: Mapping[str, Any]) -> None:
    """Check that the required fields of a form are filled."""
    missing = [field for field in fields if field.required and not is_filled(field, values.get(field.id))]
    if missing:
        raise ValidationError({name: {field.id: [f"{field.label} is required"] for field in missing}})


def is_filled(field: FormField, value: Any) -> bool:
    """Return whether a field counts as filled: a multiselect shows only what is ``selected``."""
    if field.field_type == "multiselect":
        return any(each.get("selected") for each in value or [])
    if field.field_type == "assignees_form":
        return any((value or {}).values())
    return value not in (None, "", [], {})


def rendered_values(fields: Collection[FormField], values: Mapping[str, Any]) -> dict[str, Any]:
    """Render values as Tallyfy may return them: dates in full, long texts as HTML, multiselects with all options."""
    known = {field.id: field for field in fields}
    return {key: _rendered(known[key], value) if value else value for key, value in values.items()}


def from_labels(fields: Collection[FormField], given: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values by alias, label or id into the API's shapes, by field id."""
    values = {}
    for name, value in given.items():
        field = find_field(fields, name)
        values[field.id] = _api_value(field, value)
    return values


def find_field(fields: Collection[FormField], name: str) -> FormField:
    """Find a field by id, alias or label."""
    for attribute in ("id", "alias", "label"):
        found = [field for field in fields if getattr(field, attribute) == name]
        if len(found) > 1:
            raise ValueError(f"{name!r} is the {attribute} of {len(found)} fields. Give the field's id.")
        if found:
            return found[0]
    labels = ", ".join(repr(field.label) for field in fields) or "no fields"
    raise ValueError(f"The form has no field {name!r}. It has: {labels}.")


def _api_value(field: FormField, value: Any) -> Any:
    if field.field_type == "dropdown" and isinstance(value, str):
        return _option(field, value)
    if field.field_type == "multiselect" and isinstance(value, list):
        return [{**_option(field, each), "selected": True} if isinstance(each, str) else each for each in value]
    return value


def _option(field: FormField, text: str) -> dict[str, Any]:
    option = field.option(text)
    if option is None:
        raise ValueError(f"{field.label!r} has no option {text!r}. It has: {', '.join(map(repr, field.options))}.")
    return option


def _value_error(field: FormField, value: object, members: Collection[int]) -> str:
    """Return what is wrong with a value, as the end of a sentence; empty if nothing is."""
    if value is None or (value == "" and field.field_type in _CLEARED_BY_EMPTY_TEXT):
        return ""
    return _CHECKS[field.field_type](field, value, members)


def _text(field: FormField, value: object, members: Collection[int]) -> str:
    if not isinstance(value, str):
        return "must be a string." if isinstance(value, list | dict) else ""
    limit = TEXT_LIMIT if field.field_type == "text" else TEXTAREA_LIMIT
    return "" if len(value.encode()) <= limit else f"may not be greater than {limit} characters."


def _date(field: FormField, value: object, members: Collection[int]) -> str:
    return "" if isinstance(value, str) and _optional_date(value) is not None else "is not a valid date."


def _email(field: FormField, value: object, members: Collection[int]) -> str:
    return "" if isinstance(value, str) else "must be a valid email address."


def _radio(field: FormField, value: object, members: Collection[int]) -> str:
    return "" if isinstance(value, str) and value in field.options else "has an invalid option."


def _dropdown(field: FormField, value: object, members: Collection[int]) -> str:
    return "" if _is_option(field, value) else "has an invalid option."


def _multiselect(field: FormField, value: object, members: Collection[int]) -> str:
    if not isinstance(value, list):
        return "must be an array."
    return "" if all(_is_option(field, each) for each in value) else "has an invalid option."


def _is_option(field: FormField, value: object) -> bool:
    if not isinstance(value, dict) or isinstance(value.get("id"), bool):
        return False
    return {"id": value.get("id"), "text": value.get("text")} in field.option_rows()


def _table(field: FormField, value: object, members: Collection[int]) -> str:
    if not isinstance(value, list):
        return "must be an array."
    return "" if len(value) == len(field.columns) else f"must contain {len(field.columns)} items."


def _assignees(field: FormField, value: object, members: Collection[int]) -> str:
    if not isinstance(value, dict) or not all(isinstance(each, list) for each in value.values()):
        return "must be an object of users, guests and groups."
    users, guests = value.get("users", []), value.get("guests", [])
    if any(isinstance(each, bool) or not isinstance(each, int) or each not in members for each in users):
        return "has an invalid user."
    return "" if all(isinstance(each, str) and "@" in each for each in guests) else "has an invalid guest."


def _files(field: FormField, value: object, members: Collection[int]) -> str:
    if not isinstance(value, list):
        return "must be an array."
    are_files = all(isinstance(each, dict) and any(map(each.get, _FILE_KEYS)) for each in value)
    return "" if are_files else "must be an array of files."


def _optional_date(text: str) -> float | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _rendered(field: FormField, value: Any) -> Any:
    if field.field_type == "textarea" and isinstance(value, str):
        return value if value.startswith("<") else f"<p>{html.escape(value, quote=False)}</p>"
    if field.field_type == "date":
        return datetime.fromtimestamp(parse_date(value), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    if field.field_type == "multiselect":
        chosen = {each["id"] for each in value if each.get("selected")}
        return [option | {"selected": option["id"] in chosen} for option in field.option_rows()]
    return value


_CHECKS: dict[str, Callable[[FormField, object, Collection[int]], str]] = {
    "text": _text,
    "textarea": _text,
    "date": _date,
    "email": _email,
    "radio": _radio,
    "dropdown": _dropdown,
    "multiselect": _multiselect,
    "table": _table,
    "assignees_form": _assignees,
    "file": _files,
}
