"""RunEventTrigger: each event once, across restarts, for all who watch, and none made up."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.triggers.events import RunEventTrigger


class AssetStore:
    """Keeps values as Airflow's asset state store does: as JSON, by asset."""

    def __init__(self, *assets):
        self._by_name = {asset: self for asset in assets or ("asset",)}
        self.values = {}
        self.writes = 0

    async def aget(self, key, default=None):
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key, value):
        self.writes += 1
        self.values[key] = json.dumps(value)


def trigger(*events, store=None, interval=0.1, **arguments):
    path, kwargs = RunEventTrigger(events=events, poke_interval=interval, event_spacing=0, **arguments).serialize()
    assert path == "tallyfy_provider.triggers.events.RunEventTrigger"
    watcher = RunEventTrigger(**json.loads(json.dumps(kwargs)))
    watcher.asset_state_store = store
    return watcher


@asynccontextmanager
async def watching(*watchers):
    """Run watchers as the triggerer does, and collect what they report."""
    reported = [[] for _ in watchers]

    async def watch(watcher, events):
        async for event in watcher.run():
            events.append(json.loads(json.dumps(event.payload)))

    tasks = [asyncio.create_task(watch(*pair)) for pair in zip(watchers, reported, strict=True)]
    try:
        await until(lambda: all(watcher._cursor is not None for watcher in watchers))
        yield reported[0] if len(reported) == 1 else reported
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition, seconds=10.0):
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen in time")


def names(events):
    return [event["event"] for event in events]


def test_each_event_is_reported_once_with_what_a_dag_needs(emulator, connect, run):
    async def scenario():
        async with watching(trigger("launched", "completed", "archived", "reopened", "problem")) as events:
            run = emulator.add_run(name="Contract review")["id"]
            await until(lambda: len(events) == 1)
            for change in (
                {"status": "problem"},
                {"status": "active"},
                {"status": "complete"},
                {"status": "active"},
                {"status": "archived"},
            ):
                before = len(events)
                emulator.update_run(run, **change)
                if change["status"] != "active" or before > 2:
                    await until(lambda before=before: len(events) > before)
                await asyncio.sleep(0.3)
            return run, list(events)

    run, events = run(scenario())
    assert names(events) == ["launched", "problem", "completed", "reopened", "archived"]
    assert len({event["event_id"] for event in events}) == 5
    completed = events[2]
    assert (completed["run_id"], completed["run"]["name"]) == (run, "Contract review")
    assert completed["organization_id"] == emulator.organization_id
    assert completed["run"]["status"] == "complete"


def test_the_past_is_not_reported_on_first_start(emulator, connect, run):
    for run_id in emulator.add_runs(150):
        emulator.complete_run(run_id)

    async def scenario():
        async with watching(trigger("launched", "completed")) as events:
            await asyncio.sleep(0.5)
            assert events == []
            emulator.complete_run(emulator.add_run()["id"])
            await until(lambda: len(events) == 2)
            return list(events)

    assert names(run(scenario())) == ["launched", "completed"]


def test_events_are_spaced_out_so_that_airflow_starts_a_dag_run_for_each(emulator, connect, run):
    async def scenario():
        watcher = trigger("completed")
        watcher.event_spacing = 0.5
        async with watching(watcher) as events:
            for run_id in emulator.add_runs(3):
                emulator.complete_run(run_id)
            moments = []
            for number in range(1, 4):
                await until(lambda number=number: len(events) >= number)
                moments.append(asyncio.get_running_loop().time())
            return moments

    moments = run(scenario())
    assert min(later - earlier for earlier, later in pairwise(moments)) > 0.3


def test_watchers_of_one_asset_that_differ_have_cursors_of_their_own(emulator, connect, run):
    store = AssetStore()

    async def scenario():
        async with watching(trigger("completed", store=store), trigger("launched", store=store)):
            emulator.complete_run(emulator.add_run()["id"])
            await asyncio.sleep(0.6)

    run(scenario())
    assert len(store.values) == 2


