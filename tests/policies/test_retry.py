"""TallyfyRetryPolicy: which failures are worth another try, and when."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from tallyfy_provider import exceptions as errors
from tallyfy_provider.exceptions import TallyfyError

try:
    from airflow.providers.common.compat.sdk import RetryAction, RetryDecision, RetryPolicy
except ImportError:
    has_retry_policies = False
else:
    has_retry_policies = True
    from tallyfy_provider.policies.retry import TallyfyRetryPolicy

needs_retry_policies = pytest.mark.skipif(not has_retry_policies, reason="retry policies came with Airflow 3.3")

PERMANENT = {
    "TallyfyAuthError",
    "TallyfyPermissionError",
    "TallyfyNotFoundError",
    "TallyfyValidationError",
    "TallyfyInputError",
    "TallyfyConfigurationError",
}
KINDS = sorted(name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, TallyfyError))


def decide(error: BaseException) -> RetryDecision:
    return TallyfyRetryPolicy().evaluate(error, try_number=1, max_tries=3)


def caused_by(cause: BaseException) -> BaseException:
    try:
        try:
            raise AirflowException("the step before") from cause
        except AirflowException as between:
            raise RuntimeError("my own function failed") from between
    except RuntimeError as error:
        return error


@needs_retry_policies
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", [lambda error: error, caused_by], ids=["itself", "as a cause"])
def test_only_what_people_must_mend_fails_at_once(kind, wrap):
    decision = decide(wrap(getattr(errors, kind)("so it is", status=400)))
    if kind in PERMANENT:
        assert decision.action is RetryAction.FAIL
        assert decision.reason == f"{kind} (400): another try would fail in the same way."
    else:
        assert decision == RetryDecision.default()


@needs_retry_policies
@pytest.mark.parametrize("wrap", [lambda error: error, caused_by], ids=["itself", "as a cause"])
def test_a_rate_limit_waits_as_long_as_retry_after(wrap):
    decision = decide(wrap(errors.TallyfyRateLimitError("slow down", status=429, retry_after=40.5)))
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=40.5))
    assert decision.reason == "TallyfyRateLimitError (429): Tallyfy requires a wait of 40.5 s."


@needs_retry_policies
def test_a_connection_that_airflow_does_not_find_is_looked_up_again():
    from tallyfy_provider.hooks.tallyfy import TallyfyHook

    with pytest.raises(errors.TallyfyConnectionError) as raised:
        TallyfyHook("nowhere").client  # noqa: B018
    assert decide(raised.value) == RetryDecision.default()


@needs_retry_policies
@pytest.mark.parametrize("retry_after", [None, 0.0])
def test_a_rate_limit_without_a_time_waits_as_the_task_says(retry_after):
    assert decide(errors.TallyfyRateLimitError("slow down", retry_after=retry_after)) == RetryDecision.default()


@needs_retry_policies
def test_a_pause_that_another_fault_asks_for_is_not_a_rate_limit():
    assert decide(errors.TallyfyServerError("down", status=503, retry_after=40)) == RetryDecision.default()


@needs_retry_policies
@pytest.mark.parametrize("error", [ValueError("of mine"), KeyboardInterrupt()])
def test_what_is_not_tallyfys_is_left_to_the_task(error):
    assert decide(error) == RetryDecision.default()


@needs_retry_policies
def test_an_error_that_was_only_being_handled_does_not_decide():
    mistake = ValueError("a mistake in the code that handles it")
    mistake.__context__ = errors.TallyfyNotFoundError("no such run")
    assert decide(mistake) == RetryDecision.default()


@needs_retry_policies
def test_causes_in_a_circle_come_to_an_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert decide(first) == RetryDecision.default()


@needs_retry_policies
def test_the_reason_holds_nothing_of_the_message():
    error = errors.TallyfyValidationError("Salary is 90000", status=422, fields={"Salary": ["is 90000"]})
    assert "90000" not in decide(error).reason


@needs_retry_policies
def test_it_can_be_stored_and_combined():
    from airflow.providers.common.compat.sdk import ChainRetryPolicy

    policy = TallyfyRetryPolicy.deserialize(TallyfyRetryPolicy().serialize())
    assert isinstance(policy, TallyfyRetryPolicy)
    chain = ChainRetryPolicy([policy, AlwaysFail()])
    assert chain.evaluate(ValueError(), 1, 3).action is RetryAction.FAIL
    assert chain.evaluate(errors.TallyfyRateLimitError("", retry_after=9), 1, 3).retry_delay == timedelta(seconds=9)


if has_retry_policies:

    class AlwaysFail(RetryPolicy):
        def evaluate(self, exception, try_number, max_tries, context=None):
            return RetryDecision.fail("no patience")


@pytest.mark.skipif(has_retry_policies, reason="this Airflow has retry policies")
def test_an_older_airflow_says_what_it_takes_and_what_to_do_instead():
    with pytest.raises(ImportError, match=r"needs Airflow 3\.3 or newer.*this is Airflow \d.*docs/operate/retries\.md"):
        import tallyfy_provider.policies.retry  # noqa: F401


@needs_retry_policies
def test_a_dag_file_that_uses_it_loads_no_http_client():
    code = (
        "import sys, airflow.providers.common.compat.sdk as sdk; sdk.BaseOperator; before = set(sys.modules)\n"
        "import tallyfy_provider.policies.retry\n"
        "new = set(sys.modules) - before\n"
        "print(sorted(name for name in new if name.startswith(('requests', 'tallyfy_provider.h'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@needs_retry_policies
@pytest.mark.parametrize("pause", [1e300, float("inf"), 10**400, 86_400.0])
def test_no_pause_is_longer_than_a_day(pause):
    decision = decide(errors.TallyfyRateLimitError("x", retry_after=pause))
    assert decision.retry_delay == timedelta(days=1)


@needs_retry_policies
@pytest.mark.parametrize("pause", [float("nan"), -1.0, 0.0])
def test_a_pause_that_is_none_is_left_to_the_task(pause):
    assert decide(errors.TallyfyRateLimitError("x", retry_after=pause)) == RetryDecision.default()
