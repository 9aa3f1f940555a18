"""Build templates from plain dicts, and the templates with forms that the emulator starts with."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from tallyfy_emulator.model import forms
from tallyfy_emulator.model.catalog import TASK_TYPES, AutoCompletion, Catalog, Checklist, Rule, Step, step_id
from tallyfy_emulator.model.forms import FIELD_TYPES, FormField
from tallyfy_emulator.model.wire import stable_id

_FIELD_KEYS = frozenset({"id", "label", "field_type", "required", "options", "columns", "alias", "guidance"})
_STEP_KEYS = frozenset(
    {
        "id",
        "title",
        "alias",
        "task_type",
        "form_fields",
        "completes_in",
        "is_approved",
        "values",
        "auto_skipped",
        "rule",
    }
)
_RULE_KEYS = frozenset({"field", "equals", "deadline_days"})
_WITH_OPTIONS = frozenset({"radio", "dropdown", "multiselect"})


def build_checklist(
    catalog: Catalog,
    title: str,
    kickoff: Iterable[Mapping[str, Any]] = (),
    steps: Iterable[Mapping[str, Any]] = (),
    checklist_id: str | None = None,
    kind: Literal["procedure", "form", "document"] = "procedure",
) -> Checklist:
    """Build a template."""
    alike = sum(each.title == title for each in catalog.checklists.values())
    made_id = checklist_id or stable_id("checklist", title, *([alike] if alike else []))
    if made_id in catalog.checklists:
        raise ValueError(f"There is already a checklist with the id {made_id!r}.")
    fields = _form(kickoff, f"{made_id}/kickoff")
    given_steps = list(steps)
    made = tuple(_step(catalog, made_id, index, given) for index, given in enumerate(given_steps))
    rules = tuple(
        _rule(given["rule"], fields, step.id) for given, step in zip(given_steps, made, strict=True) if "rule" in given
    )
    shown = {rule.step_id for rule in rules if rule.deadline_days is None}
    made = tuple(replace(step, auto_skipped=True) if step.id in shown else step for step in made)
    return Checklist(made_id, title, kind, steps=made, kickoff=fields, rules=rules)


def _rule(given: Mapping[str, Any], fields: tuple[FormField, ...], target: str) -> Rule:
    _check_keys("rule", given, _RULE_KEYS, "field")
    field_id = forms.find_field(fields, str(given["field"])).id
    equals, days = str(given.get("equals", "")), given.get("deadline_days")
    return Rule(stable_id("rule", target), field_id, equals, target, None if days is None else float(days))


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
    sent = forms.parse_values("values", fields, forms.from_labels(fields, values), catalog.member_ids)
    forms.check_required("values", fields, sent)
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


EXPENSE_APPROVAL: dict[str, Any] = {
    "title": "Expense approval",
    "kickoff": (
        {"label": "Amount", "alias": "amount", "required": True},
        {"label": "Reason", "alias": "reason", "field_type": "textarea", "required": True},
        {
            "label": "Cost centre",
            "alias": "cost-centre",
            "field_type": "dropdown",
            "options": ("Sales", "IT", "People"),
        },
        {"label": "Receipt date", "alias": "receipt-date", "field_type": "date"},
    ),
    "steps": (
        {
            "title": "Approve the expense",
            "alias": "approve",
            "task_type": "approval",
            "form_fields": (
                {"label": "Note", "alias": "note", "field_type": "textarea"},
                {
                    "label": "Pay by",
                    "alias": "pay-by",
                    "field_type": "radio",
                    "options": ("bank transfer", "payroll"),
                    "required": True,
                },
            ),
            "completes_in": 10,
            "values": {"note": "Within the budget.", "pay-by": "bank transfer"},
        },
        {"title": "Pay the expense", "alias": "pay", "completes_in": 20},
    ),
}
INCIDENT: dict[str, Any] = {
    "title": "Incident",
    "kickoff": (
        {"label": "What failed", "alias": "what-failed", "required": True},
        {"label": "Severity", "alias": "severity", "field_type": "radio", "options": ("low", "high")},
        {"label": "Details", "alias": "details", "field_type": "textarea"},
    ),
    "steps": (
        {"title": "Acknowledge", "task_type": "expiring"},
        {"title": "Repair"},
        {
            "title": "Write down the cause",
            "form_fields": ({"label": "Cause", "alias": "cause", "field_type": "textarea", "required": True},),
        },
    ),
}
EQUIPMENT_ORDER: dict[str, Any] = {
    "title": "Equipment order",
    "kickoff": (
        {"label": "Item", "alias": "item", "required": True},
        {"label": "Description", "alias": "description", "field_type": "textarea"},
        {"label": "Needed by", "alias": "needed-by", "field_type": "date"},
        {"label": "Contact", "alias": "contact", "field_type": "email"},
        {"label": "Priority", "alias": "priority", "field_type": "radio", "options": ("normal", "urgent")},
        {"label": "Office", "alias": "office", "field_type": "dropdown", "options": ("Lisbon", "London", "Oslo")},
        {
            "label": "Accessories",
            "alias": "accessories",
            "field_type": "multiselect",
            "options": ("Bag", "Dock", "Mouse"),
        },
        {"label": "Budget", "alias": "budget", "field_type": "table", "columns": ("Account", "Share")},
        {"label": "Approvers", "alias": "approvers", "field_type": "assignees_form"},
        {"label": "Quotation", "alias": "quotation", "field_type": "file"},
    ),
    "steps": (
        {"title": "Order", "form_fields": ({"label": "Order number", "alias": "order-number", "required": True},)},
        {"title": "Hand over"},
    ),
}
SUPPLIER_CHANGE: dict[str, Any] = {
    "title": "Supplier change",
    "kickoff": ({"label": "Supplier", "alias": "supplier", "required": True},),
    "steps": (
        {
            "title": "Check the details",
            "task_type": "approval",
            "form_fields": ({"label": "Finding", "alias": "finding", "required": True},),
            "completes_in": 10,
            "values": {"finding": "The bank account could not be confirmed."},
            "is_approved": False,
        },
        {"title": "Update the supplier"},
    ),
}


def add_templates_with_forms(catalog: Catalog) -> None:
    """Add the templates to an organization."""
    for given in (EXPENSE_APPROVAL, INCIDENT, EQUIPMENT_ORDER, SUPPLIER_CHANGE):
        checklist = build_checklist(catalog, **given)
        catalog.checklists[checklist.id] = checklist
