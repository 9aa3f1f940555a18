"""A kick-off form with a field of every type, as Tallyfy describes it."""

from __future__ import annotations

from typing import Any

from tallyfy_provider.client.forms.fields import FormField, read_fields


def described(field_id: str, label: str, field_type: str, **more: Any) -> dict[str, Any]:
    return {"id": field_id, "alias": f"{field_id}-alias", "label": label, "field_type": field_type, **more}


def options(*texts: str) -> list[dict[str, Any]]:
    return [{"id": number, "text": text, "value": None} for number, text in enumerate(texts, 1)]


PRERUN: list[dict[str, Any]] = [
    described("f-text", "Customer", "text", required=True),
    described("f-textarea", "Notes", "textarea"),
    described("f-date", "Start", "date", required=False),
    described("f-email", "Contact", "email"),
    described("f-radio", "Priority", "radio", options=options("High", "Low")),
    described("f-dropdown", "Region", "dropdown", options=options("North", "South", "Far East")),
    described("f-multiselect", "Services", "multiselect", options=options("Audit", "Training", "Support")),
    described("f-table", "Contract", "table", columns=[{"id": 1, "label": "Item"}, {"id": 2, "label": "Price"}]),
    described("f-people", "Team", "assignees_form"),
    described("f-file", "Papers", "file"),
]
FORM: tuple[FormField, ...] = read_fields(PRERUN)
