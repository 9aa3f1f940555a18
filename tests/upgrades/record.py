"""
Write down what the present code stores, for a release: triggers, their events, XComs and states.

``python -m tests.upgrades.record 1.0.0`` writes ``tests/upgrades/1.0.0/``, on Airflow 3.3, which stores most.
``test_upgrades.py`` then resumes all of it under every later version of the code.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from tallyfy_emulator import Emulator, ManualClock
from tallyfy_provider.operators.runs import LaunchRunOperator, ListRunsOperator
from tallyfy_provider.policies.retry import TallyfyRetryPolicy
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator
from tests.conftest import build_task_context, fire_trigger
from tests.triggers.test_run_events import AssetStore, until, watching
from tests.upgrades.cases import CASES, CHECKLIST, CONTRACT, STORED_AT, Case, add_runs
from tests.upgrades.stores import TaskStateStore, outcome_of
from tests.virtual_time import follow_manual_clock, run_virtually

HERE = Path(__file__).parent


@contextmanager
def tallyfy() -> Iterator[tuple[Emulator, ManualClock]]:
    """Start a Tallyfy with the runs of the cases, which the connection leads to, and a clock."""
    with pytest.MonkeyPatch.context() as patch:
        clock = follow_manual_clock(patch, start=STORED_AT)
        with Emulator(seed=False, clock=clock) as emulator:
            add_runs(emulator)
            fields = json.loads(emulator.connection_json())
            patch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", json.dumps({**fields, "extra": {"max_attempts": 1}}))
            yield emulator, clock


def record_wait(case: Case, end: str) -> dict[str, Any]:
    """Record a deferred wait that ends in one way: its trigger, the event, and what the task made of it."""
    with tallyfy() as (emulator, clock):
        context = build_task_context(task_state_store=None)
        deferred = deferral(case, context)
        path, arguments = deferred.trigger.serialize()
        if end == "ended":
            case.finish(emulator)
        elif end == "timeout":
            clock.advance(arguments["deadline"] - clock.now())
        else:
            emulator.revoke(emulator.token)
        event = fire_trigger(deferred.trigger, partial(run_virtually, clock))
        outcome = outcome_of(case, deferred.method_name, event, context)
        stored = {"classpath": path, "kwargs": arguments, "method": deferred.method_name}
        return {"trigger": stored, "events": {end: {"event": event, **outcome}}}


def record_waits() -> dict[str, Any]:
    """Record all waits, each with its three ends."""
    recorded: dict[str, Any] = {}
    for case in CASES:
        for end in ("ended", "timeout", "error"):
            one = record_wait(case, end)
            recorded.setdefault(case.name, one)["events"].update(one["events"])
    return recorded


def record_watcher() -> dict[str, Any]:
    """Record an asset watcher: its trigger, its cursor and the event that it reported."""
    from tallyfy_provider.triggers.events import RunEventTrigger

    with tallyfy() as (emulator, clock):
        watcher = RunEventTrigger(events=["completed", "archived"], checklist_id=CHECKLIST, poke_interval=1)
        watcher.asset_state_store = store = AssetStore()

        async def scenario() -> list[dict[str, Any]]:
            async with watching(watcher) as events:
                emulator.complete_run(CONTRACT)
                await until(lambda: any(CONTRACT in value for value in store.values.values()), seconds=60)
                return list(events)

        (event,) = run_virtually(clock, scenario())
    path, arguments = watcher.serialize()
    cursors = {key: json.loads(value) for key, value in store.values.items()}
    return {"trigger": {"classpath": path, "kwargs": arguments}, "asset_state": cursors, "event": event}


def record_launches() -> dict[str, Any]:
    """Record what is kept of a launch for the next try: one that succeeded, and one whose answer was lost."""
    recorded = {}
    for name in ("launched", "lost"):
        with tallyfy() as (emulator, _):
            store = TaskStateStore()
            operator = LaunchRunOperator(task_id="task", checklist_id=CHECKLIST, lookup_timeout=0)
            context = {**build_task_context(), "task_state_store": store}
            operator.execute(context)
            (run,) = emulator.launched
            state = {key: json.loads(value) for key, value in store.values.items()}
            if name == "lost":
                for value in state.values():
                    value.pop("run_id", None)
            run = {"id": run["id"], "summary": run["summary"], "name": run["name"]}
            recorded[name] = {"task_state": state, "run": run, "xcoms": context["ti"].pushed}
    return recorded


def record_xcoms(folder: Path) -> dict[str, Any]:
    """Record the XComs of operators."""
    with tallyfy():
        listing = build_task_context()
        runs = ListRunsOperator(task_id="list", filters={"q": "Contract"}, fields=["id", "name"]).execute(listing)
        path = folder / "runs.jsonl"
        export = TallyfyToObjectStorageOperator(task_id="export", path=str(path)).execute(build_task_context())
        path.unlink()
    return {
        "list_runs": {"return_value": runs, **listing["ti"].pushed},
        "export_runs": {"return_value": {**export, "path": "runs.jsonl"}},
    }


def deferral(case: Case, context: dict[str, Any]) -> TaskDeferred:
    """Run a task until it defers itself."""
    with pytest.raises(TaskDeferred) as deferred:
        case.build().execute(context)
    return deferred.value


def main() -> None:
    """Write the files of a release."""
    parser = argparse.ArgumentParser(description="Record what the present code stores, for a release.")
    parser.add_argument("version", help="the release, for example 1.0.0")
    folder = HERE / parser.parse_args().version
    folder.mkdir(exist_ok=True)
    files = {
        "waits": record_waits(),
        "watcher": record_watcher(),
        "launches": record_launches(),
        "xcoms": record_xcoms(folder),
        "retry_policy": TallyfyRetryPolicy().serialize(),
    }
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    print(f"Wrote {len(files)} files to {folder}.")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
