"""The log of a deferred wait: a line when something changes, one every 10 to 20 minutes, and no others."""

from __future__ import annotations

import asyncio
import logging
import re
from itertools import pairwise

import pytest

from tallyfy_provider.client.runs.status import compact
from tallyfy_provider.client.tasks.status import compact_task
from tallyfy_provider.triggers.base import WaitTrigger
from tallyfy_provider.triggers.counts import RunCountTrigger
from tallyfy_provider.triggers.runs import RunStatusTrigger
from tallyfy_provider.triggers.tasks import TaskStatusTrigger
from tallyfy_provider.triggers.wait import TaskWait, Wait
from tallyfy_provider.waiting.conditions import StatusRule
from tallyfy_provider.waiting.run_reader import Snapshot

MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def common(clock):
    return {"tallyfy_conn_id": "tallyfy_default", "poke_interval": MINUTE, "deadline": clock.now() + 100 * HOUR}


@pytest.fixture
def lines(clock, monkeypatch):
    """The lines that triggers log, each with the seconds at which it was logged."""
    logged: list[tuple[float, str]] = []

    class Recorder(logging.Logger):
        def _log(self, level, message, args, **_):
            logged.append((clock.now() - begin, message % args if args else message))

    begin = clock.now()
    recorder = Recorder("waits", logging.INFO)
    monkeypatch.setattr(WaitTrigger, "log", property(lambda trigger: recorder))
    return logged


def about(lines, name):
    return [(at, line) for at, line in lines if repr(name) in line]


def assert_said_every_10_to_20_minutes(times, until):
    gaps = [after - before for before, after in pairwise([*times, until])]
    assert all(10 * MINUTE <= gap <= 21 * MINUTE for gap in gaps[:-1]), gaps
    assert gaps[-1] <= 21 * MINUTE


def test_five_waits_over_hundreds_of_looks_tell_of_changes_and_that_they_live(
    emulator, connect, lines, common, run_waits
):
    names = [f"Review {number}" for number in range(5)]
    ids = [emulator.add_run(name=name)["id"] for name in names]
    rule = {"allowed_statuses": ["complete"], "failed_statuses": [], "skipped_statuses": [], "wait_for": "all"}

    async def scenario(waits):
        waits.start(*(RunStatusTrigger(run_ids=[run_id], **rule, **common) for run_id in ids))
        await asyncio.sleep(2 * HOUR)
        for status in ("delayed", "problem", "active"):
            emulator.update_run(ids[0], status=status)
            await asyncio.sleep(5 * MINUTE)

    run_waits(scenario)
    for name in names[1:]:
        assert_said_every_10_to_20_minutes([at for at, _ in about(lines, name)], 2 * HOUR + 15 * MINUTE)
    changing = about(lines, names[0])
    assert_said_every_10_to_20_minutes([at for at, _ in changing if at < 2 * HOUR], 2 * HOUR)
    changes = [re.search(r"\): (\w+)", line).group(1) for at, line in changing if at > 2 * HOUR]
    assert changes == ["delayed", "problem", "active"]


def test_each_line_leads_to_the_process_and_the_first_says_who_shares_the_polling(
    emulator, connect, lines, common, run_waits
):
    ids = emulator.add_runs(2)
    rule = {"allowed_statuses": ["complete"], "failed_statuses": [], "skipped_statuses": [], "wait_for": "all"}

    async def scenario(waits):
        waits.start(*(RunStatusTrigger(run_ids=[run_id], **rule, **common) for run_id in ids))
        await asyncio.sleep(2 * MINUTE)

    run_waits(scenario)
    said = [line for _, line in lines]
    assert said[:2] == ["Polling every 60 s.", "Polling every 60 s, together with 1 other wait."]
    assert {line.rpartition(" ")[2] for line in said[2:]} == {f"https://go.tallyfy.com/tracker/{one}" for one in ids}


