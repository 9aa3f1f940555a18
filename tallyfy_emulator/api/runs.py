"""The endpoints of runs: list, get, launch, change, archive, delete, and the kick-off form."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.includes import form_values_of, forms_of, names_of, with_includes
from tallyfy_emulator.api.lists import Window, paged
from tallyfy_emulator.api.request import Body, Endpoint, RequestContext, body_of
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.model import forms
from tallyfy_emulator.model.catalog import Catalog, Checklist
from tallyfy_emulator.model.forms import FormField
from tallyfy_emulator.model.quirks import Quirks
from tallyfy_emulator.model.rules import rules_report, with_rules_applied
from tallyfy_emulator.model.run import Run
from tallyfy_emulator.model.run_changes import new_run
from tallyfy_emulator.model.run_filters import selection_of
from tallyfy_emulator.model.task_changes import recalculated
from tallyfy_emulator.model.wire import ValidationError, format_date, stable_id
from tallyfy_emulator.store.organization import Organization
from tallyfy_emulator.store.runs import RunUpdate

NAME_LIMIT = 550
_HEAVY_INCLUDES = frozenset({"tasks", "form_fields", "ko_form_fields"})


async def _list(context: RequestContext) -> Response:
    query, quirks = context.query, context.organization.quirks
    wanted = _given_in_lists(query.get("with", ""), quirks)

    def to_json(run: Run) -> object:
        return _with(context, run.row, context.organization.with_tasks(run), wanted) if wanted else run.text

    chosen = context.organization.list_of(selection_of(query))
    return paged(context, chosen, to_json, page_of=partial(_page_of, quirks), endless=quirks.endless)


def _given_in_lists(wanted: str, quirks: Quirks) -> str:
    """Return what a list of runs gives of the includes that are asked for."""
    names = names_of(wanted)
    heavy = [name for name in names if name.partition(".")[0] in _HEAVY_INCLUDES]
    if quirks.list_includes == "given" or not heavy:
        return wanted
    if quirks.list_includes == "refused":
        raise responses.unprocessable({"with": ["The selected with is invalid."]})
    dropped = [name for name in heavy if quirks.list_includes == "left out" or "." in name]
    return ",".join(name for name in names if name not in dropped)


def _page_of(quirks: Quirks, chosen: Sequence[Run], window: Window) -> list[Run]:
    """Return the runs on a page, which the quirks may leave empty or fill past the end."""
    if window.page == quirks.empty_page:
        return []
    found = window.rows(chosen)
    if not quirks.endless or not chosen:
        return found
    if quirks.endless_rows == "new":
        return found + [_invented_run(chosen, window.page, number) for number in range(len(found), window.per_page)]
    return found or list(chosen[: window.per_page])


def _invented_run(chosen: Sequence[Run], page: int, number: int) -> Run:
    return replace(chosen[number % len(chosen)], id=stable_id("endless", page, number))


async def _get(context: RequestContext) -> Response:
    run = find_run(context)
    if run.archived_at is not None and context.organization.quirks.archived_run_status == 404:
        raise responses.resource_not_found("Run")
    return one_run(context, run)


async def _archive(context: RequestContext) -> Response:
    run = find_run(context)
    if run.archived_at is None:
        run = context.organization.runs.change(
            run.id, {"archived_at": context.organization.clock.now()}, context.token.person_id
        )
    return json_response({"data": context.organization.read(run) | {"status": "archived"}})


async def _activate(context: RequestContext) -> Response:
    run = find_run(context)
    if run.archived_at is not None:
        run = context.organization.runs.change(run.id, {"archived_at": None}, context.token.person_id)
    return one_run(context, run)


async def _delete(context: RequestContext) -> Response:
    person = context.person
    if person is None or person.role != "admin":
        raise responses.forbidden("Only an administrator may delete a process for good.")
    run = find_run(context)
    if run.archived_at is None:
        raise responses.unprocessable({"run": ["Archive the process before you delete it for good."]})
    context.organization.runs.remove(run.id, context.token.person_id)
    return Response(b"", 200)


def find_run(context: RequestContext) -> Run:
    """Find the run that the path names."""
    run = context.organization.runs.get(context.parameter("run"))
    if run is None:
        raise responses.resource_not_found("Run")
    return run


def one_run(context: RequestContext, run: Run, status: int = 200, **more: Any) -> Response:
    """Answer with a run, and with what the request wants beside it."""
    row = more | _with(context, context.organization.read(run), run, context.query.get("with", ""))
    if context.query.get("form_fields_values") == "true":
        row["form_fields_values"] = form_values_of(run)
    return json_response({"data": row}, status)


def _with(context: RequestContext, row: dict[str, Any], run: Run, wanted: str) -> dict[str, Any]:
    return with_includes(row, run, context.organization, wanted) if wanted else row


async def _launch(context: RequestContext) -> Response:
    organization = context.organization
    body = await body_of(context)
    checklist = _checklist(organization.catalog, body)
    fields = _launch_fields(context, body, checklist)
    prerun = body.parse(lambda: stored_kickoff(organization, checklist, body.values.get("prerun")))
    overrides = _overrides(organization.catalog, body)
    body.check()
    launched = launch(organization, fields | {"prerun": prerun}, overrides, context.token.person_id)
    return one_run(context, launched, 201)


def launch(
    organization: Organization, fields: Mapping[str, Any], overrides: Mapping[str, dict[str, Any]], by: int | None
) -> Run:
    """Launch a run; ``overrides`` is what changes about its tasks, by step id."""
    given = {**fields, "tasks_done": 0}
    run = new_run(organization.catalog, organization.next_number(), organization.clock.now(), given)
    tasks = tuple(replace(task, **overrides.get(task.step_id or "", {})) for task in run.tasks)
    launched = with_rules_applied(replace(run, tasks=tasks), run.created_at)
    organization.work.launch(launched, by)
    return launched


def _kickoff_values(organization: Organization, checklist: Checklist, sent: object) -> dict[str, Any]:
    values = forms.parse_values("prerun", checklist.kickoff, sent, organization.catalog.member_ids)
    return as_stored(organization, checklist.kickoff, values)


def stored_kickoff(organization: Organization, checklist: Checklist, sent: object) -> dict[str, Any]:
    """Check the values of a whole kick-off form, and return them as they are kept."""
    values = _kickoff_values(organization, checklist, {} if sent is None else sent)
    forms.check_required("prerun", checklist.kickoff, values)
    return values


def as_stored(organization: Organization, fields: Collection[FormField], values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a form as they are kept."""
    return forms.rendered_values(fields, values) if organization.quirks.form_readback == "rendered" else values


