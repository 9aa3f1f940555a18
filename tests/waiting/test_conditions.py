"""What the state of runs and of a task means to a wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyfy_provider.client.runs.status import compact
from tallyfy_provider.client.tasks.status import compact_task
from tallyfy_provider.exceptions import TallyfyInputError
from tallyfy_provider.waiting.conditions import Outcome, StatusRule, TaskRule

WAITING, SUCCEEDED, FAILED, SKIPPED = Outcome.WAITING, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SKIPPED

DAY = "2026-11-24T12:00:00Z"
BY_DEFAULT = [
    ({"status": "active"}, WAITING),
    ({"status": "delayed"}, WAITING),
    ({"status": "problem"}, WAITING),
    ({"status": "issue"}, WAITING),
    ({"status": "in-progress"}, WAITING),
    ({"status": "something new"}, WAITING),
    ({"status": None}, WAITING),
    ({}, WAITING),
    ({"status": "complete"}, SUCCEEDED),
    ({"status": "completed"}, SUCCEEDED),
    ({"status": "Complete"}, SUCCEEDED),
    ({"status": "active", "completed_at": DAY}, SUCCEEDED),
    ({"status": "archived"}, FAILED),
    ({"status": "active", "archived_at": DAY}, FAILED),
    ({"status": "problem", "archived_at": DAY}, FAILED),
    ({"status": "archived", "archived_at": DAY}, FAILED),
    ({"status": "archived", "archived_at": DAY, "completed_at": DAY}, SUCCEEDED),
    ({"status": "complete", "archived_at": DAY}, SUCCEEDED),
]


@pytest.mark.parametrize(("run", "outcome"), BY_DEFAULT)
def test_what_a_run_means_by_default(run, outcome):
    assert StatusRule.build().evaluate(run) is outcome


@pytest.mark.parametrize(
    ("rule", "run", "outcome"),
    [
        ({"failed": ["problem"]}, {"status": "problem"}, FAILED),
        ({"failed": ["problem"]}, {"status": "delayed", "has_open_issue": True}, FAILED),
        ({"failed": ["issue"]}, {"status": "active", "has_open_issue": True}, FAILED),
        ({"failed": ["problem"]}, {"status": "archived"}, WAITING),
        ({"failed": ["problem"]}, {"status": "complete", "has_open_issue": True}, SUCCEEDED),
        ({"skipped": ["archived"]}, {"status": "archived"}, SKIPPED),
        ({"skipped": ["delayed"]}, {"status": "delayed"}, SKIPPED),
        ({"allowed": ["complete", "archived"]}, {"status": "archived"}, SUCCEEDED),
        ({"allowed": ["archived"]}, {"status": "complete"}, WAITING),
        ({"allowed": ["archived"]}, {"status": "complete", "archived_at": DAY}, SUCCEEDED),
        ({"allowed": "active"}, {"status": "active"}, SUCCEEDED),
        ({"allowed": ["something new"]}, {"status": "something new"}, SUCCEEDED),
        ({"failed": []}, {"status": "archived"}, WAITING),
        ({"failed": "archived,problem"}, {"status": "problem"}, FAILED),
        ({"failed": '["archived", "problem"]'}, {"status": "problem"}, FAILED),
        ({"failed": "None"}, {"status": "archived"}, FAILED),
    ],
)
def test_what_a_run_means_by_another_rule(rule, run, outcome):
    assert StatusRule.build(**rule).evaluate(run) is outcome


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            {"allowed": ["completed"]},
            "allowed_statuses: 'completed' is not a status of a run; did you mean",
        ),
        ({"failed": ["archive"]}, "did you mean 'archived'?"),
        ({"skipped": [""]}, "the statuses are active"),
        ({"failed": "archived;problem"}, "'archived;problem' is not a status of a run"),
        ({"failed": "['archived', 'problem']"}, "failed_statuses is the text of a list"),
        ({"failed": "{{ params.failed }}"}, "failed_statuses is the text of a dict"),
        ({"failed": {"archived": 1}}, "takes a list of statuses"),
        ({"skipped": ["complete"]}, "allowed_statuses is complete where it is not given: give it another status"),
        ({"allowed": []}, "could never succeed"),
        ({"allowed": 5}, "takes a list of statuses"),
        ({"allowed": ["complete"], "failed": ["complete"]}, "'complete' is in two of"),
        ({"wait_for": "some"}, "it takes 'all' or 'any'"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule, words):
    with pytest.raises(TallyfyInputError) as refused:
        StatusRule.build(**rule)
    assert words in str(refused.value)


def test_a_status_that_is_unlike_any_other_is_accepted_and_reported():
    assert StatusRule.build(allowed=["on hold"]).unknown_statuses == ["on hold"]
    assert StatusRule.build().unknown_statuses == []


RUNS = {
    WAITING: {"status": "active"},
    SUCCEEDED: {"status": "complete"},
    FAILED: {"status": "archived"},
    SKIPPED: {"status": "issue"},
}


@pytest.mark.parametrize(
    ("wait_for", "outcomes", "together"),
    [
        ("all", [SUCCEEDED, SUCCEEDED], SUCCEEDED),
        ("all", [SUCCEEDED, WAITING], WAITING),
        ("all", [WAITING, FAILED], FAILED),
        ("all", [SKIPPED, FAILED], FAILED),
        ("all", [WAITING, SKIPPED], SKIPPED),
        ("any", [WAITING, SUCCEEDED, FAILED], SUCCEEDED),
        ("any", [WAITING, FAILED], WAITING),
        ("any", [SKIPPED, FAILED], FAILED),
        ("any", [SKIPPED, SKIPPED], SKIPPED),
    ],
)
def test_several_runs_together(wait_for, outcomes, together):
    rule = StatusRule.build(skipped=["issue"], wait_for=wait_for)
    assert rule.evaluate_all([RUNS[outcome] for outcome in outcomes]) is together


@given(
    st.lists(st.sampled_from(list(RUNS)), min_size=1, max_size=6),
    st.sampled_from(["all", "any"]),
    st.randoms(use_true_random=False),
)
def test_the_order_of_runs_means_nothing_and_a_single_run_means_itself(outcomes, wait_for, random):
    rule = StatusRule.build(skipped=["issue"], wait_for=wait_for)
    together = rule.evaluate_all([RUNS[outcome] for outcome in outcomes])
    shuffled = random.sample(outcomes, len(outcomes))
    assert rule.evaluate_all([RUNS[outcome] for outcome in shuffled]) is together
    assert rule.evaluate_all([RUNS[outcomes[0]]]) is outcomes[0]


run_objects = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["active", "delayed", "problem", "issue", "complete", "archived", "new", None]),
        "completed_at": st.sampled_from([None, DAY]),
        "archived_at": st.sampled_from([None, DAY]),
        "has_open_issue": st.sampled_from([None, True, False]),
    },
)


@given(run_objects)
def test_a_compact_run_means_what_the_whole_run_means(run):
    rule = StatusRule.build(failed=["problem"], skipped=["archived"])
    assert rule.evaluate(compact(run)) is rule.evaluate(run)


DONE = {"id": "t", "title": "Approve", "status": "completed", "completed_at": "2026-10-31 09:00:00"}
OPEN = {"id": "t", "title": "Approve", "status": "active"}
RUN = {"id": "r", "status": "active"}


@pytest.mark.parametrize(
    ("task", "run", "outcome"),
    [
        (OPEN, RUN, Outcome.WAITING),
        (DONE, RUN, Outcome.SUCCEEDED),
        ({**OPEN, "status": "complete"}, RUN, Outcome.SUCCEEDED),
        ({**OPEN, "status": "something new"}, RUN, Outcome.WAITING),
        ({**OPEN, "problem": True}, RUN, Outcome.WAITING),
        ({**OPEN, "status": "auto-skipped"}, RUN, Outcome.WAITING),
        ({**OPEN, "status": "auto-skipped"}, {**RUN, "status": "complete"}, Outcome.SKIPPED),
        ({**OPEN, "status": "auto-skipped"}, {**RUN, "archived_at": "2026-10-31"}, Outcome.FAILED),
        (OPEN, {**RUN, "status": "complete"}, Outcome.FAILED),
        (OPEN, {**RUN, "archived_at": "2026-10-31"}, Outcome.FAILED),
        (DONE, {**RUN, "archived_at": "2026-10-31"}, Outcome.SUCCEEDED),
        (None, RUN, Outcome.WAITING),
        (None, {**RUN, "archived_at": "2026-10-31"}, Outcome.FAILED),
    ],
)
def test_what_a_task_means_to_a_wait_by_default(task, run, outcome):
    assert TaskRule().result(task, run).outcome is outcome
    if task is not None:
        assert TaskRule().result(compact_task(task), run).outcome is outcome
