"""What Tallyfy's own clients rely on, beyond what the tests of each endpoint show."""

from __future__ import annotations

import re

import pytest

from tallyfy_emulator import Emulator, ManualClock, Quirks

HEX = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def decide(emulator, launched):
    return emulator.task(launched["id"], "decide")


@pytest.mark.parametrize("kind", ["comment", "problem"])
def test_without_a_state_guests_see_nothing_of_it(emulator, caller, launched, decide, kind):
    for path in (f"/runs/{launched['id']}", f"/tasks/{decide['id']}"):
        said = caller.data("POST", f"{path}/{kind}", {"content": "x"})
        assert said["state"] == "hide-for-guests"
        if kind == "problem":
            resolution = caller.data("POST", f"{path}/resolved-threads", {"thread_id": said["id"], "state": "open"})
            assert resolution["state"] == "open"
            again = caller.data("POST", f"{path}/problem", {"content": "x", "state": "open"})
            assert caller.data("POST", f"{path}/resolved-threads", {"thread_id": again["id"]})["state"] == (
                "hide-for-guests"
            )


def test_ids_of_comments_are_hexadecimal_and_tell_no_order(emulator, caller, decide):
    ids = [caller.data("POST", f"/tasks/{decide['id']}/comment", {"content": "x"})["id"] for _ in range(20)]

    assert all(HEX.fullmatch(each) for each in ids)
    assert len(set(ids)) == 20
    assert ids != sorted(ids)
    listed = caller.data("GET", f"/tasks/{decide['id']}?with=threads")["threads"]["data"]
    assert [thread["id"] for thread in listed] == ids
    emulator.quirks = Quirks(newest_thread_first=True)
    listed = caller.data("GET", f"/tasks/{decide['id']}?with=threads")["threads"]["data"]
    assert [thread["id"] for thread in listed] == ids[::-1]


def test_a_deleted_comment_is_gone_and_its_id_is_not_used_again(emulator, caller, decide):
    path = f"/tasks/{decide['id']}/comment"
    first = caller.data("POST", path, {"content": "x"})["id"]
    second = caller.data("POST", path, {"content": "x"})["id"]
    assert caller.send("DELETE", f"{path}/{first}").status_code == 204
    assert caller.send("DELETE", f"{path}/{first}").status_code == 404
    third = caller.data("POST", path, {"content": "x"})["id"]
    assert [thread["id"] for thread in emulator.threads(decide["run_id"])] == [second, third]


def test_objects_are_objects_unless_the_quirk_says_numbers(emulator, caller):
    def read():
        answer = caller.data("GET", "")
        return answer["auto_archive_processes_after"]

    assert read() == {"unit": "weeks", "value": 52}
    emulator.quirks = Quirks(numbers_for_objects=True)
    assert read() == 52


def test_the_tasks_of_the_caller_and_of_an_archived_process(emulator, caller, launched):
    emulator.add_run("Other", assignees=[10204], tasks_total=1)
    emulator.add_run("Gone", status="archived", assignees=[10204], tasks_total=1)

    mine = caller.data("GET", "/tasks?assignee=me")
    assert {task["run_id"] for task in mine} == {launched["id"]}
    assert [task["run_id"] for task in caller.data("GET", "/tasks?q=other")] != []
    assert len(caller.data("GET", "/tasks?archived=only")) == 1
    assert caller.data("GET", "/tasks?deadline_before=2026-11-03") == []
    assert len(caller.data("GET", "/tasks?deadline_before=2026-11-04&owners=10204")) == 1


def test_saving_an_answer_applies_no_rule_and_completing_the_form_does(emulator, caller, clock):
    checklist = emulator.add_checklist(
        "Rules",
        kickoff=[{"label": "Region", "alias": "region"}],
        steps=[
            {"title": "Always"},
            {"title": "South", "rule": {"field": "region", "equals": "S"}},
            {"title": "Late", "rule": {"field": "region", "equals": "S", "deadline_days": 9}},
        ],
    )
    region = checklist["prerun"][0]["id"]
    late = checklist["steps"]["data"][2]["id"]
    tasks = {late: {"deadline": "2027-01-01T00:00:00Z", "deadline_set_by_hand": True}}
    run = caller.data("POST", "/runs", {"checklist_id": checklist["id"], "prerun": {region: "N"}, "tasks": tasks})
    path = f"/runs/{run['id']}"

    def seen():
        rows = [row for row in emulator.activities if row["type"] == ["execution"]]
        return emulator.task(run["id"], "south")["status"], len(rows)

    assert seen() == ("auto-skipped", 2)
    clock.advance(1)
    caller.data("PUT", path, {"prerun": {region: "S"}})
    assert caller.data("POST", f"{path}/complete-prerun")["rules_evaluated"] == 0, "it is completed: returns at once"
    assert seen() == ("auto-skipped", 2)

    caller.data("DELETE", f"{path}/complete-prerun")
    done = caller.data("POST", f"{path}/complete-prerun")

    south = emulator.task(run["id"], "south")["id"]
    assert (done["tasks_changed_by_rules"], done["rules_evaluated"]) == ({south: "show"}, 2)
    assert seen() == ("not-started", 4)
    assert emulator.task(run["id"], "late")["deadline"] == "2027-01-01T00:00:00Z", "it was set by hand"
    emulator.quirks = Quirks(feed_execution_rows=False)
    assert seen()[1] == 0


@pytest.mark.parametrize(
    "given",
    [
        {"rule": {"field": "regoin", "equals": "S"}},
        {"rule": {"field": "region", "is": "S"}},
    ],
)
def test_a_rule_that_makes_no_sense_is_explained(emulator, given):
    with pytest.raises(ValueError, match=r"no (field )?'(regoin|is)'"):
        emulator.add_checklist(
            "Broken", kickoff=[{"label": "Region", "alias": "region"}], steps=[{"title": "A", **given}]
        )


def test_comments_have_a_limit_of_their_own_that_says_nothing_of_other_requests(caller_with):
    clock = ManualClock(1_793_620_800.0)
    with Emulator(seed=False, clock=clock, comment_limit="2/3600") as emulator:
        caller = caller_with(emulator)
        task = caller.data("POST", "/tasks", {"title": "Call"})["id"]
        answers = [caller.send("POST", f"/tasks/{task}/{kind}", {"content": "x"}) for kind in ("comment", "problem")]
        answers.append(caller.send("POST", f"/tasks/{task}/comment", {"content": "x"}))

        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert answers[2].json()["code"] == "RATE_LIMIT_EXCEEDED"
        assert answers[2].headers["Retry-After"] == "3600"
        assert caller.send("GET", f"/tasks/{task}").status_code == 200
        clock.advance(3600)
        assert caller.send("POST", f"/tasks/{task}/comment", {"content": "x"}).status_code == 201
        emulator.comment_limit = None
        assert emulator.comment_limit is None