def _checklist(catalog: Catalog, body: Body) -> Checklist:
    checklist_id = body.text("checklist_id", required=True)
    body.check()
    checklist = catalog.checklists.get(str(checklist_id))
    if checklist is None:
        raise responses.resource_not_found("Checklist")
    return checklist


def _launch_fields(context: RequestContext, body: Body, checklist: Checklist) -> dict[str, Any]:
    organization, catalog = context.organization, context.organization.catalog
    starter = body.member("user_id", catalog.member_ids) or context.actor_id
    owner = body.member("owner_id", catalog.member_ids) or starter
    users = body.members("users", catalog.member_ids) or ()
    parent_id = body.text("parent_id")
    if parent_id and organization.runs.get(parent_id) is None:
        body.add_error("parent_id", "The selected {} is invalid.")
    today = format_date(organization.clock.now())[:10]
    return {
        "checklist_id": checklist.id,
        "name": body.text("name", NAME_LIMIT) or f"{checklist.title} - {today}",
        "summary": body.text("summary") or "",
        "owner_id": owner,
        "started_by": starter,
        "starred": body.flag("starred") or False,
        "is_public": body.flag("is_public") or False,
        "parent_id": parent_id or None,
        "users": users,
        "assignees": users or (owner,),
        "groups": body.ids("groups", catalog.groups) or (),
        "tags": body.ids("tags", catalog.tags) or (),
        "folders": body.ids("folders", catalog.folders) or (),
        "roles": body.mapping("roles") or [],
    }


def _overrides(catalog: Catalog, body: Body) -> dict[str, dict[str, Any]]:
    """Parse what changes about tasks, by step id. Unknown steps are dropped without a word, as fields of forms are."""
    sent = body.mapping("tasks")
    return {step: body.parse(partial(_task_changes, catalog, changes)) or {} for step, changes in sent.items()}


