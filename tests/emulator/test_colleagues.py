"""People who act by themselves, so that what an example needs is there whenever it is started."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Emulator, ManualClock

MINUTE = 60.0


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def emulator(clock):
    with Emulator(clock=clock, colleagues=True) as emulator:
        yield emulator


def under_way(emulator, title):
    return [run["name"] for run in emulator.runs(emulator.checklists[title]) if run["status"] == "active"]


@pytest.mark.parametrize("minutes", [0, 1, 7, 59, 60 * 3])
def test_what_the_examples_wait_for_is_there_at_any_time(emulator, clock, minutes):
    clock.advance(minutes * MINUTE)
    assert len(under_way(emulator, "Contract review")) >= 3
    assert set(under_way(emulator, "Month-end close")) == {"Month-end close – October 2026"}
    assert len(under_way(emulator, "Customer onboarding")) >= 1


def test_everybody_finishes_what_is_under_way(emulator, clock):
    before = set(under_way(emulator, "Contract review"))
    clock.advance(11 * MINUTE)
    assert before.isdisjoint(under_way(emulator, "Contract review"))
    ended = [run for run in emulator.runs(emulator.checklists["Contract review"]) if run["name"] in before]
    assert {run["status"] for run in ended} == {"complete"}


def test_the_feed_tells_of_it_at_the_times_at_which_it_happened(emulator, clock):
    begun = len(emulator.activities)
    clock.advance(60 * MINUTE)
    rows = emulator.activities[begun:]
    assert len({row["created_at"] for row in rows}) > 20
    names = [run["name"] for run in emulator.runs() if run["name"].startswith("Contract review – Globex lease")]
    assert len(names) == len(set(names))


def test_whoever_tries_it_out_can_be_the_first_to_approve(emulator, connect, clock):
    kickoff = {field["alias"]: field["id"] for field in emulator.checklist("Expense approval")["prerun"]}
    prerun = {kickoff["amount"]: "12", kickoff["reason"]: "A fair"}
    body = {"checklist_id": emulator.checklists["Expense approval"], "prerun": prerun}
    run_id = connect().launch_run(body)["id"]
    clock.advance(9 * MINUTE)
    assert emulator.task(run_id, "approve")["status"] == "active"
    clock.advance(2 * MINUTE)
    assert emulator.task(run_id, "approve")["status"] == "completed"