def test_only_runs_of_the_checklist_are_reported(emulator, connect, run):
    first, second = list(emulator.checklists.values())[:2]

    async def scenario():
        async with watching(trigger("launched", checklist_id=second)) as events:
            emulator.add_run(checklist_id=first)
            wanted = emulator.add_run(checklist_id=second)["id"]
            await until(lambda: events)
            await asyncio.sleep(0.3)
            return wanted, list(events)

    wanted, events = run(scenario())
    assert [event["run_id"] for event in events] == [wanted]


def test_what_happens_while_no_triggerer_runs_is_reported_after_it_and_nothing_again(emulator, connect, run):
    store = AssetStore()

    async def scenario():
        runs = [emulator.add_run()["id"] for _ in range(4)]
        async with watching(trigger("completed", store=store)) as events:
            emulator.complete_run(runs[0])
            await until(lambda: events)
            await asyncio.sleep(0.4)
            first = list(events)
        emulator.complete_run(runs[1])
        async with watching(trigger("completed", store=store)) as events:
            emulator.complete_run(runs[2])
            await until(lambda: len(events) == 2)
            await asyncio.sleep(0.4)
            second = list(events)
        async with watching(trigger("completed", store=store)) as events:
            emulator.complete_run(runs[3])
            await until(lambda: events)
            return runs, first + second + list(events)

    runs, events = run(scenario())
    assert [event["run_id"] for event in events] == runs


def test_a_triggerer_that_dies_right_after_an_event_repeats_it_under_the_same_id(emulator, connect, run):
    store = AssetStore()

    async def scenario():
        run = emulator.add_run()["id"]
        async with watching(trigger("completed", store=store, interval=0.5)) as events:
            await asyncio.sleep(0.6)
            emulator.complete_run(run)
            await until(lambda: events)
            before = list(events)
        async with watching(trigger("completed", store=store)) as events:
            await until(lambda: events)
            return before + list(events)

    before, after = run(scenario())
    assert before["event_id"] == after["event_id"]


def test_without_a_state_store_a_restart_begins_anew(emulator, connect, run):
    async def scenario():
        run = emulator.add_run()["id"]
        async with watching(trigger("completed")):
            pass
        emulator.complete_run(run)
        async with watching(trigger("completed")) as events:
            await asyncio.sleep(0.5)
            return list(events)

    assert run(scenario()) == []


def test_watchers_of_equal_arguments_keep_one_cursor_for_all_their_assets(emulator, connect, run):
    store = AssetStore("first", "second")

    async def scenario():
        async with watching(trigger("completed", store=store)) as events:
            emulator.complete_run(emulator.add_run()["id"])
            await until(lambda: events)
            await asyncio.sleep(0.4)

    run(scenario())
    assert store.writes >= 2


def test_the_cursor_is_stored_only_when_it_moves(emulator, connect, run):
    store = AssetStore()

    async def scenario():
        async with watching(trigger("completed", store=store, interval=0.05)):
            await asyncio.sleep(1.0)

    run(scenario())
    assert store.writes <= 2


