"""The endpoints of who and what there is in the organization: members, guests, groups, tags, folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api.lists import paged
from tallyfy_emulator.api.request import Call, Handler, api
from tallyfy_emulator.model.catalog import Named
from tallyfy_emulator.store.organization import World

_HOME = "/organizations/{organization}"
_ALL_MEMBERS = 9999


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    handlers: Mapping[str, Handler] = {
        "users": _users,
        "users-list": _users,
        "guests": _guests,
        "groups": _groups,
        "tags": _tags,
        "folders": _folders,
    }
    return [Route(f"{_HOME}/{path}", api(world, handler), methods=["GET"]) for path, handler in handlers.items()]


async def _users(call: Call) -> Response:
    people = [each.to_json() for each in call.world.catalog.people]
    return _page(call, people, "full_name", _ALL_MEMBERS)


async def _guests(call: Call) -> Response:
    guests = [{"email": email, "first_name": "", "last_name": "", "status": "active"} for email in _emails(call)]
    return _page(call, guests, "email")


async def _groups(call: Call) -> Response:
    rows = [{"id": each.id, "name": each.name, "description": "", "members": []} for each in _all(call, "groups")]
    return _page(call, rows, "name")


async def _tags(call: Call) -> Response:
    rows = [{"id": each.id, "title": each.name, "color": "#3fb65b"} for each in _all(call, "tags")]
    return _page(call, rows, "title")


async def _folders(call: Call) -> Response:
    rows = [{"id": each.id, "name": each.name, "folder_type": "run"} for each in _all(call, "folders")]
    return _page(call, rows if call.query.get("folder_type", "run") == "run" else [], "name")


def _page(call: Call, rows: list[dict[str, Any]], searched: str, per_page: int = 10) -> Response:
    wanted = call.query.get("q", "").strip().casefold()
    found = [row for row in rows if wanted in str(row[searched]).casefold()]
    return paged(call, found, lambda row: row, per_page=per_page)


def _emails(call: Call) -> tuple[str, ...]:
    return call.world.catalog.guests


def _all(call: Call, kind: str) -> list[Named]:
    named: Mapping[str, Named] = getattr(call.world.catalog, kind)
    return list(named.values())
