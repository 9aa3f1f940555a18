"""
Budgets that all processes on a machine share: a small file for each organization and credential, changed under a lock.

The folder belongs to the user and to nobody else, and is refused otherwise, since anybody may write to the temporary
folder. The file's name is a hash; it holds paces and times, no secret. A damaged file is begun anew.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tallyfy_provider.client.http.budget import Budgets
from tallyfy_provider.client.http.budget_store import Change, Result, StoreLostError

#: Environment variable that names the folder; empty for the temporary folder.
FOLDER_VARIABLE = "TALLYFY_BUDGET_FOLDER"
#: A budget with six kinds of request has a few kB.
_MAX_BYTES = 1024 * 1024
#: Seconds for which a lock is waited for, and between two tries.
_LOCK_TIMEOUT, _LOCK_INTERVAL = 2.0, 0.005


class FileStore:
    """
    Keeps budgets in a file.

    :param name: Name of the file.
    :param folder: Its folder; one in the temporary folder by default.
    :param clock: The time of day in seconds, the same for all processes.
    """

    def __init__(self, name: str, *, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._name = name
        self._folder = folder
        self._clock = clock

    def update(self, change: Change[Result]) -> Result:
        """Change the budgets in the file."""
        try:
            with self._locked() as file:
                budgets = _read(file)
                result = change(budgets, self._clock())
                data = json.dumps(budgets.to_json(), separators=(",", ":")).encode()
                os.pwrite(file, data, 0)
                os.ftruncate(file, len(data))
                return result
        except OSError as error:
            raise StoreLostError(f"{error.strerror or error} ({self._path})") from None

    @property
    def _path(self) -> Path:
        return (self._folder or default_folder()) / self._name

    @contextmanager
    def _locked(self) -> Iterator[int]:
        path = self._path
        _prepare(path.parent)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _check_owner(os.fstat(file), path)
            _lock(file)
            yield file
        finally:
            os.close(file)  # which ends the lock


def default_folder() -> Path:
    """Return the folder of budgets."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(tempfile.gettempdir()) / f"tallyfy-budgets-{os.getuid()}"


def _prepare(folder: Path) -> None:
    try:
        status = folder.lstat()
    except FileNotFoundError:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise OSError(f"{folder} is no folder")
    _check_owner(status, folder)


def _check_owner(status: os.stat_result, path: Path) -> None:
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise OSError(f"{path} can be written by others")


def _lock(file: int) -> None:
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_INTERVAL)
        else:
            return


def _read(file: int) -> Budgets:
    try:
        return Budgets.from_json(json.loads(os.pread(file, _MAX_BYTES, 0)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Budgets()
