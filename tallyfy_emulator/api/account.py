"""Who asks, and which organization they are in."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api.request import Call, api
from tallyfy_emulator.api.responses import json_answer
from tallyfy_emulator.store.organization import World


def routes(world: World) -> list[Route]:
    """
    Give the routes of this subject.

    :param world: the emulated organization.
    :return: Starlette's routes.
    """
    return [
        Route("/me", api(world, _me), methods=["GET"]),
        Route("/me/organizations", api(world, _my_organizations), methods=["GET"]),
        Route("/organizations/{organization}", api(world, _organization), methods=["GET"]),
    ]


async def _me(call: Call) -> Response:
    return json_answer({"data": call.require_person().to_json()})


async def _my_organizations(call: Call) -> Response:
    call.require_person()
    page = {"total": 1, "count": 1, "per_page": 10, "current_page": 1, "total_pages": 1, "links": []}
    return json_answer({"data": [call.world.catalog.organization()], "meta": {"pagination": page}})


async def _organization(call: Call) -> Response:
    return json_answer({"data": call.world.catalog.organization()})
