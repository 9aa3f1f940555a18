"""A lock that all processes of a machine share, since Tallyfy's API has none."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

#: Lock files that there are at most: things that share one by chance wait for each other for a moment.
_FILES = 256


@contextmanager
def host_lock(*names: str) -> Iterator[None]:
    """
    Do something while no other process or thread of this user on this machine does it to the same thing.

    The system ends the lock with the process, however that ends. Where there is no place for a lock file, what is to be
    done is done without, and said so in the log.

    :param names: What it is done to.
    """
    try:
        descriptor = _open(names)
    except OSError as error:
        log.warning("No lock file can be had in %s, so other processes are not kept out: %s", _folder(), error)
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(names: tuple[str, ...]) -> int:
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    path = folder / f"{int.from_bytes(digest[:4], 'big') % _FILES:03d}.lock"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"airflow-provider-tallyfy-{os.getuid()}"
