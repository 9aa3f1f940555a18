"""Finding a run that may have been archived."""

from __future__ import annotations

import logging
from typing import Any

from tallyfy_provider.client.answers import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.errors import TallyfyError, TallyfyNotFoundError
from tallyfy_provider.client.rows import is_archived

log = logging.getLogger(__name__)

#: Archived runs that are searched at most, the newest first.
MOST_ARCHIVED = 10_000


def look_up_run(client: TallyfyClient, run_id: str) -> dict[str, Any]:
    """
    Get a run even if it is archived.

    What Tallyfy answers to ``GET`` for an archived run is not documented, so a 404 is not believed before the list of
    archived runs has been searched (docs/tallyfy-api.md, "Run status").

    :param client: The client.
    :param run_id: The run's id.
    :return: The run exactly as the API gave it.
    :raises TallyfyNotFoundError: It is neither among the live runs nor among the archived ones.
    :raises TallyfyError: Of the kind that fits.
    """
    try:
        return client.get_run(run_id)
    except TallyfyNotFoundError as error:
        if error.code == ENDPOINT_NOT_FOUND:
            raise
        missing = error
    filters = {"archived": "only", "sort": "-created_at"}
    searched = 0
    try:
        for run in client.list_runs(filters, max_runs=MOST_ARCHIVED):
            searched += 1
            if str(run["id"]) == run_id and is_archived(run):
                return run
    except TallyfyNotFoundError:
        raise _never_was(client, run_id, missing, "the organization itself is not found") from None
    except TallyfyError as error:
        if error.transient:
            raise
        log.warning("The archived runs cannot be searched for run %s: %s", run_id, error)
        raise _never_was(client, run_id, missing, "its archived runs could not be searched") from None
    raise _never_was(client, run_id, missing, f"nor is it among its {searched} newest archived runs")


def _never_was(
    client: TallyfyClient, run_id: str, missing: TallyfyNotFoundError, searched: str
) -> TallyfyNotFoundError:
    return TallyfyNotFoundError(
        f"There is no run {run_id!r} in organization {client.organization_id!r} ({searched}): it was deleted, never "
        "existed, belongs to another organization, or the user of the connection may not see it.",
        status=missing.status,
        request_id=missing.request_id,
        code=missing.code,
    )
