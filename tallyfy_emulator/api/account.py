"""Who asks, and which organization they are in."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from tallyfy_emulator.api.request import RequestContext, api
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.store.organization import Organization


def routes(organization: Organization) -> list[Route]:
    """Return the routes of this subject."""
    return [
        Route("/me", api(organization, _me), methods=["GET"]),
        Route("/me/organizations", api(organization, _my_organizations), methods=["GET"]),
        Route("/organizations/{organization}", api(organization, _organization), methods=["GET"]),
    ]


async def _me(context: RequestContext) -> Response:
    return json_response({"data": context.require_person().to_json()})


async def _my_organizations(context: RequestContext) -> Response:
    context.require_person()
    page = {"total": 1, "count": 1, "per_page": 10, "current_page": 1, "total_pages": 1, "links": []}
    return json_response({"data": [context.organization.catalog.organization()], "meta": {"pagination": page}})


async def _organization(context: RequestContext) -> Response:
    return json_response({"data": context.organization.catalog.organization()})
