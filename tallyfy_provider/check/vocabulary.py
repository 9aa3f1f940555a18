"""
The words that a report may hold.

A report is attached to public issues, so it holds no word that is not here, whoever wrote it: what Tallyfy answered is
described by these words, by numbers and by booleans (docs/check.md, "Sending a report").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyfy_provider.check.facts import errors, feed, forms, runs, tasks
from tallyfy_provider.check.samples import RUN_INCLUDES
from tallyfy_provider.client.comments import LABELS
from tallyfy_provider.client.filtering import TYPES
from tallyfy_provider.utils.arguments import COMMENT_STATES

OTHER = "other text"

#: How shapes are described (:mod:`.shapes`).
_SHAPES = [
    "null",
    "boolean",
    "number",
    "text",
    "object",
    "list",
    "data",
    "missing",
    "absent",
    "digits",
    "sql",
    "iso",
    "iso_millis",
    "iso_offset",
    "day",
    "next",
    "previous",
    "mixed",
    "archived",
    "as_asked",
    "as_told",
    "as_given",
    "of_ten",
    "title",
    "captures",
    "step_type",
    "threads",
    "form_fields_values",
    "completed",
    "complete",
]
_PHRASES = (
    '""',
    "{}",
    "[]",
    "32 hexadecimal digits",
    "oldest first",
    "newest first",
    "next and previous",
    OTHER,
)
_CODES = ("ENDPOINT_NOT_FOUND", "RESOURCE_NOT_FOUND", "RATE_LIMIT_EXCEEDED")
_GRANTS = ("token", "client_credentials", "password", "act_as_user")
_KEYS = ("auditable", "entity", "parentable", "verb", "entity_type", "created_before", "field_value", "value", "text")
_ROW_KEYS = ("checklist_id", "created_at", "owner_id", "columns", "options", "type", "run")
#: Values of the emulator's quirks that are no words of Tallyfy's.
_QUIRKS = (
    "empty list",
    "both",
    "nulls",
    "repeat",
    "new",
    "asked",
    "capped",
    "sent",
    "rendered",
    "without nested",
    "left out",
    "refused",
    "https://elsewhere.example",
)

WORDS: frozenset[str] = frozenset(
    {
        *_SHAPES,
        *_PHRASES,
        *_CODES,
        *_GRANTS,
        *_KEYS,
        *_ROW_KEYS,
        *_QUIRKS,
        *RUN_INCLUDES,
        *LABELS,
        *TYPES,
        *COMMENT_STATES,
        *errors.RATE_LIMIT_HEADERS,
        *feed.ENTITIES,
        *feed.VERBS,
        *forms.FIELD_KEYS,
        *forms.FIELD_TYPES,
        *runs.STATUSES,
        *tasks.STATUSES,
        *tasks.TYPES,
    }
)


def allowed(value: Any) -> Any:
    """Return a value with every text that is no word of the vocabulary replaced, at any depth."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if value in WORDS else OTHER
    if isinstance(value, Mapping):
        return {str(key): allowed(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [allowed(each) for each in value]
    return OTHER
