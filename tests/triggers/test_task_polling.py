"""All deferred waits for tasks on a connection share one poller: what they cost, and that none is lost or delayed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.triggers import executor as threads
from tallyfy_provider.triggers import poller
from tallyfy_provider.triggers.runs import RunStatusTrigger
from tallyfy_provider.triggers.tasks import TaskStatusTrigger
from tallyfy_provider.waiting.run_reader import Snapshot
from tallyfy_provider.waiting.task_reader import FEW, MOST_ROUNDS_UNREAD, UNCHANGED, TaskReader

from .conftest import Waits


@pytest.fixture
def trigger(clock):
    def trigger(run_id, task="step-1", *, interval=0.2, timeout=60.0, **changes):
        arguments = {
            "tallyfy_conn_id": "tallyfy_default",
            "run_id": run_id,
            "step": task,
            "poke_interval": interval,
            "deadline": clock.now() + timeout,
            **changes,
        }
        return TaskStatusTrigger(**arguments)

    return trigger


@pytest.fixture
def launch(emulator, connect):
    """Launch runs with two steps, and give their ids."""
    connect()
    steps = [{"title": f"Step {number}", "alias": f"step-{number}"} for number in (1, 2)]
    checklist = emulator.add_checklist("Two steps", steps=steps)

    def launch(count):
        fields = {"checklist_id": checklist["id"], "tasks_done": 0}
        return [emulator.add_run(**fields, name=f"Run {number}")["id"] for number in range(count)]

    return launch


@pytest.fixture
def complete(emulator):
    def complete(run_id, alias="step-1"):
        emulator.complete_task(emulator.task(run_id, alias)["id"])

    return complete


def test_waits_for_several_steps_of_one_run_share_their_requests(emulator, launch, complete, run_waits, trigger):
    (run_id,) = launch(1)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id, f"step-{number % 2 + 1}", interval=0.5) for number in range(20)))
        await asyncio.sleep(0.8)
        emulator.clear_requests()
        await asyncio.sleep(2.0)  # four intervals
        asked = len(emulator.requests)
        complete(run_id, "step-1")
        complete(run_id, "step-2")
        return asked, await waits.results(tasks, 30)

    asked, events = run_waits(scenario)
    assert asked <= 5 * 2  # the run and its tasks
    assert [event["seen"]["task"]["alias"] for event in events] == ["step-1", "step-2"] * 10
    assert {event["status"] for event in events} == {"ended"}


def test_waits_on_many_runs_cost_a_fifth_of_a_request_each_and_none_is_lost(
    emulator, launch, complete, run_waits, trigger
):
    run_ids = launch(100)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id, interval=1.0) for run_id in run_ids))
        await asyncio.sleep(6.0)
        emulator.clear_requests()
        await asyncio.sleep(4.0)  # four intervals
        asked = len(emulator.requests)
        for run_id in run_ids:
            complete(run_id)
        return asked, await waits.results(tasks, 40)

    asked, events = run_waits(scenario)
    assert asked <= 5 * (100 / MOST_ROUNDS_UNREAD + 6)
    assert [event["seen"]["run"]["id"] for event in events] == run_ids
    assert {event["status"] for event in events} == {"ended"}


def test_a_few_threads_serve_all_and_end_with_the_last_wait(clock, launch, run, trigger):
    run_ids = launch(30)

    async def scenario():
        async with Waits() as waits:
            waits.start(*(trigger(run_id) for run_id in run_ids))
            waits.start(
                *(
                    RunStatusTrigger(
                        tallyfy_conn_id="tallyfy_default",
                        run_ids=[run_id],
                        allowed_statuses=["complete"],
                        failed_statuses=[],
                        skipped_statuses=[],
                        wait_for="all",
                        poke_interval=0.2,
                        deadline=clock.now() + 60,
                    )
                    for run_id in run_ids
                )
            )
            await asyncio.sleep(1.0)
            started = [each for each in threading.enumerate() if each.name.startswith("tallyfy-tallyfy_default")]
        await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        return len(started) <= 8, poller._pollers[loop], threads._executors[loop]

    assert run(scenario()) == (True, {}, {})


def test_a_wait_that_joins_the_others_on_a_quiet_run_is_answered_from_the_next_round(
    launch, complete, run_waits, trigger
):
    run_ids = launch(FEW + 5)

    async def scenario(waits):
        waits.start(*(trigger(run_id, "step-2", interval=0.3) for run_id in run_ids))
        await asyncio.sleep(0.8)
        complete(run_ids[0])
        await asyncio.sleep(2.0)  # seen and found unchanged since
        (late,) = waits.start(trigger(run_ids[0], "step-1", interval=0.3))
        started = asyncio.get_running_loop().time()
        await asyncio.wait_for(late, 20)
        return asyncio.get_running_loop().time() - started

    assert run_waits(scenario) < 1.2


@pytest.mark.parametrize("count", [1, FEW + 5])
def test_a_run_that_is_deleted_is_reported_to_its_own_waits_only(emulator, launch, count, run_waits, trigger):
    doomed, *others = launch(count)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for run_id in (doomed, *others)))
        await asyncio.sleep(0.6)
        emulator.delete_run(doomed)
        gone = await asyncio.wait_for(tasks[0], 20)
        await asyncio.sleep(0.5)
        assert not any(task.done() for task in tasks[1:])
        return gone

    assert run_waits(scenario)["error"]["kind"] == "TallyfyNotFoundError"


@pytest.mark.parametrize("fault", [Fault(kind="status", status=503), Fault(kind="reset")])
@pytest.mark.parametrize("count", [2, FEW + 5])
def test_transient_errors_end_no_wait(emulator, connect, launch, complete, fault, count, run_waits, trigger):
    run_ids = launch(count)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for run_id in run_ids))
        await asyncio.sleep(0.5)
        emulator.order(fault)
        await asyncio.sleep(0.8)
        emulator.clear_faults()
        for run_id in run_ids:
            complete(run_id)
        return await waits.results(tasks, 30)

    assert {event["status"] for event in run_waits(scenario)} == {"ended"}


def test_a_storm_of_429_slows_all_waits_and_fails_none(emulator, connect, launch, complete, run_waits, trigger):
    run_ids = launch(30)

    async def scenario(waits):
        emulator.order(Fault(kind="status", status=429, headers={"Retry-After": "1"}, times=3))
        tasks = waits.start(*(trigger(run_id, fault_tolerance=0.1) for run_id in run_ids))
        for run_id in run_ids:
            complete(run_id)
        return await waits.results(tasks, 40)

    assert {event["status"] for event in run_waits(scenario)} == {"ended"}
    assert sum(request.status == 429 for request in emulator.requests) == 3


def test_a_revoked_token_is_reported_to_every_wait(emulator, launch, run_waits, trigger):
    run_ids = launch(FEW + 5)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for run_id in run_ids))
        await asyncio.sleep(0.5)
        emulator.revoke(emulator.token)
        return await waits.results(tasks)

    assert {event["error"]["kind"] for event in run_waits(scenario)} == {"TallyfyAuthError"}


def test_a_last_poll_is_made_before_a_timeout(launch, complete, run_waits, trigger):
    seen, unseen = launch(2)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id, interval=60.0, timeout=0.8) for run_id in (seen, unseen)))
        await asyncio.sleep(0.3)
        complete(seen)
        return await waits.results(tasks)

    first, second = run_waits(scenario)
    assert (first["status"], second["status"]) == ("ended", "timeout")
    assert second["seen"]["task"]["title"] == "Step 1"


def test_an_end_that_only_a_list_shows_ends_no_wait_before_the_task_shows_it(
    emulator, launch, complete, run_waits, trigger
):
    """The task was reopened, and the list is behind."""
    (run_id,) = launch(1)
    task_id = emulator.task(run_id, "step-1")["id"]
    emulator.complete_task(task_id)

    async def scenario(waits):
        await asyncio.sleep(1.1)
        emulator.quirks = Quirks(list_lag=1.0)
        emulator.reopen_task(task_id)
        (task,) = waits.start(trigger(run_id, task_id, interval=0.1))
        await asyncio.sleep(2.0)
        was_over = task.done()
        emulator.complete_task(task_id)
        return was_over, await asyncio.wait_for(task, 20)

    was_over, event = run_waits(scenario)
    assert was_over is False
    assert event["status"] == "ended"


def test_the_log_says_what_is_waited_for_without_repeating_itself(emulator, launch, said, run_waits, trigger):
    (run_id,) = launch(1)

    async def scenario(waits):
        waits.start(trigger(run_id, interval=0.1))
        await asyncio.sleep(1.0)

    said()
    run_waits(scenario)
    log = said()
    assert "Polling every 0.1 s." in log
    assert log.count("Waiting for a step to be done: 'Step 1'") in (1, 2)  # Airflow 2 writes each line twice here


class Rounds:
    """Reads tasks in rounds, and tells of which runs they were requested."""

    def __init__(self, emulator, client):
        self.emulator, self.client = emulator, client
        self.seen: dict[str, Snapshot] = {}
        self.reader = TaskReader(self.seen.update)

    def round(self, run_ids):
        self.seen.clear()
        self.emulator.clear_requests()
        self.reader.read(self.client, dict.fromkeys(run_ids, bool))
        paths = [request.path.split("/") for request in self.emulator.requests if request.path.endswith("/tasks")]
        return {path[-2] for path in paths}


def test_a_run_that_looks_unchanged_is_read_in_the_fifth_round_at_the_latest(emulator, connect, launch):
    run_ids = launch(40)
    rounds = Rounds(emulator, connect().get_conn())
    assert rounds.round(run_ids) == rounds.round(run_ids) == set(run_ids)
    later = [rounds.round(run_ids) for _ in range(MOST_ROUNDS_UNREAD)]
    assert set().union(*later) == set(run_ids)
    assert max(len(asked) for asked in later) <= 40 / MOST_ROUNDS_UNREAD
    assert set(rounds.seen) == set(run_ids)
    assert sum(snapshot is UNCHANGED for snapshot in rounds.seen.values()) == 32


def test_a_run_that_changed_is_read_at_once_and_once_more(emulator, connect, clock, launch):
    run_ids = launch(40)
    rounds = Rounds(emulator, connect().get_conn())
    for _ in range(2):
        rounds.round(run_ids)
    clock.advance(1.1)  # Tallyfy tells moments by the second
    emulator.complete_task(emulator.task(run_ids[7], "step-1")["id"])
    assert run_ids[7] in rounds.round(run_ids)
    assert run_ids[7] in rounds.round(run_ids)


def test_a_round_for_a_few_does_not_forget_the_others(emulator, connect, launch):
    run_ids = launch(40)
    rounds = Rounds(emulator, connect().get_conn())
    for _ in range(2):
        rounds.round(run_ids)
    assert rounds.round(run_ids[:3]) == set(run_ids[:3])
    assert len(rounds.round(run_ids)) == 40 / MOST_ROUNDS_UNREAD


def test_runs_that_always_fail_do_not_starve_the_others(emulator, connect, launch, complete, run_waits, trigger):
    bad, good = launch(4), launch(5)
    for run_id in bad:
        emulator.order(Fault(kind="status", status=500, path=run_id))

    async def scenario(waits):
        waits.start(*(trigger(run_id) for run_id in bad))
        tasks = waits.start(*(trigger(run_id) for run_id in good))
        for run_id in good:
            complete(run_id)
        return await waits.results(tasks)

    assert {event["status"] for event in run_waits(scenario)} == {"ended"}
