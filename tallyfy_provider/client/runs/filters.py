"""
The filters of ``GET /organizations/{org}/runs``. Pure.

Tallyfy ignores a filter that it does not know (docs/tallyfy-api.md, "Filters"), so names and values are checked before
a request is sent, and the runs that come back afterwards (:mod:`tallyfy_provider.client.runs.filter_check`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from tallyfy_provider.client import filtering
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE, TYPES, Elements, FilterTable
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils import arguments

#: Statuses that a run can have.
RUN_STATUSES = ("active", "delayed", "problem", "issue", "complete", "archived")
#: What ``status`` takes: those, and two that are no statuses but filter all the same.
STATUS_FILTERS = (*RUN_STATUSES, "starred", "improvement")
INCLUDES = (
    "checklist",
    "tasks",
    "tags",
    "assets",
    "next_task",
    "permissions",
    "tasks_meta",
    "ko_form_fields",
    "form_fields",
    "form_fields_values",
    "stages",
    "folders",
    "member_watchers",
    "guest_watchers",
    "tasks.form_fields",
    "tasks.threads",
)

Ids = str | int | Sequence[str | int]
Flag = bool | str


#: Only this form of a TypedDict can hold a key that is a word of Python's.
_With = TypedDict("_With", {"with": str | Sequence[str]}, total=False)


class RunFilters(_With, total=False):
    """
    The filters of a list of runs, by the API's own names. Every value may be a template.

    A list becomes comma-separated; an empty string or None is not sent. ``docs/guides/list.md`` says what each means.
    """

    q: str
    status: str | Sequence[str]
    archived: Flag
    owners: Ids
    checklist_id: Ids
    blueprint_id: Ids
    folder: Ids
    tag: Ids
    tag_ids: Ids
    untagged: Flag
    groups: Ids
    starred: Flag
    type: str | Sequence[str]
    task_status: str
    form_fields_values: Flag
    sort: str
    sort_by: str
    page: int | str
    per_page: int | str
    without_pagination: Flag


_SORT = filtering.sort_by("name", "created_at")

#: The filters of ``GET /organizations/{org}/runs``.
RUN_FILTERS = FilterTable(
    readers={
        "q": filtering.text,
        "status": filtering.some_of(STATUS_FILTERS),
        "archived": filtering.archived,
        "owners": filtering.numbers,
        "checklist_id": filtering.ids,
        "blueprint_id": filtering.ids,
        "folder": filtering.ids,
        "tag": filtering.ids,
        "tag_ids": filtering.ids,
        "untagged": filtering.flag,
        "groups": filtering.ids,
        "starred": filtering.flag,
        "type": filtering.some_of(TYPES),
        "task_status": filtering.one_of(("all", "in-progress", "completed")),
        "with": filtering.ids,
        "form_fields_values": filtering.flag,
        "sort": _SORT,
        "sort_by": _SORT,
        "page": filtering.whole_number(),
        "per_page": filtering.whole_number(MAX_PAGE_SIZE),
        "without_pagination": filtering.flag,
    },
    other_names={
        "limit": "per_page",
        "page_size": "per_page",
        "name": "q",
        "search": "q",
        "query": "q",
        "template": "checklist_id",
        "template_id": "checklist_id",
        "blueprint": "checklist_id",
        "process_status": "status",
        "state": "status",
        "assignee": "owners",
        "include": "with",
        "order_by": "sort",
        "order": "sort",
    },
    aliases={"blueprint_id": "checklist_id", "sort_by": "sort"},
)
#: Filters for which Tallyfy documents a single value.
_SINGLE_VALUED = ("status", "type", "checklist_id")
#: Filters that runs can be checked against.
_CHECKED_ON_RUNS = frozenset({"status", "checklist_id", "type", "archived"})


@dataclass(frozen=True)
class Query:
    """Checked filters: what is sent, the page that was asked for, and what a user should read about them."""

    params: Mapping[str, str]
    page: int | None = None
    per_page: int | None = None
    notes: tuple[str, ...] = ()
    asked: Mapping[str, Elements] = field(default_factory=dict)

    @property
    def as_filters(self) -> dict[str, str]:
        """The checked filters as JSON primitives, for a trigger."""
        status = {"status": "archived"} if self.asked.get("status") == ("archived",) else {}
        return {**self.params, **status}

    @property
    def shown(self) -> dict[str, str]:
        """The checked filters, for people."""
        pages = {"page": self.page, "per_page": self.per_page}
        return {**self.params, **{name: str(number) for name, number in pages.items() if number is not None}}


def encode(filters: Mapping[str, Any] | str | None) -> Query:
    """Check rendered filters, or their JSON text, and encode them for Tallyfy; None means no filters."""
    filters = arguments.mapping("filters", filters) or {}
    read = RUN_FILTERS.read(filters)
    merged = RUN_FILTERS.merge_aliases(read)
    sent = _with_working_archived_filter(merged)
    page, per_page = sent.pop("page", None), sent.pop("per_page", None)
    empty = [
        f"filters[{name!r}] is {value!r}, which asks for nothing: it is not sent."
        for name, value in filters.items()
        if not read[name]
    ]
    return Query(
        params=filtering.join(sent),
        page=int(page[0]) if page else None,
        per_page=int(per_page[0]) if per_page else None,
        notes=(*empty, *_doubts(sent)),
        asked={name: elements for name, elements in merged.items() if name in _CHECKED_ON_RUNS},
    )


def _doubts(sent: Mapping[str, Elements]) -> list[str]:
    several = [
        f"filters[{name!r}]: Tallyfy documents one value; {len(sent[name])} are sent, and the rows are checked."
        for name in _SINGLE_VALUED
        if len(sent.get(name, ())) > 1
    ]
    includes = [
        f"filters['with']: {include!r} is not a documented include{filtering.allowed_hint(include, INCLUDES)}"
        for include in sent.get("with", ())
        if include not in INCLUDES
    ]
    return several + includes


def _with_working_archived_filter(elements: Mapping[str, Elements]) -> dict[str, Elements]:
    """Ask for archived runs with ``archived=only``: ``status=archived`` is documented but hides them all."""
    status = elements.get("status", ())
    if "archived" not in status:
        return dict(elements)
    if len(status) > 1:
        raise TallyfyInputError(
            f"filters['status'] is {', '.join(status)}: 'archived' cannot be mixed with other statuses. "
            "Use filters['archived'] = 'true' to have archived runs among the others."
        )
    return {**{name: each for name, each in elements.items() if name != "status"}, "archived": ("only",)}
