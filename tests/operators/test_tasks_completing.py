"""CompleteTaskOperator: fills, decides and completes a task, and never one that is completed."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from tallyfy_emulator import Fault, Quirks
from tallyfy_provider.client.tasks import complete as task_completion
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyInputError,
    TallyfyValidationError,
)
from tallyfy_provider.operators.tasks import CompleteTaskOperator

COMPLETING = {"method": "POST", "path": "completed-tasks", "times": 1}


@pytest.fixture
def task(emulator, contract):
    """Give a step of the run as it is now."""
    return lambda alias: emulator.task(contract["id"], alias)


@pytest.fixture(params=["completed", "complete"])
def word(request, emulator):
    emulator.quirks = Quirks(task_done_status=request.param)
    return request.param


def test_a_task_is_filled_and_completed_once(emulator, operate, task, completions, word, task_context):
    context = task_context()
    done = operate(CompleteTaskOperator, "fill", context=context, values={"price": "7", "Region": "south"})
    assert done["status"] == word
    price, region, _ = task("fill")["form_fields"]["data"]
    assert (price["field_value"], region["field_value"]) == ("7", {"id": 2, "text": "South"})
    assert completions(done["id"]) == 1
    assert context["ti"].pushed["already_completed"] is False


def test_values_that_somebody_filled_before_stay(emulator, operate, task):
    emulator.quirks = Quirks(taskdata_replaces=True)
    emulator.fill_task(task("fill")["id"], {"price": "7"})
    operate(CompleteTaskOperator, "fill", values={"region": "North"})
    assert task("fill")["form_fields"]["data"][0]["field_value"] == "7"


APPROVE = (True, "true", "True", "approve", "Approved", " yes ", "1")
REJECT = (False, "false", "reject", "Rejected", "no", "0")


@pytest.mark.parametrize("given", [*APPROVE, *REJECT])
def test_an_approval_is_decided(operate, task, given):
    is_approved = given in APPROVE
    assert operate(CompleteTaskOperator, "approve", decision=given)["is_approved"] is is_approved
    assert task("approve")["status_label"] == ("approved" if is_approved else "rejected")


@pytest.mark.parametrize(
    ("alias", "given", "message"),
    [
        ("approve", None, "is an approval, and decision is not given"),
        ("approve", "None", "is an approval, and decision is not given"),
        ("approve", "expire", "does not decide it"),
        ("pay", False, "would mark it as expired.*decision='expire'"),
        ("pay", "reject", "would mark it as expired"),
        ("file", True, "is no approval"),
        ("file", "reject", "is no approval"),
    ],
)
def test_a_decision_that_does_not_fit_the_task_is_refused_before_anything_is_changed(
    emulator, contract, operate, alias, given, message
):
    before = emulator.tasks(contract["id"])
    with pytest.raises(TallyfyInputError, match=message):
        operate(CompleteTaskOperator, alias, decision=given)
    assert emulator.tasks(contract["id"]) == before


@pytest.mark.parametrize(("given", "label"), [("expire", "expired"), (True, "acknowledged"), (None, "acknowledged")])
def test_a_task_that_can_expire_says_so_where_that_is_meant(operate, task, given, label):
    operate(CompleteTaskOperator, "pay", decision=given)
    assert task("pay")["status_label"] == label


def test_what_is_no_decision_is_refused_when_the_dag_is_parsed_and_a_template_is_not():
    with pytest.raises(TallyfyInputError, match="'approve' or 'reject'"):
        CompleteTaskOperator(task_id="x", step="approve", decision="maybe")
    CompleteTaskOperator(task_id="x", step="approve", decision="{{ params.decision }}")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, r"cannot be completed, and nothing was changed.*\n- 'Price'"),
        ({"region": "North"}, "'Price' .* takes text"),
        ({"price": "7", "region": "East"}, "'North', 'South'"),
    ],
)
def test_a_form_that_is_not_complete_or_wrong_is_refused_before_anything_is_changed(
    emulator, contract, operate, values, message
):
    before = emulator.tasks(contract["id"])
    with pytest.raises(TallyfyInputError, match=message):
        operate(CompleteTaskOperator, "fill", values=values)
    assert emulator.tasks(contract["id"]) == before


def test_a_hidden_task_is_refused(operate):
    with pytest.raises(TallyfyInputError, match="hidden by a rule"):
        operate(CompleteTaskOperator, "hidden")


def test_what_tallyfy_refuses_is_an_error(emulator, operate, task, completions):
    emulator.report_problem(task("file")["id"], "It burns")
    with pytest.raises(TallyfyValidationError, match="open issue"):
        operate(CompleteTaskOperator, "file")
    assert completions(task("file")["id"]) == 0


def test_another_member_can_be_named_as_the_one_who_completed_it(emulator, operate):
    person = max(emulator.people.values())
    assert operate(CompleteTaskOperator, "file", override_user=str(person))["completer_id"] == person


@pytest.mark.parametrize("twice", ["fires again", "error"])
def test_a_completed_task_is_recognised_and_not_completed_again(
    emulator, operate, task, completions, twice, said, task_context
):
    emulator.quirks = Quirks(complete_twice=twice)
    person = max(emulator.people.values())
    emulator.complete_task(task("fill")["id"], values={"price": "7"}, by=person)
    said()
    context = task_context()
    done = operate(CompleteTaskOperator, "fill", context=context, values={"price": "8"})
    assert done["completer_id"] == person
    assert completions(done["id"]) == 1
    assert context["ti"].pushed["already_completed"] is True
    log = said()
    assert f"was completed by {person} at {done['completed_at']} already" in log
    assert "values were not filled in" in log
    for word, error in (("skip", AirflowSkipException), ("fail", TallyfyError)):
        with pytest.raises(error, match=f"if_completed='{word}'"):
            operate(CompleteTaskOperator, "fill", if_completed=word)


def test_another_decision_than_the_given_one_is_logged(emulator, operate, task, said):
    emulator.complete_task(task("approve")["id"], is_approved=False)
    said()
    operate(CompleteTaskOperator, "approve", decision="approve")
    assert "Its decision is 'rejected', not the one that was asked for" in said()


def test_a_retry_that_finds_what_its_earlier_try_completed_passes(operate, task_context):
    operate(CompleteTaskOperator, "file", if_completed="fail")
    operate(CompleteTaskOperator, "file", if_completed="fail", context=task_context(try_number=2))


def test_a_retry_that_finds_what_a_person_completed_does_not(emulator, operate, task, task_context):
    emulator.complete_task(task("file")["id"], by=max(emulator.people.values()))
    with pytest.raises(TallyfyError, match="if_completed='fail'"):
        operate(CompleteTaskOperator, "file", if_completed="fail", context=task_context(try_number=2))


LOST = {
    "a reset after the effect": Fault(kind="reset", when="after", **COMPLETING),
    "a 502 after the effect": Fault(kind="status", status=502, when="after", **COMPLETING),
    "an answer that was cut off": Fault(kind="truncate", **COMPLETING),
    "an answer that is no JSON": Fault(kind="html", when="after", **COMPLETING),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_lost_answer_is_resolved_by_looking_at_the_task(emulator, operate, completions, fault, said):
    emulator.order(fault)
    done = operate(CompleteTaskOperator, "file")
    assert done["completed_at"]
    assert completions(done["id"]) == 1
    assert "The response to completing task" in said()


def test_a_lost_request_is_in_doubt_and_a_retry_looks_first(
    emulator, operate, task, completions, monkeypatch, task_context
):
    monkeypatch.setattr(task_completion, "LOOKUP_PAUSES", (0.0, 0.0))
    emulator.order(Fault(kind="reset", **COMPLETING))
    with pytest.raises(TallyfyIndeterminateError):
        operate(CompleteTaskOperator, "file")
    assert completions(task("file")["id"]) == 0
    operate(CompleteTaskOperator, "file", context=task_context(try_number=2))
    assert completions(task("file")["id"]) == 1


@pytest.mark.parametrize("twice", ["fires again", "error"])
@pytest.mark.parametrize("values", [None, {"price": "8"}])
def test_a_task_that_a_person_completes_first_is_recognised(
    emulator, operate, task, completions, twice, values, task_context
):
    """The task is completed between our first look and what follows it."""
    emulator.quirks = Quirks(complete_twice=twice)
    task_id = task("fill")["id"]
    emulator.fill_task(task_id, {"price": "7"})

    def complete(request):
        if request.method == "GET" and request.path.endswith(task_id) and not completions(task_id):
            emulator.complete_task(task_id)

    emulator.listen(complete)
    context = task_context()
    operate(CompleteTaskOperator, "fill", context=context, values=values)
    assert context["ti"].pushed["already_completed"] is True
    assert completions(task_id) == 1


def test_a_one_off_task_that_belongs_to_no_run_is_completed(emulator, connect, task_context):
    owners = {"users": [min(emulator.people.values())], "guests": [], "groups": []}
    body = {"title": "Call Jane", "task_type": "task", "deadline": "2026-12-01 09:00:00", "owners": owners}
    one_off = connect().request("POST", "tasks", json=body)["data"]
    operator = CompleteTaskOperator(task_id="x", step=one_off["id"])
    assert operator.execute(context=task_context())["completed_at"]


def test_no_form_value_is_logged(operate, said):
    said()
    operate(CompleteTaskOperator, "fill", values={"price": "a secret price"})
    assert "a secret price" not in said()


def test_whether_to_claim_is_true_or_false():
    with pytest.raises(TallyfyInputError, match="claim takes True or False, not 'False'"):
        CompleteTaskOperator(task_id="complete", step="s", claim="False")
