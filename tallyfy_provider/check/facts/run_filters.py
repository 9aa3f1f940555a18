"""Facts about the filters of runs: that each filters, and that Tallyfy ignores what it does not know."""

from __future__ import annotations

from tallyfy_provider.check import filtered, samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.filtered import Matches
from tallyfy_provider.check.finding import Finding, cannot_tell, differs, found, holds, own_answer
from tallyfy_provider.check.reader import ApiReader, ListPage, Row, refuse
from tallyfy_provider.check.samples import UNKNOWN, filtered_runs
from tallyfy_provider.client.filtering import TYPES
from tallyfy_provider.client.runs.filter_check import is_archived

RUN_FILTERS = Subject("run filters", "Filters")


def compare(reader: ApiReader, page: ListPage, matches: Matches, what: str) -> Finding:
    """Tell whether a filter filters, from the newest runs that it allows, the newest of all, and a sample of all."""
    total = samples.total_of(reader, samples.oldest(reader))
    expected, sample = samples.newest(reader).rows, samples.sample(reader)
    return filtered.compare(page, matches, what, expected=expected, sample=sample, total=total)


@RUN_FILTERS.fact("filter-q", "q finds runs by their name", "runs by the name of one")
def by_name(reader: ApiReader) -> Finding:
    rows = samples.newest(reader).rows
    run = samples.first(rows, lambda row: bool(_name(row)), "a run with a name")
    wanted = _name(run).casefold()
    page = filtered_runs(reader, q=_name(run))
    return compare(reader, page, lambda row: wanted in str(row.get("name")).casefold(), "a run with a name of its own")


def _name(run: Row) -> str:
    return str(run.get("name") or "").replace("\ufeff", "").strip()


def _status_fact(status: str, matches: Matches) -> None:
    @RUN_FILTERS.fact(f"filter-status-{status}", f"status={status} filters", f"runs with status={status}")
    def by_status(reader: ApiReader) -> Finding:
        return compare(reader, filtered_runs(reader, status=status), matches, f"a run in {status}")


def _has_status(*allowed: str) -> Matches:
    return lambda row: str(row.get("status")).lower() in allowed if isinstance(row.get("status"), str) else None


def _is_starred(row: Row) -> bool | None:
    return row["starred"] if isinstance(row.get("starred"), bool) else None


_status_fact("active", _has_status("active", "in-progress"))
_status_fact("delayed", _has_status("delayed"))
_status_fact("problem", _has_status("problem", "issue"))  # both, as documented
_status_fact("issue", _has_status("issue"))
_status_fact("complete", _has_status("complete", "completed"))
_status_fact("starred", _is_starred)


def _may_have_improvement(row: Row) -> bool | None:
    """Return False for a run on whose tasks nobody proposes an improvement: what the status means is not documented."""
    tasks = samples.rows_in(row, "tasks")
    labels = [thread.get("label") for task in tasks for thread in samples.rows_in(task, "threads")]
    return None if not any("threads" in task for task in tasks) or "improvement" in labels else False


_status_fact("improvement", _may_have_improvement)


@RUN_FILTERS.fact("unknown-values", "A value that Tallyfy does not know is ignored", "runs by unknown values")
def unknown_values(reader: ApiReader) -> Finding:
    return _gives_everything(reader, dict.fromkeys(("status", "type", "task_status", "starred"), UNKNOWN))


@RUN_FILTERS.fact("unknown-names", "A filter that Tallyfy does not know is ignored", "runs by a time of change")
def unknown_names(reader: ApiReader) -> Finding:
    """Ask in a way that would give nothing if there were a filter for what changed since a time."""
    since = dict.fromkeys(("updated_since", "updated_after", "last_updated_after", "modified_since"), "2100-01-01")
    return _gives_everything(reader, since)


def _gives_everything(reader: ApiReader, filters: dict[str, str]) -> Finding:
    everything = samples.oldest(reader)
    samples.newest(reader)  # where runs cannot be listed at all, that says nothing about a filter
    with own_answer():
        page = reader.runs(sort="-created_at", per_page=1, page=1, **filters)
    if not everything.rows:
        return cannot_tell("It needs a run that the user of the connection sees.")
    total = samples.total_of(reader, everything)
    if total is None or page.total is None:
        return found(bool(page.rows), rows=len(page.rows))
    return found(samples.is_same_count(total, page.total), rows=page.total, of=total)


