"""Facts about the activity feed."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.facts.errors import is_feed_readable, refused_feed
from tallyfy_provider.check.finding import Finding, cannot_tell, differs, found, holds, not_allowed, own_answer
from tallyfy_provider.check.reader import ApiReader, Row
from tallyfy_provider.check.shapes import READ_DATES, date_forms, id_forms, not_known, split_known, type_of, types_of
from tallyfy_provider.utils.timestamps import parse_timestamp

FEED = Subject("activity feed", "Activity feed")

#: Verbs that are documented, and those that are understood besides.
VERBS = frozenset(
    [
        "created",
        "updated",
        "owners-updated",
        "uploaded",
        "completed",
        "uncompleted",
        "deleted",
        "re-ordered",
        "commented",
        "issue-reported",
        "issue-resolved",
        "archived",
        "unarchived",
        "re-opened",
        "emitted",
        "enabled",
        "disabled",
        "comment-deleted",
        "invited",
        "invite-accepted",
        "linked",
        "unlinked",
        "reopened",
        "launched",
        "executed",
        "execution_fail",
    ]
)
ENTITIES = frozenset({"run", "process", "checklist", "blueprint", "step", "task", "thread", "user", "organization"})
_PART, _NUMBER = 10, 2


def one_of(value: Any) -> Any:
    """Return a value, or the only element of a list."""
    return (value[0] if value else None) if isinstance(value, list) else value


def kind_of(row: Row, name: str) -> str:
    """Return what kind of thing a row names, such as ``run``."""
    return str(one_of(row.get(f"{name}_type")) or "").replace("\\", "/").rpartition("/")[2].lower()


@FEED.fact("feed", "The activity feed can be read, 100 rows to a page", "a page of the feed")
def can_be_read(reader: ApiReader) -> Finding:
    response = reader.response("activity-feeds", params=samples.FEED)
    if response.status == 403:
        return Finding("not allowed", {"status": 403}, "The user may not see the activity feed.", {"feed": False})
    if samples.is_feed_empty(reader) and samples.newest(reader).rows:
        return Finding("cannot tell", {"rows": 0}, "There are runs, and no row.", {"feed_records": False})
    with own_answer(unless=samples.has_other_lists(reader)):
        page = samples.feed(reader)
    is_capped = page.total is not None and len(page.rows) < min(page.total, 100)
    quirks = {"feed": True} | ({"per_page_cap": len(page.rows)} if is_capped else {})
    return found(not is_capped, rows=len(page.rows), quirks=quirks)


@FEED.fact("feed-columns", "Columns of a row are values, or lists of one", "a page of the feed")
def columns(reader: ApiReader) -> Finding:
    rows = samples.feed(reader).rows
    shapes: dict[str, Any] = {
        name: types_of(row.get(name) for row in rows) for name in ("verb", "type", "created_at", "auditable_type")
    }
    values = [row.get("verb") for row in rows]
    are_ones = all(
        isinstance(one_of(value), str) and (not isinstance(value, list) or len(value) == 1) for value in values
    )
    return found(are_ones, **shapes)


@FEED.fact("feed-verbs", "The verbs are those that are documented", "a page of the feed")
def verbs(reader: ApiReader) -> Finding:
    rows = samples.feed(reader).rows
    words = [verb for row in rows if isinstance(verb := one_of(row.get("verb")), str)]
    known, others = split_known(samples.needed(words, "rows with a verb"), VERBS)
    executed = any(one_of(row.get("type")) == "execution" for row in rows)
    of_tasks = any(one_of(row.get("verb")) == "completed" and kind_of(row, "auditable") == "task" for row in rows)
    quirks = ({"feed_execution_rows": True} if executed else {}) | ({"feed_task_rows": True} if of_tasks else {})
    note = not_known(others)
    return found(not others, note, verbs=known, others=len(others), quirks=quirks)


@FEED.fact("feed-entities", "A row names what it is about in auditable_type and auditable_id", "a page of the feed")
def entities(reader: ApiReader) -> Finding:
    rows = samples.feed(reader).rows
    names = [name for name in ("auditable", "entity", "parentable") if any(kind_of(row, name) for row in rows)]
    about = [kind_of(row, name) for row in rows for name in ("auditable", "entity") if kind_of(row, name)]
    known, others = split_known(about, ENTITIES)
    is_known = "auditable" in names or "entity" in names
    ids = id_forms(one_of(row.get("auditable_id")) for row in rows if kind_of(row, "auditable") == "run")
    fits = is_known and set(ids) <= {"32 hexadecimal digits"}
    return found(fits, names=names, entities=known, others=len(others), ids=ids)


@FEED.fact("feed-runs", "Rows are about runs, or about what belongs to one", "a page of the feed")
def about_runs(reader: ApiReader) -> Finding:
    rows = samples.feed(reader).rows
    names = ("auditable", "entity", "parentable")
    count = sum(any(kind_of(row, name) in ("run", "process") for name in names) for row in rows)
    return found(count > 0, rows=len(rows), runs=count)


@FEED.fact("feed-issues", "An issue is on a thread, a task or a run, of which the run is told", "rows of issues")
def issues(reader: ApiReader) -> Finding:
    params = {"verb": "issue-reported", "per_page": "25", "page": "1"}
    page = samples.optional(lambda: reader.page("activity-feeds", params=params))
    listed = [*samples.feed(reader).rows, *(page.rows if page else [])]
    rows = [row for row in listed if one_of(row.get("verb")) == "issue-reported"]
    kinds, others = split_known(
        (kind_of(row, "auditable") or kind_of(row, "entity") for row in samples.needed(rows, "an issue")), ENTITIES
    )
    has_run = all(any(kind_of(row, name) == "run" for name in ("auditable", "entity", "parentable")) for row in rows)
    quirks = {"feed_issue_entity": kinds[0]} if len(kinds) == 1 and not others else {}
    return found(has_run, entities=kinds, others=len(others), quirks=quirks)


@FEED.fact("feed-dates", "created_at is like 2026-10-31 09:00:00, or ISO 8601 with Z", "a page of the feed")
def dates(reader: ApiReader) -> Finding:
    times = [one_of(row.get("created_at")) for row in samples.feed(reader).rows]
    unread = sum(parse_timestamp(time) is None for time in times)
    forms = date_forms(times)
    quirks = {"feed_dates": forms[0]} if len(forms) == 1 and forms[0] in ("sql", "iso") else {}
    return found(unread == 0 and set(forms) <= READ_DATES, dates=forms, unread=unread, quirks=quirks)


@FEED.fact("feed-newest-first", "The newest rows come first", "a page of the feed")
def order(reader: ApiReader) -> Finding:
    times = [parse_timestamp(one_of(row.get("created_at"))) or 0.0 for row in samples.feed(reader).rows]
    if len(set(times)) < 2:
        return cannot_tell("It needs rows of different times.")
    wrong = sum(one < other for one, other in pairwise(times))
    return found(wrong == 0, rows=len(times), wrong=wrong)


@FEED.fact("feed-pages", "Pages of the feed follow each other; a row may come twice", "a part of the feed again")
def pages(reader: ApiReader) -> Finding:
    first = samples.feed(reader).ids
    if len(first) < _PART * _NUMBER:
        return cannot_tell("It needs 20 rows in the activity feed.")
    with own_answer():
        second = reader.page("activity-feeds", params={"per_page": str(_PART), "page": str(_NUMBER)}).ids
    gap = _PART * (_NUMBER - 1)
    if not second or second[0] not in first:
        return differs(rows=len(second))
    begins = first.index(second[0])
    # What happened meanwhile moves rows on; a row that comes again is told by its id.
    return found(
        0 < begins <= gap, rows=len(second), repeated=max(0, gap - begins), quirks={"feed_duplicates": begins < gap}
    )


@FEED.fact("feed-created-after", "created_after takes a day, which is included", "the feed since the newest row's day")
def created_after(reader: ApiReader) -> Finding:
    times = [parse_timestamp(one_of(row.get("created_at"))) for row in samples.feed(reader).rows]
    known = [time for time in times if time is not None]
    if not known:
        return cannot_tell("It needs a row with a time.")
    day = datetime.fromtimestamp(max(known), UTC).date()
    params = {"created_after": day.isoformat(), "per_page": "100", "page": "1"}
    with own_answer():
        page = reader.page("activity-feeds", params=params)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    older = sum((parse_timestamp(one_of(row.get("created_at"))) or midnight) < midnight for row in page.rows)
    is_filtered = older == 0 and bool(page.rows)
    return found(is_filtered, rows=len(page.rows), older=older, included=bool(page.rows))


@FEED.fact("feed-unknown-values", "Unknown values of some filters are ignored, of others refused", "the feed by such")
def unknown_values(reader: ApiReader) -> Finding:
    response = refused_feed(reader)
    errors = response.payload.get("errors") if isinstance(response.payload, dict) else None
    names = [name for name in ("verb", "entity_type", "created_before") if isinstance(errors, dict) and name in errors]
    if response.status == 403:
        return not_allowed("The user of the connection may not see the activity feed (403).", status=403)
    if not is_feed_readable(reader):
        return cannot_tell("It needs the activity feed.", status=response.status)
    if response.status not in (200, 422):
        return cannot_tell(f"Tallyfy answered {response.status}.", status=response.status)
    quirks = {"feed_strict": "entity_type" in names} if response.status == 422 else {}
    return holds(status=response.status, refused=names, errors=type_of(errors), quirks=quirks)
