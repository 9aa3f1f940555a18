"""The requests that several facts share: pages of runs, of tasks, of checklists and of the feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from tallyfy_provider.check.finding import Unanswered, cannot_tell
from tallyfy_provider.check.reader import ApiReader, ListPage, Row, page_of
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.http.responses import Response
from tallyfy_provider.client.runs.filters import INCLUDES
from tallyfy_provider.exceptions import TallyfyResponseError

#: Rows of pages of which the first rows are enough.
FEW = 25
#: What the newest runs are listed with.
LIST_INCLUDES = ("checklist", "tasks", "tasks.form_fields", "tasks.threads", "tags", "folders")
_NEWEST = {"sort": "-created_at", "per_page": str(FEW), "page": "1"}
#: Names of filters and values that Tallyfy cannot know.
UNKNOWN = "no-such-value"

Result = TypeVar("Result")


def once(get: Callable[[ApiReader], Result]) -> Callable[[ApiReader], Result]:
    """Let a function be called once for a reader, which keeps what it returned."""

    @wraps(get)
    def get_once(reader: ApiReader) -> Result:
        if get.__name__ not in reader.samples:
            reader.samples[get.__name__] = get(reader)
        result: Result = reader.samples[get.__name__]
        return result

    return get_once


@once
def oldest(reader: ApiReader) -> ListPage:
    """Return the first page of runs, the oldest first."""
    return reader.runs(sort="created_at", per_page=MAX_PAGE_SIZE, page=1)


@once
def newest(reader: ApiReader) -> ListPage:
    """Return the newest runs, with what belongs to them where that can be had."""
    if refuses_includes(reader):
        return reader.page("runs", params=_NEWEST)
    return page_of(_with_includes(reader))


def refuses_includes(reader: ApiReader) -> bool:
    """Return whether a list is refused where it is asked for what belongs to its runs."""
    return _with_includes(reader).status in (400, 404, 422)


def _with_includes(reader: ApiReader) -> Response:
    return reader.response("runs", params={**_NEWEST, "with": ",".join(LIST_INCLUDES)})


@once
def sample(reader: ApiReader) -> list[Row]:
    """Return the newest and the oldest runs, each once; some run must be there."""
    rows = {str(row["id"]): row for row in [*oldest(reader).rows, *newest(reader).rows]}
    return needed(list(rows.values()), "a run that the user of the connection sees")


@once
def archived(reader: ApiReader) -> ListPage:
    """Return the newest archived runs."""
    return reader.runs(sort="-created_at", per_page=FEW, page=1, archived="only")


@once
def one_run(reader: ApiReader) -> Row:
    """Return one of the newest runs, one with tasks where there is one."""
    rows = needed(newest(reader).rows, "a run that the user of the connection sees")
    with_threads = [row for row in rows if any(rows_in(task, "threads") for task in rows_in(row, "tasks"))]
    with_tasks = [row for row in rows if rows_in(row, "tasks")]
    return next(iter([*with_threads, *with_tasks, *rows]))


@once
def run_alone(reader: ApiReader) -> Row:
    """Return that run, requested by itself with everything that can be included."""
    return reader.item(
        "runs", one_run(reader)["id"], params={"with": ",".join(RUN_INCLUDES), "form_fields_values": "true"}
    )


#: Everything that a run can be requested with; the values of its forms have a parameter of their own.
RUN_INCLUDES = tuple(name for name in INCLUDES if name != "form_fields_values")


@once
def tasks_of_run(reader: ApiReader) -> ListPage:
    """Return the tasks of one run, in the order of the process."""
    return reader.page("runs", one_run(reader)["id"], "tasks", params={"sort": "position", "per_page": "100"})


@once
def tasks(reader: ApiReader) -> ListPage:
    """Return tasks of the organization with their runs, forms and threads."""
    params = {"status": "all", "per_page": str(MAX_PAGE_SIZE), "page": "1", "with": "run,form_fields,threads"}
    return reader.page("tasks", params=params)


def filtered_tasks(reader: ApiReader, **filters: str) -> ListPage:
    """Return a page of the organization's tasks that a filter allows."""
    return reader.page("tasks", strict=True, params={"per_page": str(FEW), "page": "1", **filters})


