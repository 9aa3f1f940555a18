"""A retry policy that decides by the type of a Tallyfy error. Needs Airflow 3.3."""

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
        f"{_airflow_version}. Remove it and the argument retry_policy: retries and retry_delay then apply to every "
        "error. docs/operate/retries.md says what else to do before Airflow 3.3."
    ) from missing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Errors that another try raises again: only a person can remove their cause.
PERMANENT: tuple[type[TallyfyError], ...] = (
    TallyfyAuthError,
    TallyfyPermissionError,
    TallyfyNotFoundError,
    TallyfyValidationError,
    TallyfyInputError,
    TallyfyConfigurationError,
)


#: The longest pause in seconds: as long as the connection's ``max_pause`` can be.
_LONGEST_PAUSE = 86_400.0


class TallyfyRetryPolicy(RetryPolicy):
    """
    Fail at once where another try cannot help, wait as long as Tallyfy requires, and leave the rest to the task.

    =================================================================== ==============================================
    the task failed with                                                then
    =================================================================== ==============================================
    one of :data:`PERMANENT` (credentials, permission, not found, …)    it fails, whatever retries are left
    :class:`~tallyfy_provider.exceptions.TallyfyRateLimitError`      it is retried after ``retry_after`` seconds
    any other error, Tallyfy's or not                                   ``retries``, ``retry_delay`` and backoff apply
    =================================================================== ==============================================

    :class:`~tallyfy_provider.exceptions.TallyfyIndeterminateError` belongs to the last row: operators check whether
    the write has happened before they write again. An error of Tallyfy's also counts as the cause of another one
    (``raise … from error``). The policy never allows more tries than ``retries``. It does not decide on errors that it
    does not know, and so works in an Airflow ``ChainRetryPolicy`` with others.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide whether and when the task is tried again."""
        error = find_error(exception)
        if isinstance(error, PERMANENT):
            return RetryDecision.fail(f"{_name(error)}: another try would fail in the same way.")
        if isinstance(error, TallyfyRateLimitError) and (error.retry_after or 0) > 0:
            delay = timedelta(seconds=min(error.retry_after or 0, _LONGEST_PAUSE))
            return RetryDecision.retry(
                delay, f"{_name(error)}: Tallyfy requires a wait of {delay.total_seconds():g} s."
            )
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """Return what :meth:`deserialize` takes; the policy has no settings."""
        return {"__type": type(self).__name__}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TallyfyRetryPolicy:
        """Return the policy of serialized data."""
        return cls()


def find_error(exception: BaseException) -> TallyfyError | None:
    """Return the first error of Tallyfy's among an exception, its cause, and so on; None if there is none."""
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
