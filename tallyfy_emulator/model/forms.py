"""The fields of forms: of a template's kick-off and of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

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


def slug(text: str) -> str:
    """Build a machine-readable name."""
    return text.lower().replace(" ", "-")


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
        }


def form_json(fields: tuple[FormField, ...]) -> list[dict[str, Any]]:
    """Return a form as the API does."""
    return [field.to_json(position) for position, field in enumerate(fields, 1)]


def form_with_values(fields: tuple[FormField, ...], values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return a filled form as the API does."""
    return [row | {key: values.get(row["id"])} for row in form_json(fields)]