@once
def checklists(reader: ApiReader) -> ListPage:
    """Return a page of checklists."""
    return reader.page("checklists", params={"per_page": str(MAX_PAGE_SIZE), "page": "1"})


@once
def checklist_alone(reader: ApiReader) -> Row:
    """Return a checklist with its steps: one with a kick-off form where there is one, with the most types of fields."""
    rows = needed(checklists(reader).rows, "a checklist that the user of the connection sees")
    best = max(rows, key=lambda row: len({str(field.get("field_type")) for field in rows_in(row, "prerun")}))
    return reader.item("checklists", best["id"], params={"with": "steps"})


@once
def feed(reader: ApiReader) -> ListPage:
    """Return the newest rows of the activity feed."""
    page = reader.page("activity-feeds", params={"per_page": str(MAX_PAGE_SIZE), "page": "1"})
    needed(page.rows, "a row in the activity feed that the user of the connection sees")
    return page


@once
def threads(reader: ApiReader) -> list[list[Row]]:
    """Return the threads of the tasks that have some."""
    holders = [*tasks(reader).rows, *(task for run in newest(reader).rows for task in rows_in(run, "tasks"))]
    by_task = {str(task.get("id")): rows_in(task, "threads") for task in holders}
    return needed([rows for rows in by_task.values() if rows], "a task with a comment or a problem on it")


def rows_in(row: Row, key: str) -> list[Row]:
    """Return the objects of a list inside of a row, in whatever form it comes; none where it has no such list."""
    try:
        return [dict(each) for each in rows_of(row.get(key))]
    except TallyfyResponseError:
        return []


def needed(rows: list[Any], what: str) -> list[Any]:
    """Return rows; where there are none, the fact cannot be told."""
    if not rows:
        raise Unanswered(cannot_tell(f"It needs {what}."))
    return rows


def first(rows: list[Row], is_fit: Callable[[Row], bool], what: str) -> Row:
    """Return the first row that is fit; where there is none, the fact cannot be told."""
    fit: Row = needed([row for row in rows if is_fit(row)], what)[0]
    return fit


def is_same_count(one: int, other: int) -> bool:
    """Tell whether two counts of a list that may change meanwhile are the same."""
    return abs(one - other) <= max(one, other) // 20


def optional(get: Callable[[], ListPage]) -> ListPage | None:
    """Return a page; None where it cannot be had."""
    try:
        return get()
    except Unanswered:
        return None


def rarest(rows: list[Row], values_of: Callable[[Row], list[str]], among: list[Row], what: str) -> str:
    """Return the value of the newest rows that the fewest rows have: a filter by it leaves the most out."""
    counts = Counter(value for row in among for value in set(values_of(row)))
    values: list[str] = needed([value for row in rows for value in values_of(row)], what)
    return min(values, key=lambda value: counts[value])


@once
def of_one_checklist(reader: ApiReader) -> tuple[str, ListPage]:
    """Return the id of a checklist, and its newest runs."""
    checklist_id = rarest(
        newest(reader).rows, lambda row: texts(row.get("checklist_id")), sample(reader), "a run of a checklist"
    )
    return checklist_id, filtered_runs(reader, checklist_id=checklist_id)


def filtered_runs(reader: ApiReader, **filters: str) -> ListPage:
    """Return the newest runs that a filter allows."""
    return reader.runs(strict=True, sort="-created_at", per_page=FEW, page=1, **filters)


def texts(value: Any) -> list[str]:
    """Return a value, or the elements of a list, as texts; none where it is empty."""
    values = value if isinstance(value, list) else [value]
    return [str(each) for each in values if each not in (None, "")]
