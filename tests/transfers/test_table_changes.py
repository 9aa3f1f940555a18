"""Exports of what has changed: by the list, by the activity feed, and sweeps that count what the feed does not show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias

from tallyfy_emulator import Quirks
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.transfers.lineage import namespace_and_name
from tallyfy_provider.transfers.object_storage import TallyfyToObjectStorageOperator
from tallyfy_provider.triggers.activity_feed import Activity
from tallyfy_provider.utils.timestamps import parse_timestamp
from tests.outlets import outlet_events, state_stores

FIELDS = [{"label": "Amount"}]
TABLES = ["runs", "answers", "comments"]
SINCE = "2026-06-01T00:00:00Z"


@pytest.fixture
def tasks(emulator) -> list[str]:
    """The first tasks of runs that have not changed for long, among many that are only listed."""
    checklist = emulator.add_checklist("Plain", steps=[{"title": "Do", "form_fields": FIELDS}])["id"]
    emulator.add_generated_runs(200, checklist_id=checklist, first_created_at=1_700_000_000.0)
    ids = [
        emulator.add_run(
            str(number),
            checklist_id=checklist,
            tasks_done=0,
            created_at="2026-01-01T00:00:00Z",
            last_updated=f"2026-01-0{number + 1}T00:00:00Z",
        )["id"]
        for number in range(6)
    ]
    return [emulator.tasks(run_id)[0]["id"] for run_id in ids]


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    parts = json.loads((path / "_SUCCESS").read_text())["tables"][table]["parts"]
    return [json.loads(line) for part in parts for line in (path / part).read_text().splitlines()]


def names(path: Path) -> list[str]:
    return sorted(row["name"] for row in rows(path, "runs"))


def change(emulator, tasks: list[str]) -> None:
    """A comment, an answer, a completion."""
    emulator.add_comment(tasks[0], "Call back")
    emulator.fill_task(tasks[1], {"Amount": "12"})
    emulator.complete_task(tasks[2])


@pytest.mark.parametrize(("find_changes", "requests"), [("list", 8), ("feed", 4)])
def test_runs_that_have_changed_are_asked_for_by_themselves(emulator, tasks, export, tmp_path, find_changes, requests):
    change(emulator, tasks)
    done = export(str(tmp_path), tables=TABLES, updated_after=SINCE, find_changes=find_changes)
    assert names(tmp_path) == ["0", "1", "2"]
    assert [row["content"] for row in rows(tmp_path, "comments")] == ["Call back"]
    assert [row["value_text"] for row in rows(tmp_path, "answers") if row["value_text"]] == ["12"]
    assert len(emulator.requests) <= requests
    assert done["next_updated_after"] > SINCE


def test_the_feed_finds_what_does_not_touch_the_run_and_the_list_does_not(emulator, tasks, export, tmp_path):
    emulator.quirks = Quirks(work_touches_run=False)
    change(emulator, tasks)
    export(str(tmp_path / "list"), tables=TABLES, updated_after=SINCE)
    export(str(tmp_path / "feed"), tables=TABLES, updated_after=SINCE, find_changes="feed")
    assert names(tmp_path / "list") == ["2"]
    assert names(tmp_path / "feed") == ["0", "1", "2"]


def test_a_sweep_has_all_that_the_feed_hides_and_counts_it_in_a_warning(emulator, tasks, export, tmp_path, said):
    emulator.add_comment(tasks[0], "Seen")
    emulator.quirks = Quirks(feed_records=False)
    emulator.add_comment(tasks[3], "Hidden")
    emulator.complete_task(tasks[4])
    export(str(tmp_path / "feed"), tables=TABLES, updated_after=SINCE, find_changes="feed")
    assert names(tmp_path / "feed") == ["0"]
    done = export(str(tmp_path / "sweep"), tables=TABLES, updated_after=SINCE, find_changes="sweep")
    assert done["not_in_feed"] == 2
    assert "Changed since 2026-06-01T00:00:00Z and not named by the activity feed: 2 runs, for example" in said()
    assert len(names(tmp_path / "sweep")) == 206
    assert {row["content"] for row in rows(tmp_path / "sweep", "comments")} == {"Seen", "Hidden"}


def test_a_comment_that_neither_the_feed_nor_the_run_shows_is_counted_by_its_own_date(
    emulator, tasks, export, tmp_path
):
    emulator.quirks = Quirks(feed_records=False, work_touches_run=False)
    emulator.add_comment(tasks[5], "Hidden")
    done = export(str(tmp_path), tables=TABLES, updated_after=SINCE, find_changes="sweep")
    assert done["not_in_feed"] == 1


def test_what_the_feed_names_and_is_archived_or_gone(emulator, tasks, export, tmp_path, said):
    change(emulator, tasks)
    run_ids = [run["id"] for run in emulator.runs()]
    emulator.archive_run(run_ids[0])
    emulator.delete_run(run_ids[1])
    export(str(tmp_path / "live"), tables=TABLES, updated_after=SINCE, find_changes="feed")
    assert names(tmp_path / "live") == ["2"]
    assert "Left out: 1 run that could not be read any more one by one." in said()
    filters = {"archived": "true"}
    export(str(tmp_path / "all"), tables=TABLES, updated_after=SINCE, find_changes="feed", filters=filters)
    assert names(tmp_path / "all") == ["0", "2"]


def test_the_next_bound_is_what_a_late_feed_has_shown_and_not_what_its_runs_say(
    emulator, tasks, export, tmp_path, monkeypatch
):
    emulator.complete_task(tasks[0])
    shown = Activity("1", "completed", emulator.runs()[0]["id"], parse_timestamp("2026-06-02T00:00:00Z"))
    monkeypatch.setattr("tallyfy_provider.triggers.activity_feed.read_feed", lambda client, edge: [shown])
    done = export(str(tmp_path), tables=TABLES, updated_after=SINCE, find_changes="feed")
    assert (names(tmp_path), done["next_updated_after"]) == (["0"], "2026-06-02T00:00:00Z")


def test_max_runs_counts_the_runs_of_the_feed_that_are_written(emulator, tasks, export, tmp_path):
    change(emulator, tasks)
    emulator.archive_run(emulator.runs()[0]["id"])
    assert export(str(tmp_path), tables=TABLES, updated_after=SINCE, find_changes="feed", max_runs=2)["runs"] == 2


def test_without_a_bound_the_feed_is_not_needed(emulator, tasks, export, tmp_path):
    export(str(tmp_path), tables=TABLES, find_changes="feed")
    assert len(names(tmp_path)) == 206


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tables": ["task"]}, "did you mean 'tasks'"),
        ({"tables": "runs", "path": "/x/runs.csv"}, "a file: with tables it is the directory"),
        ({"tables": "runs", "file_format": "xml"}, "file_format is 'xml'; it takes 'jsonl', 'jsonl.gz'"),
        ({"tables": "runs", "find_changes": "guess"}, "find_changes is 'guess'; it takes 'list', 'feed' or 'sweep'"),
        ({"tables": "runs", "part_bytes": 0}, "part_bytes takes a whole number"),
        ({"tables": "runs", "incremental": "yes"}, "incremental takes True or False"),
    ],
)
def test_wrong_literals_are_refused_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        TallyfyToObjectStorageOperator(task_id="x", **{"path": "/x", **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fields": ["id"]}, "fields cannot be combined with tables"),
        ({"filters": {"with": "tags"}}, "filters\\['with'\\] cannot be combined with tables"),
        ({"filters": {"page": 1}}, "filters\\['page'\\] cannot be combined with tables"),
        ({"filters": {"sort": "name"}}, "in the order of created_at, in which none is missed"),
        ({"filters": {"status": "active"}, "find_changes": "feed"}, "cannot be combined with find_changes='feed'"),
        ({"tables": None, "path": "/x/x.csv", "find_changes": "feed"}, "find_changes='feed' needs tables"),
    ],
)
def test_what_does_not_go_with_tables_is_refused_before_any_request(emulator, export, tmp_path, arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        export(**{"path": str(tmp_path), "tables": ["runs"], **arguments})
    assert emulator.requests == []


def run(context: dict[str, Any], path: Path, **arguments: Any) -> dict[str, Any]:
    operator = TallyfyToObjectStorageOperator(task_id="task", path=str(path), **{"tables": TABLES, **arguments})
    return operator.execute({"outlet_events": outlet_events(), **context})


@pytest.mark.parametrize("has_store", [True, False])
def test_an_incremental_export_begins_where_the_one_before_ended(
    emulator, tasks, connect, task_context, tmp_path, has_store
):
    connect()
    asset, store, before = Asset("tallyfy_runs"), state_stores(), {}

    def export(name: str) -> list[str]:
        context = task_context(xcom_pull=lambda **pulled: None if has_store else before.get("xcom"))
        context |= {"asset_state_store": store} if has_store else {}
        before["xcom"] = run(context, tmp_path / name, outlets=[asset], incremental=True)
        return names(tmp_path / name)

    assert len(export("first")) == 206
    change(emulator, tasks)
    # The bound is inclusive: the newest of the first export comes again.
    assert export("second") == ["0", "1", "2", "5"]


def test_each_table_has_an_event_and_lineage(emulator, tasks, connect, task_context, tmp_path, monkeypatch):
    from airflow.providers.common.compat.lineage import hook as lineage
    from airflow.providers.common.compat.sdk import HookLineageCollector

    connect()
    collector = HookLineageCollector()
    monkeypatch.setattr("airflow.providers.common.compat.sdk.get_hook_lineage_collector", lambda: collector)
    answers, everything = Asset("s3://bucket/tallyfy/answers"), Asset("s3://bucket/tallyfy")
    alias = AssetAlias("tallyfy")
    added: list[tuple[str, Any]] = []
    events = outlet_events()
    events[alias].add = lambda asset, extra: added.append((asset.uri, extra))
    done = run({**task_context(), "outlet_events": events}, tmp_path, outlets=[answers, everything, alias])
    assert events[answers].extra["table"] == "answers"
    assert events[answers].extra["rows"] == done["tables"]["answers"]["rows"] == 206
    assert events[everything].extra == done
    assert [(uri, extra["table"]) for uri, extra in added] == [(f"file://{tmp_path}/{name}", name) for name in TABLES]
    outputs = lineage.get_hook_lineage_collector().collected_assets.outputs
    assert [output.asset.uri for output in outputs] == [f"file://{tmp_path}/{name}" for name in TABLES]


@pytest.mark.parametrize(
    ("path", "dataset"),
    [
        ("/data/answers", ("file", "/data/answers")),
        ("file:///data/answers", ("file", "/data/answers")),
        ("s3://my_aws@bucket/a/answers", ("s3://bucket", "a/answers")),
    ],
)
def test_datasets_are_named_as_openlineage_names_them(path, dataset):
    assert namespace_and_name(path) == dataset


@pytest.mark.parametrize("find_changes", ["list", "feed", "sweep"])
def test_runs_alone_are_whole_however_changes_are_found(emulator, tasks, export, tmp_path, find_changes):
    change(emulator, tasks)
    export(str(tmp_path), tables=["runs"], updated_after=SINCE, find_changes=find_changes)
    found = [row for row in rows(tmp_path, "runs") if row["name"] in ("0", "1", "2")]
    assert [row["name"] for row in found] == ["0", "1", "2"]
    assert {(row["status"], row["tags"] is None) for row in found} <= {("active", False), ("complete", False)}
