"""
Where budgets are kept, so that one client at a time changes them: in memory, in a file, in Redis.

All clients decide by the same code, :mod:`tallyfy_provider.client.http.budget`, whatever the store: it is read, changed
and written as a whole. Losing a store is never an error: the client goes by itself, and tries it again after a minute.

Libraries that limit rates were looked at. pyrate-limiter 4 and limits 5 keep to a rate that they are told, in Redis
too, and are good at it; here nobody knows the rate. Neither learns from refusals, shares a pause that a server asked
for, or lets a wait pass an export, which are the subject here; what is left of them would be one counter.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import random
import stat
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tallyfy_provider.client.http.budget import Budgets

log = logging.getLogger(__name__)

Result = TypeVar("Result")
#: Changes budgets at a time, in the seconds of the store's own clock.
Change = Callable[[Budgets, float], Result]

#: Environment variable that names the folder of files; empty for one in the temporary folder.
FOLDER_VARIABLE = "TALLYFY_BUDGET_FOLDER"
#: Seconds after which a lost store is tried again.
_TRY_AGAIN = 60.0
#: A budget with six kinds of request has a few kB.
_MAX_BYTES = 256 * 1024
#: Seconds for which a file's lock is waited for, and the most seconds between two tries.
_LOCK_TIMEOUT, _LOCK_INTERVAL = 5.0, 0.003

#: Returns the value in Redis, and Redis's time in seconds and microseconds; nothing while somebody else goes first.
#: Whoever passes milliseconds goes first for so long.
_READ = """
local first = redis.call('GET', KEYS[2])
if first and first ~= ARGV[1] then return false end
if ARGV[2] ~= '0' then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2]) end
local time = redis.call('TIME')
return {redis.call('GET', KEYS[1]) or '', time[1], time[2]}
"""
#: Writes a value where the one that was read is still there.
_WRITE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
"""
#: Changes that others overtook, after which a client goes first, and for how many milliseconds.
_MAX_OVERTAKEN, _FIRST_FOR = 2, 500
#: Seconds after its last use until Redis forgets a budget.
_LIFETIME = 7 * 24 * 3600
#: Seconds for connecting to Redis and for each of its answers.
_REDIS_TIMEOUT = 2.0
#: Seconds in which a value is changed that others change at the same time, and the most seconds between two tries.
_MAX_CONTENTION, _MAX_CONTENTION_PAUSE = 5.0, 0.01
#: Seconds for a change in all: the name server, connecting, and answers that come in byte by byte.
_REDIS_DEADLINE = 6.0


class StoreLostError(Exception):
    """A store cannot be used now; the text says why."""


class BudgetStore(Protocol):
    """Keeps budgets."""

    def update(self, change: Change[Result]) -> Result:
        """
        Change the budgets while nobody else does, and return what the change returns; it may be called again.

        :raises StoreLostError: The store cannot be used.
        """


