"""What happened, told from the contexts that Airflow gives its callbacks."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from types import SimpleNamespace

import pytest

from tallyfy_provider.notifications.event import event_of
from tests.conftest import build_task_context

STARTED = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class State(Enum):
    """A state as Airflow 3 has it, which does not print as its value."""

    FAILED = "failed"


def task_context(state="failed", exception=None, **changes):
    fields = {"dag_id": "sales", "task_id": "load", "run_id": "monthly", "try_number": 2, "max_tries": 1}
    task_instance = build_task_context(**{**fields, "state": state, "start_date": STARTED, **changes})["ti"]
    return {"dag": SimpleNamespace(dag_id="sales"), "run_id": "monthly", "ti": task_instance, "exception": exception}


def dag_context(reason="task_failure", **changes):
    dag_run = SimpleNamespace(
        **{"dag_id": "sales", "run_id": "monthly", "clear_number": 0, "state": "failed", **changes}
    )
    return {**task_context(state="success"), "dag_run": dag_run, "reason": reason}


def deadline_context(identifier="d1"):
    """As the triggerer has it: plain data, and neither Dag nor task."""
    return {
        "dag_run": {"dag_id": "sales", "dag_run_id": "monthly", "start_date": "2026-11-24T09:00:00Z"},
        "deadline": {"id": identifier, "deadline_time": datetime(2026, 11, 24, 12, 0, tzinfo=UTC)},
    }


def sla_context(*tasks):
    slas = [SimpleNamespace(task_id=task, execution_date=STARTED, timestamp=STARTED) for task in tasks]
    return {"dag": SimpleNamespace(dag_id="sales"), "slas": slas, "task_list": "", "blocking_tis": []}


@pytest.mark.parametrize(
    ("context", "title"),
    [
        (task_context("failed"), "task 'load' of Dag 'sales' failed"),
        (task_context(State.FAILED), "task 'load' of Dag 'sales' failed"),
        (task_context("success"), "task 'load' of Dag 'sales' succeeded"),
        (task_context("skipped"), "task 'load' of Dag 'sales' was skipped"),
        (task_context("up_for_retry"), "task 'load' of Dag 'sales' failed and will be tried again"),
        # Killed from outside: the Dag processor calls back, and knows no state.
        (task_context(None, try_number=2, max_tries=1), "task 'load' of Dag 'sales' failed"),
        (task_context(None, try_number=1, max_tries=1), "task 'load' of Dag 'sales' failed and will be tried again"),
        (dag_context("task_failure"), "Dag 'sales' failed"),
        (dag_context("timed_out"), "Dag 'sales' failed"),
        (dag_context("success"), "Dag 'sales' succeeded"),
        # A Dag run that no task instance ended.
        ({"dag": SimpleNamespace(dag_id="sales"), "run_id": "monthly", "reason": "task_failure"}, "Dag 'sales' failed"),
        (deadline_context(), "Dag 'sales' missed a deadline"),
        (sla_context("load"), "Dag 'sales' missed an SLA"),
    ],
)
def test_the_title_names_the_event_and_its_object(context, title):
    assert event_of(context).title == title


def test_the_sentence_identifies_the_event():
    assert event_of(task_context(map_index=3)).sentence == (
        "task 'load' of Dag 'sales' failed, run 'monthly', map index '3', try '2'"
    )
    assert event_of(deadline_context()).sentence == (
        "Dag 'sales' missed a deadline, run 'monthly', deadline '2026-11-24T12:00:00+00:00'"
    )


def test_the_kind_of_an_exception_is_a_fact_and_what_it_says_is_not():
    facts = event_of(task_context(exception=ValueError("password=swordfish"))).facts
    assert facts["Exception"] == "ValueError"
    assert "swordfish" not in str(facts)


def test_the_exception_of_an_earlier_try_is_no_fact_of_a_success():
    assert "Exception" not in event_of(task_context("success", exception=ValueError())).facts


def test_a_log_that_cannot_be_named_is_left_out():
    class Broken(SimpleNamespace):
        @property
        def log_url(self):
            raise RuntimeError

    context = task_context()
    context["ti"] = Broken(**vars(context["ti"]))
    assert "Log" not in event_of(context).facts


@pytest.mark.parametrize(
    "contexts",
    [
        [task_context(), task_context(map_index=0), task_context(map_index=1), task_context(task_id="other")],
        [task_context(try_number=2), task_context(try_number=3), task_context("up_for_retry"), task_context("success")],
        [dag_context(), dag_context("success"), dag_context(clear_number=1), dag_context(run_id="b") | {"run_id": "b"}],
        [deadline_context("d1"), deadline_context("d2"), dag_context(), sla_context("load"), sla_context("load", "x")],
    ],
)
def test_different_events_have_different_identities(contexts):
    assert len({event_of(context).identity for context in contexts}) == len(contexts)


@pytest.mark.parametrize(
    ("context", "again"),
    [
        # Whichever task instance a Dag's callback is given, it is about the Dag.
        (dag_context(), dag_context() | {"ti": task_context(task_id="other")["ti"]}),
        (dag_context("task_failure"), dag_context("all_tasks_deadlocked")),
        (sla_context("a", "b"), sla_context("b", "a")),
        (task_context(exception=ValueError("one")), task_context(exception=KeyError("two"))),
    ],
)
def test_the_same_event_has_the_same_identity(context, again):
    assert event_of(context).identity == event_of(again).identity


@pytest.mark.parametrize(
    ("context", "since"),
    [
        (task_context(), STARTED),
        (task_context(start_date=None) | {"dag_run": SimpleNamespace(start_date=STARTED)}, STARTED),
        (task_context(start_date=None), None),
        (dag_context(start_date=STARTED), STARTED),
        (deadline_context(), datetime(2026, 11, 24, 12, 0, tzinfo=UTC)),
        (sla_context("load"), STARTED),
    ],
)
def test_the_event_gives_the_start_of_the_search(context, since):
    assert event_of(context).since == (since and since.timestamp())
