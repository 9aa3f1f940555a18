"""One process at a time completes a task: by a lock file on one machine, by comments across machines."""

from __future__ import annotations

import errno
import tempfile
import threading
from typing import Any

import pytest

from tallyfy_emulator import Emulator, Fault, ManualClock, Quirks
from tallyfy_provider.client.tasks import locks
from tallyfy_provider.client.tasks.locks import host_lock
from tallyfy_provider.exceptions import TallyfyError
from tallyfy_provider.utils.timestamps import parse_timestamp

OWN = "c" * 32


def claimed(digit: str, token: str, at: str) -> dict[str, Any]:
    return {"id": digit * 32, "content": f"<p>x [airflow-claim:{token * 32}]</p>", "created_at": at}


def test_the_first_valid_claim_wins():
    long_ago, just_now, now = "2026-10-31T09:00:00Z", "2026-10-31T09:09:00Z", "2026-10-31 09:10:00"
    assert locks.first_claim([claimed("1", "c", now), claimed("a", "d", now)], OWN) == OWN
    assert locks.first_claim([claimed("a", "c", now), claimed("f", "b", just_now)], OWN) == "b" * 32
    assert locks.first_claim([claimed("2", "a", long_ago), claimed("a", "c", now)], OWN) == OWN
    assert locks.first_claim([claimed("2", "a", now), {"id": "3" * 32, "content": None}], OWN) is None


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(("first", "second"), [("0", "f"), ("f", "0"), ("9", "10")])
def test_claimants_agree_however_the_comments_are_listed(newest_first, first, second):
    threads = [claimed(first, "c", "2026-10-31T09:10:00Z"), claimed(second, "d", "2026-10-31 09:10:01")]
    threads = threads[::-1] if newest_first else threads

    assert {locks.first_claim(threads, token * 32) for token in "cd"} == {OWN}


@pytest.mark.parametrize("newest_first", [False, True])
def test_of_claims_in_the_same_second_the_lower_id_is_first(newest_first):
    threads = [claimed("b", "c", "2026-10-31T09:10:00Z"), claimed("a", "d", "2026-10-31T09:10:00Z")]
    threads = threads[::-1] if newest_first else threads

    assert {locks.first_claim(threads, token * 32) for token in "cd"} == {"d" * 32}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def emulator(clock):
    with Emulator(seed=False, clock=clock) as emulator:
        yield emulator


@pytest.fixture
def client(client_of):
    return client_of(max_attempts=1)


@pytest.fixture
def task(emulator, client):
    checklist = emulator.add_checklist("One", steps=[{"title": "Step"}])
    run = client.runs.launch({"checklist_id": checklist["id"], "name": "One"})
    return emulator.task(run["id"], "Step")


@pytest.fixture
def claim(client, clock, task):
    """Claim the task, by the emulator's clock; ``meanwhile`` is called at each pause."""

    def claim(meanwhile=lambda: None):
        def sleep(seconds):
            clock.advance(seconds)
            meanwhile()

        return locks.claim_task(client.tasks, client.comments, task, "Somebody", sleep=sleep, clock=clock.now)

    return claim


def test_a_single_process_gets_the_claim(claim):
    assert claim() is True


@pytest.fixture
def other_claim(client, clock, task):
    """Claim the task for another process, a second earlier."""

    def other_claim():
        client.comments.add_to_task(task["id"], f"[airflow-claim:{'a' * 32}]")
        clock.advance(1)

    return other_claim


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_second_process_waits_until_the_first_has_completed_the_task(
    emulator, client, claim, other_claim, clock, task, newest_first
):
    emulator.quirks = Quirks(newest_thread_first=newest_first)
    other_claim()
    begun = clock.now()
    assert claim(lambda: clock.now() - begun > 20 and client.tasks.complete(task["run_id"], task["id"])) is False
    assert clock.now() - begun < locks.LEASE


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text[:60] + "…",
        str.upper,
        lambda text: text.replace("[", "&#91;").replace("]", "&#93;"),
        lambda text: text.replace("[", "\\[").replace("-", "\\-"),
        lambda text: f"<p>{text}</p>",
    ],
    ids=["cut", "in large letters", "brackets as entities", "escaped as Markdown", "as HTML"],
)
def test_a_claim_is_known_again_however_comments_are_shown(client, claim, task, monkeypatch, written):
    listed = client.comments.list_of_task

    def shown(*names):
        return [{**thread, "content": written(thread["content"])} for thread in listed(*names)]

    monkeypatch.setattr(client.comments, "list_of_task", shown)
    assert claim() is True
    assert len(listed(task["id"])) == 1


