"""The templates with forms that the emulator begins with. Nobody has launched them yet."""

from __future__ import annotations

from typing import Any

from tallyfy_emulator.model.catalog import Catalog
from tallyfy_emulator.seed.templates import build_checklist

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
