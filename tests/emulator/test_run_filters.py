"""Every documented filter filters, and whatever Tallyfy does not know is ignored."""

from __future__ import annotations

from typing import Any

import pytest

from tallyfy_emulator import Emulator, ManualClock, Quirks

DAY = 86400.0
NOON = 1_793_620_800.0  # 2026-11-02 12:00:00 UTC


@pytest.fixture(scope="module")
def office(caller_with):
    """A caller of an emulator with few runs, each of which one filter or another finds."""
    with Emulator(seed=False, clock=ManualClock(NOON)) as emulator:
        one, two, three = list(emulator.people.values())[:3]
        lists, tags, folders, groups = (
            list(found.values()) for found in (emulator.checklists, emulator.tags, emulator.folders, emulator.groups)
        )

        def add(name: str, age: float, status: str = "active", **fields: Any) -> None:
            fields = {"owner_id": one, "assignees": [one], "created_at": NOON - age * DAY, **fields}
            emulator.add_run(name, status, **{"checklist_id": lists[0], **fields})

        add("alpha", 9)
        add("Beta release", 8, "delayed", tags=[tags[0]], folders=[folders[0]])
        add("gamma", 7, "problem", owner_id=two, assignees=[two], tags=[tags[1], tags[0]])
        add("delta", 6, "issue", checklist_id=lists[1], folders=[folders[1]], starred=True)
        add("epsilon", 5, "complete", groups=[groups[0]], improvement=True)
        add("zeta", 4, type="form", assignees=[one, three], groups=[groups[1]], tasks_done=0)
        add("eta old", 3, "complete", archived_at=NOON - DAY)
        add("theta gone", 2, archived_at=NOON - DAY)
        yield caller_with(emulator)


VISIBLE = ["alpha", "Beta release", "gamma", "delta", "epsilon", "zeta"]
ARCHIVED = ["eta old", "theta gone"]


def found(office, query: str) -> set[str]:
    return set(office.names(query))


def test_archived_runs_are_hidden_by_default(office):
    assert found(office, "") == set(VISIBLE)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=beta", ["Beta release"]),
        ("q=a%20r", ["Beta release"]),
        ("q=nothing%20like%20it", []),
        ("status=active", ["alpha", "zeta"]),
        ("status=delayed", ["Beta release"]),
        ("status=problem", ["gamma", "delta"]),
        ("status=issue", ["delta"]),
        ("status=complete", ["epsilon"]),
        ("status=starred", ["delta"]),
        ("status=improvement", ["epsilon"]),
        ("starred=true", ["delta"]),
        ("starred=false", ["alpha", "Beta release", "gamma", "epsilon", "zeta"]),
        ("type=form", ["zeta"]),
        ("type=procedure", ["alpha", "Beta release", "gamma", "delta", "epsilon"]),
        ("untagged=true", ["alpha", "delta", "epsilon", "zeta"]),
        ("task_status=completed", ["epsilon"]),
        ("task_status=in-progress", ["alpha", "Beta release", "gamma", "delta", "zeta"]),
        ("task_status=all", VISIBLE),
        ("archived=only", ARCHIVED),
        ("archived=true", VISIBLE + ARCHIVED),
        ("archived=only&status=complete", ["eta old"]),
        ("status=delayed&q=gamma", []),
    ],
)
def test_a_filter_finds(office, query, names):
    assert found(office, query) == set(names)


def test_filters_by_id(office):
    emulator = office.emulator
    _, two, three = list(emulator.people.values())[:3]
    lists, tags, folders, groups = (
        list(known.values()) for known in (emulator.checklists, emulator.tags, emulator.folders, emulator.groups)
    )

    assert found(office, f"owners={two}") == {"gamma"}
    assert found(office, f"owners={two},{three}") == {"gamma", "zeta"}, "an assignee counts as well"
    assert found(office, f"checklist_id={lists[1]}") == {"delta"}
    assert found(office, f"blueprint_id={lists[1]}") == {"delta"}
    assert found(office, f"folder={folders[0]}") == {"Beta release"}
    assert found(office, f"folder={folders[0]},{folders[1]}") == {"Beta release", "delta"}
    assert found(office, f"tag={tags[1]}") == {"gamma"}
    assert found(office, f"tag_ids={tags[0]},{tags[1]}") == {"Beta release", "gamma"}
    assert found(office, f"groups={groups[0]},{groups[1]}") == {"epsilon", "zeta"}
    assert found(office, f"checklist_id={'0' * 32}") == set()


@pytest.mark.parametrize(
    "query",
    [
        "state=active",
        "limit=2",
        "status=archived",
        "status=finished",
        "status=active,delayed",
        "status=",
        "starred=yes",
        "starred=True",
        "untagged=1",
        "type=blueprint",
        "task_status=done",
        "archived=yes",
    ],
)
def test_what_tallyfy_does_not_know_is_ignored(office, query):
    assert found(office, query) == set(VISIBLE)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=name", ["alpha", "Beta release", "delta", "epsilon", "gamma", "zeta"]),
        ("sort=-name", ["zeta", "gamma", "epsilon", "delta", "Beta release", "alpha"]),
        ("sort=created_at", VISIBLE),
        ("sort=%2Bcreated_at", VISIBLE),
        ("sort=-created_at", VISIBLE[::-1]),
        ("sort_by=created_at", VISIBLE),
        ("", VISIBLE[::-1]),
        ("sort=last_updated", VISIBLE[::-1]),
    ],
)
def test_order(office, query, names):
    assert office.names(query) == names


def test_a_plus_sign_is_a_plus_sign_unless_the_quirk_says_otherwise(office):
    assert found(office, "q=a+r") == set()

    office.emulator.quirks = Quirks(plus_is_space=True)
    try:
        assert found(office, "q=a+r") == {"Beta release"}
    finally:
        office.emulator.quirks = Quirks()


def test_a_list_is_up_to_date_after_a_change(emulator, caller):
    run = emulator.add_run("changing")
    assert caller.names("status=active") == ["changing"]

    emulator.update_run(run["id"], status="delayed")

    assert caller.names("status=active") == []
    assert caller.names("status=delayed") == ["changing"]


def test_includes_are_nested_under_data(office):
    row = office.listed("q=gamma&with=checklist,tasks,tags,folders,next_task,unknown")["data"][0]

    assert row["checklist"]["data"]["id"] == row["checklist_id"]
    assert [task["run_id"] for task in row["tasks"]["data"]] == [row["id"]] * 6
    assert len(row["tags"]["data"]) == 2
    assert row["folders"] == {"data": []}
    assert len(row["next_task"]["data"]) == 1
    assert "unknown" not in row
    assert "tasks" not in office.listed("q=gamma")["data"][0]
