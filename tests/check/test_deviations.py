"""Each planted deviation is found by its own fact, and by no other of the same subject that it does not concern."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tallyfy_provider.check.facts.registry import FACTS
from tests.check.conftest import Exchange, Rewriter, World, answered

#: What always holds: where sources disagree and any answer is accepted, what was seen is told.
TOLD = frozenset(
    {"accept-header", "plus", "links-target", "page-size-cap", "status-archived", "replica-lag"}
    | {"feed-unknown-values", "launch-listed", "form-part", "comment-sequence"}
)
#: Facts that are planted in other tests: by quirks, by tokens, or by failing changes.
ELSEWHERE = frozenset({"page-size", "token-lifetime", "rate-limit", "accept-header"})

DEVIATIONS: list[tuple[str, frozenset[str], Rewriter]] = []


def plant(name: str, rewrite: Rewriter, *also: str) -> None:
    """Plant a deviation, named by the fact that finds it; ``also`` are facts that cannot but find it, too."""
    DEVIATIONS.append((name, frozenset({name.partition(":")[0], *also}), rewrite))


def answers(path: str, change: Callable[[Exchange], Any], **query: str | None) -> Rewriter:
    """Change answers to GET below a path (``*`` stands for any part), whose query is so; None: it has no such part."""
    parts = path.split("/")

    def rewrite(exchange: Exchange) -> None:
        fits = len(parts) == len(exchange.path) and all(
            part in ("*", found) for part, found in zip(parts, exchange.path, strict=True)
        )
        asked = {name.strip("_"): value for name, value in query.items()}
        if exchange.status and fits and all(exchange.query.get(name) == value for name, value in asked.items()):
            change(exchange)

    return rewrite


def each_row(path: str, change: Callable[[dict[str, Any]], Any], **query: str | None) -> Rewriter:
    def change_all(exchange: Exchange) -> None:
        for row in exchange.rows:
            change(row)

    return answers(path, change_all, **query)


def everywhere(*rewriters: Rewriter) -> Rewriter:
    def rewrite(exchange: Exchange) -> None:
        for each in rewriters:
            each(exchange)

    return rewrite


def setting(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update(values)


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    def remove(row: dict[str, Any]) -> None:
        for name in names:
            row.pop(name, None)

    return remove


def ignoring(path: str, name: str, value: str | None = None) -> Rewriter:
    """Let Tallyfy ignore a filter, or one value of it."""

    def rewrite(exchange: Exchange) -> None:
        if not exchange.status and exchange.path == (path,) and value in (None, exchange.query.get(name)):
            exchange.query.pop(name, None)

    return rewrite


def status(code: int) -> Callable[[Exchange], None]:
    return lambda exchange: setattr(exchange, "status", code)


def empty(exchange: Exchange) -> None:
    exchange.payload["data"] = []
    exchange.payload["meta"]["pagination"].update(total=0, count=0)


def setting_payload(**values: Any) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.payload.update(values)


def page(change: Callable[[dict[str, Any]], Any]) -> Callable[[Exchange], None]:
    return lambda exchange: change(exchange.payload["meta"]["pagination"])


def reverse(exchange: Exchange) -> None:
    exchange.payload["data"].reverse()


def number(exchange: Exchange) -> None:
    exchange.payload.update(data={str(place): row for place, row in enumerate(exchange.rows)})


def cut(count: int) -> Callable[[Exchange], None]:
    def change(exchange: Exchange) -> None:
        del exchange.payload["data"][-count:]

    return change


def in_each(key: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    """Change the objects of a list inside of a row."""

    def change_all(row: dict[str, Any]) -> None:
        inner = row.get(key) or []
        for each in inner.get("data", []) if isinstance(inner, dict) else inner:
            change(each)

    return change_all


def empty_body(exchange: Exchange) -> None:
    exchange.status, exchange.body = 200, b""


def refused(path: str, name: str, value: str | None = None) -> Rewriter:
    """Let Tallyfy refuse a parameter, or a value that it has, alone or among others."""

    def rewrite(exchange: Exchange) -> None:
        asked = exchange.query.get(name)
        if exchange.status and asked is not None and value in (None, asked, *asked.split(",")):
            exchange.status = 422

    return answers(path, rewrite)


def refuse_includes(exchange: Exchange) -> None:
    if "with" in exchange.query:
        exchange.status = 422


OLDEST = {"sort": "created_at", "per_page": "100", "page": "1"}
NEWEST = {"sort": "-created_at", "per_page": "25", "archived": None, "q": None, "status": None, "type": None}

# Headers, tokens, the user and the organization
plant("json", answers("runs", lambda exchange: exchange.headers.update({"content-type": "text/html"}), **OLDEST))
plant(
    "client-header",
    lambda exchange: (
        setattr(exchange, "status", 200)
        if exchange.status and "X-Tallyfy-Client" in (exchange.request.headers or {})
        else None
    ),
)
plant("no-token", answers("runs", status(400), sort=None, per_page="1", page="1"))
plant("me", each_row("/me", setting(id="10201")))
plant("my-organizations", answers("/me/organizations", empty))
plant(
    "organization",
    lambda exchange: exchange.rows[0].update(id="f" * 32) if exchange.status and not exchange.path else None,
)
plant(
    "auto-archive",
    lambda exchange: (
        exchange.rows[0].update(auto_archive_processes_after=52) if exchange.status and not exchange.path else None
    ),
)

# Pages
plant("envelope", answers("runs", number, **OLDEST))
plant("meta:no total", answers("runs", page(without("total")), **OLDEST))
plant("meta:text", answers("runs", page(setting(count="56")), **OLDEST))
plant("meta:page", answers("runs", page(setting(current_page=0))))
plant("meta:two totals", answers("runs", page(setting(total=25)), sort="created_at", per_page="20"))
plant("total-pages:wrong", answers("runs", page(setting(total_pages=3)), **OLDEST))
plant("total-pages:none", answers("runs", page(without("total_pages")), **OLDEST))
plant("meta:count of all", answers("runs", page(setting(count=56)), sort="created_at", per_page="20"))
plant("links:text", answers("runs", page(setting(links="https://api.tallyfy.com/next")), **OLDEST))
plant("links:numbers", answers("runs", page(setting(links={"next": 2})), **OLDEST))
plant("links:other keys", answers("runs", page(setting(links={"following": "x"})), **OLDEST))
plant("rows-as-announced", answers("runs", cut(5), **OLDEST), "meta")
plant("sort-oldest-first", answers("runs", reverse, **OLDEST), "stable-pages")
plant("sort-newest-first", answers("runs", reverse, **NEWEST, per_page_="25"))
plant("sort-name", answers("runs", reverse, sort="name"))
plant("sort-name:refused", refused("runs", "sort", "name"))
plant("sort-oldest-first:refused", refused("runs", "sort", "created_at"))
plant("sort-newest-first:refused", refused("runs", "sort", "-created_at"))
plant("stable-pages:order", answers("runs", reverse, sort="created_at", per_page="20"))
plant("past-the-end", ignoring("runs", "page"), "stable-pages", "meta")
plant("past-the-end:refused", answers("runs", status(410), sort="created_at", per_page="100", page="1000"))
plant("past-the-end:null", answers("runs", setting_payload(data=None), sort="created_at", per_page="100", page="1000"))
plant("without-pagination", ignoring("runs", "without_pagination"))

# Filters of runs
for filter_name, fact in {
    "q": "filter-q",
    "type": "filter-type",
    "folder": "filter-folder",
    "tag": "filter-tag",
    "tag_ids": "filter-tag-ids",
    "untagged": "filter-untagged",
    "starred": "filter-starred",
    "task_status": "filter-task-status",
}.items():
    plant(f"{fact}:ignored", ignoring("runs", filter_name))
plant("filter-checklist:ignored", ignoring("runs", "checklist_id"))
plant("filter-owners:ignored", ignoring("runs", "owners"))
plant("filter-groups:ignored", ignoring("runs", "groups"))
plant("filter-status-improvement:ignored", ignoring("runs", "status", "improvement"))
plant("filter-groups:loses", answers("runs", lambda exchange: "groups" in exchange.query and cut(20)(exchange)))
for value in ("active", "delayed", "problem", "issue", "complete", "starred"):
    plant(f"filter-status-{value}:ignored", ignoring("runs", "status", value))
    plant(f"filter-status-{value}:refused", answers("runs", status(422), status_=value))
plant("unknown-values:nothing", answers("runs", empty, status_="no-such-value"))
plant("unknown-values:refused", answers("runs", status(422), status_="no-such-value"))
plant("unknown-names:there is one", answers("runs", empty, updated_since="2100-01-01"))
plant("archived-default", each_row("runs", setting(archived_at="2026-10-31T09:00:00Z"), **OLDEST))
plant("archived-only", ignoring("runs", "archived", "only"), "archived-true")
plant("archived-only:refused", refused("runs", "archived", "only"))
plant("archived-true", ignoring("runs", "archived", "true"))
plant(
    "archived-run:gone",
    answers("runs/*", lambda exchange: not exchange.query and exchange.status == 200 and status(410)(exchange)),
)

# Runs
plant("run-ids", each_row("runs", lambda row: row.update(checklist_id="a-title")), "same-run", "filter-checklist")
plant("owner-ids", each_row("runs", lambda row: row.update(owner_id={"id": 1}), **OLDEST))
plant("run-statuses", each_row("runs", lambda row: row["status"] == "active" and row.update(status="paused"), **OLDEST))
plant("run-statuses:none", each_row("runs", without("status")))
plant("run-types:none", each_row("runs", without("type")))
plant("run-types", each_row("runs", lambda row: row.update(type="workflow"), **OLDEST))
plant("complete-runs", each_row("runs", lambda row: row.update(completed_at=None), **OLDEST))
plant(
    "run-dates:numbers",
    each_row("runs", setting(created_at=1790000000, last_updated=1790000000), sort="created_at"),
)
plant("run-dates", each_row("runs", lambda row: row.update(due_date="31/10/2026"), **OLDEST))
plant("created-at", each_row("runs", without("created_at"), **OLDEST))
plant("last-updated", each_row("runs", without("last_updated"), **OLDEST))
plant("progress:missing", each_row("runs", without("progress")))
plant("progress:number", each_row("runs", setting(progress=50), **OLDEST))
plant("progress:texts", each_row("runs", setting(progress={"complete": "1", "total": "2", "percent": "50"}), **OLDEST))
plant("progress:other keys", each_row("runs", setting(progress={"done": 1}), **OLDEST))
plant("kickoff-values", each_row("runs", setting(prerun={"an-alias": "1"}), **OLDEST))
plant("kickoff-values:numbers", each_row("runs", setting(prerun={"12": "1"})))
plant("objects-as-lists", each_row("runs", setting(custom_fields=""), **OLDEST))
plant("summary", each_row("runs", setting(summary={"html": ""}), **OLDEST))
plant("summary:left out", each_row("runs", without("summary")))
plant("run-users", each_row("runs/*", without("users")))
plant("run-users:text", each_row("runs/*", setting(users="1,2")))
plant("run-users:number", each_row("runs/*", setting(groups=5)))
plant("same-run", each_row("runs/*", setting(owner_id=1)))
plant("same-run:no object", answers("runs/*", setting_payload(data=[]), form_fields_values="true"))
plant("with-on-lists", each_row("runs", without("tags")))
plant("with-nested", each_row("runs", in_each("tasks", without("threads"))))
plant("with-on-a-run", each_row("runs/*", without("stages")))
plant("with-nested:refused", refused("runs", "with", "tasks.threads"))
plant("with-on-a-run:nested", each_row("runs/*", in_each("tasks", without("threads"))))
plant("with-on-a-run:refused", refused("runs/*", "with", "stages"))
plant("run-form-values:refused", refused("runs/*", "form_fields_values"))
plant("run-form-values", each_row("runs/*", without("form_fields_values")))


# Tasks
def all_is_active(exchange: Exchange) -> None:
    if exchange.path == ("tasks",) and exchange.query.get("status") == "all" and "with" in exchange.query:
        exchange.query["status"] = "active"


_SEVERAL = ("complete", "not-started")
plant("tasks-of-run", each_row("runs/*/tasks", setting(run_id="0" * 32)))
plant("task-sequence", answers("runs/*/tasks", reverse))
plant("tasks-of-run:gone", answers("runs/*/tasks", status(404)))
plant("task-sequence:refused", refused("runs/*/tasks", "sort"))
plant(
    "task-sequence:text",
    everywhere(
        each_row("runs/*/tasks", lambda row: row.update(position=str(row["position"]))),
        answers("runs/*/tasks", reverse),
    ),
)
plant("task-ids", each_row("tasks", lambda row: row.update(id=row["increment_id"]), status_="all"))
plant("task-statuses", each_row("tasks", setting(status="blocked"), status_="all"))
plant(
    "task-statuses:none", everywhere(each_row("tasks", without("status")), each_row("runs/*/tasks", without("status")))
)
plant("task-types:none", each_row("tasks", without("task_type")))
plant("task-types", each_row("tasks", setting(task_type="robot"), status_="all"))
plant("completed-tasks", each_row("tasks", setting(completed_at=None), status_="complete"))
plant("task-dates", each_row("tasks", setting(deadline="tomorrow"), status_="all"))
plant("task-owners", each_row("tasks", setting(owners=[]), status_="all", owners=None))
plant("tasks-with", each_row("tasks", without("run"), status_="all"))
plant("tasks-with:refused", refused("tasks", "with", "threads"))
plant("tasks-with:gone", answers("tasks", status(404)))
plant("tasks-all", lambda exchange: exchange.status or all_is_active(exchange))
for value in ("complete", "active", "hasproblem", "overdue", "not-started"):
    plant(
        f"tasks-{value}:refused", refused("tasks", "status", value), *(["tasks-several"] if value in _SEVERAL else [])
    )
    plant(f"tasks-{value}:ignored", ignoring("tasks", "status", value))
    plant(f"tasks-{value}:nothing", answers("tasks", empty, status_=value))
plant("tasks-overdue:in time", each_row("tasks", setting(deadline="2100-01-01T00:00:00Z"), status_="overdue"))
plant("tasks-not-started:begun", each_row("tasks", setting(status="active"), status_="not-started"))
plant("tasks-several", answers("tasks", page(setting(total=26)), status_="complete,not-started"))
plant("tasks-unknown", answers("tasks", empty, status_="no-such-value"))
plant("tasks-owners", ignoring("tasks", "owners"))
plant("tasks-owners:nothing", answers("tasks", lambda exchange: "owners" in exchange.query and empty(exchange)))
plant(
    "tasks-deadline-before:nothing",
    answers("tasks", lambda exchange: "deadline_before" in exchange.query and empty(exchange)),
)
plant("tasks-deadline-before", ignoring("tasks", "deadline_before"))
plant("tasks-sort-deadline", ignoring("tasks", "sort"))
plant("tasks-deadline-before:refused", refused("tasks", "deadline_before"))
plant("tasks-sort-deadline:refused", refused("tasks", "sort"))
plant("task-threads", each_row("tasks", setting(threads="none"), status_="all"))

# Forms
plant("checklists", each_row("checklists", setting(type="recipe")))
plant("checklists:gone", answers("checklists", status(404)))
plant("checklist-form:no object", answers("checklists/*", setting_payload(data=[])))
plant("checklist-steps:captures", each_row("checklists/*", in_each("steps", without("captures"))))
plant("checklist-steps:refused", refused("checklists/*", "with"))
plant("checklists:keys", each_row("checklists", without("type")))
plant("checklist-form", each_row("checklists/*", lambda row: row.update(prerun={"data": row["prerun"]})))
plant("checklist-steps", each_row("checklists/*", lambda row: row.update(steps=row["steps"]["data"])))
FIELDS = ("checklists", "checklists/*")


def fields(change: Callable[[dict[str, Any]], Any]) -> Rewriter:
    return everywhere(*(each_row(path, in_each("prerun", change)) for path in FIELDS))


for key in ("alias", "label", "required"):
    plant(f"field-keys:{key}", fields(without(key)))
plant("field-keys:required is text", fields(setting(required="yes")))
plant("field-ids", fields(setting(id="an alias")))
plant("field-types", fields(setting(field_type="number")))
plant("field-options", fields(lambda field: field.update(options=["Yes", "No"])))
plant("field-options:ids", fields(in_each("options", lambda option: option.update(id=f"o{option['id']}"))))
plant("field-columns:ids", fields(in_each("columns", without("id"))))
plant("field-columns", fields(lambda field: field.update(columns=["One", "Two"])))
plant("value-key", each_row("runs/*", in_each("ko_form_fields", without("field_value"))))
plant("kickoff-fields", each_row("runs/*", without("ko_form_fields")), "with-on-a-run")

# Comments


def threads(change: Callable[[dict[str, Any]], Any]) -> Rewriter:
    of_runs = each_row("runs", in_each("tasks", in_each("threads", change)))
    return everywhere(of_runs, each_row("tasks", in_each("threads", change)))


plant("thread-ids", threads(setting(id="thread one")))
plant("thread-ids:numbers", threads(setting(id=7)))
plant("thread-times:offset", threads(setting(created_at="2026-10-31T09:00:00+00:00")))


def mixed(exchange: Exchange) -> None:
    """Give the task with the most threads three, the latest in the middle."""
    for task in exchange.rows:
        task["threads"] = {
            "data": [
                {"id": f"{number:032x}", "label": "comment", "state": "open", "created_at": f"2026-10-0{day}T09:00:00Z"}
                for number, day in enumerate((1, 3, 2))
            ]
        }


plant("thread-sequence", answers("tasks", mixed), "open-problem")
plant("thread-times", threads(setting(created_at="yesterday")))
plant("thread-states", threads(setting(state="secret")))
plant("thread-states:none", threads(without("state")))
plant("thread-labels:none", threads(without("label")), "open-problem")
plant("thread-labels", threads(setting(label="issue")), "open-problem")
plant("open-problem", each_row("tasks", in_each("threads", setting(resolve_id="1"))))

# The activity feed
FEED = {"created_after": None, "verb": None, "per_page": "100"}
plant("feed:missing", answers("activity-feeds", status(404)))
plant("feed:refused", answers("activity-feeds", status(422)))
plant("feed:few", answers("activity-feeds", lambda exchange: cut(len(exchange.rows) - 50)(exchange), **FEED))
plant("feed-columns", each_row("activity-feeds", setting(verb=["created", "completed"]), **FEED))
plant("feed-verbs", each_row("activity-feeds", setting(verb=["exploded"]), **FEED))
plant("feed-entities:numbers", each_row("activity-feeds", setting(auditable_id=[7]), **FEED))
plant("feed-entities", each_row("activity-feeds", without("auditable_type"), **FEED))
plant(
    "feed-runs",
    each_row("activity-feeds", setting(auditable_type="Tag", parentable_type="User"), **FEED),
    "feed-issues",
)
plant("feed-issues", each_row("activity-feeds", setting(parentable_type=None), verb="issue-reported"))
plant("feed-dates", each_row("activity-feeds", setting(created_at="31/10/2026 09:00"), **FEED))
plant("feed-newest-first", answers("activity-feeds", reverse, **FEED), "feed-pages")
plant("feed-pages:ignored", ignoring("activity-feeds", "page"))
plant("feed-pages", answers("activity-feeds", empty, per_page="10"))
plant("feed-pages:refused", refused("activity-feeds", "page", "2"))
plant("feed-created-after:refused", refused("activity-feeds", "created_after"))
plant("feed-created-after", ignoring("activity-feeds", "created_after"))

# Errors
plant("unknown-id:code", answers("runs/*", lambda exchange: exchange.status == 404 and exchange.payload.pop("code")))
plant("unknown-id:status", answers("runs/*", lambda exchange: exchange.status == 404 and status(403)(exchange)))
plant("unknown-id:nothing", answers("runs/*", lambda exchange: exchange.status == 404 and empty_body(exchange)))
plant("unknown-path", answers("no-such-value", status(403)))
plant("error-body", answers("runs/*", lambda exchange: exchange.status == 404 and exchange.payload.pop("message")))
plant("validation", answers("activity-feeds", lambda exchange: exchange.status == 422 and status(400)(exchange)))
plant("request-id", answers("runs", lambda exchange: exchange.headers.pop("x-request-id"), **OLDEST))


def test_without_a_deviation_none_is_reported(world: World) -> None:
    outcome = world.check()

    assert answered(outcome, "differs") == set()
    assert answered(outcome, "not allowed") == set()
    assert answered(outcome, "cannot tell") == {"token-lifetime"}


@pytest.mark.parametrize(("name", "finders", "rewrite"), DEVIATIONS, ids=[name for name, *_ in DEVIATIONS])
def test_a_deviation_is_found_by_its_own_fact(
    world: World, name: str, finders: frozenset[str], rewrite: Rewriter
) -> None:
    subjects = {fact.subject for fact in FACTS if fact.id in finders}
    asked = [fact.id for fact in FACTS if fact.subject in subjects]

    assert answered(world.check(rewrite, asked), "differs") == finders


def after(count: int, change: Callable[[Exchange], Any]) -> Rewriter:
    """Change all answers but the first ones."""
    answers_so_far = itertools.count()
    return lambda exchange: change(exchange) if exchange.status and next(answers_so_far) >= count else None


#: What a user sees who sees little.
LISTED = (("runs",), ("tasks",), ("/me",))


FORBIDDEN = (("activity-feeds",), ("no-such-value",))


def in_all_lists(change: Callable[[Exchange], Any]) -> Rewriter:
    def rewrite(exchange: Exchange) -> None:
        if exchange.status == 200 and isinstance(exchange.payload, dict) and "meta" in exchange.payload:
            change(exchange)

    return rewrite


def zero_dates(row: dict[str, Any]) -> None:
    row["completed_at"] = row.get("completed_at") or "0000-00-00 00:00:00"


def html(exchange: Exchange) -> None:
    exchange.status, exchange.body = 200, b"<html>"
    exchange.headers["content-type"] = "text/html"


WHOLE: dict[str, tuple[Rewriter, set[str]]] = {
    "lists refuse includes": (answers("runs", refuse_includes), {"with-on-lists"}),
    "codes in other letters": (
        lambda exchange: exchange.status == 404 and exchange.payload and exchange.payload.update(code="not_found"),
        {"unknown-id", "unknown-path"},
    ),
    "times are numbers": (
        everywhere(
            each_row("runs", setting(created_at=1790000000, last_updated=1790000000)),
            each_row("runs/*", setting(created_at=1790000000, last_updated=1790000000)),
        ),
        {"run-dates"},
    ),
    "owners have other ids": (
        everywhere(each_row("runs", setting(owner_id="user-7")), each_row("runs/*", setting(owner_id="user-7"))),
        {"owner-ids"},
    ),
    "tasks are listed without includes": (ignoring("tasks", "with"), {"tasks-with"}),
    "there is no feed": (answers("activity-feeds", status(404)), {"feed"}),
    "no list is one": (in_all_lists(lambda exchange: exchange.payload.update(data={"0": {}})), {"envelope"}),
    "totals count the page": (in_all_lists(page(lambda each: each.update(total=each["count"]))), {"meta"}),
    "a run by itself has no object": (
        answers("runs/*", setting_payload(data=[]), form_fields_values="true"),
        {"same-run"},
    ),
    "runs cannot be had newest first": (refused("runs", "sort", "-created_at"), {"sort-newest-first"}),
    "runs cannot be had oldest first": (refused("runs", "sort", "created_at"), {"sort-oldest-first"}),
    "one checklist cannot be asked for": (refused("runs", "checklist_id"), {"filter-checklist"}),
    "one include of a run is refused": (refused("runs/*", "with", "stages"), {"with-on-a-run"}),
    "includes of tasks are refused": (refused("tasks", "with", "run"), {"tasks-with"}),
    "includes of tasks in lists are refused": (refused("runs", "with", "tasks.threads"), {"with-nested"}),
    "errors have another status": (
        lambda exchange: status(400)(exchange) if exchange.status == 404 else None,
        {"unknown-id", "unknown-path"},
    ),
    "nothing has happened at zero": (
        everywhere(each_row("runs", zero_dates), each_row("runs/*", zero_dates)),
        {"run-dates"},
    ),
    "types are capitals": (each_row("runs", lambda row: row.update(type=row["type"].upper())), {"run-types"}),
    "a user may see no path but some": (
        lambda exchange: status(403)(exchange) if exchange.status and exchange.path in FORBIDDEN else None,
        set(),
    ),
    "a user sees lists alone": (
        lambda exchange: status(403)(exchange) if exchange.status and exchange.path not in LISTED else None,
        set(),
    ),
    "owners and types of fields are lists": (
        everywhere(
            fields(setting(field_type=["text"])), each_row("runs", in_each("tasks", setting(owners={"users": 5})))
        ),
        {"field-types"},
    ),
    "the token ends half-way": (after(20, status(401)), set()),
    "a maintenance begins half-way": (after(20, html), set()),
    "a proxy redirects half-way": (after(20, status(302)), set()),
}


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_else_is_found_in_a_whole_check(world: World, name: str) -> None:
    rewrite, finders = WHOLE[name]

    outcome = world.check(rewrite)

    assert answered(outcome, "differs") == finders
    assert [finding.note for _, finding in outcome.findings if "not foreseen" in finding.note] == []


def names(deviations: Iterable[tuple[str, frozenset[str], Rewriter]]) -> set[str]:
    return {name.partition(":")[0] for name, *_ in deviations}


def test_a_deviation_from_each_fact_is_planted() -> None:
    reading = {fact.id for fact in FACTS if not fact.writes}
    assert reading - names(DEVIATIONS) - TOLD - ELSEWHERE == set()
    assert names(DEVIATIONS) - reading == set()
