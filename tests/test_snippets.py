"""The code of the documentation: Dags are parsed and their tasks run against the emulator, tests are run."""

from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, TaskDeferred, timezone
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.version import version

from tallyfy_emulator import Emulator, Fault, ManualClock

from .conftest import fire_trigger
from .outlets import outlet_events

ROOT = Path(__file__).resolve().parent.parent
SNIPPETS = ROOT / "docs" / "snippets"
DAGS = sorted((SNIPPETS / "dags").glob("*.py"))
#: Airflow that the code of docs/snippets/airflow3 needs.
NEEDS = {"guide_react": (3, 0), "guide_deadline": (3, 1), "guide_retries": (3, 3)}
#: What the emulator does not have: the answers that Tallyfy documents.
UPLOADED = {"data": {"id": "asset-1", "filename": "quotation.pdf", "version": 1, "source": "local"}}
ANSWERS = (
    Fault(kind="status", status=200, method="POST", path="/file", body=json.dumps(UPLOADED)),
    Fault(kind="status", status=200, method="PATCH", path="/custom-fields/", body='{"data": {"key": "erp_reference"}}'),
)


def load(path: Path) -> ModuleType:
    """Import a file as a module."""
    spec = importlib.util.spec_from_file_location(f"snippet_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dags_of(path: Path) -> list[Any]:
    """Read the Dags of a file, also those that no name stands for."""
    made: list[Any] = []
    enter = DAG.__enter__

    def entered(dag: Any) -> Any:
        made.append(dag)
        return enter(dag)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DAG, "__enter__", entered)
        load(path)
    return made


class QuickDagRun:
    """
    Runs a Dag's tasks one after the other, without a scheduler or a database.

    People act in no time: whenever a task defers, the emulator's clock moves on. Mapped tasks are not expanded.
    """

    def __init__(self, dag: Any, clock: ManualClock) -> None:
        self._dag, self._clock = dag, clock
        self._xcoms: dict[tuple[str, str], Any] = {}
        self.done: list[str] = []

    def run(self) -> None:
        """Run them all."""
        for task in self._dag.topological_sort():
            # What is escalated to has nothing to do unless the wait before it is over.
            is_too_late = "sensor" in task.task_type.lower() and any(
                each.trigger_rule == "all_failed" for each in task.downstream_list
            )
            if hasattr(task, "partial_kwargs") or is_too_late:
                continue
            self._xcoms[task.task_id, "return_value"] = self._execute(task.prepare_for_execution())
            self.done.append(task.task_id)

    def _execute(self, task: Any) -> Any:
        context = self._context(task)
        task.render_template_fields(context, self._dag.get_template_env())
        if "branch" in task.task_type.lower():
            return task.python_callable(*task.op_args, **task.op_kwargs)
        if hasattr(task, "poke_interval"):
            task.poke_interval = 0.05
        try:
            return task.execute(context)
        except TaskDeferred as deferred:
            self._clock.advance(60)
            event = fire_trigger(deferred.trigger)
            return getattr(task, deferred.method_name)(context, event=event, **(deferred.kwargs or {}))

    def _context(self, task: Any) -> dict[str, Any]:
        def pull(task_ids: Any = None, key: str = "return_value", default: Any = None, **_: Any) -> Any:
            one = task_ids[0] if isinstance(task_ids, list) else task_ids or task.task_id
            return self._xcoms.get((one, key), default)

        task_instance = SimpleNamespace(
            dag_id=self._dag.dag_id,
            task_id=task.task_id,
            run_id="manual__1",
            try_number=1,
            max_tries=0,
            map_index=-1,
            xcom_pull=pull,
            xcom_push=lambda key, value: self._xcoms.update({(task.task_id, key): value}),
            get_relevant_upstream_map_indexes=lambda *_, **__: None,
        )
        now = timezone.utcnow()
        return {
            "ti": task_instance,
            "task_instance": task_instance,
            "dag": self._dag,
            "dag_run": SimpleNamespace(start_date=now, run_after=now, data_interval_end=now),
            "run_id": "manual__1",
            "params": {name: self._dag.params[name] for name in self._dag.params},
            "macros": importlib.import_module(
                "airflow.sdk.execution_time.macros" if AIRFLOW_V_3_0_PLUS else "airflow.macros"
            ),
            "outlet_events": outlet_events(),
            "expanded_ti_count": None,
        }


@pytest.fixture
def tallyfy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Emulator, ManualClock]]:
    """A Tallyfy with its people, whose clock the test moves."""
    clock = ManualClock()
    with Emulator(clock=clock) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", emulator.connection_json())
        for answer in ANSWERS:
            emulator.order(answer)
        yield emulator, clock


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.stem)
def test_a_dag_of_the_documentation_runs(path, tallyfy):
    (dag,) = dags_of(path)
    run = QuickDagRun(dag, tallyfy[1])
    run.run()
    assert run.done


@pytest.mark.parametrize("path", sorted((SNIPPETS / "airflow3").glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_of_the_documentation_is_parsed(path):
    if tuple(map(int, version.split(".")[:2])) < NEEDS[path.stem]:
        pytest.skip("for a later Airflow")
    assert dags_of(path)


def documented_tests() -> list[Any]:
    module = load(SNIPPETS / "test_with_the_emulator.py")
    return [function for name, function in vars(module).items() if name.startswith("test_")]


@pytest.mark.parametrize("test", documented_tests(), ids=lambda test: test.__name__)
def test_a_test_of_the_documentation_passes(test, monkeypatch):
    test(monkeypatch) if inspect.signature(test).parameters else test()


def test_what_loads_tables_with_dlt_loads_them(tallyfy, tmp_path, monkeypatch):
    pytest.importorskip("dlt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    module = load(SNIPPETS / "load_with_dlt.py")
    assert module.pipeline.last_trace.last_normalize_info.row_counts["runs"] > 0
