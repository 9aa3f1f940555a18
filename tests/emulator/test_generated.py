"""Generated runs, which exist only as a formula, behave like added runs."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise

import pytest

from tallyfy_emulator import Quirks

DAY = 86400.0
NOON = 1_793_620_800.0  # 2026-11-02 12:00:00 UTC
MILLION = 1_000_000


def ids(rows):
    return [row["id"] for row in rows]


def listed(caller, query=""):
    """All rows of a list that is read page by page, 100 to a page."""
    rows, page = [], 1
    while True:
        payload = caller.listed(f"{query}&per_page=100&page={page}")
        rows += payload["data"]
        if page >= payload["meta"]["pagination"]["total_pages"]:
            assert len(rows) == payload["meta"]["pagination"]["total"]
            return rows
        page += 1


def test_a_list_of_a_million_has_every_page(emulator, caller):
    emulator.add_generated_runs(MILLION)

    first = caller.listed("sort=created_at&per_page=100")
    last = caller.listed("sort=created_at&per_page=100&page=10000")
    beyond = caller.listed("sort=created_at&per_page=100&page=10001")
    newest = caller.listed("sort=-created_at&per_page=100")

    assert first["meta"]["pagination"]["total"] == MILLION
    assert first["meta"]["pagination"]["total_pages"] == 10_000
    assert len(first["data"]) == len(last["data"]) == 100
    assert beyond["data"] == []
    assert newest["data"] == last["data"][::-1]


def test_a_million_runs_take_no_memory(emulator, caller):
    caller.listed()  # what the first request costs in any case
    tracemalloc.start()
    try:
        emulator.add_generated_runs(MILLION)
        for page in (1, 5_000, 10_000):
            caller.listed(f"sort=created_at&per_page=100&page={page}")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 8 * 2**20


@pytest.mark.parametrize("status", ["active", "delayed", "problem", "complete", "archived"])
def test_a_listed_run_can_be_read_by_its_id(emulator, caller, status):
    emulator.add_generated_runs(200, status=status, prerun={"field": "100 % of \u00fc\u0308bung"}, custom="50 %s")

    rows = listed(caller, "sort=created_at&archived=true")

    assert len(set(ids(rows))) == 200
    for row in rows[:3] + rows[83:86] + rows[-1:]:
        alone = caller.run(row["id"]).json()["data"]
        assert alone["prerun"] == {"field": "100 % of \u00fc\u0308bung"}
        assert alone == {name: value for name, value in row.items() if name != "has_open_issue"} | {
            "status": "archived" if status == "archived" else row["status"]
        }


def test_generated_rows_are_written_like_others(emulator):
    emulator.add_generated_runs(200, status="complete", summary="a \"quote\", a % and 'a' \\", prerun={"a": 1})
    generated = emulator._organization.runs.generated

    for number in range(200):
        run = generated.run(number)
        assert json.loads(run.text) == run.row
        assert list(json.loads(run.text)) == list(run.row)


def test_a_run_looks_like_one_that_was_added(emulator, caller):
    emulator.add_run()
    emulator.add_generated_runs(1)

    generated, added = caller.listed()["data"]

    assert list(generated) == list(added)
    assert len(generated["id"]) == len(added["id"]) == 32


def test_the_spacing_and_the_last_run_is_new(emulator, caller):
    emulator.add_generated_runs(3, spacing=DAY, name="Audit")

    rows = listed(caller, "sort=created_at")

    assert [row["created_at"][:10] for row in rows] == ["2026-10-31", "2026-11-01", "2026-11-02"]
    assert [row["name"] for row in rows] == ["Audit 1", "Audit 2", "Audit 3"]


def test_templates_and_owners_take_turns(emulator, caller):
    emulator.add_generated_runs(500)
    everything = listed(caller, "sort=created_at")

    for checklist_id in emulator.checklists.values():
        rows = listed(caller, f"checklist_id={checklist_id}&sort=created_at")
        assert rows
        assert rows == [row for row in everything if row["checklist_id"] == checklist_id]
    for owner in emulator.people.values():
        rows = listed(caller, f"owners={owner}")
        assert rows == [row for row in everything[::-1] if int(row["owner_id"]) == owner]


def test_includes(emulator, caller):
    emulator.add_generated_runs(5)

    row = caller.listed("with=checklist,tasks")["data"][0]

    assert row["checklist"]["data"]["id"] == row["checklist_id"]
    assert {task["run_id"] for task in row["tasks"]["data"]} == {row["id"]}


def test_the_template_and_first_time_can_be_chosen(emulator, caller):
    chosen, other = list(emulator.checklists.values())[:2]

    emulator.add_generated_runs(30, checklist_id=chosen, first_created_at=NOON - 3 * DAY)

    rows = listed(caller, f"checklist_id={chosen}&sort=created_at")
    assert len(rows) == 30
    assert rows[0]["created_at"].startswith("2026-10-30")
    assert listed(caller, f"checklist_id={other}") == []


@pytest.mark.parametrize(
    ("status", "query", "total"),
    [
        ("active", "", 250),
        ("active", "status=active", 250),
        ("active", "status=complete", 0),
        ("active", "archived=only", 0),
        ("active", "starred=true", 0),
        ("active", "untagged=true", 250),
        ("issue", "status=problem", 250),
        ("complete", "status=complete", 250),
        ("complete", "task_status=completed", 250),
        ("archived", "", 0),
        ("archived", "archived=only", 250),
        ("archived", "archived=true", 250),
    ],
)
def test_filters(emulator, caller, status, query, total):
    emulator.add_generated_runs(250, status=status)

    assert len(listed(caller, query)) == total


@pytest.mark.parametrize("sort", ["created_at", "-created_at"])
@pytest.mark.parametrize("checklist", [None, 0, 1])
def test_added_and_generated_runs_are_sorted_together(emulator, caller, sort, checklist):
    early = emulator.add_run("early", created_at=NOON - 1_000_000)["id"]
    same_time = emulator.add_run("of the same time as a generated one", created_at=NOON - 60 * 100)["id"]
    emulator.add_generated_runs(300)
    neighbours = [emulator.add_run(f"neighbour {n}", created_at=NOON - 60 * 150 + n)["id"] for n in (1, 2, 3)]
    late = emulator.add_run("late", created_at=NOON + 1)["id"]
    chosen = "" if checklist is None else f"&checklist_id={list(emulator.checklists.values())[checklist]}"

    rows = listed(caller, f"sort={sort}{chosen}")

    added = [early, *neighbours, same_time, late] if checklist != 1 else []
    in_order = rows if sort == "created_at" else rows[::-1]
    assert [each for each in ids(in_order) if each in added] == added
    assert (
        len(set(ids(rows))) == len(rows) == len(added) + (300 if checklist is None else 300 // len(emulator.checklists))
    )
    places = [(row["created_at"][:19].replace("T", " "), row["increment_id"]) for row in in_order]
    assert all(before < after for before, after in pairwise(places))


def test_a_new_run_is_last(emulator, caller, clock):
    emulator.add_generated_runs(200)
    before = listed(caller, "sort=created_at")

    clock.advance(1)
    new = emulator.add_run("new")["id"]

    assert ids(listed(caller, "sort=created_at")) == [*ids(before), new]


def test_quirks_of_lists_apply(emulator, caller):
    emulator.add_generated_runs(250)

    emulator.quirks = Quirks(per_page_cap=30, empty_page=2)
    assert [len(caller.listed(f"per_page=100&page={page}")["data"]) for page in (1, 2, 9)] == [30, 0, 10]
    emulator.quirks = Quirks(endless=True, endless_rows="new")
    assert set(ids(caller.listed("page=99")["data"])).isdisjoint(ids(caller.listed("page=98")["data"]))
    emulator.quirks = Quirks(list_lag=5)
    assert len(listed(caller)) == 250
    emulator.quirks = Quirks(meta=False)
    assert list(caller.listed()) == ["data"]


def test_few_are_found_and_sorted_by_name(emulator, caller):
    emulator.add_generated_runs(50)
    emulator.add_run(name="Zebra crossing")

    rows = caller.listed("sort=-name&per_page=100")["data"]
    found = caller.listed(f"q={rows[-1]['name'].replace(' ', '%20')}")["data"]

    assert len(rows) == 51
    assert rows[0]["name"] == "Zebra crossing"
    assert rows == sorted(rows, key=lambda row: (row["name"].casefold(), row["increment_id"]), reverse=True)
    assert rows[-1] in found


@pytest.mark.parametrize("query", ["q=review", "sort=name", "sort=-name"])
def test_searching_and_sorting_many_by_name_is_refused(emulator, caller, query):
    emulator.add_generated_runs(10_001)

    answer = caller.get(caller.runs_path, query)

    assert answer.status_code == 422
    assert "can't be searched or sorted by name" in answer.json()["message"]


def test_they_cannot_be_changed_or_generated_again(emulator, caller):
    emulator.add_generated_runs(5)
    run_id = caller.listed()["data"][0]["id"]

    for change in (
        lambda: emulator.complete_run(run_id),
        lambda: emulator.update_run_later(run_id, 5, status="complete"),
        lambda: emulator.delete_run(run_id),
    ):
        with pytest.raises(ValueError, match=f"Run {run_id} is generated: it exists only as a formula"):
            change()
    answer = caller.ask("DELETE", f"{caller.runs_path}/{run_id}")
    assert answer.status_code == 422
    assert "can't be changed" in answer.json()["message"]
    assert caller.run(run_id).json()["data"]["archived_at"] is None
    with pytest.raises(ValueError, match="There are generated runs already"):
        emulator.add_generated_runs(5)


def test_similar_ids_are_not_found(emulator, caller):
    emulator.add_generated_runs(5)
    run_id = caller.listed("sort=-created_at")["data"][0]["id"]
    assert run_id.endswith("00000004")

    for other in (f"{run_id[:-1]}5", f"{run_id[:-1]}x", f"{run_id[:-1]} ", run_id[:-1], f"{run_id}0", run_id.upper()):
        assert caller.run(other).status_code == 404
    with pytest.raises(KeyError):
        emulator.run(f"{run_id[:-1]}5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "0 runs can't be generated: give 1 to"),
        ({"count": -3}, "-3 runs can't be generated"),
        ({"count": 2**32}, "runs can't be generated"),
        ({"count": 5, "spacing": -1.0}, "-1.0 seconds apart"),
        ({"count": 5, "spacing": float("inf")}, "inf seconds apart"),
        ({"count": 5, "created_at": NOON}, "The created_at of a generated run follows from its number"),
        ({"count": 5, "owner_id": "nobody"}, "owner_id can't be 'nobody'"),
        ({"count": MILLION, "first_created_at": NOON, "spacing": 1e6}, "out of range"),
    ],
)
def test_invalid_arguments_are_refused(emulator, caller, arguments, message):
    with pytest.raises(ValueError, match=message):
        emulator.add_generated_runs(**arguments)
    assert caller.listed()["data"] == []
