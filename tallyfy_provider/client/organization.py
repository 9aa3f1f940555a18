"""The organization, the user of the token, and the activity feed."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import date
from threading import Event
from typing import Any

from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.client.paging.page import Page, PageRequest, Row, page_behind_the_end, read_page
from tallyfy_provider.client.paging.prefetch import read_pages
from tallyfy_provider.client.paging.progress import Progress
from tallyfy_provider.client.paging.sequential import SequentialPaginator
from tallyfy_provider.client.resource import Resource, item_of


class OrganizationResource(Resource):
    """The user of the token and the organization."""

    def get_me(self) -> dict[str, Any]:
        """
        Get the user that the token belongs to (``GET /me``).

        :return: The user: ``id``, ``email``, ``first_name``, ``last_name``, ``timezone`` and more.
        :raises TallyfyAuthError: The token is not accepted, or is an application's own, which belongs to nobody.
        """
        return item_of(self._send("GET", ("me",)), "the user")

    def list_mine(self) -> list[dict[str, Any]]:
        """
        List the organizations of the token's user (``GET /me/organizations``), the first 100.

        :return: Organizations with ``id`` and ``name``.
        """
        return self._page(("me", "organizations"), {"per_page": str(MAX_PAGE_SIZE)}, 1, "organizations").rows

    def get(self) -> dict[str, Any]:
        """
        Get the organization (``GET /organizations/{org}``).

        :return: The organization: ``id``, ``name``, ``timezone`` and more.
        :raises TallyfyNotFoundError: There is none with this id, or the user is not in it.
        """
        return item_of(self._send("GET", self._path()), "the organization")


class PeopleResource(Resource):
    """The users, guests and groups of the organization."""

    def list(self, kind: str) -> Iterator[dict[str, Any]]:
        """
        List people or groups, each once (``GET /organizations/{org}/users``, ``/guests``, ``/groups``).

        :param kind: ``users``, ``guests`` or ``groups``.
        :return: Rows as the API gave them; a guest's ``id`` is the email address.
        :raises TallyfyPermissionError: The user may not see them.
        """
        return self._walk(self._path(kind), {"per_page": str(MAX_PAGE_SIZE)}, kind)

    def _page(self, path: Iterable[object], params: Mapping[str, str], number: int, what: str) -> Page:
        payload = self._request("GET", tuple(path), params={**params, "page": str(number)})
        rows = payload.get("data") if isinstance(payload, Mapping) else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("id") in (None, "") and row.get("email"):
                row["id"] = row["email"]  # guests have no id of their own
        return read_page(payload, number=number, what=what)


class ActivityFeedResource(Resource):
    """The activity feed of the organization."""

    def pages(self, *, created_after: date | None = None) -> Generator[list[Row]]:
        """
        Read the activity feed page by page, newest first (``GET /organizations/{org}/activity-feeds``).

        :param created_after: The first day to include, in UTC.
        :return: The rows of each page as the API gave them, without those of earlier pages. Stop when it is enough.
        :raises TallyfyPermissionError: The user may not see the feed.
        """
        params = {"per_page": str(MAX_PAGE_SIZE)}
        if created_after is not None:
            params["created_after"] = created_after.isoformat()
        path = self._path("activity-feeds")

        def read(request: PageRequest, cancelled: Event) -> Page:
            return page_behind_the_end(request, lambda: self._page(path, params, request.number, "activities"))

        paginator = SequentialPaginator("activities", per_page=MAX_PAGE_SIZE)
        return read_pages(paginator, read, progress=Progress("activities"))