@pytest.mark.parametrize("behind", [2, 3, 5])
def test_a_claim_that_is_shown_late_is_not_taken_for_somebody_elses(client, claim, clock, monkeypatch, behind):
    listed = client.comments.list_of_task

    def shown(*names):
        return [thread for thread in listed(*names) if parse_timestamp(thread["created_at"]) + behind <= clock.now()]

    monkeypatch.setattr(client.comments, "list_of_task", shown)
    begun = clock.now()
    assert claim() is True
    assert clock.now() - begun < 10


def test_a_claim_that_is_not_shown_says_so(client, claim, monkeypatch):
    monkeypatch.setattr(client.comments, "list_of_task", lambda *_: [])
    with pytest.raises(TallyfyError, match="cannot be claimed: Tallyfy does not show the 3 comments"):
        claim()


def test_the_claim_of_a_dead_process_expires(claim, other_claim, clock):
    other_claim()
    begun = clock.now()
    assert claim() is True
    assert clock.now() - begun >= locks.LEASE


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_claim_with_a_lost_request_or_response_is_made_once(emulator, client, claim, task, when):
    emulator.order(Fault(kind="reset", method="POST", path="comment", when=when, times=1))
    assert claim() is True
    assert len(client.comments.list_of_task(task["id"])) == 1


def test_a_task_that_others_keep_claiming_is_an_error(claim, other_claim):
    other_claim()
    with pytest.raises(TallyfyError, match="claimed by others"):
        claim(other_claim)


# -- the lock of one machine


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_one_thread_at_a_time_holds_the_lock(folder):
    inside, most = [], []

    def enter():
        for _ in range(50):
            with host_lock("organization", "task"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 400
    assert max(most) == 1


def test_the_lock_is_released_after_an_error(folder):
    with pytest.raises(ValueError, match="broken"), host_lock("a"):
        raise ValueError("broken")
    with host_lock("a"):
        pass


def test_the_folder_is_private_and_does_not_fill_up(folder):
    for number in range(1000):
        with host_lock(str(number)):
            pass
    (lock_files,) = folder.iterdir()
    assert lock_files.stat().st_mode & 0o777 == 0o700
    assert len(list(lock_files.iterdir())) <= 256


def test_without_a_folder_the_lock_is_skipped_with_a_warning(tmp_path, monkeypatch, caplog):
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(no_folder))
    done = []
    with host_lock("a"):
        done.append(True)
    assert done
    assert "other processes are not kept out" in caplog.text


def test_a_link_in_place_of_a_lock_file_is_not_followed(folder, caplog):
    with host_lock("a"):
        (lock_files,) = folder.iterdir()
        (file,) = lock_files.iterdir()
    file.unlink()
    file.symlink_to(folder / "elsewhere")
    with host_lock("a"):
        pass
    assert not (folder / "elsewhere").exists()
    assert "other processes are not kept out" in caplog.text


@pytest.mark.parametrize("kind", ["a link", "open to all"])
def test_a_folder_of_lock_files_that_is_not_ours_alone_is_not_used(folder, caplog, kind):
    with host_lock("a"):
        (lock_files,) = folder.iterdir()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if kind == "a link":
        lock_files.rename(folder / "before")
        lock_files.symlink_to(elsewhere)
    else:
        lock_files.chmod(0o777)
        next(lock_files.iterdir()).unlink()
    with host_lock("a"):
        assert list(elsewhere.iterdir()) == list(lock_files.iterdir()) == []
    assert "No lock file can be used" in caplog.text


def no_folder(monkeypatch):
    def missing():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/']")

    monkeypatch.setattr(tempfile, "gettempdir", missing)


def no_locks(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)


@pytest.mark.parametrize("lost", [no_folder, no_locks])
def test_without_a_temporary_folder_or_where_it_has_no_locks_the_task_is_completed_all_the_same(
    folder, monkeypatch, caplog, lost
):
    lost(monkeypatch)
    done = []
    with host_lock("a"):
        done.append(True)
    assert done
    assert "other processes are not kept out: [Errno" in caplog.text
