"""Every documented filter of runs, and that unknown ones are ignored."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Emulator, ManualClock, Quirks

DAY = 86400.0
NOON = 1_793_620_800.0  # 2026-11-02 12:00:00 UTC


@pytest.fixture(scope="module")
def office(caller_with):
    """A caller of an emulator with few runs, each of which a filter matches."""
    with Emulator(seed=False, clock=ManualClock(NOON)) as emulator:
        one, two, three = list(emulator.people.values())[:3]
        lists, tags, folders, groups = (
            list(found.values()) for found in (emulator.checklists, emulator.tags, emulator.folders, emulator.groups)
        )

        def add(name, age, status="active", **fields):
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


def found(office, query):
    return set(office.names(query))


VISIBLE = ["alpha", "Beta release", "gamma", "delta", "epsilon", "zeta"]
ARCHIVED = ["eta old", "theta gone"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", VISIBLE),
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
        # Unknown filters and values are ignored.
        ("state=active", VISIBLE),
        ("limit=2", VISIBLE),
        ("status=archived", VISIBLE),
        ("status=finished", VISIBLE),
        ("status=active,delayed", VISIBLE),
        ("status=", VISIBLE),
        ("starred=yes", VISIBLE),
        ("starred=True", VISIBLE),
        ("untagged=1", VISIBLE),
        ("type=blueprint", VISIBLE),
        ("task_status=done", VISIBLE),
        ("archived=yes", VISIBLE),
    ],
)
def test_a_filter(office, query, names):
    assert found(office, query) == set(names)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("owners={people[1]}", ["gamma"]),
        ("owners={people[1]},{people[2]}", ["gamma", "zeta"]),  # an assignee counts as well
        ("checklist_id={checklists[1]}", ["delta"]),
        ("blueprint_id={checklists[1]}", ["delta"]),
        ("folder={folders[0]}", ["Beta release"]),
        ("folder={folders[0]},{folders[1]}", ["Beta release", "delta"]),
        ("tag={tags[1]}", ["gamma"]),
        ("tag_ids={tags[0]},{tags[1]}", ["Beta release", "gamma"]),
        ("groups={groups[0]},{groups[1]}", ["epsilon", "zeta"]),
        ("checklist_id=00000000000000000000000000000000", []),
    ],
)
def test_a_filter_by_id(office, query, names):
    kinds = ("people", "checklists", "folders", "tags", "groups")
    known = {kind: list(getattr(office.emulator, kind).values()) for kind in kinds}

    assert found(office, query.format(**known)) == set(names)


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


def test_a_plus_sign_is_a_space_only_with_the_quirk(office):
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
