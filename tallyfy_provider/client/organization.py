"""Who asks, and in which organization."""

from __future__ import annotations

from typing import Any

from tallyfy_provider.client.paging.page import read_page
from tallyfy_provider.client.resource import Resource, item_of
from tallyfy_provider.client.runs.filters import LARGEST_PAGE


class OrganizationResource(Resource):
    """The user and the organization."""

    def get_me(self) -> dict[str, Any]:
        """
        Get the user that the token belongs to (``GET /me``).

        :return: The user: ``id``, ``email``, ``first_name``, ``last_name``, ``timezone`` and more.
        :raises TallyfyAuthError: The token is not accepted, or is an application's own, which is nobody's.
        :raises TallyfyError: Of the kind that fits.
        """
        return item_of(self.session.request("GET", ("me",)), "the user")

    def list_mine(self) -> list[dict[str, Any]]:
        """
        List the organizations of the token's user (``GET /me/organizations``), the first 100.

        :return: Organizations with ``id`` and ``name``.
        :raises TallyfyError: Of the kind that fits.
        """
        params = {"page": "1", "per_page": str(LARGEST_PAGE)}
        payload = self.session.request("GET", ("me", "organizations"), params=params)
        return read_page(payload, number=1, what="organizations").rows

    def get(self) -> dict[str, Any]:
        """
        Get the organization (``GET /organizations/{org}``).

        :return: The organization: ``id``, ``name``, ``timezone`` and more.
        :raises TallyfyNotFoundError: There is none with this id, or the user is not in it.
        :raises TallyfyError: Of the kind that fits.
        """
        return item_of(self.session.request("GET", self._path()), "the organization")
