"""A retry policy for tasks that talk to Tallyfy: the kind of error decides. Needs Airflow 3.3."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConfigurationError,
    TallyfyError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyRateLimitError,
    TallyfyValidationError,
)

try:
    from airflow.providers.common.compat.sdk import RetryDecision, RetryPolicy
except ImportError as missing:
    from airflow import __version__ as _airflow_version

    raise ImportError(
        "TallyfyRetryPolicy needs Airflow 3.3 or newer, which has retry policies; this is Airflow "
        f"{_airflow_version}. Leave it and the argument retry_policy out: the task's retries and retry_delay hold for "
        "every error then. What else to do before Airflow 3.3 is in docs/retries.md."
    ) from missing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Errors that another try meets again: only a person can mend what causes them.
LASTING: tuple[type[TallyfyError], ...] = (
    TallyfyAuthError,
    TallyfyPermissionError,
    TallyfyNotFoundError,
    TallyfyValidationError,
    TallyfyInputError,
    TallyfyConfigurationError,
)


class TallyfyRetryPolicy(RetryPolicy):
    """
    Fail at once where another try cannot help, wait as long as Tallyfy asks, and leave the rest to the task.

    =================================================================== ==============================================
    the task failed with                                                then
    =================================================================== ==============================================
    one of :data:`LASTING` (credentials, permission, not found, …)      it fails, whatever retries are left
    :class:`~tallyfy_provider.exceptions.TallyfyRateLimitError`      it is retried after ``retry_after`` seconds
    any other error, Tallyfy's or not                                   ``retries``, ``retry_delay`` and backoff hold
    =================================================================== ==============================================

    :class:`~tallyfy_provider.exceptions.TallyfyIndeterminateError` is among the last: operators look whether the
    write has happened before they write again. An error of Tallyfy's counts also where it is the cause of another one
    (``raise … from error``). The policy never gives more tries than ``retries``. It leaves what it does not know
    undecided, so it can stand in an Airflow ``ChainRetryPolicy`` with others.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """
        Decide whether and when the task is tried again.

        :param exception: What the task failed with.
        :param try_number: Number of the try that failed, from 1.
        :param max_tries: Tries that the task may have.
        :param context: Airflow's task context.
        :return: The decision, with its reason for the log and the task instance.
        """
        error = find_error(exception)
        if isinstance(error, LASTING):
            return RetryDecision.fail(f"{_name(error)}: another try would meet the same.")
        if isinstance(error, TallyfyRateLimitError) and error.retry_after:
            delay = timedelta(seconds=error.retry_after)
            return RetryDecision.retry(delay, f"{_name(error)}: Tallyfy asks to wait {error.retry_after:g} s.")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """
        Describe the policy, which has no settings.

        :return: What :meth:`deserialize` takes.
        """
        return {"__type": type(self).__name__}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TallyfyRetryPolicy:
        """
        Build the policy again.

        :param data: What :meth:`serialize` gave.
        :return: The policy.
        """
        return cls()


def find_error(exception: BaseException) -> TallyfyError | None:
    """
    Find Tallyfy's part in an error.

    :param exception: What a task failed with.
    :return: The first error of Tallyfy's among the exception, its cause, and so on; None if there is none.
    """
    seen: set[int] = set()
    cause: BaseException | None = exception
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, TallyfyError):
            return cause
        seen.add(id(cause))
        cause = cause.__cause__
    return None


def _name(error: TallyfyError) -> str:
    return type(error).__name__ if error.status is None else f"{type(error).__name__} ({error.status})"
