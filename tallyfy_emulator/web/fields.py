"""Form fields on a page: what a person typed as the API's values, and the API's values as text. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tallyfy_emulator.model.catalog import Catalog
from tallyfy_emulator.model.forms import FormField

#: What browsers send: the values of each name, in their order.
Sent = Mapping[str, Sequence[str]]

_TAGS = re.compile(r"<[^>]*>")


def values_from(fields: Collection[FormField], sent: Sent) -> dict[str, Any]:
    """Return the values of a form as the API takes them, by field id; a field that is not on the page has none."""
    values = {field.id: _value(field, sent) for field in fields if _was_shown(field, sent)}
    return {field_id: value for field_id, value in values.items() if value is not None}


def _was_shown(field: FormField, sent: Sent) -> bool:
    # A browser sends nothing for an empty list or radio button.
    return field.field_type in ("multiselect", "assignees_form") or any(name.startswith(field.id) for name in sent)


def _value(field: FormField, sent: Sent) -> Any:
    texts = [text.replace("\r\n", "\n") for text in sent.get(field.id, ())]
    first = texts[0] if texts else ""
    match field.field_type:
        case "dropdown":
            return _option(field, first) if first else ""
        case "multiselect":
            return [{**_option(field, text), "selected": True} for text in texts]
        case "table":
            cells = [sent.get(f"{field.id}-{number}", [""])[0] for number in range(len(field.columns))]
            return cells if any(cells) else None
        case "assignees_form":
            guests = sent.get(f"{field.id}-guests", [""])[0]
            users = [int(text) for text in texts if text.isascii() and text.isdigit()]
            return {"users": users, "guests": [guest.strip() for guest in guests.split(",") if guest.strip()]}
        case "file":
            return [{"full_url": first, "filename": first.rstrip("/").rpartition("/")[2]}] if first else []
        case _:
            return first


def _option(field: FormField, text: str) -> dict[str, Any]:
    return field.option(text) or {"id": 0, "text": text}  # which the form refuses


def lines_of(field: FormField, value: Any, catalog: Catalog) -> list[str]:
    """Return a value as lines of text; none where there is no value."""
    if value in (None, "", [], {}):
        return []
    if isinstance(value, Mapping):
        if field.field_type == "assignees_form":
            return [*(name_of(catalog, user) for user in value.get("users", ())), *map(str, value.get("guests", ()))]
        return [str(value.get("text", ""))]
    if isinstance(value, list):
        return _lines_of_list(field, value)
    text = str(value)
    if field.field_type == "date":
        return [text[:10]]
    return html.unescape(_TAGS.sub("", text)).splitlines() if text.startswith("<") else text.splitlines()


def _lines_of_list(field: FormField, value: list[Any]) -> list[str]:
    if field.field_type == "table":
        return [f"{column}: {_cell(entry)}" for column, entry in zip(field.columns, value, strict=False)]
    if field.field_type == "file":
        return [str(each.get("full_url") or each.get("url") or each.get("id")) for each in value]
    return [str(each["text"]) for each in value if each.get("selected")]


def _cell(entry: Any) -> str:
    return ", ".join(map(str, entry.values())) if isinstance(entry, Mapping) else str(entry)


def cells_of(field: FormField, value: Any) -> list[str]:
    """Return the cells of a table, an empty one for each column that has no value."""
    cells = [_cell(entry) for entry in value] if isinstance(value, list) else []
    return [*cells, *[""] * len(field.columns)][: len(field.columns)]


def name_of(catalog: Catalog, person_id: int | None) -> str:
    """Return a member's name."""
    person = catalog.person_by_id(person_id)
    return f"{person.first_name} {person.last_name}" if person else str(person_id or "nobody")
