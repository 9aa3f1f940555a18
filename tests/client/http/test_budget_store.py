"""Stores of budgets: shared by processes, safe from other users, and never an error when they are lost."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tallyfy_provider.client.http import budget_store
from tallyfy_provider.client.http.budget import MAX_PAUSE, Budget, Budgets
from tallyfy_provider.client.http.budget_store import (
    FOLDER_VARIABLE,
    FileStore,
    RedisStore,
    SharedStore,
    StoreLostError,
)
from tallyfy_provider.client.http.request_kind import Priority
from tests.raw_server import dripped


def no_jitter(low: float, high: float) -> float:
    return low


def read_of(lease: str, now: float) -> tuple:
    return "reads", lease, now, Priority.CALL, no_jitter


@contextmanager
def raw_redis(answer):
    """Run a Redis that answers whatever is asked with some bytes, or closes the connection where there are none."""

    def talk(connection):
        with connection, suppress(OSError):
            while connection.recv(65536):
                for piece in answer():
                    if not piece:
                        return
                    connection.sendall(piece)

    def serve():
        with suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"redis://:secret@127.0.0.1:{listener.getsockname()[1]}/0"
        listener.shutdown(socket.SHUT_RDWR)


PROGRAM = """
import sys
from pathlib import Path
from tallyfy_provider.client.http.budget_store import FileStore
store = FileStore("x", folder=Path(sys.argv[1]))
def count(budgets, now):
    budgets.of("reads").pause += 1
for _ in range(100):
    store.update(count)
"""


KEEPER = """
import sys, time
from pathlib import Path
from tallyfy_provider.client.http.budget_store import FileStore
def keep(budgets, now):
    print("locked", flush=True)
    time.sleep(60)
FileStore("x", folder=Path(sys.argv[1])).update(keep)
"""

OLD = json.dumps({**Budgets({"reads": Budget()}).to_json(), "version": 0}).encode()
ODD = json.dumps(Budgets({"reads": Budget(window="wide")}).to_json()).encode()
ENDLESS = json.dumps(Budgets({"reads": Budget(next_at=float("inf"))}).to_json()).encode()

FORKING = """
import os
import sys

from tallyfy_provider.client.http.budget_store import RedisStore, StoreLostError

store = RedisStore("x", sys.argv[1])
for _ in range(2):
    try:
        store.update(lambda budgets, now: None)
    except StoreLostError as error:
        print(error, flush=True)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        break
