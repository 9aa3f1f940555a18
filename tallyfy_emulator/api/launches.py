"""The endpoint that launches a run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.assignment import read_owners
from tallyfy_emulator.api.body import Body, body_of
from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.runs import one_run
from tallyfy_emulator.model import form_values
from tallyfy_emulator.model.catalog import Catalog, Checklist
from tallyfy_emulator.model.forms import FormField
from tallyfy_emulator.model.run import format_date
from tallyfy_emulator.model.run_changes import new_run
from tallyfy_emulator.model.run_tasks import new_tasks
from tallyfy_emulator.model.wire import ValidationError
from tallyfy_emulator.store.organization import Organization

NAME_LIMIT = 550


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [Route("/organizations/{organization}/runs", api(organization, _launch), methods=["POST"])]


async def _launch(context: RequestContext) -> Response:
    organization = context.organization
    body = await body_of(context)
    checklist = _checklist(organization.catalog, body)
    fields = _fields(context, body, checklist)
    prerun = body.parse(lambda: kickoff_values(organization, checklist, body.values.get("prerun")))
    overrides = _overrides(organization.catalog, body)
    body.check()
    given = {**fields, "prerun": prerun, "tasks_done": 0}
    run = new_run(organization.catalog, organization.next_number(), organization.clock.now(), given)
    tasks = tuple(replace(task, **overrides.get(task.step_id or "", {})) for task in new_tasks(run))
    launched = replace(run, tasks=tasks)
    organization.work.launch(launched, context.token.person_id)
    return one_run(context, launched, 201)


def kickoff_values(organization: Organization, checklist: Checklist, sent: object) -> dict[str, Any]:
    """Parse a whole kick-off form."""
    values = form_values.parse_values(
        "prerun", checklist.kickoff, {} if sent is None else sent, organization.catalog.member_ids
    )
    form_values.check_required("prerun", checklist.kickoff, values)
    return as_stored(organization, checklist.kickoff, values)


def as_stored(organization: Organization, fields: Collection[FormField], values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a form as they are kept."""
    return form_values.rendered_values(fields, values) if organization.quirks.form_readback == "rendered" else values


def _checklist(catalog: Catalog, body: Body) -> Checklist:
    checklist_id = body.text("checklist_id", required=True)
    body.check()
    checklist = catalog.checklists.get(str(checklist_id))
    if checklist is None:
        raise responses.resource_not_found("Checklist")
    return checklist


def _fields(context: RequestContext, body: Body, checklist: Checklist) -> dict[str, Any]:
    organization, catalog = context.organization, context.organization.catalog
    starter = body.member("user_id", catalog.member_ids) or context.token.person_id or catalog.people[0].id
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
    return {step: body.parse(partial(_changes, catalog, changes)) or {} for step, changes in sent.items()}


def _changes(catalog: Catalog, sent: object) -> dict[str, Any]:
    if not isinstance(sent, dict):
        raise ValidationError.of("tasks", "The tasks must be objects.")
    body = Body(sent)
    changes: dict[str, Any] = {
        "deadline": body.date("deadline"),
        "position": body.number("position"),
        "max_assignable": body.number("max_assignable"),
    }
    if "owners" in body:
        changes["owners"] = body.parse(partial(read_owners, catalog, sent["owners"]))
    try:
        body.check()
    except ValidationError as error:
        raise ValidationError({"tasks": error.errors}) from error
    return {name: value for name, value in changes.items() if value is not None}
