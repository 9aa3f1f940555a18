"""The requests that several facts share: pages of runs, of tasks, of checklists and of the feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from tallyfy_provider.check.finding import Unanswered, cannot_tell, own_answer
from tallyfy_provider.check.reader import ApiReader, ListPage, Row, object_of, page_of
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.client.forms.fields import rows_of
from tallyfy_provider.client.http.responses import Response
from tallyfy_provider.client.runs.filters import INCLUDES
from tallyfy_provider.exceptions import TallyfyResponseError

#: Rows of pages of which the first rows are enough.
FEW = 25
#: Rows to a page, and the page, by which the first hundred rows are read again.
PART, NUMBER = 20, 2
#: What the newest runs are listed with.
LIST_INCLUDES = ("checklist", "tasks", "tasks.form_fields", "tasks.threads", "tags", "folders")
OUTER_INCLUDES = tuple(name for name in LIST_INCLUDES if "." not in name)
OLDEST = {"sort": "created_at", "per_page": str(MAX_PAGE_SIZE), "page": "1"}
_NEWEST = {"sort": "-created_at", "per_page": str(FEW), "page": "1"}
FEED = {"per_page": str(MAX_PAGE_SIZE), "page": "1"}
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
    return reader.page("runs", params=OLDEST)


@once
def has_other_lists(reader: ApiReader) -> bool:
    """Return whether lists have another shape altogether (the fact ``envelope``), which is no news of one of them."""
    response = reader.response("runs", params=OLDEST)
    if not response.is_success:
        return False
    if isinstance(response.payload, dict) and not isinstance(response.payload.get("data"), list):
        return True
    try:
        page_of(response)
    except Unanswered as early:
        return early.is_answer
    return False


@once
def middle(reader: ApiReader) -> ListPage:
    """Return the second page of that list by a smaller size."""
    return reader.runs(sort="created_at", per_page=PART, page=NUMBER)


@once
def counts_all(reader: ApiReader) -> bool:
    """Return whether totals count whole lists: two pages of one list tell the same."""
    pages = [oldest(reader), optional(lambda: middle(reader))]
    totals = [page.total for page in pages if page is not None and page.rows and page.total is not None]
    return len(totals) < 2 or is_same_count(*totals)


def total_of(reader: ApiReader, page: ListPage) -> int | None:
    """Return how many rows a whole list has; None where that is not told."""
    return page.total if counts_all(reader) else None


@once
def newest(reader: ApiReader) -> ListPage:
    """Return the newest runs, with what belongs to them where that can be had."""
    return page_of(_newest_accepted(reader)[0])


def accepted_includes(reader: ApiReader) -> tuple[str, ...]:
    """Return what lists of runs can be requested with, without being refused for it."""
    number = _newest_accepted(reader)[1]
    return (LIST_INCLUDES, OUTER_INCLUDES, ())[number]


def _newest_accepted(reader: ApiReader) -> tuple[Response, int]:
    variants = [{**_NEWEST, "with": ",".join(names)} for names in (LIST_INCLUDES, OUTER_INCLUDES)]
    return reader.first_accepted("runs", variants=[*variants, _NEWEST])


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
    return object_of(_run_accepted(reader)[0])


def refused_of_a_run(reader: ApiReader) -> str | None:
    """Return the parameter for which the request of one run is refused; None where it is not."""
    return (None, "with", "form_fields_values")[_run_accepted(reader)[1]]


def _run_accepted(reader: ApiReader) -> tuple[Response, int]:
    includes, values = {"with": ",".join(RUN_INCLUDES)}, {"form_fields_values": "true"}
    return reader.first_accepted("runs", one_run(reader)["id"], variants=[includes | values, values, includes])


#: Everything that a run can be requested with; the values of its forms have a parameter of their own.
RUN_INCLUDES = tuple(name for name in INCLUDES if name != "form_fields_values")


@once
def tasks_of_run(reader: ApiReader) -> ListPage:
    """Return the tasks of one run, in the order of the process."""
    return page_of(_tasks_of_run_accepted(reader)[0])


def refuses_sort_of_tasks(reader: ApiReader) -> bool:
    """Return whether the tasks of a run are refused where they are to be sorted."""
    return _tasks_of_run_accepted(reader)[1] > 0


def _tasks_of_run_accepted(reader: ApiReader) -> tuple[Response, int]:
    size = {"per_page": str(MAX_PAGE_SIZE)}
    return reader.first_accepted("runs", one_run(reader)["id"], "tasks", variants=[{"sort": "position", **size}, size])


@once
def tasks(reader: ApiReader) -> ListPage:
    """Return tasks of the organization with their runs, forms and threads."""
    return page_of(_tasks_accepted(reader)[0])


def refuses_includes_of_tasks(reader: ApiReader) -> bool:
    """Return whether the list of tasks is refused where it is asked for what belongs to them."""
    return _tasks_accepted(reader)[1] > 0


def _tasks_accepted(reader: ApiReader) -> tuple[Response, int]:
    plain = {"status": "all", "per_page": str(MAX_PAGE_SIZE), "page": "1"}
    return reader.first_accepted("tasks", variants=[{**plain, "with": "run,form_fields,threads"}, plain])


def filtered_tasks(reader: ApiReader, **filters: str) -> ListPage:
    """Return a page of the organization's tasks that the filter of a fact allows; if it is refused, that differs."""
    tasks(reader)  # where tasks cannot be listed at all, that says nothing about a filter
    with own_answer():
        return tasks_by(reader, **filters)