"""


def pause(budgets: Budgets, now: float) -> None:
    budgets.of("reads").pause += 1


def pauses(budgets: Budgets, now: float) -> int:
    return budgets.of("reads").pause


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "budgets"


def test_processes_share_a_file_and_none_loses_a_change(folder):
    processes = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert FileStore("x", folder=folder).update(pauses) == 300


def test_a_file_is_its_users_own(folder):
    FileStore("x", folder=folder).update(pause)
    assert (folder / "x").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_is_not_followed(folder, tmp_path):
    folder.mkdir(mode=0o700)
    target = tmp_path / "precious"
    target.write_text("precious")
    (folder / "x").symlink_to(target)
    with pytest.raises(StoreLostError):
        FileStore("x", folder=folder).update(pause)
    assert target.read_text() == "precious"


def test_a_folder_of_another_user_is_named(folder, monkeypatch):
    folder.mkdir(mode=0o700)
    another = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another)
    with pytest.raises(StoreLostError, match="belongs to another user; TALLYFY_BUDGET_FOLDER names another folder"):
        FileStore("x", folder=folder).update(pause)


@pytest.mark.parametrize("kind", ["link", "open", "file"])
def test_a_folder_that_others_may_have_made_is_not_used(folder, tmp_path, kind):
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    elif kind == "open":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        folder.write_text("")
    with pytest.raises(StoreLostError):
        FileStore("x", folder=folder).update(pause)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"kinds": 5}', b"\xff" * 100, b"[" * 100_000, OLD, ODD, ENDLESS]
)
def test_a_damaged_file_is_begun_anew(folder, damage):
    store = FileStore("x", folder=folder)
    store.update(pause)
    (folder / "x").write_bytes(damage + b"\n")
    store.update(pause)
    assert store.update(pauses) == 1


def test_a_file_that_was_not_cut_is_read(folder):
    store = FileStore("x", folder=folder)
    store.update(pause)
    with (folder / "x").open("ab") as file:
        file.write(b"0}}}\n")
    assert store.update(pauses) == 1


def test_a_process_that_is_killed_holding_the_lock_blocks_nobody(folder):
    with subprocess.Popen([sys.executable, "-c", KEEPER, str(folder)], stdout=subprocess.PIPE) as keeper:
        keeper.stdout.readline()
        keeper.kill()
    assert FileStore("x", folder=folder).update(pauses) == 0


def test_a_process_that_stands_still_with_the_lock_blocks_nobody_for_long(folder, monkeypatch):
    monkeypatch.setattr(budget_store, "_LOCK_TIMEOUT", 0.1)
    with subprocess.Popen([sys.executable, "-c", KEEPER, str(folder)], stdout=subprocess.PIPE) as keeper:
        keeper.stdout.readline()
        with pytest.raises(StoreLostError):
            FileStore("x", folder=folder).update(pauses)
        keeper.kill()


def test_a_lost_store_is_logged_once_and_tried_again(folder, caplog):
    folder.write_text("")
    now = [0.0]
    store = SharedStore(FileStore("x", folder=folder), clock=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            store.update(pause)
            now[0] += 100
    assert store.update(pauses) == 3
    assert len(caplog.records) == 1
    folder.unlink()
    now[0] += 100
    assert store.update(pauses) == 0


def no_folder(*_):
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/']")


def no_locks(*_):
    raise OSError(errno.ENOLCK, "No locks available")


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def read_only(*_, **__):
    raise OSError(errno.EROFS, "Read-only file system")


@pytest.mark.parametrize(
    ("place", "lost"),
    [
        ("tempfile.gettempdir", no_folder),
        ("fcntl.flock", no_locks),
        ("os.pwrite", no_space),
        ("os.ftruncate", no_space),
        ("pathlib.Path.mkdir", read_only),
    ],
)
def test_a_folder_that_cannot_be_used_is_a_lost_store(tmp_path, monkeypatch, caplog, place, lost):
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(place, lost)
    store = SharedStore(FileStore("x"))
    for _ in range(3):
        store.update(pause)
    assert store.update(pauses) == 3
    assert len(caplog.records) == 1


@pytest.mark.parametrize("back", [30, 1800, 7200, 86_400, 30 * 86_400])
@pytest.mark.parametrize("is_refused", [False, True])
def test_nobody_waits_for_what_a_clock_was_ahead(folder, back, is_refused):
    now = [2e9]
    store = FileStore("x", folder=folder, clock=lambda: now[0])

    def ask(lease: str) -> None:
        while not (turn := store.update(lambda budgets, now: budgets.ask(*read_of(lease, now)))).granted:
            now[0] += turn.delay + 0.001
        now[0] += turn.delay

    def refuse(lease: str, hint: float) -> None:
        store.update(lambda budgets, now: budgets.record_refusal("reads", lease, now, hint, no_jitter))

    for number in range(40):  # until a pace is known
        ask(f"{number}")
        if number % 10 == 9:
            refuse(f"{number}", 1.0)
        else:
            store.update(lambda budgets, now, lease=f"{number}": budgets.of("reads").record_success(lease, now))
    ask("lost")
    if is_refused:
        refuse("lost", 60.0)
    now[0] -= back
    set_back = now[0]
    ask("next")
    assert now[0] - set_back < 65


def test_a_time_that_somebody_else_wrote_holds_nobody_back_for_more_than_an_hour(folder):
    now = [1e9]
    store = FileStore("x", folder=folder, clock=lambda: now[0])
    odd = Budget(next_at=1e18, paused_until=1e18)
    odd.learned.rate = 1.0
    store.update(pause)
    text = json.dumps(Budgets({"reads": odd}, paused_until=1e18).to_json()) + "\n"
    (folder / "x").write_text(text)
    while not (turn := store.update(lambda budgets, now: budgets.ask(*read_of("a", now)))).granted:
        now[0] += turn.delay
    assert now[0] <= 1e9 + 2 * MAX_PAUSE


def test_redis_that_answers_byte_by_byte_holds_nobody_back_for_long(monkeypatch):
    pytest.importorskip("redis")
    monkeypatch.setattr(budget_store, "_REDIS_DEADLINE", 0.3)
    answer = b"*3\r\n$400\r\n" + b"x" * 400 + b"\r\n:1\r\n:1\r\n"
    with raw_redis(lambda: dripped(answer)) as url:
        started = time.monotonic()
        with pytest.raises(StoreLostError, match="did not answer within"):
            RedisStore("x", url).update(pause)
        assert time.monotonic() - started < 2


ERRORS = [
    b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-MOVED 1 127.0.0.1:1\r\n",
    b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    b"-READONLY You can't write against a read only replica.\r\n",
    b"-NOAUTH Authentication required.\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b":5\r\n",
    b"",
]


@pytest.mark.parametrize("answer", ERRORS)
def test_redis_that_answers_with_an_error_is_a_lost_store(answer):
    pytest.importorskip("redis")
    with raw_redis(lambda: [answer]) as url:
        store = SharedStore(RedisStore("x", url))
        store.update(pause)
        assert store.update(pauses) == 1


def test_a_name_server_that_does_not_answer_keeps_no_process_from_ending(monkeypatch):
    pytest.importorskip("redis")
    answered = threading.Event()

    def look_up(*_, **__):
        answered.wait(30)
        raise OSError

    monkeypatch.setattr(budget_store, "_REDIS_DEADLINE", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    before = set(threading.enumerate())
    with pytest.raises(StoreLostError, match="did not answer within"):
        RedisStore("x", "redis://redis.invalid").update(pause)
    try:
        assert [thread for thread in set(threading.enumerate()) - before if not thread.daemon] == []
    finally:
        answered.set()


def test_a_process_that_was_forked_reaches_redis_too():
    pytest.importorskip("redis")
    with raw_redis(lambda: [ERRORS[0]]) as url:
        program = [sys.executable, "-c", FORKING, url]
        done = subprocess.run(program, check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines() == ["Redis cannot be used (BusyLoadingError)"] * 2


def test_redis_that_cannot_be_reached_says_no_password():
    pytest.importorskip("redis")
    with pytest.raises(StoreLostError) as raised:
        RedisStore("x", "redis://:secret@127.0.0.1:9/0").update(pause)
    assert "secret" not in str(raised.value)


def test_a_missing_package_is_a_lost_store(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(StoreLostError, match=r"airflow-provider-tallyfy\[redis\]"):
        RedisStore("x", "redis://127.0.0.1:9/0").update(pause)


@pytest.fixture
def redis_url():
    """Run a Redis, and give its address."""
    pytest.importorskip("redis")
    if not shutil.which("redis-server"):
        pytest.skip("needs redis-server")
    # Not below the tests' own folder: a socket's path has hardly more than a hundred characters.
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", f"{folder}/redis.sock", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        ) as server,
    ):
        try:
            deadline = time.monotonic() + 10
            while not os.path.exists(f"{folder}/redis.sock") and time.monotonic() < deadline:
                time.sleep(0.05)
            yield f"unix://{folder}/redis.sock"
        finally:
            server.terminate()


def test_machines_share_budgets_through_redis(redis_url):
    RedisStore("x", redis_url).update(pause)
    assert RedisStore("x", redis_url).update(pauses) == 1


def test_a_slow_machine_is_not_overtaken_for_ever(redis_url):
    ended = threading.Event()
    stores = [RedisStore("x", redis_url) for _ in range(4)]

    def hurry(store: RedisStore) -> int:
        changes = 0
        while not ended.is_set():
            store.update(pause)
            changes += 1
        return changes

    def slowly(budgets: Budgets, now: float) -> None:
        time.sleep(0.05)
        pause(budgets, now)

    with ThreadPoolExecutor(len(stores)) as threads:
        hurrying = [threads.submit(hurry, store) for store in stores]
        try:
            slow = RedisStore("x", redis_url)
            for _ in range(3):
                slow.update(slowly)
        finally:
            ended.set()
    assert stores[0].update(pauses) == 3 + sum(each.result() for each in hurrying)


def test_a_machine_that_stood_still_while_it_went_first_loses_nothing(redis_url, monkeypatch):
    monkeypatch.setattr(budget_store, "_MAX_OVERTAKEN", 0)  # it goes first at once
    monkeypatch.setattr(budget_store, "_FIRST_FOR", 50)
    other = RedisStore("x", redis_url)
    looks = []

    def still(budgets: Budgets, now: float) -> None:
        if not looks:
            other.update(pause)  # which waits until the 50 ms are over
        looks.append(now)
        pause(budgets, now)

    RedisStore("x", redis_url).update(still)
    assert len(looks) == 2
    assert other.update(pauses) == 2


def test_a_look_that_changes_nothing_leaves_the_file_alone(folder):
    store = FileStore("x", folder=folder)
    store.update(pause)
    written = (folder / "x").stat().st_mtime_ns
    assert store.update(pauses) == 1
    assert (folder / "x").stat().st_mtime_ns == written


def test_whoever_goes_first_and_changes_nothing_lets_others_go_on(redis_url, monkeypatch):
    monkeypatch.setattr(budget_store, "_MAX_OVERTAKEN", 0)
    monkeypatch.setattr(budget_store, "_FIRST_FOR", 60_000)
    store = RedisStore("x", redis_url)
    store.update(pause)
    store.update(pauses)
    monkeypatch.setattr(budget_store, "_MAX_OVERTAKEN", 2)
    assert RedisStore("x", redis_url).update(pauses) == 1


def test_a_look_that_changes_nothing_is_not_overtaken(redis_url):
    store, other = RedisStore("x", redis_url), RedisStore("x", redis_url)
    store.update(pause)
    looks = []

    def look(budgets: Budgets, now: float) -> None:
        looks.append(pauses(budgets, now))
        other.update(pause)

    store.update(look)
    assert looks == [1]
