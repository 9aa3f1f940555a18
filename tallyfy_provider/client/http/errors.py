"""
Map failures and responses of Tallyfy to errors that say what to do.

The shapes of errors are in docs/tallyfy-api.md, "Errors, limits, retries": ``error`` may be a boolean, a string or an
object; the words may be in ``message``, ``errors``, ``error`` or ``error_description``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tallyfy_provider.client.http.responses import REQUEST_TIMEOUT, TOO_EARLY, TOO_MANY_REQUESTS, Failure, Response
from tallyfy_provider.client.redaction import one_line, quotable
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConfigurationError,
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
PROXY_AUTHENTICATION_REQUIRED = 407
#: The address, or the head of the request, is longer than Tallyfy or a proxy before it takes.
_TOO_LONG = (414, 431)
_NOT_THE_API = (
    "Such an answer comes rather from a proxy than from Tallyfy: check the host of {where}, and the way there."
)
#: What to do about refusals that the request itself does not explain.
_REFUSALS = {
    402: "The plan of the organization does not allow it, or a seat is missing: look under Billing in Tallyfy.",
    405: _NOT_THE_API,
    406: _NOT_THE_API,
    410: "What was asked for is gone for good: leave it out.",
    413: "What was sent is too large: send less at once.",
    415: _NOT_THE_API,
    423: "Something in Tallyfy keeps it locked, such as an open issue: look at it there, and try again.",
    451: _NOT_THE_API,
}
#: Fields of a 422 that are kept, and characters of each; an error travels through Airflow's database.
_MAX_FIELDS, _MAX_FIELD_LENGTH = 100, 1000
_MAX_CODE_LENGTH = 100
#: Characters of a message that are looked at; a message shows far fewer.
_MAX_WORDS_LENGTH = 4000


def payload_of(response: Response, request: str) -> Any:
    """Return the JSON of a 2xx response; None where the body is empty (204, or a 200 of a permanent delete)."""
    if response.payload is None and response.body.strip():
        raise TallyfyResponseError(
            f"Tallyfy answered {response.status} with {_describe_body(response)} instead of JSON. Check the host of "
            "the connection (https://api.tallyfy.com or https://go.tallyfy.com/api) and any proxy in between.",
            status=response.status,
            request=request,
            request_id=response.request_id,
        )
    return response.payload


def error_from_response(
    response: Response, request: str, *, where: str, attempts: int, redact: Callable[[str], str]
) -> TallyfyError:
    """
    Build the error for a response that is not 2xx.

    :param request: Method and path, such as ``GET /me``.
    :param where: Where the credentials came from, such as ``connection 'tallyfy_default'``.
    """
    code = _code(response.payload)
    kind, advice = _kind_and_advice(response, code, where)
    retry_after = response.retry_after
    pause = f" It asks to wait {retry_after:.0f} s." if retry_after is not None else ""
    return kind(
        f"Tallyfy answered {response.status}{_quote(response, redact)}{_after(attempts)}.{pause} {advice}",
        status=response.status,
        request=request,
        request_id=response.request_id,
        retry_after=retry_after,
        code=redact(one_line(redact(code)))[:_MAX_CODE_LENGTH] if code else None,
        fields=_fields(response.payload, redact),
    )


def error_from_failure(failure: Failure, request: str, *, where: str, attempts: int, host: str) -> TallyfyError:
    """Build the error for a request that got no usable response."""
    kind: type[TallyfyError]
    if failure.garbled:
        kind, advice = TallyfyResponseError, "The response cannot be used; nothing is taken from it."
    elif failure.is_local:
        kind, advice = TallyfyConfigurationError, "Nothing was sent."
    else:
        kind = TallyfyConnectionError
        advice = f"Check the host of {where} ({host}), and the network and any proxy on the way."
    return kind(f"{failure.reason}{_after(attempts)}. {advice}", request=request, request_id=failure.request_id)


def indeterminate(error: TallyfyError, request: str) -> TallyfyIndeterminateError:
    """Build the error for a change that may or may not have happened."""
    return TallyfyIndeterminateError(
        f"The change may or may not have happened: look in Tallyfy before sending it again. {error.message}",
        status=error.status,
        request=request,
        request_id=error.request_id,
    )


def _after(attempts: int) -> str:
    return "" if attempts == 1 else f" (after {attempts} attempts)"


def _kind_and_advice(response: Response, code: str | None, where: str) -> tuple[type[TallyfyError], str]:
    status = response.status
    if status < 200:
        return TallyfyResponseError, "That is no final answer: check any proxy in between."
    if 300 <= status < 400:
        return TallyfyResponseError, _redirect_advice(response.headers.get("location", ""))
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
    if status == TOO_MANY_REQUESTS:
        return TallyfyRateLimitError, (
            "Ask less often: a longer poke_interval, deferrable=True, or fewer tasks at once (an Airflow pool)."
        )
    if status == PROXY_AUTHENTICATION_REQUIRED:
        return TallyfyConfigurationError, (
            "It is a proxy that wants credentials: put them into HTTP_PROXY or HTTPS_PROXY "
            "(http://user:password@proxy:port)."
        )
    if status in _TOO_LONG:
        return TallyfyValidationError, (
            "The filters are too long for one address: ask for fewer ids at once, or list without this filter and "
            "choose from what comes back."
        )
    if status >= 500:
        return TallyfyServerError, "Tallyfy failed by itself; try again later."
    if status in {REQUEST_TIMEOUT, TOO_EARLY}:
        return TallyfyServerError, "Tallyfy, or a proxy before it, did not take the request now; try again later."
    return TallyfyValidationError, _REFUSALS.get(status, "Correct what was sent.").format(where=where)


def _redirect_advice(location: str) -> str:
    try:
        target = urlsplit(location)
        place = f" to {target.scheme}://{target.hostname}" if target.hostname else ""
    except ValueError:
        place = ""
    return (
        f"It is a redirect{place}, which is not followed, since the credentials would go along. "
        "Put the right address into the host of the connection."
    )


def _not_found_advice(code: str | None, where: str) -> str:
    if code == ENDPOINT_NOT_FOUND:
        return (
            f"The address is wrong: check the host of {where} (https://api.tallyfy.com or https://go.tallyfy.com/api)."
        )
    return (
        f"Check the id, and the organization id in the login of {where}: an id is only found in its own organization."
    )


def _quote(response: Response, redact: Callable[[str], str]) -> str:
    if response.payload is None:
        return f" with {_describe_body(response)}" if response.body.strip() else ""
    # Redacted before it is cut: a secret that is cut in the middle would not be recognised. What Tallyfy cut itself
    # still shows that it was cut when its last full stop is taken off.
    words = redact(one_line(redact(_words(response.payload))))[:_MAX_WORDS_LENGTH]
    return f": {quotable(words.replace('...', '…')).rstrip('.')}" if words else ""


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
    details = "; ".join(f"{name}: {text}" for name, text in _flat(payload.get("errors"))[:_MAX_FIELDS])
    return f"{words} ({details})" if words and details else words or details


def _flat(errors: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Flatten the errors of a 422, which may nest, into pairs of a dotted field name and its texts."""
    if isinstance(errors, Mapping):
        return [
            pair for key, value in errors.items() for pair in _flat(value, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(errors, list):
        if any(isinstance(item, Mapping) for item in errors):
            return [pair for item in errors for pair in _flat(item, prefix)]
        return [(prefix or "error", ", ".join(str(item) for item in errors))] if errors else []
    return [(prefix or "error", str(errors))] if errors else []


def _fields(payload: Any, redact: Callable[[str], str]) -> dict[str, str]:
    errors = _flat(payload.get("errors")) if isinstance(payload, Mapping) else []

    def clean(text: str) -> str:
        return redact(one_line(redact(text)))[:_MAX_FIELD_LENGTH]

    return {clean(name): clean(text) for name, text in errors[:_MAX_FIELDS]}


def _code(payload: Any) -> str | None:
    if not isinstance(payload, Mapping):
        return None
    nested = payload.get("error")
    code = nested.get("code") if isinstance(nested, Mapping) else payload.get("code")
    return str(code) if code else None


def _describe_body(response: Response) -> str:
    start = response.body.lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")) or "html" in response.headers.get("content-type", ""):
        return "an HTML page"
    return f"{len(response.body)} bytes that are no JSON"
