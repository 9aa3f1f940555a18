"""Comments and problems: sent once, with a state, and resolved by their id."""

from __future__ import annotations

from functools import partial

import pytest

from tallyfy_emulator import Fault
from tallyfy_provider.client.comments import find_comment
from tallyfy_provider.exceptions import TallyfyIndeterminateError, TallyfyInputError, TallyfyResponseError


@pytest.fixture
def run(emulator):
    return emulator.add_run(name="Contract review")


@pytest.fixture
def task(emulator, run):
    return emulator.tasks(run["id"])[0]


@pytest.fixture(params=["run", "task"])
def place(request, run, task):
    """The kind and id of what is commented on."""
    return request.param, (run if request.param == "run" else task)["id"]


@pytest.fixture
def comment(client, place):
    kind, its_id = place
    return partial(getattr(client.comments, f"add_to_{kind}"), its_id)


@pytest.fixture
def report_problem(client, place):
    kind, its_id = place
    return partial(getattr(client.comments, f"report_problem_on_{kind}"), its_id)


@pytest.fixture
def resolve(client, place):
    kind, its_id = place
    return partial(getattr(client.comments, f"resolve_on_{kind}"), its_id)


@pytest.fixture(params=["comment", "report_problem"])
def say(request, comment, report_problem):
    return comment if request.param == "comment" else report_problem


def test_a_comment_always_has_a_state(asked, sent, place, comment):
    assert comment("All is well")["id"]
    assert sent() == {"content": "All is well", "state": "hide-for-guests"}
    assert asked("POST") == [f"POST /{place[0]}s/{place[1]}/comment"]


def test_a_comment_can_be_shown_to_guests_and_labelled(sent, comment):
    comment("Better so", state="open", label="improvement")
    assert sent() == {"content": "Better so", "state": "open", "label": "improvement"}


@pytest.mark.parametrize("asked_for", [{}, {"state": "open"}])
def test_problems_and_resolutions_are_hidden_from_guests_unless_asked(sent, report_problem, resolve, asked_for):
    state = asked_for.get("state", "hide-for-guests")

    problem = report_problem("Broken", **asked_for)
    assert sent() == {"content": "Broken", "state": state}
    resolve(problem["id"], "Repaired", **asked_for)
    assert sent() == {"thread_id": problem["id"], "content": "Repaired", "state": state}
    assert len(problem["id"]) == 32


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_newest_comment_is_found_however_they_are_listed(newest_first):
    threads = [
        {"id": "f" * 32, "content": "<p>Done</p>", "created_at": "2026-10-31T09:00:00Z"},
        {"id": "0" * 32, "content": "Done", "created_at": "2026-10-31 09:00:01"},
    ]
    found = find_comment(threads[::-1] if newest_first else threads, "Done")
    assert found == threads[1]


def test_comments_on_a_task_are_listed(emulator, client, task):
    client.comments.add_to_task(task["id"], "First")
    client.comments.report_problem_on_task(task["id"], "Second")
    threads = client.comments.list_of_task(task["id"], task["run_id"])
    assert [(thread["label"], thread["content"]) for thread in threads] == [("comment", "First"), ("problem", "Second")]
    emulator.order(Fault(kind="status", status=200, body={"data": {"id": task["id"]}}))
    with pytest.raises(TallyfyResponseError, match="holds no 'threads'"):
        client.comments.list_of_task(task["id"])


def test_a_problem_is_reported_and_resolved(emulator, run, place, report_problem, resolve):
    kind, _ = place
    thread = report_problem("The form cannot be read")
    assert emulator.run(run["id"])["status"] == {"run": "issue", "task": "problem"}[kind]
    assert resolve(thread["id"], "Scanned again")["label"] == "resolve"
    assert emulator.run(run["id"])["status"] == "active"


def test_a_comment_without_response_is_indeterminate_and_sent_once(emulator, asked, say):
    emulator.order(Fault(kind="reset"))
    with pytest.raises(TallyfyIndeterminateError):
        say("Said once")
    assert len(asked("POST")) == 1


def test_an_empty_response_is_an_empty_dict(emulator, say):
    emulator.order(Fault(kind="status", status=204, body=""))
    assert say("Said once") == {}


@pytest.mark.parametrize("content", ["", "  ", None])
def test_an_empty_comment_is_refused(emulator, say, content):
    with pytest.raises(TallyfyInputError, match="content is empty"):
        say(content)
    assert emulator.requests == []


@pytest.mark.parametrize(("mark", "words"), [({"state": "secret"}, "state is 'secret'"), ({"label": "x"}, "label")])
def test_other_states_and_labels_are_refused(emulator, client, run, mark, words):
    with pytest.raises(TallyfyInputError, match=f"{words}.*it takes "):
        client.comments.add_to_run(run["id"], "Hello", **mark)
    assert emulator.requests == []


def test_an_error_does_not_quote_the_comment(emulator, client, run):
    emulator.order(Fault(kind="status", status=422, body={"message": "Jane is ill: too private"}))
    with pytest.raises(Exception, match="too private") as raised:
        client.comments.add_to_run(run["id"], "Jane is ill")
    assert "Jane" not in str(raised.value)
