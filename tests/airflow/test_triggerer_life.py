"""Triggerers die, others take over: no wait is lost, none is answered twice, and no event is missed."""

from __future__ import annotations

import time
from collections import Counter
from importlib import metadata
from typing import Any

import pytest
from packaging.version import Version

from airflow_rest import PATIENCE, wait_until
from airflow_runner import Standalone
from tallyfy_emulator import Emulator
from tests.airflow.conftest import AIRFLOW_MAJOR
from tests.conftest import THOROUGH

pytestmark = pytest.mark.end_to_end

IS_AIRFLOW_3 = AIRFLOW_MAJOR >= 3
#: Whether watched assets have a state store, in which a watcher keeps its place.
HAS_STATE_STORE = Version(metadata.version("apache-airflow")) >= Version("3.3.2")
WAITS = 51 if THOROUGH else 24


class MappedWaits:
    """The waits of one run of the Dag ``waits``, one for each run of Tallyfy, by map index."""

    def __init__(self, airflow: Standalone, dag_run: str) -> None:
        self._airflow = airflow
        self.dag_run = dag_run

    def instances(self) -> list[dict[str, Any]]:
        instances = self._airflow.task_instances("waits", self.dag_run)
        return sorted((one for one in instances if one["task_id"] == "wait"), key=lambda one: one["map_index"])

    def succeeded(self) -> int:
        return sum(one["state"] == "success" for one in self.instances())

    def await_successes(self, number: int) -> None:
        what = f"{number} waits to succeed"
        wait_until(lambda: self.succeeded() >= number, timeout=PATIENCE, what=what)

    def held(self, map_index: int) -> int:
        """Count the triggerers that have held a wait: each says once that it asks."""
        return self.log(map_index).count("Polling every 1 s")

    def await_holders(self, map_indexes: range, number: int) -> None:
        what = f"{number} triggerers to hold the waits {map_indexes}"
        wait_until(lambda: all(self.held(one) >= number for one in map_indexes), timeout=PATIENCE, what=what)

    def log(self, map_index: int) -> str:
        folder = self._airflow.home / "logs" / "dag_id=waits" / f"run_id={self.dag_run}" / "task_id=wait"
        files = sorted((folder / f"map_index={map_index}").rglob("*.log*"))
        return "\n".join(file.read_text(errors="replace") for file in files)


@pytest.fixture
def one_triggerer(airflow):
    """An Airflow with one triggerer: a test before may have started another, when a busy machine hid the first."""
    airflow.leave_one_triggerer()
    return airflow


def asked_for_runs(tallyfy: Emulator) -> int:
    return sum("/runs" in request.path for request in tallyfy.requests)


def test_waits_outlive_their_triggerers_and_are_answered_once(one_triggerer, tallyfy):
    airflow = one_triggerer
    first, second = WAITS // 3, 2 * WAITS // 3
    names = [f"Lease {number:02}" for number in range(WAITS)]
    for name in names:
        tallyfy.add_run(name=name)
    airflow.unpause("waits")
    waits = MappedWaits(airflow, airflow.trigger("waits", {"process": "Lease"}))
    airflow.wait_until_deferred("waits", waits.dag_run, "wait", timeout=PATIENCE)
    runs = airflow.xcom("waits", waits.dag_run, "list_runs", "run_ids")
    assert len(runs) == WAITS

    # All wait: fewer than a hundred, so one page a list, and five requests more are granted to an interval (1 s).
    tallyfy.clear_requests()
    started = time.monotonic()
    wait_until(lambda: asked_for_runs(tallyfy) >= 10, timeout=PATIENCE, what="the triggerer to ask")
    intervals = time.monotonic() - started
    assert asked_for_runs(tallyfy) <= (1 + 5) * (intervals + 1)

    for run in runs[:first]:
        tallyfy.complete_run(run)
    waits.await_successes(first)

    # The second triggerer stands by while the first is killed. A line that a triggerer has not yet written when it is
    # killed is lost, so both are let to say which waits they hold.
    waits.await_holders(range(WAITS), 1)
    airflow.start_triggerer()
    airflow.kill_triggerer()
    waits.await_holders(range(first, WAITS), 2)
    for run in runs[first:second]:
        tallyfy.complete_run(run)
    # And the second is killed in the middle of it, with no other in sight; people go on meanwhile.
    waits.await_successes(first + 1)
    airflow.kill_triggerer()
    for run in runs[second:]:
        tallyfy.complete_run(run)
    airflow.start_triggerer()
    assert airflow.wait_for_dag_run("waits", waits.dag_run, timeout=PATIENCE)["state"] == "success"

    instances = waits.instances()
    assert [(one["map_index"], one["state"], one["try_number"]) for one in instances] == [
        (index, "success", 1) for index in range(WAITS)
    ]
    waited = [airflow.xcom("waits", waits.dag_run, "wait", map_index=index) for index in range(WAITS)]
    assert [[run["id"] for run in one] for one in waited] == [[run] for run in runs]
    assert airflow.xcom("waits", waits.dag_run, "hand_on") == names
    logs = [waits.log(index) for index in range(WAITS)]
    assert [log.count("Waited for all to be complete") for log in logs] == [1] * WAITS
    assert min(map(waits.held, range(second, WAITS))) >= 3


