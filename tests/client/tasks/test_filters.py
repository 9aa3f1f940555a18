"""The filters of lists of tasks take what Tallyfy's own clients send, and refuse what it would ignore."""

from __future__ import annotations

import pytest

from tallyfy_provider.client.checklists import CHECKLIST_FILTERS
from tallyfy_provider.client.runs.filters import RUN_FILTERS
from tallyfy_provider.client.tasks.filters import RUN_TASK_FILTERS, TASK_FILTERS
from tallyfy_provider.exceptions import TallyfyInputError


@pytest.mark.parametrize("name", ["deadline_on", "deadline_before", "deadline_after"])
@pytest.mark.parametrize("table", [TASK_FILTERS, RUN_TASK_FILTERS])
def test_deadlines_by_the_day_in_both_lists(table, name):
    assert table.encode({name: "2026-10-31"}) == {name: "2026-10-31"}
    with pytest.raises(TallyfyInputError, match=f"filters\\['{name}'\\] takes a day"):
        table.encode({name: "31.10.2026"})


@pytest.mark.parametrize(
    ("given", "sent"),
    [("only", "only"), ("true", "true"), (True, "true"), (False, None), ("false", None), (None, None)],
)
def test_archived_tasks_too_or_alone(given, sent):
    assert TASK_FILTERS.encode({"archived": given}) == ({} if sent is None else {"archived": sent})


def test_archived_takes_nothing_else():
    with pytest.raises(TallyfyInputError, match=r"filters\['archived'\] cannot be 'yes'; allowed: only, true"):
        TASK_FILTERS.encode({"archived": "yes"})


def test_the_tasks_of_the_connections_user():
    assert TASK_FILTERS.encode({"assignee": " me "}) == {"assignee": "me"}


@pytest.mark.parametrize("value", ["10201", 10201, [10201], "jonas@b.example"])
def test_other_assignees_are_named_by_owners(value):
    with pytest.raises(TallyfyInputError, match=r"filters\['assignee'\]"):
        TASK_FILTERS.encode({"assignee": value})


def test_in_a_runs_tasks_there_is_no_assignee():
    with pytest.raises(TallyfyInputError, match="did you mean 'owners'"):
        RUN_TASK_FILTERS.encode({"assignee": "me"})


def test_a_tag_is_given_by_its_name():
    assert TASK_FILTERS.encode({"tag": "late, urgent"}) == {"tag": "late, urgent"}


@pytest.mark.parametrize("table", [RUN_FILTERS, CHECKLIST_FILTERS])
def test_documents_are_a_type_of_runs_and_checklists(table):
    for kind in ("procedure", "form", "document"):
        assert table.encode({"type": kind}) == {"type": kind}
    with pytest.raises(TallyfyInputError, match="allowed: procedure, form, document"):
        table.encode({"type": "spreadsheet"})


def test_the_emulator_finds_them(emulator, client):
    report = emulator.add_checklist("Report", steps=[{"title": "Write"}], kind="document")
    run = emulator.add_run("Annual", checklist_id=report["id"], owner_id=emulator.people[emulator.username])

    assert [each["id"] for each in client.checklists.list({"type": "document"})] == [report["id"]]
    assert [each["id"] for each in client.runs.list({"type": "document"})] == [run["id"]]
    assert [each["title"] for each in client.tasks.list({"assignee": "me", "q": "annual"})] == ["Write"]
    assert list(client.tasks.list({"archived": "only"})) == []


@pytest.mark.parametrize(("filters", "sort"), [(None, "position"), ({"sort": "-deadline"}, "-deadline")])
def test_the_tasks_of_a_run_are_asked_for_in_the_order_of_the_process(emulator, client, filters, sort):
    run = emulator.add_run()
    assert len(list(client.tasks.list_of_run(run["id"], filters))) > 1
    assert {request.query["sort"] for request in emulator.requests} == {sort}