def _task_changes(catalog: Catalog, sent: object) -> dict[str, Any]:
    if not isinstance(sent, dict):
        raise ValidationError.of("tasks", "The tasks must be objects.")
    body = Body(sent)
    changes: dict[str, Any] = {
        "deadline": body.date("deadline"),
        "deadline_set_by_hand": body.flag("deadline_set_by_hand"),
        "position": body.number("position"),
        "max_assignable": body.number("max_assignable"),
        "owners": body.owners(catalog),
    }
    try:
        body.check()
    except ValidationError as error:
        raise ValidationError({"tasks": error.errors}) from error
    return {name: value for name, value in changes.items() if value is not None}


async def _update(context: RequestContext) -> Response:
    run = find_run(context)
    body = await body_of(context)
    changes = _changes(context, body)
    prerun = body.parse(partial(_sent_kickoff, context, run, body)) if "prerun" in body else None
    body.check()

    def update(before: Run, at: float) -> Run:
        after = replace(before, last_updated=at, **changes)  # the tasks keep their owners
        return after if prerun is None else _with_kickoff(context.organization, after, prerun)

    return _updated(context, run, update)


async def _complete_kickoff(context: RequestContext) -> Response:
    run = find_run(context)
    body = await body_of(context)
    prerun = _sent_kickoff(context, run, body) if "prerun" in body else {}

    def update(before: Run, at: float) -> Run:
        if not before.kickoff_is_open:
            return before
        after = _with_kickoff(context.organization, before, prerun)
        return with_rules_applied(recalculated(replace(after, kickoff_is_open=False), at), at)

    return _updated(context, run, update, with_report=True)


async def _reopen_kickoff(context: RequestContext) -> Response:
    def update(before: Run, at: float) -> Run:
        return recalculated(replace(before, kickoff_is_open=True), at)

    return _updated(context, find_run(context), update, with_report=True)


def _updated(context: RequestContext, run: Run, update: RunUpdate, *, with_report: bool = False) -> Response:
    after = context.organization.runs.update(run.id, update, context.token.person_id)
    return one_run(context, after, **(rules_report(run, after) if with_report else {}))


def _sent_kickoff(context: RequestContext, run: Run, body: Body) -> dict[str, Any]:
    return _kickoff_values(context.organization, run.checklist, body.values["prerun"])


async def _forms(context: RequestContext) -> Response:
    return json_response({"data": forms_of(find_run(context), context.organization)})


def _changes(context: RequestContext, body: Body) -> dict[str, Any]:
    catalog, wipes = context.organization.catalog, context.organization.quirks.run_put_wipes
    changes = {
        "name": body.text("name", NAME_LIMIT, required="name" in body),
        "summary": body.text("summary"),
        "owner_id": body.member("owner_id", catalog.member_ids),
        "starred": body.flag("starred"),
        "is_public": body.flag("is_public"),
        "users": body.members("users", catalog.member_ids),
        "groups": body.ids("groups", catalog.groups),
    }
    found = {name: value for name, value in changes.items() if value is not None}
    return ({"users": (), "groups": ()} if wipes else {}) | found


def _with_kickoff(organization: Organization, run: Run, values: dict[str, Any]) -> Run:
    kept = {} if organization.quirks.taskdata_replaces and values else run.prerun
    prerun = {**kept, **values}
    forms.check_required("prerun", run.checklist.kickoff, prerun)
    return replace(run, prerun=prerun)


ENDPOINTS = (
    Endpoint("GET", "/runs", _list),
    Endpoint("POST", "/runs", _launch),
    Endpoint("GET", "/runs/{run}", _get),
    Endpoint("PUT", "/runs/{run}", _update),
    Endpoint("DELETE", "/runs/{run}", _archive),
    Endpoint("PUT", "/runs/{run}/activate", _activate),
    Endpoint("DELETE", "/runs/{run}/delete", _delete),
    Endpoint("GET", "/runs/{run}/form-fields", _forms),
    Endpoint("POST", "/runs/{run}/complete-prerun", _complete_kickoff),
    Endpoint("DELETE", "/runs/{run}/complete-prerun", _reopen_kickoff),
)