class MemoryStore:
    """Keeps the budgets of one client."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._budgets = Budgets()

    def update(self, change: Change[Result]) -> Result:
        """Change the budgets."""
        with self._lock:
            return change(self._budgets, self._clock())


class FileStore:
    """
    Keeps the budgets that all processes on a machine share, in a small file that is changed under a lock.

    The folder belongs to the user and to nobody else, and is refused otherwise, since anybody may write to the
    temporary folder. The file's name is a hash; it holds paces and times, no secret. A damaged file is begun anew. The
    lock ends with the process that holds it, and is not waited for longer than five seconds.

    :param name: Name of the file.
    :param folder: Its folder; one in the temporary folder by default.
    :param clock: The time of day in seconds, the same for all processes.
    """

    def __init__(self, name: str, *, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._name = name
        self._folder = folder
        self._clock = clock
        # Threads of one process would otherwise sleep for each other's locks.
        self._threads = threading.Lock()

    def update(self, change: Change[Result]) -> Result:
        """Change the budgets in the file."""
        if not self._threads.acquire(timeout=_LOCK_TIMEOUT):
            raise StoreLostError("other threads do not let go of it")
        folder = self._folder
        try:
            folder = folder or default_folder()
            with _locked(folder / self._name) as file:
                before, now = os.pread(file, _MAX_BYTES, 0), self._clock()
                budgets = _parse(before, now)
                result = change(budgets, now)
                data = _text(budgets).encode()
                if data != before:
                    os.pwrite(file, data, 0)
                    os.ftruncate(file, len(data))
                return result
        except OSError as error:
            raise StoreLostError(f"{error.strerror or error} ({folder or f'{FOLDER_VARIABLE} names one'})") from None
        finally:
            self._threads.release()


def default_folder() -> Path:
    """Return the folder of the files."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(tempfile.gettempdir()) / f"tallyfy-budgets-{os.getuid()}"


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open a file and lock it. Anew each time: a process that was forked would share the lock of an open one."""
    file = _open(path)
    try:
        _check(os.fstat(file), path, stat.S_ISREG)
        _lock(file)
        yield file
    finally:
        os.close(file)  # which ends the lock


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        _check(path.parent.lstat(), path.parent, stat.S_ISDIR)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check(path.parent.lstat(), path.parent, stat.S_ISDIR)
    return os.open(path, flags, 0o600)


def _check(status: os.stat_result, path: Path, is_kind: Callable[[int], bool]) -> None:
    if not is_kind(status.st_mode):
        raise OSError(f"{path} is something else, such as a link")
    if status.st_uid != os.getuid():
        raise OSError(f"{path} belongs to another user; {FOLDER_VARIABLE} names another folder")
    if status.st_mode & 0o022:
        raise OSError(f"{path} can be written by others: chmod go-w {path}")


def _lock(file: int) -> None:
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0, _LOCK_INTERVAL))  # noqa: S311
        else:
            return


class RedisStore:
    """
    Keeps the budgets that all machines share, as one value in Redis.

    It is read together with Redis's own time, changed here, and written where nobody has changed it meanwhile;
    otherwise that is done again. Whoever was overtaken twice goes first then: others wait until it has written, for at
    most half a second. So clocks of machines that disagree do no harm, and a slow client is not overtaken for ever.

    :param name: Name of the value.
    :param url: Address of Redis, such as ``redis://host:6379/0``; ``rediss://`` for TLS.
    """

    def __init__(self, name: str, url: str) -> None:
        # In braces: a Redis cluster then keeps both on one machine.
        self._keys = f"tallyfy:budgets:{{{name}}}", f"tallyfy:budgets:{{{name}}}:first"
        self._url = url
        self._client: Any = None
        # Threads of one process would otherwise overtake each other.
        self._threads = threading.Lock()

    def update(self, change: Change[Result]) -> Result:
        """Change the budgets in Redis."""
        if not self._threads.acquire(timeout=_MAX_CONTENTION):
            raise StoreLostError("other threads do not let go of it")
        try:
            self._client = self._client or _connect(self._url)
            return self._start_update(self._client, change).result(_REDIS_DEADLINE)
        except StoreLostError:
            raise
        except TimeoutError:
            self._give_up()
            raise StoreLostError(f"Redis did not answer within {_REDIS_DEADLINE:.0f} s") from None
        except Exception as error:  # whatever the driver raises, of many kinds; its text may quote the password
            raise StoreLostError(f"Redis cannot be used ({type(error).__name__})") from None
        finally:
            self._threads.release()

    def _start_update(self, client: Any, change: Change[Result]) -> Future[Result]:
        """Update in a thread, since a socket's timeout ends with each byte that comes in."""
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(self._update(client, change))
            except BaseException as error:
                future.set_exception(error)

        # One for each change: a forked process has none of its parent's. A daemon, which keeps no process from ending.
        threading.Thread(target=run, name="tallyfy-budgets", daemon=True).start()
        return future

    def _give_up(self) -> None:
        """Leave the connection, which ends it and the thread that uses it."""
        client, self._client = self._client, None
        with suppress(Exception):
            client.connection_pool.disconnect()

    def _update(self, client: Any, change: Change[Result]) -> Result:
        name, overtaken = uuid.uuid4().hex, 0
        deadline = time.monotonic() + _MAX_CONTENTION
        while time.monotonic() < deadline:
            goes_first = overtaken >= _MAX_OVERTAKEN
            read = client.eval(_READ, 2, *self._keys, name, _FIRST_FOR if goes_first else 0)
            if read:
                before, seconds, microseconds = read
                now = int(seconds) + int(microseconds) / 1e6
                budgets = _parse(before, now)
                result = change(budgets, now)
                after = _text(budgets).encode()
                # Whoever goes first writes also what has not changed: that lets the others go on.
                is_unchanged = after == before and not goes_first
                if is_unchanged or client.eval(_WRITE, 2, *self._keys, name, before, after, _LIFETIME):
                    return result
                overtaken += 1
            time.sleep(random.uniform(0, _MAX_CONTENTION_PAUSE))  # noqa: S311
        raise StoreLostError("too many change the value in Redis at a time")


def _connect(url: str) -> Any:
    try:
        redis = import_module("redis")
    except ImportError:
        raise StoreLostError(
            "'budget_url' needs the package redis: pip install 'airflow-provider-tallyfy[redis]'"
        ) from None
    return redis.Redis.from_url(url, socket_timeout=_REDIS_TIMEOUT, socket_connect_timeout=_REDIS_TIMEOUT)


def _text(budgets: Budgets) -> str:
    return json.dumps(budgets.to_json(), separators=(",", ":")) + "\n"


def _parse(text: bytes, now: float) -> Budgets:
    """Read budgets as they are now; new ones where the text is damaged or of another version."""
    try:
        # The first line: what follows was left by somebody who was killed before the file was cut.
        budgets = Budgets.from_json(json.loads(text[: text.find(b"\n") + 1]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Budgets()
    budgets.follow_clock(now)
    return budgets


class SharedStore:
    """
    Keeps the budgets in a store that others share, and in memory while that is lost.

    :param shared: The store that others use, too.
    """

    def __init__(self, shared: BudgetStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._own = MemoryStore(clock)
        self._clock = clock
        self._lost_until = float("-inf")
        self._was_logged = False

    def update(self, change: Change[Result]) -> Result:
        """Change the budgets, here where they cannot be changed there."""
        if self._clock() < self._lost_until:
            return self._own.update(change)
        try:
            return self._shared.update(change)
        except StoreLostError as error:
            self._lost_until = self._clock() + _TRY_AGAIN
            if not self._was_logged:
                self._was_logged = True
                log.warning(
                    "Limits of Tallyfy are not shared with other tasks now, each keeps to them by itself: %s", error
                )
            return self._own.update(change)
