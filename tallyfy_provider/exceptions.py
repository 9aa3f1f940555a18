"""
Every error that the provider raises.

.. code-block:: text

    TallyfyError (AirflowException)
    ├── TallyfyConfigurationError   the Airflow connection cannot be used
    ├── TallyfyInputError           an argument cannot be used (also a ValueError)
    ├── TallyfyAuthError            401, or no token for the credentials
    ├── TallyfyPermissionError      403
    ├── TallyfyNotFoundError        404
    ├── TallyfyValidationError      422 and most other 4xx
    ├── TallyfyRateLimitError       429                                     transient
    ├── TallyfyServerError          5xx, 408, 425                           transient
    ├── TallyfyConnectionError      no response                             transient
    ├── TallyfyResponseError        a response that cannot be read          transient
    ├── TallyfyIndeterminateError   a change that may or may not have happened
    ├── TallyfyExportError          an export could not be written
    ├── TallyfyWaitTimeoutError     a run did not finish in time
    └── TallyfyRunFailedError       a run ended as a failure (AirflowFailException: no retries)

Errors survive the way from the triggerer to the worker (:meth:`TallyfyError.to_dict`, :func:`error_from_dict`), so a
deferred wait raises what a poke would have raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class TallyfyError(AirflowException):
    """
    Base of all errors of this provider.

    :param message: What is wrong and what to do about it.
    :param status: HTTP status of the response, where there was one.
    :param request: Method and path of the request, such as ``GET /me``.
    :param request_id: Tallyfy's ``X-Request-Id``, to quote to Tallyfy's support.
    :param retry_after: Seconds that Tallyfy asked to wait (``Retry-After``).
    :param code: Tallyfy's own error code, such as ``RESOURCE_NOT_FOUND``.
    :param fields: What is wrong with each field (``errors`` of a 422).
    """

    #: Whether the same request may succeed later. A transient error ends a wait only if it persists.
    transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        code: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.request = request
        self.request_id = request_id
        self.retry_after = retry_after
        self.code = code
        self.fields = dict(fields or {})

    def __str__(self) -> str:
        """Return the message, followed by the request and Tallyfy's id of it."""
        request_id = f"Tallyfy request id: {self.request_id}" if self.request_id else None
        details = "; ".join(detail for detail in (self.request, request_id) if detail)
        return f"{self.message} ({details})" if details else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return error_from_dict, (self.to_dict(),)

    def to_dict(self) -> dict[str, Any]:
        """Return the error as JSON primitives, for the event of a trigger."""
        return {
            "kind": type(self).__name__,
            "message": self.message,
            "status": self.status,
            "request": self.request,
            "request_id": self.request_id,
            "retry_after": self.retry_after,
            "code": self.code,
            "fields": self.fields,
        }


class TallyfyConfigurationError(TallyfyError):
    """The Airflow connection lacks a setting, or has one that cannot be used."""


class TallyfyInputError(TallyfyError, ValueError):
    """An argument of a Dag author, or what its template rendered to, cannot be used."""


class TallyfyAuthError(TallyfyError):
    """Tallyfy does not accept the credentials (401), or issues no token for them."""


class TallyfyPermissionError(TallyfyError):
    """The user of the connection may not do this (403)."""


class TallyfyNotFoundError(TallyfyError):
    """The organization has no object with this id, or the address is wrong (404)."""


class TallyfyValidationError(TallyfyError):
    """Tallyfy refused what was sent (422 and most other 4xx); ``fields`` says what is wrong with each field."""


class TallyfyRateLimitError(TallyfyError):
    """Tallyfy refused all attempts for their rate (429); ``retry_after`` has the seconds to wait."""

    transient = True


class TallyfyServerError(TallyfyError):
    """Tallyfy failed (5xx), or did not accept the request for now (408, 425), in all attempts."""

    transient = True


class TallyfyConnectionError(TallyfyError):
    """Tallyfy could not be reached, or did not respond in time, in all attempts."""

    transient = True


class TallyfyResponseError(TallyfyError):
    """Tallyfy's response cannot be read as a response of its API."""

    transient = True


class TallyfyIncompleteListError(TallyfyError):
    """A list moved so much while it was read that rows may be missing, and ``on_incomplete="fail"`` was asked for."""

    transient = True


class TallyfyIndeterminateError(TallyfyError):
    """A change was sent and its response lost: it may or may not have happened. Look before sending it again."""


class TallyfyExportError(TallyfyError):
    """Rows read from Tallyfy could not be written to their destination."""


class TallyfyWaitTimeoutError(TallyfyError):
    """A run did not finish in time. It may still finish."""


class TallyfyRunFailedError(TallyfyError, AirflowFailException):
    """
    A run ended in a way that the Dag treats as a failure.

    It is an :class:`~airflow.exceptions.AirflowFailException`: trying again cannot change how people ended a process,
    so the task fails without using its retries.
    """


def _with_subclasses(base: type[TallyfyError]) -> dict[str, type[TallyfyError]]:
    kinds = {base.__name__: base}
    for kind in base.__subclasses__():
        kinds.update(_with_subclasses(kind))
    return kinds


def error_from_dict(data: Mapping[str, Any]) -> TallyfyError:
    """Build the error that :meth:`TallyfyError.to_dict` described; an unknown kind becomes a :class:`TallyfyError`."""
    kind = _with_subclasses(TallyfyError).get(str(data.get("kind")), TallyfyError)
    attributes = ("status", "request", "request_id", "retry_after", "code", "fields")
    return kind(str(data.get("message", "")), **{name: data.get(name) for name in attributes})
