"""CommentOperator: comments on a run or on a task, and on a task once."""

from __future__ import annotations

import pytest
from jinja2 import Undefined

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import TallyfyIndeterminateError, TallyfyInputError
from tallyfy_provider.operators.tasks import CommentOperator

WRITE = {"method": "POST", "path": "/(comment|problem)$", "times": 1}


@pytest.fixture
def threads(emulator, contract):
    """Give the comments so far."""
    return lambda: emulator.threads(contract["id"])


@pytest.mark.parametrize("alias", ["fill", None])
@pytest.mark.parametrize("kind", ["comment", "problem"])
def test_a_run_or_a_task_is_commented_on(emulator, contract, operate, threads, alias, kind, task_context):
    context = task_context()
    said = operate(CommentOperator, alias, context=context, content="The data is <b>late</b>", kind=kind)
    (thread,) = threads()
    assert (said["id"], thread["label"], thread["content"]) == (thread["id"], kind, "The data is <b>late</b>")
    assert thread["task_id"] == (emulator.task(contract["id"], "fill")["id"] if alias else None)
    assert context["ti"].pushed["_link_TallyfyRunLink"].endswith(contract["id"])


@pytest.mark.parametrize("alias", ["fill", None])
@pytest.mark.parametrize("kind", ["comment", "problem"])
@pytest.mark.parametrize("asked_for", [{}, {"state": "open"}])
def test_guests_see_nothing_unless_asked(operate, threads, alias, kind, asked_for):
    operate(CommentOperator, alias, content="Between us", kind=kind, **asked_for)
    assert threads()[0]["state"] == asked_for.get("state", "hide-for-guests")


def test_a_number_is_a_comment_too(operate, threads):
    operate(CommentOperator, "fill", content=12345)
    assert threads()[0]["content"] == "12345"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"content": " "}, "content is empty"),
        ({"content": {"a": 1}}, "content takes text, not a dict"),
        ({"content": Undefined(name="words")}, "'words' is undefined"),
        ({"content": "x", "run_id": "None"}, "run_id is empty"),
        ({"content": "x", "step": "None"}, "step is empty"),
        ({"content": "x", "step": "fil"}, "did you mean 'fill'"),
    ],
)
def test_an_invalid_comment_is_refused_and_nothing_is_sent(operate, threads, arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        operate(CommentOperator, **arguments)
    assert threads() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "issue", "run_id": "x"}, "'comment' or 'problem'"),
        ({"state": "hidden", "run_id": "x"}, "hide-for-guests"),
        ({}, "Neither run_id nor step"),
    ],
)
def test_a_wrong_argument_fails_when_the_dag_is_parsed(arguments, message):
    with pytest.raises(TallyfyInputError, match=message):
        CommentOperator(task_id="x", content="{{ ds }}", **arguments)


@pytest.mark.parametrize("kind", ["comment", "problem"])
def test_a_lost_answer_is_looked_for_among_the_comments_of_a_task(emulator, operate, threads, kind, said):
    operate(CommentOperator, "fill", content="The data is late", kind=kind)
    emulator.order(Fault(kind="reset", when="after", **WRITE))
    again = operate(CommentOperator, "fill", content="The data is late", kind=kind)
    first, second = threads()
    assert again["id"] == second["id"] != first["id"]
    assert "The response was lost, but the comment was written" in said()


def test_a_comment_that_is_not_found_is_in_doubt_although_an_equal_one_is_older(emulator, operate, threads):
    operate(CommentOperator, "fill", content="The data is late")
    emulator.order(Fault(kind="reset", **WRITE))
    with pytest.raises(TallyfyIndeterminateError):
        operate(CommentOperator, "fill", content="The data is late")
    assert len(threads()) == 1


UNREADABLE = Fault(kind="status", status=503, method="GET", path="threads", after=1)


@pytest.mark.parametrize(("alias", "faults"), [("fill", [UNREADABLE]), (None, [])], ids=["on a task", "on a run"])
def test_a_comment_is_in_doubt_where_comments_cannot_be_listed(emulator, operate, alias, faults):
    for fault in [Fault(kind="reset", when="after", **WRITE), *faults]:
        emulator.order(fault)
    with pytest.raises(TallyfyIndeterminateError):
        operate(CommentOperator, alias, content="The data is late")


def test_a_retry_does_not_repeat_a_comment_on_a_task(operate, threads, task_context):
    first = operate(CommentOperator, "fill", content="Late & <i>sorry</i>")
    again = operate(CommentOperator, "fill", content="Late & <i>sorry</i>", context=task_context(try_number=2))
    assert again["id"] == first["id"]
    assert len(threads()) == 1


def test_a_retry_writes_a_comment_that_is_missing(operate, threads, task_context):
    operate(CommentOperator, "fill", content="Late")
    operate(CommentOperator, "fill", content="Very late", context=task_context(try_number=2))
    operate(CommentOperator, "fill", content="Late", kind="problem", context=task_context(try_number=2))
    assert [thread["content"] for thread in threads()] == ["Late", "Very late", "Late"]


def test_a_retry_repeats_an_old_comment_of_another_dag_run(emulator, operate, threads, mocker, task_context):
    operate(CommentOperator, "fill", content="Late")
    mocker.patch("tallyfy_provider.operators.tasks.comment._CLOCK_DIFFERENCE", -3600.0)
    operate(CommentOperator, "fill", content="Late", context=task_context(try_number=2))
    assert len(threads()) == 2


def test_the_content_is_not_logged(operate, said):
    said()
    operate(CommentOperator, "fill", content="a secret remark")
    assert "a secret remark" not in said()
