"""Finding runs that may have been archived."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.runs.api import RunEndpoints
from tallyfy_provider.client.runs.filter_check import is_archived
from tallyfy_provider.exceptions import TallyfyError, TallyfyNotFoundError

log = logging.getLogger(__name__)

#: Archived runs that are searched at most, the newest first.
MOST_ARCHIVED = 10_000


def look_up_run(client: RunEndpoints, run_id: str) -> dict[str, Any]:
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
    found, searched = find_archived(client, {run_id})
    return found[run_id] if run_id in found else look_again(client, run_id, missing, searched)


def find_archived(client: RunEndpoints, run_ids: Collection[str]) -> tuple[dict[str, dict[str, Any]], str]:
    """
    Search the archived runs, the newest first, until all are found.

    :param client: The client.
    :param run_ids: Ids to look for.
    :return: Those that were found, by id, and words that tell how thorough the search was.
    :raises TallyfyError: Tallyfy cannot be asked now. That it refuses the list is no error: it is told in the words.
    """
    found: dict[str, dict[str, Any]] = {}
    searched = 0
    try:
        for run in client.list_runs({"archived": "only", "sort": "-created_at"}, max_runs=MOST_ARCHIVED):
            searched += 1
            if str(run["id"]) in run_ids and is_archived(run):
                found[str(run["id"])] = run
            if len(found) == len(run_ids):
                break
    except TallyfyError as error:
        if error.transient:
            raise
        log.warning("The archived runs cannot be searched: %s", error)
        return found, "its archived runs could not be searched"
    return found, f"nor is it among its {searched} newest archived runs"


def look_again(client: RunEndpoints, run_id: str, missing: TallyfyNotFoundError, searched: str) -> dict[str, Any]:
    """
    Ask for a run once more that was not among the archived ones: it may have left the archive just before the search.

    :param client: The client.
    :param run_id: The run's id.
    :param missing: What Tallyfy said when it was asked first.
    :param searched: How thorough the search among archived runs was.
    :return: The run exactly as the API gave it.
    :raises TallyfyNotFoundError: It is not there.
    :raises TallyfyError: Of the kind that fits.
    """
    try:
        return client.get_run(run_id)
    except TallyfyNotFoundError:
        raise never_was(client, run_id, missing, searched) from None


def never_was(client: RunEndpoints, run_id: str, missing: TallyfyNotFoundError, searched: str) -> TallyfyNotFoundError:
    """
    Say that there is no such run.

    :param client: The client that looked for it.
    :param run_id: The run's id.
    :param missing: What Tallyfy said.
    :param searched: How thorough the search among archived runs was.
    :return: The error, to be raised by the caller.
    """
    return TallyfyNotFoundError(
        f"There is no run {run_id!r} in organization {client.organization_id!r} ({searched}): it was deleted, never "
        "existed, belongs to another organization, or the user of the connection may not see it.",
        status=missing.status,
        request_id=missing.request_id,
        code=missing.code,
    )
