"""The endpoints of who and what there is in the organization: members, guests, groups, tags, folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import Handler, RequestContext, api
from tallyfy_emulator.model.catalog import Named
from tallyfy_emulator.store.organization import Organization

_HOME = "/organizations/{organization}"
_ALL_MEMBERS = 9999


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    handlers: Mapping[str, Handler] = {
        "users": _users,
        "users-list": _users,
        "guests": _guests,
        "groups": _groups,
        "tags": _tags,
        "folders": _folders,
    }
    return [Route(f"{_HOME}/{path}", api(organization, handler), methods=["GET"]) for path, handler in handlers.items()]


async def _users(context: RequestContext) -> Response:
    people = [each.to_json() for each in context.organization.catalog.people]
    return _page(context, people, "full_name", _ALL_MEMBERS)


async def _guests(context: RequestContext) -> Response:
    guests = [{"email": email, "first_name": "", "last_name": "", "status": "active"} for email in _emails(context)]
    return _page(context, guests, "email")


async def _groups(context: RequestContext) -> Response:
    rows = [{"id": each.id, "name": each.name, "description": "", "members": []} for each in _all(context, "groups")]
    return _page(context, rows, "name")


async def _tags(context: RequestContext) -> Response:
    rows = [{"id": each.id, "title": each.name, "color": "#3fb65b"} for each in _all(context, "tags")]
    return _page(context, rows, "title")


async def _folders(context: RequestContext) -> Response:
    rows = [{"id": each.id, "name": each.name, "folder_type": "run"} for each in _all(context, "folders")]
    return _page(context, rows if context.query.get("folder_type", "run") == "run" else [], "name")


def _page(context: RequestContext, rows: list[dict[str, Any]], searched: str, per_page: int = 10) -> Response:
    wanted = context.query.get("q", "").strip().casefold()
    found = [row for row in rows if wanted in str(row[searched]).casefold()]
    return paged(context, found, lambda row: row, per_page=per_page)


def _emails(context: RequestContext) -> tuple[str, ...]:
    return context.organization.catalog.guests


def _all(context: RequestContext, kind: str) -> list[Named]:
    named: Mapping[str, Named] = getattr(context.organization.catalog, kind)
    return list(named.values())
