"""All deferred waits on a connection share one poller: what they cost, and that none is lost, delayed or made up."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections import Counter
from itertools import pairwise

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.triggers import executor as threads
from tallyfy_provider.triggers import poller
from tallyfy_provider.triggers.runs import RunStatusTrigger
from tallyfy_provider.triggers.wait import wait_for_event

from .conftest import Waits

#: Of calls, those that go first, and the helpers of a connection whose concurrency is 4.
MOST_THREADS = 4 + 1 + 3


@pytest.fixture
def trigger(clock):
    def trigger(*run_ids, interval=0.2, timeout=60.0, **changes):
        arguments = {
            "tallyfy_conn_id": "tallyfy_default",
            "run_ids": list(run_ids),
            "allowed_statuses": ["complete"],
            "failed_statuses": ["archived"],
            "skipped_statuses": [],
            "wait_for": "all",
            "poke_interval": interval,
            "deadline": clock.now() + timeout,
            **changes,
        }
        return RunStatusTrigger(**arguments)

    return trigger


def connection_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tallyfy-tallyfy_default")]


def test_a_hundred_waits_cost_a_few_requests_an_interval(emulator, connect, run_waits, trigger):
    ids = emulator.add_runs(100)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id, interval=0.5) for run_id in ids))
        await asyncio.sleep(0.9)
        emulator.clear_requests()
        await asyncio.sleep(2.0)  # four intervals
        asked = len(emulator.requests)
        for run_id in ids:
            emulator.complete_run(run_id)
        return asked, await waits.results(tasks, 30)

    asked, events = run_waits(scenario)
    assert asked <= 5 * (math.ceil(100 / 100) + 5)
    assert [event["status"] for event in events] == ["ended"] * 100
    assert [event["seen"][0]["id"] for event in events] == ids


def test_each_run_is_polled_at_least_once_an_interval(emulator, connect, run_waits, trigger):
    quick, slow = emulator.add_runs(2)

    async def scenario(waits):
        waits.start(trigger(quick, interval=0.2), trigger(slow, interval=1.0))
        await asyncio.sleep(3.5)

    run_waits(scenario)
    asked = Counter(request.path.rsplit("/", 1)[1] for request in emulator.requests)
    assert asked[quick] >= 10
    assert 3 <= asked[slow] <= 6


def test_a_wait_that_joins_late_is_answered_from_the_next_round(emulator, connect, run_waits, trigger):
    early, late = emulator.add_runs(2)

    async def scenario(waits):
        waits.start(trigger(early, interval=0.4))
        await asyncio.sleep(0.6)
        (task,) = waits.start(trigger(late, interval=0.4))
        emulator.complete_run(late)
        started = asyncio.get_running_loop().time()
        await asyncio.wait_for(task, 10)
        return asyncio.get_running_loop().time() - started

    assert run_waits(scenario) < 2


def test_waits_for_the_same_run_are_all_answered_by_one_poll(emulator, connect, run_waits, trigger):
    (run_id,) = emulator.add_runs(1)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for _ in range(20)))
        await asyncio.sleep(0.5)
        emulator.complete_run(run_id)
        return await waits.results(tasks, 10)

    events = run_waits(scenario)
    assert {event["status"] for event in events} == {"ended"}
    assert len(emulator.requests) < 10


def no_connection_threads_are_left():
    until = time.monotonic() + 5
    while connection_threads() and time.monotonic() < until:
        time.sleep(0.05)
    return connection_threads() == []


def test_a_few_threads_serve_all_and_end_with_the_last_wait(emulator, connect, run, trigger):
    ids = emulator.add_runs(5)
    assert no_connection_threads_are_left()

    async def scenario():
        async with Waits() as waits:
            waits.start(*(trigger(run_id) for run_id in ids))
            await asyncio.sleep(0.6)
            during = len(connection_threads())
        await asyncio.sleep(0.1)
        loop = asyncio.get_running_loop()
        left = [task for task in asyncio.all_tasks() if "tallyfy" in task.get_name()]
        return during, left, poller._pollers[loop], threads._executors[loop]

    during, left, pollers, shared = run(scenario())
    assert 1 <= during <= MOST_THREADS
    assert (left, pollers, shared) == ([], {}, {})
    assert no_connection_threads_are_left()


def test_a_cancellation_right_after_its_event_is_not_lost(run):
    """asyncio.wait_for loses it on Python 3.11."""

    async def scenario():
        event = asyncio.Event()
        task = asyncio.create_task(wait_for_event(event, 60.0))
        await asyncio.sleep(0)
        event.set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario())


def test_waiting_for_an_event_ends_with_its_time(run):
    async def scenario():
        started = asyncio.get_running_loop().time()
        await wait_for_event(asyncio.Event(), 60.0)
        return asyncio.get_running_loop().time() - started

    assert run(scenario()) == pytest.approx(60.0, abs=0.1)


def test_a_poller_that_ends_can_start_again_at_once(emulator, connect, run, trigger):
    ids = emulator.add_runs(3)

    async def scenario():
        for run_id in ids:
            async with Waits() as waits:
                (task,) = waits.start(trigger(run_id))
                await asyncio.sleep(0.3)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                (task,) = waits.start(trigger(run_id))
                emulator.complete_run(run_id)
                assert (await asyncio.wait_for(task, 10))["status"] == "ended"

    run(scenario())


def test_a_wait_cancelled_in_the_middle_of_a_request_harms_no_other(emulator, connect, run_waits, trigger):
    doomed, other = emulator.add_runs(2)
    emulator.order(Fault(kind="delay", delay=0.5, path=doomed, times=1))

    async def scenario(waits):
        first, second = waits.start(trigger(doomed), trigger(other))
        await asyncio.sleep(0.35)
        first.cancel()
        emulator.complete_run(other)
        return await asyncio.wait_for(second, 10)

    assert run_waits(scenario)["status"] == "ended"


def test_nothing_blocks_the_event_loop_while_tallyfy_does_not_answer(emulator, connect, run_waits, trigger):
    (run_id,) = emulator.add_runs(1)
    connect(extra={"timeout": 2})
    emulator.order(Fault(kind="delay", delay=5))

    async def scenario(waits):
        waits.start(trigger(run_id, interval=0.05))
        await asyncio.sleep(0.1)
        longest, last = 0.0, time.monotonic()
        for _ in range(30):
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return longest

    assert run_waits(scenario) < 1.0


def test_a_run_deleted_while_it_is_waited_for_is_reported_to_its_own_waits_only(emulator, connect, run_waits, trigger):
    ids = emulator.add_runs(10)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for run_id in ids))
        await asyncio.sleep(0.5)
        emulator.delete_run(ids[0])
        gone = await asyncio.wait_for(tasks[0], 10)
        await asyncio.sleep(0.5)
        assert not any(task.done() for task in tasks[1:])
        return gone

    gone = run_waits(scenario)
    assert gone["error"]["kind"] == "TallyfyNotFoundError"


def test_a_revoked_token_is_reported_to_every_wait(emulator, connect, run_waits, trigger):
    ids = emulator.add_runs(10)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for run_id in ids))
        await asyncio.sleep(0.5)
        emulator.revoke(emulator.token)
        return await waits.results(tasks)

    assert {event["error"]["kind"] for event in run_waits(scenario)} == {"TallyfyAuthError"}


def test_a_token_that_somebody_replaced_in_the_connection_is_used_at_once(emulator, connect, run_waits, trigger):
    ids = emulator.add_runs(5)
    fields = json.loads(emulator.connection_json("client_credentials"))

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for run_id in ids))
        await asyncio.sleep(0.5)
        connect(password=fields["password"], extra=fields["extra"])
        emulator.revoke(emulator.token)
        await asyncio.sleep(0.6)
        for run_id in ids:
            emulator.complete_run(run_id)
        return await waits.results(tasks)

    assert {event["status"] for event in run_waits(scenario)} == {"ended"}


def test_a_connection_that_is_never_found_ends_the_wait(emulator, connect, run_waits, trigger):
    async def scenario(waits):
        (task,) = waits.start(trigger("a" * 32, tallyfy_conn_id="no_such_connection", fault_tolerance=5.0))
        return await asyncio.wait_for(task, 20)

    error = run_waits(scenario)["error"]
    assert error["kind"] == "TallyfyConnectionError"
    assert "There is no connection 'no_such_connection'" in error["message"]


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
def test_a_storm_of_429_slows_all_waits_and_fails_none(emulator, connect, headers, run_waits, trigger):
    ids = emulator.add_runs(50)

    async def scenario(waits):
        emulator.order(Fault(kind="status", status=429, headers=headers, times=4))
        tasks = waits.start(*(trigger(run_id, fault_tolerance=0.1) for run_id in ids))
        for run_id in ids:
            emulator.complete_run(run_id)
        return await waits.results(tasks, 60)

    assert {event["status"] for event in run_waits(scenario)} == {"ended"}
    refused = [request for request in emulator.requests if request.status == 429]
    assert len(refused) == 4
    if headers:
        pauses = [later.at - earlier.at for earlier, later in pairwise(refused)]
        assert min(pauses) >= 1


def test_ten_minutes_of_503_are_outlived_and_twenty_are_reported(emulator, connect, run_waits, trigger):
    survivor, victim = emulator.add_runs(2)

    async def scenario(waits):
        emulator.order(Fault(kind="status", status=503))
        (task,) = waits.start(trigger(survivor, interval=30.0, timeout=3600.0))
        await asyncio.sleep(600)
        assert not task.done()
        emulator.clear_faults()
        emulator.complete_run(survivor)
        survived = await task

        emulator.order(Fault(kind="status", status=503))
        (task,) = waits.start(trigger(victim, interval=30.0, timeout=3600.0))
        return survived, await asyncio.wait_for(task, 1200)

    survived, told = run_waits(scenario)
    assert survived["status"] == "ended"
    assert (told["error"]["kind"], told["error"]["status"]) == ("TallyfyServerError", 503)


def test_errors_with_good_rounds_between_them_do_not_add_up(emulator, connect, run_waits, trigger):
    (run_id,) = emulator.add_runs(1)

    async def scenario(waits):
        (task,) = waits.start(trigger(run_id, interval=600.0, timeout=86_400.0))
        for _ in range(4):
            emulator.order(Fault(kind="status", status=503, times=1))
            await asyncio.sleep(3600)
        assert not task.done()

    run_waits(scenario)


def test_resets_between_two_polls_lose_no_wait(emulator, connect, run_waits, trigger):
    ids = emulator.add_runs(30)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for run_id in ids))
        for number in range(10):
            emulator.order(Fault(kind="reset", times=1, after=number % 3))
            emulator.complete_run(ids[number])
            await asyncio.sleep(0.2)
        for run_id in ids[10:]:
            emulator.archive_run(run_id)
        return await waits.results(tasks, 30)

    assert {event["status"] for event in run_waits(scenario)} == {"ended"}


def test_lists_refused_but_single_runs_allowed_is_enough(emulator, connect, run_waits, trigger):
    emulator.order(Fault(kind="status", status=403, path="status="))
    ids = emulator.add_runs(20)

    async def scenario(waits):
        tasks = waits.start(*(trigger(run_id) for run_id in ids))
        await asyncio.sleep(0.5)
        for run_id in ids:
            emulator.complete_run(run_id)
        return await waits.results(tasks)

    assert {event["status"] for event in run_waits(scenario)} == {"ended"}


def test_the_log_of_a_wait_says_what_was_seen_and_when_and_repeats_nothing(emulator, connect, said, run_waits, trigger):
    process = emulator.add_run(name="Contract review")

    async def scenario(waits):
        waits.start(trigger(process["id"], interval=0.1))
        await asyncio.sleep(1.0)
        emulator.update_run(process["id"], status="delayed")
        await asyncio.sleep(0.5)

    said()
    run_waits(scenario)
    log = said()
    assert "Polling every 0.1 s." in log
    assert log.count("'Contract review'") in (2, 4)  # Airflow 2 writes each line twice here
    assert f"Waiting for all to be complete: 'Contract review' ({process['id']}): active (seen at " in log
    assert f"Waiting for all to be complete: 'Contract review' ({process['id']}): delayed (seen at " in log


def test_a_run_that_ended_is_not_overlooked_beside_a_fault_of_another(emulator, connect, clock, run_waits, trigger):
    """Both reach a trigger before it runs when the event loop is busy."""
    good, bad = emulator.add_runs(2)

    async def scenario(waits):
        (task,) = waits.start(trigger(good, bad, wait_for="any", interval=0.3))
        await asyncio.sleep(0.2)
        emulator.complete_run(good)
        emulator.order(Fault(kind="reset", path=bad, times=1))
        clock.advance(0.8)
        return await asyncio.wait_for(task, 10)

    assert run_waits(scenario)["status"] == "ended"


def test_a_pause_that_tallyfy_asks_for_holds_for_waits_that_join_in_it(emulator, connect, run_waits, trigger):
    ids = emulator.add_runs(3)
    emulator.order(Fault(kind="status", status=429, headers={"Retry-After": "300"}, times=1))

    async def scenario(waits):
        waits.start(trigger(ids[0], interval=0.2))
        await asyncio.sleep(0.6)
        waits.start(trigger(ids[1], interval=0.1), trigger(ids[2], interval=1.0, timeout=1.5))
        await asyncio.sleep(2.0)

    run_waits(scenario)
    assert len(emulator.requests) == 1


def test_deadlines_one_after_the_other_start_no_rounds_for_everybody(emulator, connect, run_waits, trigger):
    ids = emulator.add_runs(120)

    async def scenario(waits):
        waits.start(*(trigger(run_id, interval=60.0) for run_id in ids[:100]))
        await asyncio.sleep(0.3)
        emulator.clear_requests()
        tasks = waits.start(
            *(trigger(run_id, interval=60.0, timeout=0.3 + 0.1 * n) for n, run_id in enumerate(ids[100:]))
        )
        return await waits.results(tasks, 30)

    assert {event["status"] for event in run_waits(scenario)} == {"timeout"}
    assert len(emulator.requests) <= 45
    assert not any("status" in request.query for request in emulator.requests)


def test_the_last_poll_before_a_timeout_is_not_cut_short_by_other_updates(emulator, connect, run_waits, trigger):
    first, second = emulator.add_runs(2)

    async def scenario(waits):
        (task,) = waits.start(trigger(first, second, wait_for="any", interval=60.0, timeout=0.6))
        await asyncio.sleep(0.3)
        emulator.update_run(first, status="delayed")
        emulator.complete_run(second)
        return await asyncio.wait_for(task, 10)

    assert run_waits(scenario)["status"] == "ended"


def test_no_request_is_sent_after_the_last_wait_has_left(emulator, connect, run, trigger):
    ids = emulator.add_runs(60)
    emulator.order(Fault(kind="status", status=403, path="status="))
    emulator.order(Fault(kind="delay", delay=0.1, method="GET"))

    async def scenario():
        async with Waits() as waits:
            waits.start(*(trigger(run_id) for run_id in ids))
            await asyncio.sleep(1.0)
        return len(emulator.requests)

    asked = run(scenario())
    assert no_connection_threads_are_left()
    assert len(emulator.requests) <= asked + 1


def test_runs_that_always_fail_do_not_starve_the_others(emulator, connect, run_waits, trigger):
    bad, good = emulator.add_runs(4), emulator.add_runs(5)
    emulator.order(Fault(kind="status", status=403, path="status="))
    for run_id in bad:
        emulator.order(Fault(kind="status", status=500, path=run_id))

    async def scenario(waits):
        waits.start(*(trigger(run_id) for run_id in bad))
        tasks = waits.start(*(trigger(run_id) for run_id in good))
        for run_id in good:
            emulator.complete_run(run_id)
        return await waits.results(tasks)

    assert {event["status"] for event in run_waits(scenario)} == {"ended"}


def test_a_wait_that_joins_during_a_round_is_not_ended_by_a_stale_list(emulator, connect, run_waits, trigger):
    """The list is behind: it shows as active what is complete."""
    ids = emulator.add_runs(30)
    emulator.quirks = Quirks(list_lag=3600)
    emulator.complete_run(ids[0])
    emulator.order(Fault(kind="delay", delay=0.4, path="status=active", times=1))

    async def scenario(waits):
        waits.start(*(trigger(run_id) for run_id in ids))
        await asyncio.sleep(0.4)
        (task,) = waits.start(trigger(ids[0], failed_statuses=["active"], interval=5.0))
        return await asyncio.wait_for(task, 20)

    event = run_waits(scenario)
    assert event["seen"][0]["status"] == "complete"


#: What Airflow raises while its database is out, and while a secrets backend is.
CANNOT_LOOK_UP = [OSError("no database"), AirflowNotFoundException("The conn_id `tallyfy_default` isn't defined")]


@pytest.mark.parametrize("error", CANNOT_LOOK_UP, ids=lambda error: type(error).__name__)
def test_a_connection_that_airflow_cannot_look_up_now_is_a_transient_error(
    emulator, connect, mocker, error, run_waits, trigger
):
    (run_id,) = emulator.add_runs(1)
    emulator.complete_run(run_id)
    give = threads.get_async_connection
    answers = iter([error, error])

    async def sometimes(*args):
        if error := next(answers, None):
            raise error
        return await give(*args)

    mocker.patch.object(threads, "get_async_connection", sometimes)

    async def scenario(waits):
        (task,) = waits.start(trigger(run_id))
        return await asyncio.wait_for(task, 20)

    assert run_waits(scenario)["status"] == "ended"


@pytest.mark.parametrize("error", CANNOT_LOOK_UP, ids=lambda error: type(error).__name__)
def test_the_client_at_hand_goes_on_while_the_connection_cannot_be_looked_up_again(
    emulator, connect, mocker, monkeypatch, error, run_waits, trigger
):
    monkeypatch.setattr(threads, "_CONNECTION_LIFETIME", 0.2)
    (run_id,) = emulator.add_runs(1)

    async def out(*args):
        raise error

    async def scenario(waits):
        (task,) = waits.start(trigger(run_id, fault_tolerance=0.0))
        await asyncio.sleep(0.5)
        mocker.patch.object(threads, "get_async_connection", out)
        await asyncio.sleep(2)
        emulator.complete_run(run_id)
        return await asyncio.wait_for(task, 20)

    assert run_waits(scenario)["status"] == "ended"


def test_a_connection_that_was_changed_is_used_as_it_is_after_a_while(
    emulator, connect, monkeypatch, run_waits, trigger
):
    monkeypatch.setattr(threads, "_CONNECTION_LIFETIME", 0.2)
    (run_id,) = emulator.add_runs(1)
    connect(host="http://127.0.0.1:9")

    async def scenario(waits):
        (task,) = waits.start(trigger(run_id))
        await asyncio.sleep(0.5)
        connect()
        emulator.complete_run(run_id)
        return await asyncio.wait_for(task, 20)

    assert run_waits(scenario)["status"] == "ended"
