"""Templates as a test describes them: from plain dicts to a :class:`Checklist`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tallyfy_emulator.model import form_values
from tallyfy_emulator.model.catalog import Catalog, Checklist, stable_id, step_id
from tallyfy_emulator.model.forms import FIELD_TYPES, FormField
from tallyfy_emulator.model.step import TASK_TYPES, AutoCompletion, Step

_FIELD_KEYS = frozenset({"id", "label", "field_type", "required", "options", "columns", "alias", "guidance"})
_STEP_KEYS = frozenset(
    {"id", "title", "alias", "task_type", "form_fields", "completes_in", "is_approved", "values", "auto_skipped"}
)
_WITH_OPTIONS = frozenset({"radio", "dropdown", "multiselect"})


def build_checklist(
    catalog: Catalog,
    title: str,
    kickoff: Iterable[Mapping[str, Any]] = (),
    steps: Iterable[Mapping[str, Any]] = (),
    checklist_id: str | None = None,
) -> Checklist:
    """Build a template."""
    alike = sum(each.title == title for each in catalog.checklists.values())
    made_id = checklist_id or stable_id("checklist", title, *([alike] if alike else []))
    if made_id in catalog.checklists:
        raise ValueError(f"There is already a checklist with the id {made_id!r}.")
    fields = _form(kickoff, f"{made_id}/kickoff")
    made = tuple(_step(catalog, made_id, index, given) for index, given in enumerate(steps))
    return Checklist(made_id, title, steps=made, kickoff=fields)


def _step(catalog: Catalog, checklist_id: str, index: int, given: Mapping[str, Any]) -> Step:
    _check_keys("step", given, _STEP_KEYS, "title")
    task_type = given.get("task_type", "task")
    _check_choice("task_type", task_type, TASK_TYPES)
    made_id = str(given.get("id") or step_id(checklist_id, index))
    fields = _form(given.get("form_fields", ()), made_id)
    return Step(
        id=made_id,
        title=str(given["title"]),
        task_type=task_type,
        form_fields=fields,
        own_alias=given.get("alias", ""),
        auto_skipped=bool(given.get("auto_skipped", False)),
        auto_completion=_auto_completion(catalog, given, fields),
    )


def _auto_completion(
    catalog: Catalog, given: Mapping[str, Any], fields: tuple[FormField, ...]
) -> AutoCompletion | None:
    after = given.get("completes_in")
    if after is None:
        return None
    is_time = isinstance(after, int | float) and not isinstance(after, bool) and math.isfinite(after) and after >= 0
    if not is_time:
        raise ValueError(f"A step's completes_in is {after!r}: give zero or more seconds.")
    values = given.get("values") or {}
    sent = form_values.parse_values("values", fields, form_values.from_labels(fields, values), catalog.member_ids)
    form_values.check_required("values", fields, sent)
    return AutoCompletion(float(after), dict(values), bool(given.get("is_approved", True)))


def _form(given: Iterable[Mapping[str, Any]], home: str) -> tuple[FormField, ...]:
    return tuple(_field(each, stable_id("field", home, index)) for index, each in enumerate(given))


def _field(given: Mapping[str, Any], made_id: str) -> FormField:
    _check_keys("form field", given, _FIELD_KEYS, "label")
    field_type = given.get("field_type", "text")
    _check_choice("field_type", field_type, FIELD_TYPES)
    if field_type in _WITH_OPTIONS and not given.get("options"):
        raise ValueError(f"The form field {given['label']!r} is a {field_type}: give its options.")
    if field_type == "table" and not given.get("columns"):
        raise ValueError(f"The form field {given['label']!r} is a table: give its columns.")
    return FormField(
        id=str(given.get("id") or made_id),
        label=str(given["label"]),
        field_type=field_type,
        required=bool(given.get("required", False)),
        options=tuple(map(str, given.get("options") or ())),
        columns=tuple(map(str, given.get("columns") or ())),
        own_alias=given.get("alias", ""),
        guidance=given.get("guidance", ""),
    )


def _check_keys(what: str, given: object, known: Collection[str], needed: str) -> None:
    if not isinstance(given, Mapping) or not given.get(needed):
        raise ValueError(f"A {what} is an object with a {needed!r}, not {given!r}.")
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"A {what} has no {', '.join(map(repr, unknown))}. It has: {', '.join(sorted(known))}.")


def _check_choice(name: str, value: object, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(f"A {name} can't be {value!r}: give one of {', '.join(sorted(known))}.")
