"""The organization a new emulator is seeded with."""

from __future__ import annotations

from collections import Counter

import pytest

from tallyfy_emulator import Emulator, ManualClock
from tests.emulator.conftest import Caller

MOVING_CONTRACTS = [
    "Contract review \u2013 Globex master services agreement",
    "Contract review \u2013 Initech NDA",
    "Contract review \u2013 Northwind supply contract",
]


def rows(caller, query=""):
    return caller.listed(f"{query}&without_pagination=true&sort=name")["data"]


def test_about_sixty_runs_in_every_status_and_of_every_template(seeded):
    counted = Counter(row["status"] for row in rows(seeded))
    titles = {row["checklist_title"] for row in rows(seeded)}

    assert set(counted) == {"active", "delayed", "problem", "issue", "complete"}
    assert 50 <= sum(counted.values()) <= 70
    assert titles >= {"Customer onboarding", "Contract review", "Month-end close", "Vendor security review"}


def test_archived_before_and_after_completion(seeded):
    assert {row["completed_at"] is not None for row in rows(seeded, "archived=only")} == {True, False}


@pytest.mark.parametrize(
    "query", ["starred=true", "type=form", "untagged=true", "task_status=completed", "status=improvement"]
)
def test_every_filter_finds_some_and_leaves_some_out(seeded, query):
    assert 0 < len(rows(seeded, query)) < len(rows(seeded))


def test_every_tag_folder_group_and_person_has_runs(seeded):
    emulator = seeded.emulator
    for name, known in (
        ("tag", emulator.tags),
        ("folder", emulator.folders),
        ("groups", emulator.groups),
        ("owners", emulator.people),
    ):
        for identifier in known.values():
            assert rows(seeded, f"{name}={identifier}"), (name, identifier)


def test_the_same_ids_every_time(seeded):
    again = Emulator(clock=ManualClock(0))

    assert again.organization_id == seeded.emulator.organization_id
    assert again.token == seeded.emulator.token
    for row in rows(seeded):
        assert again.run(row["id"])["name"] == row["name"]


def test_seeded_runs_change_in_the_first_half_minute():
    clock = ManualClock()
    with Emulator(clock=clock) as emulator:
        names = Caller(emulator).names
        contracts = f"status=active&checklist_id={emulator.checklists['Contract review']}&sort=name"
        for seconds in range(31):
            assert names(contracts) == MOVING_CONTRACTS[seconds // 5 :]
            month_end = "status=complete" if seconds >= 20 else "status=active"
            assert names(f"q=October%202026&{month_end}") == ["Month-end close \u2013 October 2026"]
            clock.advance(1)
        assert len(names("q=Yarrow&status=problem")) == 1
        assert len(names("q=Zephyr&status=delayed")) == 1


def test_without_a_seed_there_are_people_and_templates_but_no_runs(caller):
    assert caller.names("archived=true") == []
    assert caller.emulator.people
    assert caller.emulator.checklists
