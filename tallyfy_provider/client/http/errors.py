"""
What Tallyfy's answers mean: the payload of a good one, the error of a bad one. Pure.

The shapes of errors are in docs/tallyfy-api.md, "Errors, limits, retries": ``error`` may be a boolean, a string or an
object; the words may be in ``message``, ``errors``, ``error`` or ``error_description``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tallyfy_provider.client.http.responses import Answer, Failure
from tallyfy_provider.client.http.retry import retry_after
from tallyfy_provider.client.redaction import quotable
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConnectionError,
    TallyfyError,
    TallyfyIndeterminateError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyRateLimitError,
    TallyfyResponseError,
    TallyfyServerError,
    TallyfyValidationError,
)

#: 404 with this code: the path or the client header is wrong, not the id.
ENDPOINT_NOT_FOUND = "ENDPOINT_NOT_FOUND"
#: Tallyfy, or a proxy before it, gave up on reading a request; it may be sent again.
REQUEST_TIMEOUT = 408
TOO_EARLY = 425


def is_success(answer: Answer) -> bool:
    """Whether the answer says that the request was done (2xx)."""
    return 200 <= answer.status < 300


def payload_of(answer: Answer, request: str) -> Any:
    """
    Take what a good answer carries.

    :param answer: A 2xx answer.
    :param request: The request for messages, such as ``GET /me``.
    :return: The JSON; None where the body is empty (204, or a 200 of a permanent delete).
    :raises TallyfyResponseError: The body is there but is no JSON.
    """
    if answer.payload is None and answer.body.strip():
        raise TallyfyResponseError(
            f"{request}: Tallyfy answered {answer.status} with {_describe_body(answer)} instead of JSON. "
            "Check the host of the connection (https://api.tallyfy.com or https://go.tallyfy.com/api) "
            "and any proxy in between.",
            status=answer.status,
            request_id=answer.request_id,
        )
    return answer.payload


def error_of_answer(
    answer: Answer,
    request: str,
    *,
    now: datetime,
    where: str,
    attempts: int = 1,
    redact: Callable[[str], str] = str,
) -> TallyfyError:
    """
    Name what a bad answer means, and what to do about it.

    :param answer: An answer that is not 2xx.
    :param request: The request for messages, such as ``GET /me``.
    :param now: The time, for a ``Retry-After`` that is a date.
    :param where: Where the credentials came from, such as ``connection 'tallyfy_default'``.
    :param attempts: How many attempts were made.
    :param redact: Blanks out secrets in what Tallyfy says.
    :return: The error, to be raised by the caller.
    """
    code = _code(answer.payload)
    said = _said(answer, redact)
    kind, advice = _kind_and_advice(answer, code, where)
    asked = retry_after(answer.headers, now)
    pause = f" It asks to wait {asked:.0f} s." if asked is not None else ""
    return kind(
        f"{request}: Tallyfy answered {answer.status}{said}{_after(attempts)}.{pause} {advice}",
        status=answer.status,
        request_id=answer.request_id,
        retry_after=asked,
        code=redact(code) if code else None,
        fields={name: redact(text) for name, text in _flat(_errors(answer.payload))},
    )


def error_of_failure(failure: Failure, request: str, *, attempts: int, host: str, where: str) -> TallyfyError:
    """
    Name what it means that no answer came.

    :param failure: How the last attempt failed.
    :param request: The request for messages, such as ``GET /me``.
    :param attempts: How many attempts were made.
    :param host: What was asked, such as ``https://api.tallyfy.com``.
    :param where: Where the address came from, such as ``connection 'tallyfy_default'``.
    :return: The error, to be raised by the caller.
    """
    tried = _after(attempts)
    if failure.garbled:
        return TallyfyResponseError(
            f"{request}: {failure.reason}{tried}. The answer cannot be used; nothing is taken from it.",
            request_id=failure.request_id,
        )
    return TallyfyConnectionError(
        f"{request}: {failure.reason}{tried}. Asked was {host}: check the host of {where}, and the network "
        "and any proxy on the way.",
        request_id=failure.request_id,
    )


def indeterminate(error: TallyfyError, request: str) -> TallyfyIndeterminateError:
    """
    Say that a write may or may not have happened.

    :param error: What is known of it.
    :param request: The request for messages.
    :return: The error, to be raised by the caller.
    """
    return TallyfyIndeterminateError(
        f"{request} may or may not have happened: {error.message} Look in Tallyfy before sending it again.",
        status=error.status,
        request_id=error.request_id,
    )


def _after(attempts: int) -> str:
    return "" if attempts == 1 else f" (after {attempts} attempts)"


def _kind_and_advice(answer: Answer, code: str | None, where: str) -> tuple[type[TallyfyError], str]:
    status = answer.status
    if 300 <= status < 400:
        return TallyfyResponseError, _redirect_advice(answer)
    if status == 401:
        return TallyfyAuthError, (
            f"The credentials of {where} are not accepted. A personal token ends after about six months, and at once "
            "when its user logs out of Tallyfy: make a new one under Settings > Integrations > REST API. "
            "If the password holds a client secret instead, the extra 'client_id' must be set too."
        )
    if status == 403:
        return TallyfyPermissionError, f"The user of {where} may not do this: give it the right in Tallyfy."
    if status == 404:
        return TallyfyNotFoundError, _not_found_advice(code, where)
    if status == 429:
        return TallyfyRateLimitError, (
            "Ask less often: a longer poke_interval, deferrable=True, or fewer tasks at once (an Airflow pool)."
        )
    if status >= 500:
        return TallyfyServerError, "Tallyfy failed by itself; try again later."
    if status in {REQUEST_TIMEOUT, TOO_EARLY}:
        return TallyfyServerError, "Tallyfy, or a proxy before it, did not take the request now; try again later."
    return TallyfyValidationError, "Correct what was sent."


def _redirect_advice(answer: Answer) -> str:
    target = urlsplit(answer.headers.get("location", ""))
    place = f" to {target.scheme}://{target.hostname}" if target.hostname else ""
    return (
        f"It is a redirect{place}, which is not followed, since the credentials would go along. "
        "Put the address that is right into the host of the connection."
    )


def _not_found_advice(code: str | None, where: str) -> str:
    if code == ENDPOINT_NOT_FOUND:
        return (
            f"The address is wrong: check the host of {where} (https://api.tallyfy.com or https://go.tallyfy.com/api)."
        )
    return (
        f"Check the id, and the organization id in the login of {where}: an id is only found in its own organization."
    )


def _said(answer: Answer, redact: Callable[[str], str]) -> str:
    if answer.payload is None:
        return f" with {_describe_body(answer)}" if answer.body.strip() else ""
    words = _words(answer.payload)
    # Redacted before it is cut: a secret that is cut in the middle would not be known again. What Tallyfy cut itself
    # still shows that it was cut when its last full stop is taken off.
    return f": {quotable(redact(words).replace('...', '…')).rstrip('.')}" if words else ""


def _words(payload: Any) -> str:
    if not isinstance(payload, Mapping):
        return ""
    nested = payload.get("error")
    inner = nested if isinstance(nested, Mapping) else {}
    candidates = (
        payload.get("message"),
        payload.get("error_description"),
        nested,
        inner.get("message"),
        inner.get("code"),
    )
    words: str = next((word for word in candidates if isinstance(word, str) and word), "")
    details = "; ".join(f"{name}: {text}" for name, text in _flat(payload.get("errors")))
    return f"{words} ({details})" if words and details else words or details


def _flat(errors: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Give the errors of a 422, which may nest, as pairs of a dotted field name and its texts."""
    if isinstance(errors, Mapping):
        return [
            pair for key, value in errors.items() for pair in _flat(value, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(errors, list):
        if any(isinstance(item, Mapping) for item in errors):
            return [pair for item in errors for pair in _flat(item, prefix)]
        return [(prefix or "error", ", ".join(str(item) for item in errors))] if errors else []
    return [(prefix or "error", str(errors))] if errors else []


def _errors(payload: Any) -> Any:
    return payload.get("errors") if isinstance(payload, Mapping) else None


def _code(payload: Any) -> str | None:
    if not isinstance(payload, Mapping):
        return None
    nested = payload.get("error")
    code = nested.get("code") if isinstance(nested, Mapping) else payload.get("code")
    return str(code) if code else None


def _describe_body(answer: Answer) -> str:
    start = answer.body.lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")) or "html" in answer.headers.get("content-type", ""):
        return "an HTML page"
    return f"{len(answer.body)} bytes that are no JSON"
