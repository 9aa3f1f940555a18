"""TallyfyClient: a method for each endpoint of Tallyfy that is used, nothing else."""

from __future__ import annotations

from tallyfy_provider.client.activity_feed import ActivityEndpoints
from tallyfy_provider.client.any_endpoint import AnyEndpoint
from tallyfy_provider.client.checklists import ChecklistEndpoints
from tallyfy_provider.client.organization import AccountEndpoints
from tallyfy_provider.client.runs.changes import RunChangeEndpoints
from tallyfy_provider.client.threads import ThreadEndpoints


class TallyfyClient(
    AccountEndpoints, ActivityEndpoints, ChecklistEndpoints, RunChangeEndpoints, ThreadEndpoints, AnyEndpoint
):
    """
    Tallyfy's API for one organization; a module in :mod:`tallyfy_provider.client.endpoints` for each subject.

    :param session: The authenticated conversation with Tallyfy.
    :param organization_id: The organization.
    :param page_size: Rows to ask for on each page of a list, at most 100.
    :param concurrency: Requests that may be under way at the same time, at least 1.
    """

    def close(self) -> None:
        """Close every open connection for good; a closed client asks nothing any more."""
        self.session.close()
