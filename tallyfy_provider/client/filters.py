"""
The filters of ``GET /organizations/{org}/runs``: checked, encoded, and held against the rows that come back. Pure.

Tallyfy ignores a filter that it does not know, by name or by value, and returns everything (docs/tallyfy-api.md,
"Filters"): so names and values are checked before anything is asked, and rows afterwards
(:mod:`tallyfy_provider.client.rows`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from tallyfy_provider.client.errors import TallyfyInputError

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
            _READERS[name](name, _plain(value))


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
        raise TallyfyInputError(f"filters must be a dict of filter names to values, not {_shown(filters)}.")
    check_names(filters)
    values: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    for name, value in filters.items():
        read = _READERS[name](name, _plain(value))
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
        f"filters['with']: {include!r} is not a documented include; {_suggestion(include, INCLUDES)}"
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


Reader = Callable[[str, Any], tuple[str, ...]]


def _plain(value: Any) -> Any:
    """Give None for what a template renders when there is nothing."""
    return None if isinstance(value, str) and value.strip() in {"", "None"} else value


def _elements(name: str, value: Any) -> list[str]:
    """Give the elements of a list, of text with commas, or of one value; empty ones are left out."""
    if value is None:
        return []
    if isinstance(value, str):
        _refuse_text_of_a_list(name, value)
        return [part.strip() for part in value.split(",") if _plain(part) is not None]
    if isinstance(value, (bool, float, bytes, Mapping)):
        raise TallyfyInputError(f"filters[{name!r}] takes text, a number or a list of them, not {_shown(value)}.")
    if isinstance(value, Iterable):
        return [part for element in value for part in _elements(name, element)]
    return [str(value)]


def _refuse_text_of_a_list(name: str, value: str) -> None:
    if value.lstrip().startswith("["):
        raise TallyfyInputError(
            f"filters[{name!r}] is the text of a list: {_shown(value)}. A template renders to text; hand the list over "
            f"as it is (filters={{{name!r}: task.output}}), join it ({{{{ … | join(',') }}}}), or set "
            "render_template_as_native_obj=True on the Dag."
        )


def _text(name: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return (str(value),)
    raise TallyfyInputError(f"filters[{name!r}] takes text, not {_shown(value)}.")


def _ids(name: str, value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_elements(name, value)))


def _numbers(name: str, value: Any) -> tuple[str, ...]:
    ids = _ids(name, value)
    for number in ids:
        if not (number.isascii() and number.isdigit()):
            raise TallyfyInputError(
                f"filters[{name!r}] takes Tallyfy's numeric user ids, not {_shown(number)}: Tallyfy would ignore it "
                "and return every run."
            )
    return ids


def _flag(name: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in {"true", "false"}):
        return (str(value).strip().lower(),)
    raise TallyfyInputError(f"filters[{name!r}] takes true or false, not {_shown(value)}.")


def _archived(name: str, value: Any) -> tuple[str, ...]:
    if value is None or (isinstance(value, (bool, str)) and str(value).strip().lower() == "false"):
        return ()  # Without the filter archived runs are left out.
    if isinstance(value, bool):
        return ("true",)
    return _one_of(ARCHIVED)(name, value)


def _one_of(allowed: tuple[str, ...]) -> Reader:
    def read(name: str, value: Any) -> tuple[str, ...]:
        elements = _some_of(allowed)(name, value)
        if len(elements) > 1:
            raise TallyfyInputError(f"filters[{name!r}] takes one value, not {len(elements)}: {', '.join(elements)}.")
        return elements

    return read


def _some_of(allowed: tuple[str, ...]) -> Reader:
    def read(name: str, value: Any) -> tuple[str, ...]:
        elements = tuple(dict.fromkeys(_elements(name, value)))
        for element in elements:
            if element not in allowed:
                raise TallyfyInputError(
                    f"filters[{name!r}] cannot be {_shown(element)}; {_suggestion(element, allowed)}"
                )
        return elements

    return read


def _sort(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.strip().removeprefix("+")
    return _one_of(SORTS)(name, value)


def _whole_number(largest: int | None) -> Reader:
    def read(name: str, value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        text = str(value).strip()
        is_number = not isinstance(value, (bool, float)) and text.isascii() and text.isdigit()
        if not is_number or int(text) < 1 or (largest is not None and int(text) > largest):
            allowed = f"a whole number from 1 to {largest}" if largest else "a whole number from 1"
            raise TallyfyInputError(f"filters[{name!r}] takes {allowed}, not {_shown(value)}.")
        return (str(int(text)),)

    return read


_READERS: Mapping[str, Reader] = {
    "q": _text,
    "status": _some_of(STATUS_FILTERS),
    "archived": _archived,
    "owners": _numbers,
    "checklist_id": _ids,
    "blueprint_id": _ids,
    "folder": _ids,
    "tag": _ids,
    "tag_ids": _ids,
    "untagged": _flag,
    "groups": _ids,
    "starred": _flag,
    "type": _some_of(TYPES),
    "task_status": _one_of(TASK_STATUSES),
    "with": _ids,
    "form_fields_values": _flag,
    "sort": _sort,
    "sort_by": _sort,
    "page": _whole_number(None),
    "per_page": _whole_number(LARGEST_PAGE),
    "without_pagination": _flag,
}
#: Filters that a row can be held against.
_CHECKED_ON_ROWS = frozenset({"status", "checklist_id", "type", "archived"})
_ALIASES = {"blueprint_id": "checklist_id", "sort_by": "sort"}


def _nearest(name: object) -> str:
    known = list(_READERS)
    text = str(name).strip().lower()
    nearest = _OTHER_NAMES.get(text) or next(iter(difflib.get_close_matches(text, known, n=1, cutoff=0.5)), None)
    return f"did you mean {nearest!r}?" if nearest else f"the filters are {', '.join(known)}."


def _suggestion(value: str, allowed: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(value.lower(), allowed, n=1, cutoff=0.6)
    options = f"allowed: {', '.join(allowed)}."
    return f"did you mean {nearest[0]!r}? {options.capitalize()}" if nearest else options


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
