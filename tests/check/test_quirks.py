"""Each quirk of the emulator turns exactly the facts that it should, and a report tells the emulator to behave so."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tallyfy_emulator import Emulator, Quirks
from tallyfy_emulator.model.likeness import likeness_of
from tallyfy_provider.check.report import build_json, build_report
from tests.check.conftest import World, answered, build_world

FEED = {
    "feed",
    "feed-columns",
    "feed-verbs",
    "feed-entities",
    "feed-runs",
    "feed-issues",
    "feed-dates",
    "feed-newest-first",
    "feed-pages",
    "feed-created-after",
    "feed-unknown-values",
    "validation",
}

#: Values of each quirk, and the facts that differ then. Where there are none, the provider accepts either answer.
TABLE: dict[str, list[tuple[Any, set[str]]]] = {
    "links": [(shape, set()) for shape in ("both", "nulls", "empty list", "null", "absent")],
    "link_base": [("https://elsewhere.example", set())],
    "links_keep_filters": [(False, set())],
    "total_pages": [(False, {"total-pages"})],
    "meta": [(False, {"meta"})],
    "per_page_cap": [(50, {"page-size", "feed"})],
    "per_page_tells": [("asked", set())],
    "total_pages_ignores_per_page": [(True, set())],
    "numbers_for_objects": [(True, {"auto-archive"})],  # progress of runs that are added then, too: see below
    "archived_run_status": [(404, set())],
    "archived_reads_as": [("previous", set())],
    "empty_page": [(1, {"rows-as-announced"}), (2, {"rows-as-announced"})],
    "list_lag": [(3.0, set())],
    "endless": [
        (
            True,
            {"past-the-end", "meta"},
        )
    ],
    "endless_rows": [("new", set())],
    "plus_is_space": [(True, set())],
    "feed": [(False, set())],
    "feed_dates": [("iso", set())],
    "feed_lag": [(60.0, set())],
    "feed_duplicates": [(True, set())],
    "feed_issue_entity": [("task", set()), ("run", set())],
    "feed_task_rows": [(False, set())],
    "feed_execution_rows": [(False, set())],
    "feed_strict": [(True, set())],
    "feed_records": [(False, set())],
    "feed_work_rows": [(False, set())],
    "work_touches_run": [(False, set())],
    "list_includes": [
        ("without nested", {"with-nested"}),
        ("left out", {"with-on-lists"}),
        ("refused", {"with-on-lists"}),
    ],
    "newest_thread_first": [(True, set())],
    "form_value_key": [("value", set())],
    "form_readback": [("rendered", set())],
    "task_done_status": [("complete", set())],
    "complete_twice": [("error", set())],
    "taskdata_replaces": [(True, set())],
    "run_put_wipes": [(False, set())],
}
#: What a check cannot see: nothing is completed twice, and what did not happen makes no row.
UNSEEN = {
    *("complete_twice", "feed_execution_rows", "endless_rows"),
    *("feed_records", "work_touches_run"),
}
#: What is only seen where changes are tried.
BY_WRITES = {
    "list_lag",
    "feed_lag",
    "feed_task_rows",
    "feed_work_rows",
    "feed_execution_rows",
    "form_readback",
    "complete_twice",
    "taskdata_replaces",
    "run_put_wipes",
}

CASES = [(name, value, facts) for name, values in TABLE.items() for value, facts in values]


def test_each_quirk_has_an_entry() -> None:
    assert set(TABLE) == {each.name for each in fields(Quirks)}


@pytest.mark.parametrize(("name", "value", "facts"), CASES, ids=[f"{name}={value}" for name, value, _ in CASES])
def test_a_quirk_turns_the_facts_that_it_should_and_comes_back_out_of_the_report(
    world: World, name: str, value: Any, facts: set[str]
) -> None:
    quirks = replace(Quirks(), **{name: value})

    outcome = world.check_with_writes(quirks=quirks) if name in BY_WRITES else world.check_anew(quirks)

    assert answered(outcome, "differs") == facts
    assert answered(outcome, "not allowed") == (FEED if name == "feed" else set())
    likeness = likeness_of(json.loads(json.dumps(build_report(outcome))))
    assert likeness.quirks == (Quirks() if name in UNSEEN else quirks)
    # A list without an end has no right totals either.
    assert set(likeness.left_out) == (facts - {"past-the-end"} if name == "endless" else set())


def test_numbers_for_objects_are_seen_in_runs_that_are_added_then() -> None:
    world = build_world(Quirks(numbers_for_objects=True))
    with world.emulator:
        assert answered(world.check(), "differs") == {"auto-archive", "progress"}


@pytest.mark.parametrize("with_writes", [False, True])
def test_a_feed_that_never_had_a_row_is_seen(with_writes: bool) -> None:
    world = build_world(Quirks(feed_records=False))
    with world.emulator:
        outcome = world.check_with_writes(quirks=Quirks(feed_records=False)) if with_writes else world.check()

    assert answered(outcome, "differs") == set()
    assert likeness_of(build_report(outcome)).quirks == Quirks(feed_records=False)


def test_a_launch_is_found_in_the_feed_although_midnight_has_passed_since() -> None:
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=1)
    world = build_world(start=yesterday.timestamp())
    with world.emulator:
        outcome = world.check_with_writes(only=["launch-in-feed"])
    assert likeness_of(build_report(outcome)).quirks == Quirks()


MANY = Quirks(
    links="nulls",
    total_pages=False,
    archived_run_status=404,
    plus_is_space=True,
    feed_dates="iso",
    feed_duplicates=True,
    feed_issue_entity="run",
    feed_strict=True,
    newest_thread_first=True,
    form_value_key="value",
    form_readback="rendered",
    task_done_status="complete",
    taskdata_replaces=True,
    run_put_wipes=False,
    per_page_cap=50,
    per_page_tells="asked",
)


def test_a_report_an_emulator_like_it_and_its_report_are_the_same(world: World) -> None:
    report = build_report(world.check_with_writes(quirks=MANY))
    likeness = likeness_of(report)
    assert likeness.quirks == MANY

    again = build_report(world.check_with_writes(quirks=likeness.quirks))

    def quirks_of(report: dict[str, Any]) -> dict[str, Any]:
        return {fact: entry.get("quirks") for fact, entry in report["facts"].items()}

    assert quirks_of(again) == quirks_of(report)


def test_what_no_quirk_exists_for_is_told(world: World) -> None:
    report = build_json(world.check(only=["me", "links", "meta"]))
    report["facts"]["me"]["answer"] = "differs"
    report["facts"]["links"]["quirks"] = {"links": "sideways", "colour": "red", "per_page_cap": "many"}

    likeness = likeness_of(report)

    assert likeness.quirks == Quirks()
    assert likeness.left_out == ("me", "links='sideways'", "colour='red'", "per_page_cap='many'")


@pytest.mark.parametrize("report", [None, [], {}, {"facts": []}, {"facts": {"me": 1}}, {"facts": {}, "format": 99}])
def test_what_is_no_report_is_refused(report: Any) -> None:
    with pytest.raises(ValueError, match=r"report of a check|format"):
        likeness_of(report)


def test_an_emulator_takes_the_quirks_of_a_report(world: World) -> None:
    likeness = likeness_of(build_report(world.check_with_writes(quirks=MANY)))

    assert asdict(Emulator(quirks=likeness.quirks).quirks) == asdict(MANY)