@RUN_FILTERS.fact("archived-default", "Lists leave archived runs out", "pages of runs without archived")
def archived_default(reader: ApiReader) -> Finding:
    rows = samples.sample(reader)
    count = sum(bool(row.get("archived_at")) for row in rows)
    return found(count == 0, rows=len(rows), archived=count)


@RUN_FILTERS.fact("archived-only", "archived=only gives archived runs alone", "runs with archived=only")
def archived_only(reader: ApiReader) -> Finding:
    samples.newest(reader)
    with own_answer():
        page = samples.archived(reader)
    if not page.rows:
        return cannot_tell("It needs an archived run.")
    count = sum(bool(row.get("archived_at")) or is_archived(row) for row in page.rows)
    return found(count == len(page.rows), rows=len(page.rows), archived=count)


@RUN_FILTERS.fact("archived-true", "archived=true gives archived runs among the others", "runs with archived=true")
def archived_true(reader: ApiReader) -> Finding:
    everything, archived = samples.oldest(reader), samples.archived(reader)
    with own_answer():
        page = reader.runs(sort="-created_at", per_page=1, page=1, archived="true")
    totals = [samples.total_of(reader, each) for each in (everything, archived, page)]
    if not archived.rows or None in totals:
        return cannot_tell("It needs an archived run, and meta.pagination.total.")
    if any(row.get("archived_at") for row in everything.rows):
        return cannot_tell("It needs a list that leaves archived runs out.")
    expected = (everything.total or 0) + (archived.total or 0)
    is_more = (page.total or 0) > (everything.total or 0)
    return found(is_more and samples.is_same_count(page.total or 0, expected), rows=page.total, expected=expected)


@RUN_FILTERS.fact("status-archived", "status=archived is not relied on: archived=only is sent", "runs by it")
def status_archived(reader: ApiReader) -> Finding:
    response = reader.response("runs", params={"status": "archived", "per_page": "25", "page": "1"})
    rows = response.payload.get("data") if isinstance(response.payload, dict) else None
    if not response.is_success or not isinstance(rows, list):
        return holds(status=response.status)
    count = sum(isinstance(row, dict) and is_archived(row) for row in rows)
    return holds(status=response.status, rows=len(rows), archived=count)


@RUN_FILTERS.fact(
    "archived-run", "GET of an archived run gives it, or answers 404", "an archived run", section="Run status"
)
def archived_run(reader: ApiReader) -> Finding:
    run = samples.first(samples.archived(reader).rows, is_archived, "an archived run")
    response = reader.response("runs", run["id"])
    if response.status == 404:
        return holds(status=404, quirks={"archived_run_status": 404})
    if response.status == 403:
        refuse(response)
    data = response.payload.get("data") if isinstance(response.payload, dict) else None
    if not response.is_success or not isinstance(data, dict):
        return differs(status=response.status)
    reads_as = "archived" if data.get("status") == "archived" else "previous"
    quirks = {"archived_run_status": 200, "archived_reads_as": reads_as}
    return found(is_archived(data), status=response.status, reads_as=reads_as, quirks=quirks)


@RUN_FILTERS.fact("filter-checklist", "checklist_id gives the runs of one checklist", "runs of one checklist")
def by_checklist(reader: ApiReader) -> Finding:
    samples.sample(reader)
    with own_answer():
        checklist_id, page = samples.of_one_checklist(reader)
    return compare(
        reader, page, lambda row: str(row.get("checklist_id")) == checklist_id, "runs of more than one checklist"
    )


@RUN_FILTERS.fact("filter-type", "type filters by procedure, form or document", "runs of one type")
def by_type(reader: ApiReader) -> Finding:
    def types(row: Row) -> list[str]:
        return [each for each in samples.texts(row.get("type")) if each in TYPES]

    kind = samples.rarest(samples.newest(reader).rows, types, samples.sample(reader), "a run with a documented type")
    page = filtered_runs(reader, type=kind)
    return compare(reader, page, lambda row: row.get("type") == kind, "runs of more than one type")