def tasks_by(reader: ApiReader, **filters: str) -> ListPage:
    """Return a page of the organization's tasks that a filter allows."""
    return reader.page("tasks", params={"per_page": str(FEW), "page": "1", **filters})


def tasks_with_problem(reader: ApiReader) -> ListPage:
    """Return a page of tasks with a problem, with their threads where those can be had."""
    threads = {} if refuses_includes_of_tasks(reader) else {"with": "threads"}
    return tasks_by(reader, status="hasproblem", **threads)


@once
def checklists(reader: ApiReader) -> ListPage:
    """Return a page of checklists."""
    return reader.page("checklists", params={"per_page": str(MAX_PAGE_SIZE), "page": "1"})


@once
def _fullest_checklist(reader: ApiReader) -> Row:
    """Return a checklist with a kick-off form where there is one, with the most types of fields."""
    rows = needed(checklists(reader).rows, "a checklist that the user of the connection sees")
    return max(rows, key=lambda row: len({str(field.get("field_type")) for field in rows_in(row, "prerun")}))


@once
def checklist_alone(reader: ApiReader) -> Row:
    """Return that checklist with its steps."""
    return object_of(_checklist_accepted(reader)[0])


def refuses_steps(reader: ApiReader) -> bool:
    """Return whether a checklist is refused where it is asked for with its steps."""
    return _checklist_accepted(reader)[1] > 0


def _checklist_accepted(reader: ApiReader) -> tuple[Response, int]:
    variants: list[dict[str, str]] = [{"with": "steps"}, {}]
    return reader.first_accepted("checklists", _fullest_checklist(reader)["id"], variants=variants)


@once
def feed(reader: ApiReader) -> ListPage:
    """Return the newest rows of the activity feed."""
    page = reader.page("activity-feeds", params=FEED)
    needed(page.rows, "a row in the activity feed that the user of the connection sees")
    return page


def is_feed_empty(reader: ApiReader) -> bool:
    """Return whether the activity feed is given, and has no row."""
    page = optional(lambda: reader.page("activity-feeds", params=FEED))
    return page is not None and not page.rows


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
    return checklist_id, runs_by(reader, checklist_id=checklist_id)


def filtered_runs(reader: ApiReader, **filters: str) -> ListPage:
    """Return the newest runs that the filter of a fact allows; if it is refused, that differs."""
    newest(reader)  # where runs cannot be listed at all, that says nothing about a filter
    with own_answer():
        return runs_by(reader, **filters)


def runs_by(reader: ApiReader, **filters: str) -> ListPage:
    """Return the newest runs that a filter allows."""
    return reader.runs(sort="-created_at", per_page=FEW, page=1, **filters)


def texts(value: Any) -> list[str]:
    """Return a value, or the elements of a list, as texts; none where it is empty."""
    values = value if isinstance(value, list) else [value]
    return [str(each) for each in values if each not in (None, "")]
