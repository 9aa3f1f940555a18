"""An organization that changes between any two requests: no run that stays is missed, none mixes two states."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tallyfy_emulator import Emulator, Quirks
from tallyfy_provider.hooks.tallyfy import TallyfyHook
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator

RUNS = 36


class Churn:
    """
    Changes runs after each request.

    Each change of a task writes its answer and a comment: in any one state a task's answer is the number of its
    comments.
    """

    def __init__(self, emulator: Emulator, seed: int) -> None:
        self._emulator = emulator
        self._random = random.Random(seed)
        steps = [{"title": f"Step {n}", "form_fields": [{"label": "Count"}]} for n in range(2)]
        steps.append({"title": "Hidden", "auto_skipped": True})
        checklists = [emulator.add_checklist(f"With {n}", steps=steps[:n])["id"] for n in (2, 3)]
        self.ids = [self._add(n, checklists[n % 9 == 0]) for n in range(RUNS)]
        self.stays = set(self.ids[::2])
        self._gone: list[str] = []
        emulator.listen(self.change)

    def _add(self, number: int, checklist_id: str) -> str:
        day = f"2026-01-{1 + number // 3:02}"
        run = self._emulator.add_run(str(number), checklist_id=checklist_id, tasks_done=0, created_at=day)
        return str(run["id"])

    def change(self, request: Any) -> None:
        for run_id in self._random.sample(sorted(self.stays), 9):
            task = self._random.choice(self._emulator.tasks(run_id)[:2])
            count = int((task["taskdata"] or {"": "0"}).popitem()[1]) + 1
            self._emulator.fill_task(task["id"], {"Count": str(count)})
            self._emulator.add_comment(task["id"], f"Comment {count}")
        leaving = [run_id for run_id in self.ids if run_id not in self.stays and run_id not in self._gone]
        for run_id in self._random.sample(leaving, min(2, len(leaving))):
            self._emulator.complete_run(run_id)
            self._gone.append(run_id)
        if self._gone and self._random.random() < 0.3:
            self._emulator.reopen_run(self._gone.pop(0))


@pytest.fixture
def churning(monkeypatch):
    """Start an organization that changes; give it and how lists answer."""
    started = []

    def start(seed: int, includes: Any = "given") -> tuple[Emulator, Churn]:
        emulator = Emulator(seed=False, quirks=Quirks(list_includes=includes)).start()
        started.append(emulator)
        monkeypatch.setenv("AIRFLOW_CONN_TALLYFY_DEFAULT", emulator.connection_json())
        return emulator, Churn(emulator, seed)

    yield start
    for emulator in started:
        emulator.listen(None)
        emulator.stop()


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for part in sorted((path / table).iterdir()) for line in part.read_text().splitlines()]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("includes", ["given", "refused"])
def test_all_rows_of_a_run_are_of_one_state_and_no_run_that_stays_is_missed(
    churning, task_context, tmp_path, seed, includes
):
    _, churn = churning(seed, includes)
    TallyfyToObjectStorageOperator(
        task_id="task",
        path=str(tmp_path),
        tables=["runs", "tasks", "answers", "comments"],
        filters={"status": "active"},
        on_incomplete="warn",
    ).execute(task_context())
    runs = [row["id"] for row in rows(tmp_path, "runs")]
    assert len(runs) == len(set(runs))
    assert churn.stays <= set(runs)
    comments = Counter(row["task_id"] for row in rows(tmp_path, "comments"))
    answers = {row["task_id"]: int(row["value_text"] or 0) for row in rows(tmp_path, "answers")}
    assert sum(answers.values()) > RUNS / 4
    assert {task: count for task, count in answers.items() if comments[task] != count} == {}
    tasks = Counter(row["run_id"] for row in rows(tmp_path, "tasks"))
    assert set(tasks) == set(runs)


def test_a_walk_that_asks_for_answers_and_comments_apart_mixes_states(churning):
    _, churn = churning(0)
    client = TallyfyHook().client
    mixed = 0
    for run_id in sorted(churn.stays):
        for task in client.tasks.list_of_run(run_id, include=["form_fields"]):
            fields = task["form_fields"]["data"]
            count = int(fields[0]["field_value"] or 0) if fields else 0
            mixed += count != len(client.comments.list_of_task(task["id"], run_id))
    assert mixed > 0
