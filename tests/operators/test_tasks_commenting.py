"""CommentOperator: says something on a run or on a task, and on a task once."""

from __future__ import annotations

import pytest
from jinja2 import Undefined

from tallyfy_emulator import Fault
from tallyfy_provider.exceptions import TallyfyIndeterminateError, TallyfyInputError
from tallyfy_provider.operators.tasks import CommentOperator

SAID = {"method": "POST", "path": "/(comment|problem)$", "times": 1}


@pytest.fixture
def threads(emulator, contract):
    """Give what was said so far."""
    return lambda: emulator.threads(contract["id"])


@pytest.mark.parametrize("alias", ["fill", None])
@pytest.mark.parametrize("kind", ["comment", "problem"])
def test_it_is_said_on_the_run_or_on_a_task(emulator, contract, operate, threads, alias, kind, task_context):
    context = task_context()
    said = operate(CommentOperator, alias, context=context, content="The data is <b>late</b>", kind=kind)
    (thread,) = threads()
    assert (said["id"], thread["label"], thread["content"]) == (thread["id"], kind, "The data is <b>late</b>")
    assert thread["task_id"] == (emulator.task(contract["id"], "fill")["id"] if alias else None)
    assert context["ti"].pushed["_link_TallyfyRunLink"].endswith(contract["id"])


@pytest.mark.parametrize("alias", ["fill", None])
def test_guests_need_not_see_a_comment(operate, threads, alias):
    operate(CommentOperator, alias, content="Between us", state="hide-for-guests")
    assert threads()[0]["state"] == "hide-for-guests"


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
def test_what_cannot_be_said_is_refused_and_nothing_is(operate, threads, arguments, message):
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
    emulator.order(Fault(kind="reset", when="after", **SAID))
    again = operate(CommentOperator, "fill", content="The data is late", kind=kind)
    first, second = threads()
    assert (first["id"] < second["id"], again["id"]) == (True, second["id"])
    assert "The response was lost, but the comment was written" in said()


def test_a_comment_that_is_not_there_is_in_doubt_although_it_was_said_before(emulator, operate, threads):
    operate(CommentOperator, "fill", content="The data is late")
    emulator.order(Fault(kind="reset", **SAID))
    with pytest.raises(TallyfyIndeterminateError):
        operate(CommentOperator, "fill", content="The data is late")
    assert len(threads()) == 1


def test_comments_that_cannot_be_read_leave_it_in_doubt(emulator, operate):
    emulator.order(Fault(kind="reset", when="after", **SAID))
    emulator.order(Fault(kind="status", status=503, method="GET", path="threads", after=1))
    with pytest.raises(TallyfyIndeterminateError):
        operate(CommentOperator, "fill", content="The data is late")


def test_a_lost_answer_about_a_run_is_in_doubt_since_its_comments_cannot_be_listed(emulator, operate, threads):
    emulator.order(Fault(kind="reset", when="after", **SAID))
    with pytest.raises(TallyfyIndeterminateError):
        operate(CommentOperator, content="The data is late")


def test_a_retry_does_not_say_on_a_task_what_was_said_already(operate, threads, task_context):
    first = operate(CommentOperator, "fill", content="Late & <i>sorry</i>")
    again = operate(CommentOperator, "fill", content="Late & <i>sorry</i>", context=task_context(try_number=2))
    assert again["id"] == first["id"]
    assert len(threads()) == 1


def test_a_retry_says_what_was_not_said(operate, threads, task_context):
    operate(CommentOperator, "fill", content="Late")
    operate(CommentOperator, "fill", content="Very late", context=task_context(try_number=2))
    operate(CommentOperator, "fill", content="Late", kind="problem", context=task_context(try_number=2))
    assert [thread["content"] for thread in threads()] == ["Late", "Very late", "Late"]


def test_a_retry_says_what_another_dag_run_said_long_ago(emulator, operate, threads, mocker, task_context):
    operate(CommentOperator, "fill", content="Late")
    mocker.patch("tallyfy_provider.operators.tasks.comment._CLOCK_DIFFERENCE", -3600.0)
    operate(CommentOperator, "fill", content="Late", context=task_context(try_number=2))
    assert len(threads()) == 2


def test_what_is_said_is_not_logged(operate, said):
    said()
    operate(CommentOperator, "fill", content="a secret remark")
    assert "a secret remark" not in said()
