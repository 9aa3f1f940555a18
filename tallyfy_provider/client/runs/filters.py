"""
The filters of ``GET /organizations/{org}/runs``: checked, encoded, and held against the rows that come back. Pure.

Tallyfy ignores a filter that it does not know, by name or by value, and returns everything (docs/tallyfy-api.md,
"Filters"): so names and values are checked before anything is asked, and rows afterwards
(:mod:`tallyfy_provider.client.runs.filter_check`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from tallyfy_provider.client.filter_values import (
    Reader,
    flag,
    ids,
    numbers,
    one_of,
    plain,
    shown,
    some_of,
    suggestion,
    text,
    whole_number,
)
from tallyfy_provider.exceptions import TallyfyInputError

#: Tallyfy's own clients never ask for more rows to a page.
LARGEST_PAGE = 100

#: Statuses that a run can have.
RUN_STATUSES = ("active", "delayed", "problem", "issue", "complete", "archived")
#: What ``status`` takes: those, and two that are no statuses but filter all the same.
STATUS_FILTERS = (*RUN_STATUSES, "starred", "improvement")
TYPES = ("procedure", "form")
TASK_STATUSES = ("all", "in-progress", "completed")
ARCHIVED = ("only", "true")
SORTS = ("name", "-name", "created_at", "-created_at")
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

    A list becomes comma-separated; an empty string or None is not sent. ``docs/listing.md`` says what each means.
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


#: What people write instead, where spelling alone does not lead to the right name.
_OTHER_NAMES = {
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
}


@dataclass(frozen=True)
class Query:
    """
    Filters that have been checked.

    :param params: What is sent, in Tallyfy's form, without ``page`` and ``per_page``.
    :param page: The one page that was asked for, if any.
    :param per_page: Rows to a page that were asked for, if any.
    :param notes: What a user should read: filters that are not sent, doubts about what is.
    :param asked: Filters by name to the values asked for, which rows can be held against.
    """

    params: Mapping[str, str]
    page: int | None = None
    per_page: int | None = None
    notes: tuple[str, ...] = ()
    asked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def as_filters(self) -> dict[str, str]:
        """The filters again, checked and in Tallyfy's form, as JSON primitives for a trigger."""
        status = {"status": "archived"} if self.asked.get("status") == ("archived",) else {}
        return {**self.params, **status}

    @property
    def shown(self) -> dict[str, str]:
        """What is asked for, for people."""
        pages = {"page": self.page, "per_page": self.per_page}
        return {**self.params, **{name: str(number) for name, number in pages.items() if number is not None}}


def check_names(filters: Mapping[Any, Any]) -> None:
    """
    Refuse a filter that Tallyfy does not know.

    :param filters: Filters by name; values are not looked at.
    :raises TallyfyInputError: Naming the filter and the nearest right one.
    """
    for name in filters:
        if name not in _READERS:
            raise TallyfyInputError(f"filters[{name!r}] is not a Tallyfy filter; {_nearest(name)}")


def check_literals(filters: Mapping[Any, Any]) -> None:
    """
    Refuse wrong values as far as they can be known before templates are rendered.

    :param filters: Filters by name; names must have been checked.
    :raises TallyfyInputError: A value that is no template, and holds none, is wrong.
    """
    for name, value in filters.items():
        if _is_literal(value):
            _READERS[name](name, plain(value))


def _is_literal(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(_is_literal(element) for element in value)
    return value is None or isinstance(value, (bool, int, float))


def encode(filters: Mapping[str, Any] | None) -> Query:
    """
    Check filters and put them into Tallyfy's form.

    :param filters: Filters by the API's names, rendered; None means none.
    :return: What to ask for.
    :raises TallyfyInputError: A name or a value is wrong; it says which, and what is allowed.
    """
    filters = {} if filters is None else filters
    if not isinstance(filters, Mapping):
        raise TallyfyInputError(f"filters must be a dict of filter names to values, not {shown(filters)}.")
    check_names(filters)
    values: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for name, value in filters.items():
        read = _READERS[name](name, plain(value))
        canonical = _ALIASES.get(name, name)
        if not read:
            notes.append(f"filters[{name!r}] is {value!r}, which asks for nothing: it is not sent.")
        elif values.setdefault(canonical, read) != read:
            names = {canonical, *(alias for alias, target in _ALIASES.items() if target == canonical)}
            raise TallyfyInputError(
                f"The filters {' and '.join(sorted(map(repr, names)))} mean the same and say different things."
            )
    return _query(values, notes)


def _query(values: dict[str, tuple[str, ...]], notes: list[str]) -> Query:
    asked = {name: value for name, value in values.items() if name in _CHECKED_ON_ROWS}
    values = _archived_the_way_that_works(values)
    notes += [
        f"filters[{name!r}]: Tallyfy documents one value; {len(values[name])} are sent, and the rows are checked."
        for name in ("status", "type", "checklist_id")
        if len(values.get(name, ())) > 1
    ]
    notes += [
        f"filters['with']: {include!r} is not a documented include; {suggestion(include, INCLUDES)}"
        for include in values.get("with", ())
        if include not in INCLUDES
    ]
    page = values.pop("page", None)
    per_page = values.pop("per_page", None)
    return Query(
        params={name: ",".join(value) for name, value in values.items()},
        page=int(page[0]) if page else None,
        per_page=int(per_page[0]) if per_page else None,
        notes=tuple(notes),
        asked=asked,
    )


def _archived_the_way_that_works(values: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Ask for archived runs with ``archived=only``: ``status=archived`` is documented but hides them all."""
    status = values.get("status", ())
    if "archived" not in status:
        return dict(values)
    if len(status) > 1:
        raise TallyfyInputError(
            f"filters['status'] is {', '.join(status)}: 'archived' cannot be mixed with other statuses. "
            "Use filters['archived'] = 'true' to have archived runs among the others."
        )
    return {**{name: value for name, value in values.items() if name != "status"}, "archived": ("only",)}


def _archived(name: str, value: Any) -> tuple[str, ...]:
    if value is None or (isinstance(value, (bool, str)) and str(value).strip().lower() == "false"):
        return ()  # Without the filter archived runs are left out.
    if isinstance(value, bool):
        return ("true",)
    return one_of(ARCHIVED)(name, value)


def _sort(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.strip().removeprefix("+")
    return one_of(SORTS)(name, value)


_READERS: Mapping[str, Reader] = {
    "q": text,
    "status": some_of(STATUS_FILTERS),
    "archived": _archived,
    "owners": numbers,
    "checklist_id": ids,
    "blueprint_id": ids,
    "folder": ids,
    "tag": ids,
    "tag_ids": ids,
    "untagged": flag,
    "groups": ids,
    "starred": flag,
    "type": some_of(TYPES),
    "task_status": one_of(TASK_STATUSES),
    "with": ids,
    "form_fields_values": flag,
    "sort": _sort,
    "sort_by": _sort,
    "page": whole_number(None),
    "per_page": whole_number(LARGEST_PAGE),
    "without_pagination": flag,
}
#: Filters that a row can be held against.
_CHECKED_ON_ROWS = frozenset({"status", "checklist_id", "type", "archived"})
_ALIASES = {"blueprint_id": "checklist_id", "sort_by": "sort"}


def _nearest(name: object) -> str:
    known = list(_READERS)
    written = str(name).strip().lower()
    nearest = _OTHER_NAMES.get(written) or next(iter(difflib.get_close_matches(written, known, n=1, cutoff=0.5)), None)
    return f"did you mean {nearest!r}?" if nearest else f"the filters are {', '.join(known)}."
