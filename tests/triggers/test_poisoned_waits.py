"""Answers that would stop every wait of a connection: nothing hangs, and nothing ends that should go on."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tallyfy_emulator import Fault
from tallyfy_provider.client.runs.api import RunsResource
from tallyfy_provider.exceptions import TallyfyConnectionError, TallyfyRateLimitError
from tallyfy_provider.triggers import garbage
from tallyfy_provider.triggers.activity_feed import read_batches, read_row
from tallyfy_provider.triggers.counts import RunCountTrigger
from tallyfy_provider.triggers.executor import executor_for
from tallyfy_provider.triggers.runs import RunStatusTrigger
from tallyfy_provider.waiting.run_reader import RunReader

from .conftest import Waits

LONG = [{"Retry-After": "86400"}, {"Retry-After": "1e9"}, {"Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT"}]
NONSENSE = [
    {"Retry-After": "Thu, 31 Feb 2099 25:61:61 GMT"},
    {"Retry-After": "Thu, 01 Jan 99999999999999 00:00:00 GMT"},
    {"Retry-After": "9" * 5000},
    {"Retry-After": "-5"},
    {"Retry-After": "nan"},
    {"X-RateLimit-Remaining": "9" * 5000},
]


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


@pytest.mark.parametrize("headers", LONG)
def test_fault_tolerance_holds_whatever_a_header_says(emulator, connect, headers, run, trigger):
    ids = emulator.add_runs(11)

    async def scenario():
        async with Waits() as waits:
            emulator.order(Fault(kind="status", status=503, headers=headers))
            loop = asyncio.get_running_loop()
            started = loop.time()
            tasks = waits.start(*(trigger(run_id, fault_tolerance=1.0, timeout=1e6) for run_id in ids[:10]))
            events = await asyncio.wait_for(asyncio.gather(*tasks), 60)
            took = loop.time() - started
            (late,) = waits.start(trigger(ids[10], fault_tolerance=1.0, timeout=1e6))
            return events, took, await asyncio.wait_for(late, 60)

    events, took, late = run(scenario())
    assert {event["error"]["kind"] for event in [*events, late]} == {"TallyfyServerError"}
    assert 1 <= took < 5


@pytest.mark.parametrize("headers", LONG)
def test_one_answer_that_asks_for_a_day_ends_no_wait_and_hangs_none(emulator, connect, headers, run, trigger):
    ids = emulator.add_runs(11)

    async def scenario():
        async with Waits() as waits:
            emulator.order(Fault(kind="status", status=503, headers=headers, times=1, path="status="))
            tasks = waits.start(*(trigger(run_id, fault_tolerance=1.0, timeout=1e6) for run_id in ids[:10]))
            await asyncio.sleep(0.5)
            tasks += waits.start(trigger(ids[10], fault_tolerance=1.0, timeout=1e6))
            for run_id in ids:
                emulator.complete_run(run_id)
            return await asyncio.wait_for(asyncio.gather(*tasks), 60)

    assert {event["status"] for event in run(scenario())} == {"ended"}


@pytest.mark.parametrize("headers", LONG)
def test_a_pause_after_an_outage_ends_before_the_tolerance_does(emulator, connect, headers, run, trigger):
    (run_id,) = emulator.add_runs(1)

    async def scenario():
        async with Waits() as waits:
            emulator.order(Fault(kind="status", status=503, headers=headers, times=1))
            emulator.complete_run(run_id)
            (task,) = waits.start(trigger(run_id, timeout=1e6))
            return await asyncio.wait_for(task, 130)

    assert run(scenario())["status"] == "ended"


@pytest.mark.parametrize("headers", LONG)
def test_a_rate_limit_pauses_no_longer_than_the_connection_says(emulator, connect, headers, run, trigger):
    connect(extra={"max_attempts": 1, "max_pause": 1})
    (run_id,) = emulator.add_runs(1)

    async def scenario():
        async with Waits() as waits:
            emulator.order(Fault(kind="status", status=429, headers=headers, times=1))
            emulator.complete_run(run_id)
            (task,) = waits.start(trigger(run_id, timeout=1e6))
            return await asyncio.wait_for(task, 130)

    assert run(scenario())["status"] == "ended"
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("headers", NONSENSE)
@pytest.mark.parametrize("status", [429, 503])
def test_headers_that_make_no_sense_end_no_wait(emulator, connect, headers, status, run, trigger):
    ids = emulator.add_runs(10)

    async def scenario():
        async with Waits() as waits:
            emulator.order(Fault(kind="status", status=status, headers=headers, times=4))
            tasks = waits.start(*(trigger(run_id) for run_id in ids))
            for run_id in ids:
                emulator.complete_run(run_id)
            return await asyncio.wait_for(asyncio.gather(*tasks), 300)

    assert {event["status"] for event in run(scenario())} == {"ended"}


def test_an_unexpected_exception_is_a_transient_error_that_is_logged_whole_once(
    emulator, connect, mocker, caplog, run, trigger
):
    ids = emulator.add_runs(10)
    read = RunReader.read
    calls = []

    def sometimes(self, client, wanted):
        calls.append(len(wanted))
        if len(calls) <= 3:
            raise OverflowError("date value out of range")
        read(self, client, wanted)

    mocker.patch.object(RunReader, "read", sometimes)

    async def scenario():
        async with Waits() as waits:
            tasks = waits.start(*(trigger(run_id) for run_id in ids))
            for run_id in ids:
                emulator.complete_run(run_id)
            return await asyncio.wait_for(asyncio.gather(*tasks), 60)

    assert {event["status"] for event in run(scenario())} == {"ended"}
    whole = [record for record in caplog.records if record.exc_info]
    assert [str(record.exc_info[1]) for record in whole] == ["date value out of range"]


def test_an_exception_that_lasts_is_reported_after_the_tolerance(emulator, connect, mocker, run, trigger):
    (run_id,) = emulator.add_runs(1)
    mocker.patch.object(RunReader, "read", side_effect=RecursionError("too deep"))

    async def scenario():
        async with Waits() as waits:
            (task,) = waits.start(trigger(run_id, fault_tolerance=5.0, timeout=1e6))
            return await asyncio.wait_for(task, 20)

    assert run(scenario())["error"]["kind"] == "TallyfyResponseError"


def test_a_poller_that_fails_by_itself_goes_on(emulator, connect, mocker, run, trigger):
    from tallyfy_provider.triggers.poller import RunPoller

    (run_id,) = emulator.add_runs(1)
    emulator.complete_run(run_id)
    due = RunPoller._due_before_the_next_round
    failures = iter([RuntimeError("changed size")])

    def sometimes(self):
        if error := next(failures, None):
            raise error
        return due(self)

    mocker.patch.object(RunPoller, "_due_before_the_next_round", sometimes)

    async def scenario():
        async with Waits() as waits:
            (task,) = waits.start(trigger(run_id))
            return await asyncio.wait_for(task, 20)

    assert run(scenario())["status"] == "ended"


def test_an_answer_for_another_run_ends_no_wait(emulator, connect, mocker, run, trigger):
    """As when two responses on one connection are mixed up."""
    mine, other = emulator.add_runs(2)
    emulator.complete_run(other)
    path = RunsResource._path
    mixed = iter([other, other])
    mocker.patch.object(RunsResource, "_path", lambda self, name, run_id: path(self, name, next(mixed, run_id)))

    async def scenario():
        async with Waits() as waits:
            (task,) = waits.start(trigger(mine))
            await asyncio.sleep(2.0)
            assert not task.done()
            emulator.complete_run(mine)
            return await asyncio.wait_for(task, 20)

    assert run(scenario())["seen"][0]["id"] == mine


def test_a_wait_at_its_deadline_is_polled_beside_a_round(emulator, connect, run, trigger):
    connect(extra={"concurrency": 2})
    ids = emulator.add_runs(300)
    emulator.order(Fault(kind="status", status=403, path="status="))
    emulator.order(Fault(kind="delay", delay=0.05, method="GET"))

    async def scenario():
        async with Waits() as waits:
            waits.start(*(trigger(run_id, interval=1.0) for run_id in ids[1:]))
            (last,) = waits.start(trigger(ids[0], interval=1000.0, timeout=1.6))
            await asyncio.sleep(1.4)
            emulator.complete_run(ids[0])
            loop = asyncio.get_running_loop()
            started = loop.time()
            return await asyncio.wait_for(last, 30), loop.time() - started

    event, took = run(scenario())
    assert event["status"] == "ended"
    assert took < 2.0  # the round takes 299 * 0.05 / 2 = 7.5 s


@pytest.mark.parametrize("most", [1, 4])
def test_several_runs_are_requested_at_a_time_but_not_more_than_the_connection_allows(
    emulator, connect, most, run, trigger
):
    connect(extra={"concurrency": most})
    ids = emulator.add_runs(12)
    emulator.order(Fault(kind="status", status=403, path="status="))
    emulator.order(Fault(kind="delay", delay=0.1, method="GET"))
    for run_id in ids:
        emulator.complete_run(run_id)

    async def scenario():
        async with Waits() as waits:
            tasks = waits.start(*(trigger(run_id) for run_id in ids))
            await asyncio.wait_for(asyncio.gather(*tasks), 60)

    run(scenario())
    assert emulator.most_at_once == most


def test_runs_that_finish_together_are_told_by_pages(emulator, connect, clock, run, trigger):
    ids = emulator.add_runs(400)

    async def scenario():
        async with Waits() as waits:
            tasks = waits.start(*(trigger(run_id, interval=60.0, timeout=1e6) for run_id in ids))
            await asyncio.sleep(70)
            for run_id in ids[:200]:
                emulator.complete_run(run_id)
            emulator.clear_requests()
            events = await asyncio.wait_for(asyncio.gather(*tasks[:200]), 130)
            assert not any(task.done() for task in tasks[200:])
            return events

    events = run(scenario())
    assert {event["status"] for event in events} == {"ended"}
    assert [event["seen"][0]["id"] for event in events] == ids[:200]
    assert len(emulator.requests) < 20


def test_a_list_of_complete_runs_that_is_behind_ends_no_wait(emulator, connect, clock, mocker, run, trigger):
    """A run was reopened; a replica still shows it as complete, and the unfinished lists do not show it yet."""
    ids = emulator.add_runs(20)
    page = RunsResource.get_page
    old = {}

    def behind(self, filters, number, *, per_page):
        answer = page(self, filters, number, per_page=per_page)
        if old:
            rows = [row for row in answer.rows if row["id"] not in old]
            answer = SimpleNamespace(rows=rows, page_count=answer.page_count)
            if filters["status"] == "complete":
                answer.rows += list(old.values())
        return answer

    mocker.patch.object(RunsResource, "get_page", behind)

    async def scenario():
        for run_id in ids[:5]:
            emulator.complete_run(run_id)
        completed = [emulator.run(run_id) for run_id in ids[:5]]
        await asyncio.sleep(100)
        for run_id in ids[:5]:
            emulator.update_run(run_id, status="active")
        async with Waits() as waits:
            tasks = waits.start(*(trigger(run_id, interval=60.0, timeout=1e6) for run_id in ids))
            await asyncio.sleep(70)
            old.update({each["id"]: each for each in completed})
            await asyncio.sleep(200)
            assert not any(task.done() for task in tasks)

    run(scenario())


def test_the_count_of_runs_keeps_to_its_tolerance(emulator, connect, clock, run):
    emulator.order(Fault(kind="status", status=503, headers=LONG[0]))
    count = RunCountTrigger(
        filters={"status": "active"},
        at_least=1,
        at_most=None,
        tallyfy_conn_id="tallyfy_default",
        poke_interval=0.5,
        deadline=clock.now() + 1e6,
        fault_tolerance=5.0,
    )

    async def scenario():
        async with Waits() as waits:
            (task,) = waits.start(count)
            return await asyncio.wait_for(task, 30)

    assert run(scenario())["error"]["kind"] == "TallyfyServerError"


@pytest.mark.parametrize("headers", LONG)
def test_the_feed_is_read_again_after_two_minutes_at_most(emulator, connect, headers, run):
    emulator.order(Fault(kind="status", status=503, headers=headers, times=1))

    async def scenario():
        async with executor_for("tallyfy_default") as executor:
            loop = asyncio.get_running_loop()
            started = loop.time()
            async for _ in read_batches(executor, 1.0):
                return loop.time() - started

    assert run(scenario()) < 130


@pytest.mark.parametrize("created_at", ["9999-12-31 23:59:59", "0001-01-01T00:00:00+23:59", "x", 10**400, None])
def test_a_date_that_makes_no_sense_is_no_date(created_at):
    row = {"id": "1", "verb": "completed", "auditable_type": "Run", "auditable_id": "r", "created_at": created_at}
    assert read_row(row).at == 0


def test_a_call_that_ends_releases_the_others(emulator, connect, run):
    """Also where it raises: calls that stand back go on."""

    def fail(client):
        raise TallyfyConnectionError("x")

    async def scenario():
        async with executor_for("tallyfy_default") as executor:
            with pytest.raises(TallyfyConnectionError):
                await executor.call_first(fail)
            done = []
            await executor.call(lambda client: executor.in_parallel(client, done.append, range(10)))
            return sorted(done)

    assert run(scenario()) == list(range(10))


def test_what_many_waits_hold_is_put_aside_and_given_back(mocker):
    collector = mocker.patch.object(garbage, "gc")
    mocker.patch.object(garbage, "_settled", 0)
    for waits in (100, 1000, 1100, 1300, 1200, 100, 100):
        garbage.settle(waits)
    assert [call[0] for call in collector.method_calls] == ["freeze", "freeze", "unfreeze"]


def test_comments_at_their_cap_delay_no_wait_and_no_list(emulator, connect, clock, run_waits, trigger):
    connect(extra={"max_rate_limit_wait": 60})
    emulator.comment_limit = "1/3600"
    ids = emulator.add_runs(500)
    task = emulator.tasks(ids[0])[0]["id"]

    def comment(client):
        client.comments.add_to_task(task, "A comment")
        with pytest.raises(TallyfyRateLimitError) as refused:
            client.comments.add_to_task(task, "Another one")
        assert refused.value.retry_after > 60

    async def seconds_for(waits, some, client):
        began = clock.now()
        tasks = waits.start(*(trigger(run_id, interval=60.0, timeout=1e6) for run_id in some))
        for run_id in some:
            emulator.complete_run(run_id)
        listing = asyncio.to_thread(lambda: sum(1 for _ in client.runs.list()))
        listed, events = await asyncio.gather(listing, waits.results(tasks, 600))
        assert listed == 500
        assert {event["status"] for event in events} == {"ended"}
        return clock.now() - began

    async def scenario(waits):
        async with executor_for("tallyfy_default") as executor:
            client = await executor.call(lambda client: client)
            before = await seconds_for(waits, ids[:250], client)
            await asyncio.to_thread(comment, client)
            emulator.clear_requests()
            return before, await seconds_for(waits, ids[250:], client)

    before, after = run_waits(scenario)
    assert after < 2 * before + 1
    assert all(request.status != 429 for request in emulator.requests)
