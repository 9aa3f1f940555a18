"""The filters of lists of tasks (docs/tallyfy-api.md, "Filters of other lists"). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from tallyfy_provider.client import filtering
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE, Elements, FilterTable, Reader
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.utils.arguments import as_written

#: What ``status`` takes, as the documentation spells it.
TASK_STATUS_FILTERS = (
    "all",
    "complete",
    "active",
    "active_visible",
    "inprogress",
    "not-started",
    "hasproblem",
    "overdue",
    "due_soon",
)
#: Other spellings of these, and the statuses that tasks themselves have.
_OTHER_SPELLINGS = {
    "completed": "complete",
    "incomplete": "active",
    "in-progress": "inprogress",
    "has-problem": "hasproblem",
    "active-visible": "active_visible",
    "due-soon": "due_soon",
    "not_started": "not-started",
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _status(name: str, value: Any) -> Elements:
    statuses = tuple(dict.fromkeys(_OTHER_SPELLINGS.get(each, each) for each in filtering.ids(name, value)))
    if "auto-skipped" in statuses:
        raise TallyfyInputError(
            f"filters[{name!r}] cannot be 'auto-skipped': Tallyfy would return every task but those. Leave the filter "
            "out and look at each task's status."
        )
    if "all" in statuses and len(statuses) > 1:
        raise TallyfyInputError(f"filters[{name!r}] cannot mix 'all' with other statuses: Tallyfy would drop it.")
    return filtering.some_of(TASK_STATUS_FILTERS)(name, statuses)


def _day(name: str, value: Any) -> Elements:
    if isinstance(value, date):
        return ((value.date() if isinstance(value, datetime) else value).isoformat(),)
    found = filtering.text(name, value)
    if found and not _is_day(found[0].strip()):
        raise TallyfyInputError(f"filters[{name!r}] takes a day such as '2026-10-31', not {as_written(value)}.")
    return tuple(each.strip() for each in found)


def _days(name: str, value: Any) -> Elements:
    if isinstance(value, date):
        return _day(name, value)
    found = filtering.text(name, value)
    days = [day.strip() for each in found for day in each.split(":")]
    if len(days) > 2 or not all(_is_day(day) for day in days):
        raise TallyfyInputError(
            f"filters[{name!r}] takes a day such as '2026-10-31', or two with a colon between them, not "
            f"{as_written(value)}."
        )
    return (":".join(days),) if days else ()


def _assignee(name: str, value: Any) -> Elements:
    if not (value is None or isinstance(value, str)) or str(value).strip().isdigit():
        raise TallyfyInputError(
            f"filters[{name!r}] takes only 'me', the user of the connection; for others, give user ids to "
            f"filters['owners'], not {as_written(value)}."
        )
    return filtering.one_of(("me",))(name, value)


def _is_day(written: str) -> bool:
    if not _DAY.fullmatch(written):
        return False
    try:
        date.fromisoformat(written)
    except ValueError:
        return False
    return True


_EVERY_LIST: Mapping[str, Reader] = {
    "status": _status,
    "owners": filtering.numbers,
    "guests": filtering.ids,
    "groups": filtering.ids,
    "unassigned": filtering.flag,
    "deadline_on": _day,
    "deadline_before": _day,
    "deadline_after": _day,
    "deadline_start_range": _day,
    "deadline_end_range": _day,
    "with": filtering.ids,
    "page": filtering.whole_number(),
    "per_page": filtering.whole_number(MAX_PAGE_SIZE),
    "without_pagination": filtering.flag,
}
_OTHER_NAMES = {
    "limit": "per_page",
    "page_size": "per_page",
    "state": "status",
    "task_status": "status",
    "assignee": "owners",
    "users": "owners",
    "include": "with",
    "order_by": "sort",
    "sort_by": "sort",
    "order": "sort",
    "search": "q",
    "name": "q",
    "title": "q",
}
#: The filters of ``GET /organizations/{org}/runs/{id}/tasks``.
RUN_TASK_FILTERS = FilterTable(
    {
        **_EVERY_LIST,
        "sort": filtering.sort_by("position", "deadline"),
    },
    {name: right for name, right in _OTHER_NAMES.items() if right != "q"},
)
#: The filters of ``GET /organizations/{org}/tasks``.
TASK_FILTERS = FilterTable(
    {
        "q": filtering.text,
        **_EVERY_LIST,
        "roles": filtering.ids,
        "assignee": _assignee,
        "tag": filtering.text,
        "folder": filtering.ids,
        "created": _days,
        "deadline": _days,
        "is_oneoff": filtering.flag,
        "archived": filtering.archived,
        "custom_field_key": filtering.text,
        "custom_field_value": filtering.text,
        "sort": filtering.sort_by("deadline", "newest", "problems", "completed_newest"),
    },
    _OTHER_NAMES,
)
