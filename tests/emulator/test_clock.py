"""Runs move on by the clock, whether or not anybody looks."""

from __future__ import annotations

import time

import pytest

from tallyfy_emulator import Emulator, ManualClock, SystemClock


def status(caller, run_id):
    return caller.run(run_id).json()["data"]["status"]


def test_a_run_completes_when_its_time_has_come(emulator, clock, caller):
    run_id = emulator.add_run(completes_in=5)["id"]
    clock.advance(4.5)
    assert status(caller, run_id) == "active"

    clock.advance(60)

    run = caller.run(run_id).json()["data"]
    assert run["status"] == "complete"
    assert run["completed_at"] == "2026-11-02T12:00:05Z", "then, not when somebody looked"


def test_lists_move_on_as_well(emulator, clock, caller):
    emulator.add_run("moving", completes_in=5)
    assert caller.names("status=active") == ["moving"]

    clock.advance(5)

    assert caller.names("status=active") == []
    assert caller.names("status=complete") == ["moving"]


def test_a_run_can_go_through_several_changes(emulator, clock, caller):
    run_id = emulator.add_run()["id"]
    emulator.update_run_later(run_id, 30, status="complete")
    emulator.update_run_later(run_id, 10, status="problem")
    emulator.update_run_later(run_id, 20, status="active", name="renamed")

    seen = []
    for _ in range(4):
        seen.append(status(caller, run_id))
        clock.advance(10)

    assert seen == ["active", "problem", "active", "complete"]
    assert emulator.run(run_id)["name"] == "renamed"


@pytest.mark.parametrize("change", ["reopen_run", "archive_run"])
def test_what_a_person_does_cancels_what_the_clock_would_do(emulator, clock, change):
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


def test_the_machines_own_time(caller_with):
    with Emulator(seed=False, clock=SystemClock()) as emulator:
        caller = caller_with(emulator)
        run_id = emulator.add_run(completes_in=0.2)["id"]
        assert status(caller, run_id) == "active"
        time.sleep(0.25)
        assert status(caller, run_id) == "complete"
        assert abs(emulator.requests[0].at - time.time()) < 30


def test_time_does_not_go_back(emulator):
    with pytest.raises(ValueError, match="can't go back"):
        ManualClock().advance(-1)
    with pytest.raises(ValueError, match="zero or more"):
        emulator.update_run_later(emulator.add_run()["id"], -1, status="complete")
