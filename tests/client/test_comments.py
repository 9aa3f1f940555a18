"""Comments and problems: said once, with a state, and resolved by their id."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import TallyfyIndeterminateError, TallyfyInputError, TallyfyResponseError


@pytest.fixture
def run(emulator):
    return emulator.add_run(name="Contract review")


@pytest.fixture
def task(emulator, run):
    return emulator.tasks(run["id"])[0]


@pytest.fixture
def places(run, task):
    return {"run": run["id"], "task": task["id"]}


def at(client, verb, place, places):
    """Give the client's method for a run or a task, and the id to call it with."""
    name = f"add_to_{place}" if verb == "comment" else f"{verb}_on_{place}"
    return getattr(client.comments, name), places[place]


@pytest.mark.parametrize("place", ["run", "task"])
def test_a_comment_always_has_a_state(client, asked, sent, places, place):
    comment, its_id = at(client, "comment", place, places)
    thread = comment(its_id, "All is well")
    assert thread["id"]
    assert sent() == {"content": "All is well", "state": "open"}
    assert asked("POST") == [f"POST /{place}s/{its_id}/comment"]


@pytest.mark.parametrize("place", ["run", "task"])
def test_a_comment_can_be_hidden_and_labelled(client, sent, places, place):
    comment, its_id = at(client, "comment", place, places)
    comment(its_id, "Better so", state="hide-for-guests", label="improvement")
    assert sent() == {"content": "Better so", "state": "hide-for-guests", "label": "improvement"}


def test_comments_on_a_task_are_listed(client, task):
    client.comments.add_to_task(task["id"], "First")
    client.comments.report_problem_on_task(task["id"], "Second")
    threads = client.comments.list_of_task(task["id"], task["run_id"])
    assert [(thread["label"], thread["content"]) for thread in threads] == [("comment", "First"), ("problem", "Second")]


def test_a_list_of_threads_that_is_not_there_is_an_error(emulator, client, task):
    emulator.order(Fault(kind="status", status=200, body={"data": {"id": task["id"]}}))
    with pytest.raises(TallyfyResponseError, match="holds no 'threads'"):
        client.comments.list_of_task(task["id"])


@pytest.mark.parametrize(("place", "status"), [("run", "issue"), ("task", "problem")])
def test_a_problem_is_reported_and_can_be_resolved(emulator, client, run, places, place, status):
    report, its_id = at(client, "report_problem", place, places)
    thread = report(its_id, "The form cannot be read")
    assert emulator.run(run["id"])["status"] == status
    resolution = {"thread_id": thread["id"], "content": "Scanned again"}
    client.request("POST", f"{place}s/{its_id}/resolved-threads", json=resolution)
    assert emulator.run(run["id"])["status"] == "active"


@pytest.mark.parametrize("place", ["run", "task"])
@pytest.mark.parametrize("verb", ["comment", "report_problem"])
def test_what_may_have_been_said_is_not_said_again(emulator, client, asked, places, place, verb):
    say, its_id = at(client, verb, place, places)
    emulator.order(Fault(kind="reset"))
    with pytest.raises(TallyfyIndeterminateError):
        say(its_id, "Said once")
    assert len(asked("POST")) == 1


@pytest.mark.parametrize("place", ["run", "task"])
@pytest.mark.parametrize("verb", ["comment", "report_problem"])
def test_an_answer_without_words_is_none(emulator, client, places, place, verb):
    say, its_id = at(client, verb, place, places)
    emulator.order(Fault(kind="status", status=204, body=""))
    assert say(its_id, "Said once") == {}


@pytest.mark.parametrize("place", ["run", "task"])
@pytest.mark.parametrize("verb", ["comment", "report_problem"])
@pytest.mark.parametrize("content", ["", "  ", None])
def test_nothing_is_not_said(emulator, client, places, place, verb, content):
    say, its_id = at(client, verb, place, places)
    with pytest.raises(TallyfyInputError, match="content is empty"):
        say(its_id, content)
    assert emulator.requests == []


@pytest.mark.parametrize(("mark", "words"), [({"state": "secret"}, "state is 'secret'"), ({"label": "x"}, "label")])
def test_other_states_and_labels_are_refused(emulator, client, run, mark, words):
    with pytest.raises(TallyfyInputError, match=f"{words}.*it takes "):
        client.comments.add_to_run(run["id"], "Hello", **mark)
    assert emulator.requests == []


def test_what_was_said_is_not_in_the_error(emulator, client, run):
    emulator.order(Fault(kind="status", status=422, body={"message": "Jane is ill: too private"}))
    with pytest.raises(Exception, match="too private") as raised:
        client.comments.add_to_run(run["id"], "Jane is ill")
    assert "Jane" not in str(raised.value)
