"""The activity feed records every change of a run, whoever made it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tallyfy_emulator import Emulator, ManualClock, Quirks

RUN, TASK, THREAD = "App\\Models\\Run", "App\\Models\\Task", "App\\Models\\Thread"
CHECKLIST = "App\\Models\\Checklist"
RUNS_ONLY = Quirks(feed_task_rows=False, feed_dates="iso")


@pytest.fixture
def emulator(emulator):
    emulator.quirks = RUNS_ONLY
    return emulator


def feed(caller, query=""):
    answer = ask_feed(caller, query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ask_feed(caller, query=""):
    return caller.get(f"{caller.organization}/activity-feeds", query)


def rows(caller, query=""):
    return feed(caller, f"per_page=100&{query}")["data"]


def verbs(found):
    return [row["verb"][0] for row in found]


def happened(emulator):
    return [(row["verb"][0], row["auditable_type"], row["created_at"][11:19]) for row in emulator.activities]


def test_a_row_looks_as_documented(emulator, clock, caller):
    run = emulator.add_run("Contract review – Acme", owner_id=10202)
    clock.advance(60)
    emulator.complete_run(run["id"])

    completed, launched = feed(caller)["data"]

    assert completed.pop("actor")[0]["email"] == "jonas.weber@brightwater.example"
    assert completed.pop("id") > launched["id"]
    assert completed == {
        "organization_id": emulator.organization_id,
        "verb": ["completed"],
        "source": ["Member"],
        "actor_type": ["App\\Models\\User"],
        "actor_id": [10202],
        "auditable_type": RUN,
        "auditable_id": run["id"],
        "parentable_type": CHECKLIST,
        "parentable_id": run["checklist_id"],
        "type": ["Process"],
        "description": ["Completed process: Contract review – Acme"],
        "field": None,
        "old_value": None,
        "created_at": "2026-11-02T12:01:00Z",
        "text": None,
        "references": None,
        "undoable": False,
        "audit": {"data": {"id": run["id"], "name": "Contract review – Acme", "status": "complete"}},
        "parent": {"data": {"id": run["checklist_id"], "title": run["checklist_title"]}},
        "origin": None,
        "audit_state": {"id": run["id"], "name": "Contract review – Acme", "status": "complete"},
        "parent_state": {"id": run["checklist_id"], "title": run["checklist_title"]},
    }
    assert launched["verb"] == ["created"]
    assert launched["audit_state"]["status"] == "active", "as it was then"
    assert launched["audit"]["data"]["status"] == "complete", "as it is now"


def test_every_change_of_a_run_is_recorded(emulator, clock):
    run_id = emulator.add_run("Acme")["id"]
    changes = [
        lambda: emulator.update_run(run_id, status="delayed"),
        lambda: emulator.update_run(run_id, status="problem"),
        lambda: emulator.update_run(run_id, status="issue"),
        lambda: emulator.update_run(run_id, status="active"),
        lambda: emulator.complete_run(run_id),
        lambda: emulator.complete_run(run_id),
        lambda: emulator.update_run(run_id, status="problem"),
        lambda: emulator.complete_run(run_id),
        lambda: emulator.archive_run(run_id),
        lambda: emulator.archive_run(run_id),
        lambda: emulator.activate_run(run_id),
        lambda: emulator.reopen_run(run_id),
        lambda: emulator.update_run(run_id, name="Renamed", starred=True),
        lambda: emulator.delete_run(run_id),
    ]
    for change in changes:
        clock.advance(1)
        change()

    assert happened(emulator) == [
        ("created", RUN, "12:00:00"),
        ("issue-reported", THREAD, "12:00:02"),
        ("issue-reported", THREAD, "12:00:03"),
        ("issue-resolved", THREAD, "12:00:04"),
        ("issue-resolved", THREAD, "12:00:04"),
        ("completed", RUN, "12:00:05"),
        ("re-opened", RUN, "12:00:07"),
        ("issue-reported", THREAD, "12:00:07"),
        ("issue-resolved", THREAD, "12:00:08"),
        ("completed", RUN, "12:00:08"),
        ("archived", RUN, "12:00:09"),
        ("unarchived", RUN, "12:00:11"),
        ("re-opened", RUN, "12:00:12"),
        ("deleted", RUN, "12:00:14"),
    ]
    assert {row["audit"]["data"] == [] for row in emulator.activities} == {True}, "nothing is there any longer"
    ids = [row["id"] for row in emulator.activities]
    assert ids == sorted(set(ids))


def test_a_scheduled_change_has_the_time_at_which_it_was_due(emulator, clock, caller):
    first = emulator.add_run("first", completes_in=5)["id"]
    clock.advance(3600)
    second = emulator.add_run("second")["id"]

    found = rows(caller)

    assert [(row["auditable_id"], row["verb"][0], row["created_at"]) for row in found] == [
        (second, "created", "2026-11-02T13:00:00Z"),
        (first, "completed", "2026-11-02T12:00:05Z"),
        (first, "created", "2026-11-02T12:00:00Z"),
    ]
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), reverse=True), "ids follow the time"


def test_api_calls_are_recorded_with_their_actor(emulator, caller):
    run_id = emulator.add_run(owner_id=10203)["id"]
    path = f"{caller.runs_path}/{run_id}"
    for method, end in (("DELETE", ""), ("DELETE", ""), ("PUT", "/activate"), ("DELETE", ""), ("DELETE", "/delete")):
        assert caller.ask(method, path + end).status_code == 200

    assert [(row["verb"][0], row["actor_id"][0]) for row in emulator.activities] == [
        ("created", 10203),
        ("archived", 10201),
        ("unarchived", 10201),
        ("archived", 10201),
        ("deleted", 10201),
    ]


def test_control_endpoints_are_recorded(emulator, clock, caller):
    run_id = caller.ask("POST", "/_emulator/runs", json={"name": "from outside"}).json()["data"]["id"]
    caller.ask("PATCH", f"/_emulator/runs/{run_id}", "after=30", json={"status": "problem"})
    clock.advance(60)
    caller.ask("PATCH", f"/_emulator/runs/{run_id}", json={"status": "complete"})
    caller.ask("DELETE", f"/_emulator/runs/{run_id}")

    assert happened(emulator) == [
        ("created", RUN, "12:00:00"),
        ("issue-reported", THREAD, "12:00:30"),
        ("issue-resolved", THREAD, "12:01:00"),
        ("completed", RUN, "12:01:00"),
        ("deleted", RUN, "12:01:00"),
    ]


def test_an_issue_belongs_to_a_run_and_is_resolved_where_it_was_reported(emulator):
    run_id = emulator.add_run("Acme", status="problem")["id"]
    emulator.reopen_run(run_id)
    emulator.update_run(run_id, status="issue")

    first, resolved, second = emulator.activities[1:]

    assert (first["parentable_type"], first["parentable_id"]) == (RUN, run_id)
    assert first["parent_state"]["name"] == "Acme"
    assert first["audit_state"]["run_id"] == run_id
    assert first["type"] == ["Comment"]
    assert first["auditable_id"] == resolved["auditable_id"] != second["auditable_id"]


@pytest.mark.parametrize(("entity", "model", "category"), [("task", TASK, "Task"), ("run", RUN, "Process")])
def test_an_issue_can_be_attributed_to_a_task_or_run(emulator, caller, entity, model, category):
    emulator.quirks = replace(RUNS_ONLY, feed_issue_entity=entity)
    run_id = emulator.add_run(status="problem")["id"]

    (row,) = rows(caller, "verb=issue-reported")

    assert (row["auditable_type"], row["type"]) == (model, [category])
    assert run_id in (row["auditable_id"], row["parentable_id"])
    assert rows(caller, f"entity_type=run&entity_id={run_id}&verb=issue-reported") == [row]
    tasks = caller.run(run_id, "with=tasks").json()["data"]["tasks"]["data"]
    assert entity == "run" or row["auditable_id"] in [task["id"] for task in tasks]

    emulator.add_run(status="problem", tasks_total=0)
    assert verbs(rows(caller)[:2]) == ["issue-reported", "created"], "a run without tasks can have an issue"


def test_completed_tasks_are_recorded_with_the_quirk(emulator, caller):
    run_id = emulator.add_run(tasks_total=3, tasks_done=1)["id"]
    emulator.complete_run(run_id)
    assert verbs(rows(caller)) == ["completed", "created"]

    emulator.quirks = replace(RUNS_ONLY, feed_task_rows=True)

    assert [row["auditable_type"] for row in rows(caller, "verb=completed")] == [RUN, TASK, TASK]
    assert [row["auditable_type"] for row in rows(caller, "verb=completed&entity_type=run")] == [RUN]
    assert {row["parentable_id"] for row in rows(caller, "type=Task")} == {run_id}


def test_seeded_runs_have_a_history(seeded):
    listed = seeded.listed("archived=true&without_pagination=true")["data"]
    past = [row for row in seeded.emulator.activities if row["auditable_type"] == RUN]
    found = {(row["auditable_id"], row["verb"][0]): row["created_at"] for row in past}

    assert len(found) == len(past), "nothing twice"
    for run in listed:
        for verb, field in (("created", "created_at"), ("completed", "completed_at"), ("archived", "archived_at")):
            assert (found.get((run["id"], verb)) or "")[:10] == (run[field] or "")[:10]
    ids = [row["id"] for row in seeded.emulator.activities]
    assert ids == sorted(ids), "as if recorded at the time"


@pytest.fixture(scope="module")
def office(caller_with):
    """Three runs on three days, the second with an issue."""
    clock = ManualClock(1_793_620_800.0)
    with Emulator(seed=False, clock=clock, quirks=RUNS_ONLY) as emulator:
        emulator.add_run("Monday", checklist_id=emulator.checklists["Contract review"])
        clock.advance(86400 - 12 * 3600)  # Tuesday, midnight
        emulator.add_run("Tuesday", status="problem", checklist_id=emulator.checklists["Month-end close"])
        clock.advance(86400 - 0.5)
        emulator.add_run("end of Tuesday", checklist_id=emulator.checklists["Contract review"])
        clock.advance(0.5)
        emulator.complete_run(emulator.add_run("Wednesday")["id"])
        yield caller_with(emulator)


NEWEST_FIRST = ["completed", "created", "created", "issue-reported", "created", "created"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", NEWEST_FIRST),
        ("sort=-created_at&verb=completed", ["completed"]),
        ("sort=created_at", NEWEST_FIRST[::-1]),
        ("sort=id", NEWEST_FIRST),
        ("verb=issue-reported", ["issue-reported"]),
        ("verb=re-opened", []),
        ("entity_type=run", ["completed", "created", "created", "created", "created"]),
        ("entity_type=thread", ["issue-reported"]),
        ("entity_type=step", []),
        ("entity_type=checklist", []),
        ("type=Process&verb=created", ["created"] * 4),
        ("type=Comment", ["issue-reported"]),
        ("created_after=2026-11-03", ["completed", "created", "created", "issue-reported", "created"]),
        ("created_after=2026-11-04", ["completed", "created"]),
        ("created_after=2026-11-05", []),
        ("created_before=2026-11-02", ["created"]),
        ("created_after=2026-11-03&created_before=2026-11-03", ["created", "issue-reported", "created"]),
        ("created_before=2026-11-01", []),
        # Unknown filters and values are ignored.
        ("entity_type=process", NEWEST_FIRST),
        ("created_after=yesterday", NEWEST_FIRST),
        ("created_before=2026-11-02T00%3A00%3A00Z", NEWEST_FIRST),
        ("updated_after=2030-01-01", NEWEST_FIRST),
        ("without_pagination=true", NEWEST_FIRST),
    ],
)
def test_filters(office, query, expected):
    assert verbs(rows(office, query)) == expected


@pytest.mark.parametrize("query", ["verb=executed", "entity_type=process", "type=execution", "created_after=yesterday"])
def test_unknown_filters_are_refused_with_the_quirk(emulator, caller, query):
    is_closed = query.startswith(("verb", "type"))
    assert ask_feed(caller, query).status_code == (422 if is_closed else 200)
    emulator.quirks = replace(RUNS_ONLY, feed_strict=True)

    answer = ask_feed(caller, f"entity_id=1&{query}")

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [query.split("=")[0]]
    assert ask_feed(caller, "verb=completed&entity_type=run&type=Process&created_after=2026-11-01").status_code == 200


def test_the_feed_of_one_run_includes_its_issues(office):
    run = next(row for row in office.listed()["data"] if row["name"] == "Tuesday")

    assert verbs(rows(office, f"entity_type=run&entity_id={run['id']}")) == ["issue-reported", "created"]
    assert verbs(rows(office, f"entity_id={run['id']}")) == ["issue-reported", "created"]
    assert verbs(rows(office, f"entity_type=thread&entity_id={run['id']}")) == []
    assert verbs(rows(office, f"entity_type=checklist&entity_id={run['checklist_id']}")) == ["created"]


def test_pages(emulator, caller):
    emulator.add_runs(105)

    usual = feed(caller)
    assert len(usual["data"]) == 20
    meta = usual["meta"]["pagination"]
    assert f"{caller.organization}/activity-feeds?page=2" in meta.pop("links")["next"]
    assert meta == {"total": 105, "count": 20, "per_page": 20, "current_page": 1, "total_pages": 6}

    largest = feed(caller, "per_page=1000&page=2")
    assert (len(largest["data"]), largest["meta"]["pagination"]["per_page"]) == (5, 100)
    assert feed(caller, "page=7")["data"] == []


def test_an_unknown_actor_and_dates_in_sql_form(emulator, caller):
    emulator.quirks = replace(RUNS_ONLY, feed_dates="sql")
    emulator.add_run(owner_id=999)

    (row,) = rows(caller)
    assert (row["actor"], row["actor_id"]) == ([], [999])
    assert row["created_at"] == "2026-11-02 12:00:00"


def test_the_feed_can_lag_behind(emulator, clock, caller):
    emulator.quirks = replace(RUNS_ONLY, feed_lag=5)
    run_id = emulator.add_run(completes_in=10)["id"]
    seen = []
    for _ in range(4):
        seen.append(len(rows(caller)))
        clock.advance(5)
    assert seen == [0, 1, 1, 2]

    emulator.reopen_run(run_id)

    assert verbs(rows(caller)) == ["completed", "created"]
    assert verbs(emulator.activities) == ["created", "completed", "re-opened"], "tests see everything"


@pytest.mark.parametrize(("total", "pages"), [(1, 1), (4, 1), (5, 2), (7, 2), (8, 3), (11, 4)])
def test_rows_can_repeat_on_neighbouring_pages(emulator, caller, total, pages):
    emulator.quirks = replace(RUNS_ONLY, feed_duplicates=True)
    emulator.add_runs(total)

    found = [feed(caller, f"per_page=4&page={page + 1}") for page in range(pages)]

    assert {each["meta"]["pagination"]["total_pages"] for each in found} == {pages}
    ids = [[row["id"] for row in each["data"]] for each in found]
    assert all(before[-1] == after[0] for before, after in itertools.pairwise(ids))
    assert len({each for page in ids for each in page}) == total, "none is lost"
    assert feed(caller, f"per_page=4&page={pages + 1}")["data"] == []


def test_the_feed_can_be_forbidden(emulator, caller):
    emulator.quirks = replace(RUNS_ONLY, feed=False)

    assert ask_feed(caller).status_code == 403
    assert caller.get(caller.runs_path).status_code == 200


def test_a_user_who_is_no_administrator_sees_only_their_own_runs(emulator, caller, caller_with):
    emulator.add_run("his", owner_id=10202)
    emulator.add_run("helped", owner_id=10203, assignees=[10203, 10202])
    emulator.add_run("other", owner_id=10203)
    emulator._organization.tokens.keep("tfy-of-jonas", 10202, 3600)

    seen = rows(caller_with(emulator, "tfy-of-jonas"))

    assert [row["audit"]["data"]["name"] for row in seen] == ["helped", "his"]
    assert len(rows(caller)) == 3


@pytest.mark.parametrize("base", ["", "/api"])
def test_the_feed_needs_a_token_and_the_right_organization(emulator, caller, base):
    assert caller.get(f"{base}{caller.organization}/activity-feeds").status_code == 200
    assert caller.get(f"{base}/organizations/{'0' * 32}/activity-feeds").status_code == 404
    del caller.headers["Authorization"]
    assert caller.get(f"{base}{caller.organization}/activity-feeds").status_code == 401
