"""Triggerers die, others take over: no wait is lost, none is answered twice, and no event is missed."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from airflow_rest import wait_until
from airflow_runner import Standalone
from tallyfy_emulator import Emulator
from tests.airflow.conftest import AIRFLOW_2_IN_PARALLEL

pytestmark = pytest.mark.end_to_end

HERE = Path(__file__).parent
IS_AIRFLOW_3 = int(metadata.version("apache-airflow").split(".")[0]) >= 3
WAITS = 50
FILES = ["dags/waits.py"]
if IS_AIRFLOW_3:
    FILES += ["dags_airflow3/reactions.py", "../../example_dags/tallyfy_react_to_completed_run.py"]
ENVIRONMENT = {
    # A triggerer that is not heard of for so many seconds counts as dead, and another takes its triggers.
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    # A watcher begins when the file of its Dag is read next after the Dag was unpaused.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
}
if not IS_AIRFLOW_3:
    ENVIRONMENT |= AIRFLOW_2_IN_PARALLEL
PATIENCE = 200.0


@pytest.fixture(scope="module")
def airflow(tallyfy, tmp_path_factory):
    dags = tmp_path_factory.mktemp("dags")
    for name in FILES:
        shutil.copy(HERE / name, dags)
    connections = {"tallyfy_default": tallyfy.connection_json()}
    environment = ENVIRONMENT | {"TALLYFY_TEST_CHECKLIST": tallyfy.checklists["Contract review"]}
    with Standalone(dags_folder=dags, connections=connections, environment=environment) as airflow:
        yield airflow


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

    def log(self, map_index: int) -> str:
        folder = self._airflow.home / "logs" / "dag_id=waits" / f"run_id={self.dag_run}" / "task_id=wait"
        files = sorted((folder / f"map_index={map_index}").rglob("*.log*"))
        return "\n".join(file.read_text(errors="replace") for file in files)


def asked_for_runs(tallyfy: Emulator) -> int:
    return sum("/runs" in request.path for request in tallyfy.requests)


def test_waits_outlive_their_triggerers_and_are_answered_once(airflow, tallyfy):
    names = [f"Contract {number:02}" for number in range(WAITS)]
    for name in names:
        tallyfy.add_run(name=name)
    airflow.unpause("waits")
    waits = MappedWaits(airflow, airflow.trigger("waits", {"process": "Contract"}))
    airflow.wait_until_deferred("waits", waits.dag_run, "wait", timeout=PATIENCE)
    runs = airflow.xcom("waits", waits.dag_run, "list_runs", "run_ids")
    assert len(runs) == WAITS

    # All wait: fewer than fifty a hundred, so one page a list, and five requests more are granted to an interval (1 s).
    tallyfy.clear_requests()
    started = time.monotonic()
    wait_until(lambda: asked_for_runs(tallyfy) >= 10, timeout=PATIENCE, what="the triggerer to ask")
    intervals = time.monotonic() - started
    assert asked_for_runs(tallyfy) <= (1 + 5) * (intervals + 1)

    for run in runs[:16]:
        tallyfy.complete_run(run)
    waits.await_successes(16)

    # The second triggerer stands by while the first is killed; people go on meanwhile.
    airflow.start_triggerer()
    airflow.kill_triggerer()
    for run in runs[16:33]:
        tallyfy.complete_run(run)
    # And the second is killed in the middle of it, with no other in sight.
    waits.await_successes(17)
    airflow.kill_triggerer()
    for run in runs[33:]:
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
    # Each triggerer says once of each wait that it asks: so many have held it.
    triggerers = [log.count("Polling every 1 s") for log in logs]
    assert min(triggerers[:16]) >= 1
    assert min(triggerers[16:33]) >= 2
    assert min(triggerers[33:]) >= 3


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


@pytest.mark.skipif(not IS_AIRFLOW_3, reason="Airflow 2 has no asset watchers")
def test_a_dag_is_started_once_for_each_completed_process(airflow, tallyfy):
    reviews = Reactions(airflow, "reactions", "contract_reviewed")
    onboardings = Reactions(airflow, "tallyfy_react_to_completed_run", "tallyfy_customer_onboarded")

    def launch(checklist: str, name: str) -> str:
        return str(tallyfy.add_run(name=name, checklist_id=tallyfy.checklists[checklist])["id"])

    contracts = [launch("Contract review", f"Contract with {name}") for name in ("Ada", "Bob", "Cid")]
    customers = [launch("Customer onboarding", f"Onboarding of {name}") for name in ("Dora", "Emil")]
    for each in (reviews, onboardings):
        airflow.unpause(each.dag_id)
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
    read = readings_of_the_feed(tallyfy)
    wait_until(lambda: readings_of_the_feed(tallyfy) >= read + 5, timeout=PATIENCE, what="the feed to be read on")

    payloads = [payload for one in reviews.handed_on("payloads") for payload in one]
    assert [payload["run_id"] for payload in payloads] == contracts
    assert set(Counter(payload["event_id"] for payload in payloads).values()) == {1}
    assert payloads[0]["event"] == "completed"
    assert payloads[0]["organization_id"] == tallyfy.organization_id
    assert payloads[0]["run"]["name"] == "Contract with Ada"
    assert payloads[0]["run"]["status"] == "complete"
    assert payloads[0]["occurred_at"] == payloads[0]["run"]["completed_at"]
    found = [[run["id"] for run in one] for one in onboardings.handed_on("completed_onboardings")]
    assert found == [[customer] for customer in customers]
