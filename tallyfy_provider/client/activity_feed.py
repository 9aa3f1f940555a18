"""The activity feed."""

from __future__ import annotations

from datetime import date

from tallyfy_provider.client.paging.page import Page, read_page
from tallyfy_provider.client.resource import Resource
from tallyfy_provider.client.runs.filters import LARGEST_PAGE


class ActivityFeedResource(Resource):
    """What happened, as Tallyfy tells it."""

    def get_page(self, number: int, *, created_after: date | None = None) -> Page:
        """
        Get one page of the activity feed, newest first (``GET /organizations/{org}/activity-feeds``).

        :param number: Which page, from 1.
        :param created_after: The first day to be told of, in UTC.
        :return: The page; its rows are as the API gave them.
        :raises TallyfyPermissionError: The user may not see the feed.
        :raises TallyfyError: Of the kind that fits.
        """
        params = {"page": str(number), "per_page": str(LARGEST_PAGE)}
        if created_after is not None:
            params["created_after"] = created_after.isoformat()
        payload = self.session.request("GET", self._path("activity-feeds"), params=params)
        return read_page(payload, number=number, what="activities")
