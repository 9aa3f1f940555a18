"""
What a release has stored is resumed by the present code: triggers, events, XComs and states.

``python -m tests.upgrades.record`` writes a folder for each release; what is in one is never changed afterwards.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.models.trigger import Trigger
from airflow.providers.common.compat.module_loading import import_string
from airflow.triggers.base import BaseTrigger

import tallyfy_provider.triggers
from tallyfy_emulator import Emulator
from tallyfy_provider.operators.runs import GetRunOperator, LaunchRunOperator
from tallyfy_provider.sensors.runs import RunStatusSensor
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator
from tests.conftest import build_task_context, fire_trigger
from tests.triggers.test_run_events import AssetStore, until, watching
from tests.upgrades.cases import CASES, CHECKLIST, CONTRACT, OTHER_CONTRACT, STORED_AT, add_runs
from tests.upgrades.stores import TaskStateStore, outcome_of
from tests.virtual_time import follow_manual_clock, run_virtually

RELEASES = sorted(path for path in Path(__file__).parent.iterdir() if (path / "waits.json").exists())
ENDS = ("ended", "timeout", "error")
BY_NAME = {case.name: case for case in CASES}


def stored(release: Path, name: str):
    return json.loads((release / f"{name}.json").read_text())


WAITS = [
    pytest.param(release, name, id=f"{release.name}-{name}")
    for release in RELEASES
    for name in stored(release, "waits")
]


@pytest.fixture(params=RELEASES, ids=lambda release: release.name)
def release(request):
    return request.param


@pytest.fixture
def clock(monkeypatch):
    return follow_manual_clock(monkeypatch, start=STORED_AT)


@pytest.fixture
def emulator(clock):
    with Emulator(seed=False, clock=clock) as emulator:
        add_runs(emulator)
        yield emulator


@pytest.fixture
def fire(clock):
    return partial(fire_trigger, run=partial(run_virtually, clock))


def resumed_trigger(trigger):
    """Build a trigger from what Airflow has in its database."""
    row = Trigger(classpath=trigger["classpath"], kwargs=trigger["kwargs"])
    return import_string(row.classpath)(**row.kwargs)


def bring_to_life(emulator, trigger):
    """Have the run exist that the task has launched before the upgrade."""
    for run_id in trigger["kwargs"].get("run_ids", ()):
        if run_id not in (CONTRACT, OTHER_CONTRACT):
            emulator.add_run(id=run_id, checklist_id=CHECKLIST, name="Dinner")
            emulator.launched.append({"id": run_id})


def bring_about(end, name, emulator, clock, trigger):
    if end == "timeout":
        clock.advance(trigger["kwargs"]["deadline"] - clock.now())
    elif end == "error":
        emulator.revoke(emulator.token)
    elif name == "launch_and_wait":
        emulator.complete_run(trigger["kwargs"]["run_ids"][0])
    else:
        BY_NAME[name].finish(emulator)


@pytest.mark.parametrize(("release", "name"), WAITS)
@pytest.mark.parametrize("end", ENDS)
def test_a_deferred_wait_goes_on_and_ends_as_before(release, name, end, emulator, connect, clock, fire):
    wait = stored(release, "waits")[name]
    expected = wait["events"][end]
    bring_to_life(emulator, wait["trigger"])
    clock.advance(10)  # for the upgrade
    trigger = resumed_trigger(wait["trigger"])
    bring_about(end, name, emulator, clock, wait["trigger"])
    event = fire(trigger)
    assert event["status"] == expected["event"]["status"]
    outcome = outcome_of(BY_NAME[name], wait["trigger"]["method"], event, build_task_context())
    assert outcome.get("raises") == expected.get("raises")
    assert identity(outcome.get("returns")) == identity(expected.get("returns"))


@pytest.mark.parametrize(("release", "name"), WAITS)
@pytest.mark.parametrize("end", ENDS)
def test_an_event_that_waits_for_its_task_is_understood(release, name, end, emulator, connect):
    """Airflow keeps the event of a trigger with the task until a worker resumes it."""
    wait = stored(release, "waits")[name]
    bring_to_life(emulator, wait["trigger"])
    expected = dict(wait["events"][end])
    event = expected.pop("event")
    outcome = outcome_of(BY_NAME[name], wait["trigger"]["method"], event, build_task_context())
    assert identity(outcome.get("returns")) == identity(expected.get("returns"))
    assert outcome.get("raises") == expected.get("raises")


def identity(returned):
    """Leave moments and ids of tasks out of what a task returned: the Tallyfy of the test has its own."""
    if isinstance(returned, list):
        return [identity(run) for run in returned]
    if isinstance(returned, dict):
        return {name: returned.get(name) for name in ("id", "run_id", "title", "status", "decision")}
    return returned


def test_a_watcher_goes_on_behind_what_it_has_reported(release, emulator, connect, clock):
    watcher = stored(release, "watcher")
    trigger = resumed_trigger(watcher["trigger"])
    trigger.asset_state_store = store = AssetStore()
    store.values = {key: json.dumps(value) for key, value in watcher["asset_state"].items()}
    emulator.complete_run(CONTRACT)  # which was reported before the upgrade
    clock.advance(10)

    async def scenario():
        async with watching(trigger) as events:
            emulator.complete_run(OTHER_CONTRACT)
            await until(lambda: any(OTHER_CONTRACT in value for value in store.values.values()), seconds=60)
            return list(events)

    (event,) = run_virtually(clock, scenario())
    assert event["run_id"] == OTHER_CONTRACT
    assert watcher["event"].items() <= {**event, **watcher["event"]}.items()
    assert set(watcher["event"]) <= set(event)
    assert set(watcher["event"]["run"]) <= set(event["run"])
    assert list(store.values) == list(watcher["asset_state"])


@pytest.mark.parametrize("has_store", [True, False], ids=["with its state", "before Airflow 3.3"])
@pytest.mark.parametrize("name", ["launched", "lost"])
def test_a_retry_finds_the_run_of_the_try_before_the_upgrade(release, name, has_store, emulator, connect):
    launch = stored(release, "launches")[name]
    emulator.add_run(checklist_id=CHECKLIST, **launch["run"])
    store = TaskStateStore(launch["task_state"]) if has_store else None
    operator = LaunchRunOperator(task_id="task", checklist_id=CHECKLIST, lookup_timeout=0)
    dag_run = SimpleNamespace(start_date=datetime.fromtimestamp(STORED_AT, UTC))
    context = {**build_task_context(try_number=2), "task_state_store": store, "dag_run": dag_run}
    assert operator.execute(context) == launch["run"]["id"]
    assert emulator.launched == []


def test_xcoms_that_were_handed_on_are_taken(release, emulator, connect, tmp_path):
    xcoms, launch = stored(release, "xcoms"), stored(release, "launches")["launched"]
    runs = emulator.complete_run(CONTRACT), emulator.complete_run(OTHER_CONTRACT)
    sensor = RunStatusSensor(task_id="wait", run_id=xcoms["list_runs"]["run_ids"])
    assert sensor.poke(build_task_context()).xcom_value
    assert {run["id"] for run in xcoms["list_runs"]["return_value"]} == {run["id"] for run in runs}
    emulator.add_run(checklist_id=CHECKLIST, **launch["run"])
    for run_id in (launch["run"]["id"], launch["xcoms"]["run"]["id"]):
        assert GetRunOperator(task_id="get", run_id=run_id).execute(build_task_context())["id"] == run_id
    bound = xcoms["export_runs"]["return_value"]["next_updated_after"]
    export = TallyfyToObjectStorageOperator(task_id="export", path=str(tmp_path / "runs.jsonl"), updated_after=bound)
    written = export.execute(build_task_context())
    assert written.keys() == xcoms["export_runs"]["return_value"].keys()
    assert written["rows"] == 4


def test_a_retry_policy_that_was_stored_with_its_dag_is_read(release):
    retry = pytest.importorskip("tallyfy_provider.policies.retry", exc_type=ImportError)
    assert isinstance(retry.TallyfyRetryPolicy.deserialize(stored(release, "retry_policy")), retry.TallyfyRetryPolicy)


def trigger_classes():
    """The triggers that Airflow may have stored: those that can be built."""
    package = tallyfy_provider.triggers
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for _, value in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(value, BaseTrigger) and value.__module__ == module.name and not inspect.isabstract(value):
                yield f"{value.__module__}.{value.__qualname__}"


def test_every_trigger_class_has_been_recorded():
    recorded = {wait["trigger"]["classpath"] for release in RELEASES for wait in stored(release, "waits").values()}
    recorded |= {stored(release, "watcher")["trigger"]["classpath"] for release in RELEASES}
    assert set(trigger_classes()) - recorded == set(), "Add a case to cases.py, and record it (record.py)."


def test_every_deferred_task_has_been_recorded():
    assert set(BY_NAME) == {name for release in RELEASES for name in stored(release, "waits")}