def test_a_wait_for_a_step_is_silent_about_the_other_steps(emulator, connect, lines, common, run_waits):
    checklist = emulator.add_checklist("Approval", steps=[{"title": f"Step {number}"} for number in range(4)])
    run_id = connect().launch_run({"checklist_id": checklist["id"], "name": "Approval"})["id"]
    tasks = emulator.tasks(run_id)

    async def scenario(waits):
        waits.start(TaskStatusTrigger(run_id=run_id, step=tasks[3]["id"], **common))
        for task in tasks[:3]:
            await asyncio.sleep(2 * MINUTE)
            emulator.complete_task(task["id"])
        await asyncio.sleep(2 * MINUTE)
        emulator.report_problem(tasks[3]["id"], "The file is missing.")
        await asyncio.sleep(2 * MINUTE)

    run_waits(scenario)
    states = [re.search(r"\): ([^(]*)[,(]", line).group(1).strip(" ,") for _, line in about(lines, "Step 3")]
    assert [state.partition(", of")[0] for state in states] == ["not-started", "active", "active, with an open problem"]


def test_a_count_is_said_when_it_changes_and_every_10_to_20_minutes(emulator, connect, lines, common, run_waits):
    emulator.add_runs(1)

    async def scenario(waits):
        waits.start(RunCountTrigger(filters={"status": "active"}, at_least=3, at_most=None, **common))
        await asyncio.sleep(2 * HOUR)
        emulator.add_runs(1)
        await asyncio.sleep(2 * MINUTE)

    run_waits(scenario)
    assert lines[0][1] == "Waiting for at least 3 runs: 1 run matches."
    assert lines[-1][1] == "Waiting for at least 3 runs: 2 runs match."
    assert_said_every_10_to_20_minutes([at for at, _ in lines[:-1]], 2 * HOUR)


RUN = {
    "id": "a" * 32,
    "name": "Review",
    "status": "active",
    "checklist_id": "b" * 32,
    "owner_id": 7,
    "created_at": "2026-10-01T09:00:00Z",
    "completed_at": None,
    "archived_at": None,
    "last_updated": "2026-10-02T09:00:00Z",
    "has_open_issue": False,
}


@pytest.mark.parametrize(
    "otherwise",
    [
        {"has_open_issue": None},
        {"status": "Active"},
        {"status": "in-progress"},
        {"owner_id": "7"},
        {"created_at": "2026-10-01 09:00:00"},
        {"completed_at": ""},
        {"archived_at": ""},
        {"last_updated": "2026-10-02T09:00:00.000000+00:00"},
    ],
)
def test_the_same_state_in_other_words_is_no_change(otherwise):
    assert Wait.state_of(compact(RUN)) == Wait.state_of(compact(RUN | otherwise))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "delayed"},
        {"has_open_issue": True},
        {"name": "Contract review"},
        {"completed_at": "2026-10-03T09:00:00Z"},
        {"archived_at": "2026-10-03T09:00:00Z"},
    ],
)
def test_what_a_person_did_is_a_change(change):
    assert Wait.state_of(compact(RUN)) != Wait.state_of(compact(RUN | change))


TASK = {"id": "c" * 32, "title": "Approve", "status": "completed", "completed_at": "2026-10-03T09:00:00Z"}


@pytest.mark.parametrize(
    "otherwise", [{"status": "complete"}, {"problem": False}, {"completed_at": "2026-10-03 09:00"}]
)
def test_the_same_task_in_other_words_is_no_change(otherwise):
    tasks = [compact_task(TASK), compact_task(TASK | {"id": "d" * 32})]
    others = [compact_task(TASK | {"id": "d" * 32}), compact_task(TASK | otherwise)]
    assert TaskWait.state_of({**RUN, "tasks": tasks}) == TaskWait.state_of({**RUN, "tasks": others})


def test_an_issue_that_only_lists_tell_of_is_one_change(run):
    async def looks():
        wait = Wait([RUN["id"]], MINUTE, StatusRule(), 0.0)
        updates = 0
        for issue in (False, None, True, None, True, None, False, None):
            wait.on_update(RUN["id"], Snapshot(run=compact(RUN | {"has_open_issue": issue})))
            updates += wait._updated.is_set()
            wait._updated.clear()
        return updates

    assert run(looks()) == 3  # the first look, the issue, its end
