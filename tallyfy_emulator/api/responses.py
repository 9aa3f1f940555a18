"""Build responses as Tallyfy sends them: JSON as PHP writes it, and its several shapes of error."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from tallyfy_emulator.model.wire import encode

ENDPOINT_NOT_FOUND = "ENDPOINT_NOT_FOUND"
RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"


class ApiError(Exception):
    """An error response."""

    def __init__(self, status: int, payload: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {dict(payload)}")
        self.status = status
        self.payload = dict(payload)
        self.headers = dict(headers or {})


def unauthenticated() -> ApiError:
    """Return the 401 for a token that is missing, unknown, expired or revoked: Tallyfy does not distinguish them."""
    return ApiError(401, {"error": True, "message": "unauthenticated"})


def forbidden(message: str) -> ApiError:
    """Return the 403 for something that this user may not do."""
    return ApiError(403, {"message": message})


def endpoint_not_found() -> ApiError:
    """Return the 404 for an unknown path, and for a request without the ``X-Tallyfy-Client`` header."""
    return not_found("The requested endpoint was not found.", ENDPOINT_NOT_FOUND)


def resource_not_found(what: str) -> ApiError:
    """Return the 404 for a thing that does not exist in this organization."""
    return not_found(f"{what} not found.", RESOURCE_NOT_FOUND)


def not_found(message: str, code: str) -> ApiError:
    """Return a 404 with a message and one of Tallyfy's two codes."""
    return ApiError(404, {"error": True, "message": message, "code": code})


def unprocessable(errors: Mapping[str, Any]) -> ApiError:
    """Return the 422 for values that can't be taken: messages by field, nested for the fields of a form."""
    return ApiError(422, {"error": True, "errors": dict(errors)})


def rate_limited(headers: Mapping[str, str]) -> ApiError:
    """Return the 429 with headers that say when the next request is allowed."""
    return ApiError(429, {"message": "Too Many Attempts.", "code": RATE_LIMIT_EXCEEDED}, headers)


def json_response(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Build an answer that holds JSON."""
    return Response(encode(payload), status, dict(headers or {}), "application/json")


def list_response(rows: Iterable[str], more: Mapping[str, Any]) -> Response:
    """Build the answer that holds a list."""
    rest = "".join(f",{encode(name).decode()}:{encode(value).decode()}" for name, value in more.items())
    return Response(f'{{"data":[{",".join(rows)}]{rest}}}'.encode("ascii"), 200, None, "application/json")


def error_response(error: ApiError, accept: str) -> Response:
    """Build the answer for a refused request: JSON, or HTML for those who did not ask for JSON."""
    if "json" in accept.lower():
        return json_response(error.payload, error.status, error.headers)
    message = str(error.payload.get("message") or error.payload.get("error") or "Error")
    return Response(html_page(f"{error.status} {message}"), error.status, error.headers, "text/html")


def html_page(title: str) -> str:
    """Build a small page of HTML, as a web server or a sign-in page in front of the API would send."""
    text = html.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>'
        f"{text}</title></head>\n<body><h1>{text}</h1></body>\n</html>\n"
    )
