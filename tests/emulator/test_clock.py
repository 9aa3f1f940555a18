"""Scheduled changes of runs happen by the clock, without a request."""

from __future__ import annotations

import time

import pytest

from tallyfy_emulator import Emulator, ManualClock, SystemClock


def test_a_run_completes_when_it_is_due(emulator, clock, caller):
    run_id = emulator.add_run("moving", completes_in=5)["id"]
    assert caller.names("status=active") == ["moving"]
    clock.advance(4.5)
    assert caller.run(run_id).json()["data"]["status"] == "active"

    clock.advance(60)

    run = caller.run(run_id).json()["data"]
    assert run["status"] == "complete"
    assert run["completed_at"] == "2026-11-02T12:00:05Z", "then, not when somebody looked"
    assert caller.names("status=active") == []
    assert caller.names("status=complete") == ["moving"]


def test_a_run_can_go_through_several_changes(emulator, clock, caller):
    run_id = emulator.add_run()["id"]
    emulator.update_run_later(run_id, 30, status="complete")
    emulator.update_run_later(run_id, 10, status="problem")
    emulator.update_run_later(run_id, 20, status="active", name="renamed")

    seen = []
    for _ in range(4):
        seen.append(caller.run(run_id).json()["data"]["status"])
        clock.advance(10)

    assert seen == ["active", "problem", "active", "complete"]
    assert emulator.run(run_id)["name"] == "renamed"


@pytest.mark.parametrize("change", ["reopen_run", "archive_run"])
def test_a_change_cancels_the_scheduled_completion(emulator, clock, change):
    run_id = emulator.add_run(completes_in=5)["id"]
    getattr(emulator, change)(run_id)
    clock.advance(10)

    assert emulator.run(run_id)["completed_at"] is None


def test_renaming_a_run_cancels_nothing(emulator, clock):
    run_id = emulator.add_run(completes_in=5)["id"]
    emulator.update_run(run_id, name="renamed")
    clock.advance(5)

    assert emulator.run(run_id).items() >= {"name": "renamed", "status": "complete"}.items()


def test_a_deleted_run_stays_deleted(emulator, clock, caller):
    run_id = emulator.add_run(completes_in=5)["id"]
    emulator.delete_run(run_id)
    clock.advance(5)

    assert caller.run(run_id).status_code == 404


def test_the_system_clock(caller_with):
    with Emulator(seed=False, clock=SystemClock()) as emulator:
        caller = caller_with(emulator)
        began = time.monotonic()
        emulator.add_run("moving", completes_in=0.2)
        assert caller.names("status=active") == ["moving"]
        while caller.names("status=complete") != ["moving"]:
            assert time.monotonic() - began < 10
        assert time.monotonic() - began >= 0.2
        assert abs(emulator.requests[0].at - time.time()) < 30


def test_negative_times_are_refused(emulator):
    with pytest.raises(ValueError, match="can't go back"):
        ManualClock().advance(-1)
    with pytest.raises(ValueError, match="zero or more"):
        emulator.update_run_later(emulator.add_run()["id"], -1, status="complete")