class Reactions:
    """The runs of a Dag that events start."""

    def __init__(self, airflow: Standalone, dag_id: str, asset: str) -> None:
        self._airflow = airflow
        self.dag_id = dag_id
        self._asset = asset

    def runs(self) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = self._airflow.rest("GET", f"/dags/{self.dag_id}/dagRuns?order_by=id")["dag_runs"]
        return runs

    def await_runs(self, number: int) -> None:
        def all_succeeded() -> bool:
            states = [run["state"] for run in self.runs()]
            assert "failed" not in states
            return states.count("success") >= number

        wait_until(all_succeeded, timeout=PATIENCE, what=f"{number} runs of {self.dag_id}")

    def handed_on(self, task_id: str) -> list[Any]:
        return [self._airflow.xcom(self.dag_id, run["dag_run_id"], task_id) for run in self.runs()]

    def await_cursor(self, *run_ids: str) -> None:
        """Wait until the watcher has kept its place, behind the events of these runs of Tallyfy."""

        def is_kept() -> bool:
            cursor = self._cursor()
            return cursor is not None and all(run_id in " ".join(cursor["reported"]) for run_id in run_ids)

        wait_until(is_kept, timeout=PATIENCE, what=f"the watcher of {self.dag_id} to keep its place")

    def _cursor(self) -> dict[str, Any] | None:
        assets = self._airflow.rest("GET", f"/assets?name_pattern={self._asset}")["assets"]
        if not assets:
            return None
        stored = self._airflow.rest("GET", f"/assets/{assets[0]['id']}/state-store")["asset_state_store"]
        return next((one["value"] for one in stored if one["key"].startswith("tallyfy_run_events")), None)


def readings_of_the_feed(tallyfy: Emulator) -> int:
    return sum(request.path.endswith("/activity-feeds") for request in tallyfy.requests)


def launch(tallyfy: Emulator, checklist: str, name: str) -> str:
    return str(tallyfy.add_run(name=name, checklist_id=tallyfy.checklists[checklist])["id"])


def await_readings(tallyfy: Emulator, number: int) -> None:
    """Wait until the feed has been read so often again."""
    read = readings_of_the_feed(tallyfy)
    wait_until(lambda: readings_of_the_feed(tallyfy) >= read + number, timeout=PATIENCE, what="the feed to be read")


@pytest.mark.skipif(not HAS_STATE_STORE, reason="before 3.3.2, Airflow keeps no place of a watcher")
def test_a_dag_is_started_once_for_each_completed_process(one_triggerer, tallyfy):
    airflow = one_triggerer
    reviews = Reactions(airflow, "reactions", "contract_reviewed")
    onboardings = Reactions(airflow, "tallyfy_react_to_completed_run", "tallyfy_customer_onboarded")

    contracts = [launch(tallyfy, "Contract review", f"Contract with {name}") for name in ("Ada", "Bob", "Cid")]
    customers = [launch(tallyfy, "Customer onboarding", f"Onboarding of {name}") for name in ("Dora", "Emil")]
    for each in (reviews, onboardings):
        airflow.unpause(each.dag_id)
    # A watcher begins when its Dag, unpaused, is read.
    airflow.read_again()
    for each in (reviews, onboardings):
        each.await_cursor()

    tallyfy.complete_run(customers[0])
    onboardings.await_runs(1)
    tallyfy.complete_run(contracts[0])
    reviews.await_runs(1)
    # A triggerer that dies before it has kept its place may tell of an event again.
    onboardings.await_cursor(customers[0])
    reviews.await_cursor(contracts[0])

    airflow.kill_triggerer()
    tallyfy.complete_run(customers[1])
    tallyfy.complete_run(contracts[1])
    airflow.start_triggerer()
    reviews.await_runs(2)
    onboardings.await_runs(2)

    tallyfy.complete_run(contracts[2])
    reviews.await_runs(3)
    # If something came again, it would now.
    await_readings(tallyfy, 5)

    payloads = [payload for one in reviews.handed_on("payloads") for payload in one]
    assert [payload["run_id"] for payload in payloads] == contracts
    assert set(Counter(payload["event_id"] for payload in payloads).values()) == {1}
    assert_completed(payloads[0], "Contract with Ada", tallyfy)
    found = [[run["id"] for run in one] for one in onboardings.handed_on("completed_onboardings")]
    assert found == [[customer] for customer in customers]


@pytest.mark.skipif(not IS_AIRFLOW_3 or HAS_STATE_STORE, reason="for an Airflow with watchers that keeps no place")
def test_a_dag_is_started_by_what_is_completed_while_it_is_watched(airflow, tallyfy):
    reviews = Reactions(airflow, "reactions", "contract_reviewed")
    contract = launch(tallyfy, "Contract review", "Contract with Dan")
    airflow.unpause(reviews.dag_id)
    airflow.read_again()
    await_readings(tallyfy, 3)  # the watcher begins with its first
    tallyfy.complete_run(contract)
    reviews.await_runs(1)
    ((payload,),) = reviews.handed_on("payloads")
    assert payload["run_id"] == contract
    assert_completed(payload, "Contract with Dan", tallyfy)


def assert_completed(payload: dict[str, Any], name: str, tallyfy: Emulator) -> None:
    assert payload["event"] == "completed"
    assert payload["organization_id"] == tallyfy.organization_id
    assert payload["run"]["name"] == name
    assert payload["run"]["status"] == "complete"
    assert payload["occurred_at"] == payload["run"]["completed_at"]
