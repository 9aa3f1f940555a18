"""
Let one process at a time complete a task: by a lock file on one machine, by comments across machines.

Tallyfy's API has no lock and no conditional write. The processes of one machine share a lock file
(:func:`host_lock`). Across machines, comments are the one thing to which Tallyfy's server gives an order that everybody
sees alike: each has the time at which it was written, to the second, and an id (docs/tallyfy-api.md, "Endpoints"). So
each process writes a comment that claims the task, and the claim with the earliest time holds it; among those of the
same second, the one with the lowest id. Ids are random, and the order of the list is not documented, so neither says by
itself which claim was first. The others wait until the task is completed. A claim that is older than :data:`LEASE`
belongs to a process that died.

A claim can go before one's own only if it was written in the same second or earlier. So a process reads the claims when
that second is over and Tallyfy's lists have caught up (:data:`SETTLING`); both processes see the same claims then, and
agree. Claims are exact as long as the lists are not behind by more than that, and the process that holds the task
completes it within :data:`LEASE`.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tallyfy_provider.client.comments import CommentsResource, age_of
from tallyfy_provider.client.tasks.api import TasksResource
from tallyfy_provider.client.tasks.status import is_completed
from tallyfy_provider.exceptions import TallyfyError, TallyfyIndeterminateError
from tallyfy_provider.utils.html import letters_of
from tallyfy_provider.utils.timestamps import parse_timestamp

log = logging.getLogger(__name__)

#: Most lock files on a machine; tasks that share one by chance wait for each other.
_FILES = 256
#: Seconds for which a claim holds.
LEASE = 180.0
#: Seconds between writing a claim and reading all of them: one until no more claims can have the same time, and two by
#: which Tallyfy's lists may be behind.
SETTLING = 3.0
#: Seconds between two requests for a task that another process is completing.
PAUSE = 2.0
_MOST_CLAIMS = 3
_CLAIM = re.compile(r"airflow-claim:([0-9a-f]{32})")


@contextmanager
def host_lock(*names: str) -> Iterator[None]:
    """
    Hold a lock against all other processes and threads of this user on this machine.

    The system releases the lock when the process ends, however that happens. Where no lock file can be created or
    locked, the body runs without one, and a warning is logged.
    """
    try:
        descriptor = _locked(names)
    except OSError as error:
        log.warning("No lock file can be used, so other processes are not kept out: %s", error)
        yield
        return
    try:
        yield
    finally:
        os.close(descriptor)


def claim_task(
    tasks: TasksResource,
    comments: CommentsResource,
    task: Mapping[str, Any],
    claimant: str,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Claim a task by a comment and wait until it is this process's turn, or another has completed it."""
    task_id, run_id = str(task["id"]), task.get("run_id") or None
    is_seen = False
    # One for all: a claim that the list shows late must not be taken for somebody else's.
    token = uuid.uuid4().hex
    for _ in range(_MOST_CLAIMS):
        claimed_at = clock()
        # If the response is lost, the list of comments soon shows whether the claim is there.
        with suppress(TallyfyIndeterminateError):
            # The token comes first, and stays if Tallyfy cuts a long comment.
            text = f"[airflow-claim:{token}] {claimant} is completing this step."
            comments.add_to_task(task_id, text, state="hide-for-guests")
        sleep(SETTLING)
        first = first_claim(comments.list_of_task(task_id, run_id), token)
        if first == token:
            return True
        if first is None:
            continue
        is_seen = True
        while clock() - claimed_at < LEASE:
            if is_completed(tasks.get(task_id, run_id)):
                return False
            sleep(PAUSE)
    if not is_seen:
        raise TallyfyError(
            f"Task {task_id} cannot be claimed: Tallyfy does not show the {_MOST_CLAIMS} comments that say so. Leave "
            "out claim=True, or look whether the connection's user may see comments that are hidden from guests."
        )
    raise TallyfyError(
        f"Task {task_id} is claimed by others, who have not completed it for {_MOST_CLAIMS * LEASE:.0f} s. Its "
        "comments say who they are."
    )


def first_claim(threads: Iterable[Mapping[str, Any]], own: str) -> str | None:
    """
    Return the token of the first claim that holds; None where one's own is not among the comments.

    The time of one's own claim, of the last one where there are several, is the present, by Tallyfy's clock.
    """
    claims = [
        (age_of(thread), found[1], parse_timestamp(thread.get("created_at")))
        for thread in threads
        if (found := _CLAIM.search(letters_of(thread.get("content"))))
    ]
    now = max((at for _, token, at in claims if token == own and at is not None), default=None)
    if own not in {token for _, token, _ in claims}:
        return None
    holding = [(age, token) for age, token, at in claims if at is None or now is None or now - at < LEASE]
    return min(holding)[1]


def _locked(names: tuple[str, ...]) -> int:
    descriptor = _open(names)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _open(names: tuple[str, ...]) -> int:
    digest = hashlib.sha256("\0".join(names).encode(errors="surrogatepass")).digest()
    name = f"{int.from_bytes(digest[:4], 'big') % _FILES:03d}.lock"
    path = _folder()
    path.mkdir(mode=0o700, exist_ok=True)
    # A link of that name could lead anywhere: what is opened is what was checked, and files are opened within it.
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(folder)
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"{path} belongs to somebody else, or others may write to it")
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    finally:
        os.close(folder)


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"airflow-provider-tallyfy-{os.getuid()}"
