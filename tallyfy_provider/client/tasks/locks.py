"""
Who may complete a task, where several on different machines want to at once.

Tallyfy's API has no lock and no conditional write. The one thing in it that is put into an order by the server are
comments: each has an id of its own, later ones have larger ids, and whoever lists them sees all that were there before
(docs/tallyfy-api.md, "Endpoints"). So each writes a comment that claims the task, and the lowest claim has it; the
others wait until the task is completed. A claim that is older than :data:`LEASE` is that of a process that died.

Exact as long as Tallyfy's lists are not behind by more than :data:`SETTLING`, and whoever has the task completes it
within :data:`LEASE`.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.tasks.status import is_completed
from tallyfy_provider.exceptions import TallyfyError, TallyfyIndeterminateError
from tallyfy_provider.utils.timestamps import parse_timestamp

#: Seconds for which a claim holds.
LEASE = 180.0
#: Seconds between writing a claim and reading all of them, by which Tallyfy's lists may be behind.
SETTLING = 1.0
#: Seconds between two looks at a task that another is completing.
PAUSE = 2.0
_TURNS = 3
_CLAIM = re.compile(r"\[airflow-claim:([0-9a-f]{32})\]")


def claim_task(
    client: TallyfyClient,
    task_id: str,
    run_id: str | None,
    who: str,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """
    Wait for the turn to complete a task.

    :param client: The client.
    :param task_id: The task.
    :param run_id: The run that it belongs to, if any.
    :param who: Who claims it, for people.
    :param sleep: Waits so many seconds.
    :param clock: A clock that only goes forward, in seconds.
    :return: True where it is the caller's turn, False where another has completed the task meanwhile.
    :raises TallyfyError: Others held the task for too long, or of the kind that fits.
    """
    for _ in range(_TURNS):
        token = uuid.uuid4().hex
        claimed_at = clock()
        _write(client, task_id, f"{who} is completing this step. [airflow-claim:{token}]")
        sleep(SETTLING)
        first = first_claim(client.comments.list_of_task(task_id, run_id), token)
        if first == token:
            return True
        if first is None:
            continue
        while clock() - claimed_at < LEASE:
            if is_completed(client.tasks.get(task_id, run_id)):
                return False
            sleep(PAUSE)
    raise TallyfyError(
        f"Task {task_id} is claimed by others, who have not completed it for {_TURNS * LEASE:.0f} s. Its comments say "
        "who they are."
    )


def _write(client: TallyfyClient, task_id: str, content: str) -> None:
    try:
        client.comments.add_to_task(task_id, content, state="hide-for-guests")
    except TallyfyIndeterminateError:
        # Whether it is there is seen among the others in a moment: what is not there cannot be the first.
        return


def first_claim(threads: Sequence[Mapping[str, Any]], own: str) -> str | None:
    """
    Tell whose turn it is.

    :param threads: The threads of the task as the API gave them.
    :param own: The token of one's own claim; its moment is the present, by Tallyfy's clock.
    :return: The token of the first claim that holds; None where one's own is not there.
    """
    claims = [
        (_order(thread, number), found[1], parse_timestamp(thread.get("created_at")))
        for number, thread in enumerate(threads)
        if (found := _CLAIM.search(str(thread.get("content") or "")))
    ]
    now = next((moment for _, token, moment in claims if token == own), None)
    if own not in {token for _, token, _ in claims}:
        return None
    holding = [(order, token) for order, token, at in claims if at is None or now is None or now - at < LEASE]
    return min(holding)[1]


def _order(thread: Mapping[str, Any], number: int) -> tuple[int, int]:
    written = str(thread.get("id"))
    return (int(written), number) if written.isdigit() else (0, number)
