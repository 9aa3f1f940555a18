"""
What can go wrong between Airflow and Tallyfy, each as a kind of its own.

Every kind is an :class:`~airflow.exceptions.AirflowException`, carries what Tallyfy said about it, and survives the
way from the triggerer to the worker (:meth:`TallyfyError.to_dict`, :func:`error_from_dict`), so that a deferred
wait raises what a poke would have raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class TallyfyError(AirflowException):
    """
    Anything that this provider raises.

    :param message: What happened and what to do about it.
    :param status: HTTP status of Tallyfy's answer, where there was one.
    :param request_id: Tallyfy's ``X-Request-Id``, to quote to Tallyfy's support.
    :param retry_after: Seconds that Tallyfy asked to wait (``Retry-After``).
    :param code: Tallyfy's own error code, such as ``RESOURCE_NOT_FOUND``.
    :param fields: What Tallyfy found wrong with each field (``errors`` of a 422).
    """

    #: Whether asking again later may well succeed: such a fault never ends a wait unless it lasts.
    transient: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        code: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.code = code
        self.fields = dict(fields or {})

    def __str__(self) -> str:
        """Give the message, with Tallyfy's request id where there is one."""
        if self.request_id:
            return f"{self.message} (Tallyfy request id: {self.request_id})"
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Let the error be pickled with all that it carries."""
        return error_from_dict, (self.to_dict(),)

    def to_dict(self) -> dict[str, Any]:
        """
        Give the error as JSON primitives, for a trigger's event.

        :return: What :func:`error_from_dict` takes.
        """
        return {
            "kind": type(self).__name__,
            "message": self.message,
            "status": self.status,
            "request_id": self.request_id,
            "retry_after": self.retry_after,
            "code": self.code,
            "fields": self.fields,
        }


class TallyfyConfigurationError(TallyfyError):
    """The Airflow connection lacks something, or says something that cannot be used."""


class TallyfyInputError(TallyfyError, ValueError):
    """An argument that a Dag author wrote, or that a template rendered to, cannot be used."""


class TallyfyAuthError(TallyfyError):
    """Tallyfy does not accept the credentials (401), or would not give a token for them."""


class TallyfyPermissionError(TallyfyError):
    """Tallyfy knows the user, who may not do this (403)."""


class TallyfyNotFoundError(TallyfyError):
    """Tallyfy has no such thing in this organization, or the address is wrong (404)."""


class TallyfyValidationError(TallyfyError):
    """Tallyfy refused what was sent (422 and most other 4xx); ``fields`` says what is wrong with each field."""


class TallyfyRateLimitError(TallyfyError):
    """Tallyfy asked for fewer requests (429) for longer than the retry budget; see ``retry_after`` (seconds)."""

    transient = True


class TallyfyServerError(TallyfyError):
    """Tallyfy failed by itself (5xx), or did not take the request for now (408, 425), for all attempts."""

    transient = True


class TallyfyConnectionError(TallyfyError):
    """Tallyfy could not be reached, did not answer in time, or cut its answer off, for all attempts."""

    transient = True


class TallyfyResponseError(TallyfyError):
    """Tallyfy answered something that cannot be read as the API's answer."""

    transient = True


class TallyfyIndeterminateError(TallyfyError):
    """A write was sent and its answer lost: it may or may not have happened. Look before sending it again."""


class TallyfyExportError(TallyfyError):
    """What was read from Tallyfy could not be written to where it was to go."""


class TallyfyWaitTimeoutError(TallyfyError):
    """A run that was waited for was not over in time. It may end yet."""


class TallyfyRunFailedError(TallyfyError, AirflowFailException):
    """
    A run that was waited for ended in a way that the Dag calls a failure.

    It is an :class:`~airflow.exceptions.AirflowFailException`: asking again cannot change how people ended a process,
    so the task fails without spending its retries.
    """


def _all_kinds(base: type[TallyfyError]) -> dict[str, type[TallyfyError]]:
    kinds = {base.__name__: base}
    for kind in base.__subclasses__():
        kinds.update(_all_kinds(kind))
    return kinds


def error_from_dict(data: Mapping[str, Any]) -> TallyfyError:
    """
    Build again the error that :meth:`TallyfyError.to_dict` described.

    :param data: What ``to_dict`` gave; a kind that this version does not know becomes a plain :class:`TallyfyError`.
    :return: The error, of the same kind.
    """
    kind = _all_kinds(TallyfyError).get(str(data.get("kind")), TallyfyError)
    return kind(
        str(data.get("message", "")),
        status=data.get("status"),
        request_id=data.get("request_id"),
        retry_after=data.get("retry_after"),
        code=data.get("code"),
        fields=data.get("fields"),
    )