@RUN_FILTERS.fact("filter-owners", "owners gives the runs of their owners, and of who has a task", "runs of one owner")
def by_owner(reader: ApiReader) -> Finding:
    def owners(row: Row) -> list[str]:
        return [each for each in samples.texts(row.get("owner_id")) if each.isdigit()]

    owner = samples.rarest(samples.newest(reader).rows, owners, samples.sample(reader), "a run with an owner")

    def matches(row: Row) -> bool | None:
        if str(row.get("owner_id")) == owner:
            return True
        return _unless_on_a_task(row, "users", owner)

    return compare(reader, filtered_runs(reader, owners=owner), matches, "runs of several owners")


def _unless_on_a_task(row: Row, kind: str, one: str) -> bool | None:
    """Return False for a run none of whose tasks is assigned to one; None where it is, or is not shown."""
    owners = [task.get("owners") for task in samples.rows_in(row, "tasks")]
    lists = [every.get(kind) for every in owners if isinstance(every, dict)]
    assigned = [each for listed in lists if isinstance(listed, list) for each in listed]
    ids = {str(each.get("id") if isinstance(each, dict) else each) for each in assigned}
    return None if not owners or one in ids else False


def _by_included(fact_id: str, name: str, key: str, id_keys: tuple[str, ...], what: str) -> None:
    """Add the fact of a filter by something that runs are listed with."""

    def ids(row: Row) -> list[str]:
        found_ids = [next((each[key] for key in id_keys if each.get(key)), None) for each in samples.rows_in(row, key)]
        return [str(each) for each in found_ids if each is not None]

    @RUN_FILTERS.fact(fact_id, f"{name} filters", f"runs of one {what}")
    def by_included(reader: ApiReader) -> Finding:
        wanted = samples.rarest(samples.newest(reader).rows, ids, samples.newest(reader).rows, f"a run with a {what}")
        page = filtered_runs(reader, **{name: wanted}, **_with(reader, key))
        return compare(reader, page, lambda row: wanted in ids(row) if key in row else None, f"runs with other {key}")


def _with(reader: ApiReader, key: str) -> dict[str, str]:
    return {"with": key} if key in samples.accepted_includes(reader) else {}


_by_included("filter-folder", "folder", "folders", ("id",), "folder")
_by_included("filter-tag", "tag", "tags", ("tag_id", "id"), "tag")
_by_included("filter-tag-ids", "tag_ids", "tags", ("tag_id", "id"), "tag")


@RUN_FILTERS.fact("filter-untagged", "untagged=true gives the runs without tags", "runs with untagged=true")
def untagged(reader: ApiReader) -> Finding:
    page = filtered_runs(reader, untagged="true", **_with(reader, "tags"))
    return compare(
        reader, page, lambda row: not samples.rows_in(row, "tags") if "tags" in row else None, "runs without tags"
    )


@RUN_FILTERS.fact("filter-groups", "groups gives the runs of a group", "runs of one group")
def by_group(reader: ApiReader) -> Finding:
    def groups(row: Row) -> list[str]:
        each = row.get("groups") if isinstance(row.get("groups"), list) else []
        return [str(group.get("id") if isinstance(group, dict) else group) for group in each or []]

    group = samples.rarest(samples.newest(reader).rows, groups, samples.sample(reader), "a run with a group")

    def matches(row: Row) -> bool | None:
        # Those whose task is a group's may be given as well.
        return True if group in groups(row) else _unless_on_a_task(row, "groups", group)

    return compare(reader, filtered_runs(reader, groups=group), matches, "runs of several groups")


@RUN_FILTERS.fact("filter-starred", "starred=true gives the starred runs", "runs with starred=true")
def by_star(reader: ApiReader) -> Finding:
    return compare(reader, filtered_runs(reader, starred="true"), _is_starred, "a starred run")


@RUN_FILTERS.fact("filter-task-status", "task_status=completed filters", "runs with task_status=completed")
def by_task_status(reader: ApiReader) -> Finding:
    def matches(row: Row) -> bool | None:
        progress = row["progress"] if isinstance(row.get("progress"), dict) else {}
        complete, total = progress.get("complete"), progress.get("total")
        return complete >= total if isinstance(complete, int) and isinstance(total, int) else None

    page = filtered_runs(reader, task_status="completed")
    return compare(reader, page, matches, "a run whose tasks are all completed")