def test_watchers_that_share_a_feed_share_its_cost_and_lose_nothing(emulator, connect, run):
    watchers = [trigger("completed"), trigger("launched"), trigger("launched", "completed")]
    assert len({watcher.shared_stream_key() for watcher in watchers}) == 1
    assert trigger("completed", interval=5).shared_stream_key() != watchers[0].shared_stream_key()

    async def scenario():
        stream = RunEventTrigger.open_shared_stream(watchers[0].serialize()[1])
        queues = [asyncio.Queue() for _ in watchers]
        reported = [[] for _ in watchers]

        async def pump():
            async for batch in stream:
                for queue in queues:
                    queue.put_nowait(batch)

        async def batches(queue):
            while True:
                yield await queue.get()

        async def watch(watcher, queue, events):
            async for event in watcher.filter_shared_stream(batches(queue)):
                events.append(event.payload)

        tasks = [asyncio.create_task(pump())]
        tasks += [asyncio.create_task(watch(*each)) for each in zip(watchers, queues, reported, strict=True)]
        await asyncio.sleep(0.5)
        emulator.clear_requests()
        run = emulator.add_run()["id"]
        emulator.complete_run(run)
        await until(lambda: [len(events) for events in reported] == [1, 1, 2])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return run

    run = run(scenario())
    asked = Counter(request.path.rsplit("/", 1)[1] for request in emulator.requests)
    assert asked[run] == 1


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(),
        Quirks(feed_dates="iso"),
        Quirks(feed_duplicates=True),
        Quirks(feed_task_rows=False),
        Quirks(feed_issue_entity="task"),
        Quirks(feed_issue_entity="run"),
        Quirks(feed_strict=True),
    ],
    ids=str,
)
def test_every_shape_of_the_feed_gives_the_same_events(emulator, connect, quirks, run):
    emulator.quirks = quirks

    async def scenario():
        async with watching(trigger("completed", "problem")) as events:
            good, bad = emulator.add_run()["id"], emulator.add_run()["id"]
            emulator.complete_run(good)
            emulator.update_run(bad, status="problem")
            await until(lambda: len(events) == 2)
            await asyncio.sleep(0.5)
            return good, bad, list(events)

    good, bad, events = run(scenario())
    assert sorted((event["event"], event["run_id"]) for event in events) == [("completed", good), ("problem", bad)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=503, times=4),
        Fault(kind="reset", times=4),
        Fault(kind="status", status=403, path="activity-feeds", times=4),
        Fault(kind="status", status=503, path="/runs/", times=4),
        Fault(kind="status", status=429, headers={"Retry-After": "1"}, times=2),
        Fault(kind="unreadable", times=4),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.path}",
)
def test_no_fault_ends_a_watcher_or_loses_an_event(emulator, connect, fault, run):
    async def scenario():
        async with watching(trigger("completed")) as events:
            run = emulator.add_run()["id"]
            emulator.order(fault)
            emulator.complete_run(run)
            await until(lambda: events, seconds=20)
            await asyncio.sleep(0.3)
            return run, list(events)

    run, events = run(scenario())
    assert [event["run_id"] for event in events] == [run]


def test_a_feed_that_lags_behind_loses_nothing(emulator, connect, run):
    emulator.quirks = Quirks(feed_lag=1.0)

    async def scenario():
        async with watching(trigger("completed")) as events:
            runs = [emulator.add_run()["id"] for _ in range(3)]
            for run in runs:
                emulator.complete_run(run)
                await asyncio.sleep(0.3)
            await until(lambda: len(events) == 3)
            return runs, list(events)

    runs, events = run(scenario())
    assert [event["run_id"] for event in events] == runs


def test_what_is_undone_before_it_is_seen_is_not_reported(emulator, connect, run):
    async def scenario():
        async with watching(trigger("completed", interval=0.4)) as events:
            run = emulator.add_run()["id"]
            emulator.complete_run(run)
            emulator.reopen_run(run)
            await asyncio.sleep(1.2)
            return list(events)

    assert run(scenario()) == []


def test_wrong_arguments_are_refused_at_parse_time():
    with pytest.raises(TallyfyInputError, match="did you mean 'completed'"):
        RunEventTrigger(events=["complete"])
    with pytest.raises(TallyfyInputError, match="poke_interval is 0; it takes more than 0 seconds"):
        RunEventTrigger(events=["completed"], poke_interval=0)


def test_one_event_may_be_given_without_a_list():
    assert RunEventTrigger(events="completed").events == ["completed"]


with suppress(ImportError):  # Airflow 3
    from airflow.sdk import AssetWatcher

    def test_airflow_takes_it_for_a_watcher():
        AssetWatcher(name="completed runs", trigger=RunEventTrigger(events=["completed"]))


def test_events_may_be_text_with_commas_and_a_checklist_an_address_or_a_number():
    trigger = RunEventTrigger(events="completed, archived", checklist_id=f"https://go.tallyfy.com/x/{'a' * 32}")
    assert (trigger.events, trigger.checklist_id) == (["completed", "archived"], "a" * 32)
    assert RunEventTrigger(events=["completed"], checklist_id=12).checklist_id == "12"
    with pytest.raises(TallyfyInputError, match="checklist_id takes text, not a list"):
        RunEventTrigger(events=["completed"], checklist_id=["a"])
