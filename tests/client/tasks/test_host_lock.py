"""The lock that processes of one machine share."""

from __future__ import annotations

import tempfile
import threading

import pytest

from tallyfy_provider.client.tasks.locks import host_lock


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_one_at_a_time_has_it(folder):
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


def test_it_is_free_again_after_an_error(folder):
    with pytest.raises(ValueError, match="broken"), host_lock("a"):
        raise ValueError("broken")
    with host_lock("a"):
        pass


def test_nobody_else_can_read_the_folder_and_it_does_not_fill_up(folder):
    for number in range(1000):
        with host_lock(str(number)):
            pass
    (locks,) = folder.iterdir()
    assert locks.stat().st_mode & 0o777 == 0o700
    assert len(list(locks.iterdir())) <= 256


def test_without_a_place_for_it_things_are_done_without_and_that_is_said(tmp_path, monkeypatch, caplog):
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
        (locks,) = folder.iterdir()
        (file,) = locks.iterdir()
    file.unlink()
    file.symlink_to(folder / "elsewhere")
    with host_lock("a"):
        pass
    assert not (folder / "elsewhere").exists()
    assert "other processes are not kept out" in caplog.text
