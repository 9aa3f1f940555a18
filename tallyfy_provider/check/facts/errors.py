"""Facts about errors, limits and the headers of responses."""

from __future__ import annotations

from tallyfy_provider.check import samples
from tallyfy_provider.check.fact import Subject
from tallyfy_provider.check.facts.access import code_of, has_words
from tallyfy_provider.check.finding import Finding, cannot_tell, found, holds, not_allowed
from tallyfy_provider.check.reader import ApiReader
from tallyfy_provider.check.shapes import type_of
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.http.responses import Response

ERRORS = Subject("errors", "Errors, limits, retries")

#: Names of headers that tell of limits.
RATE_LIMIT_HEADERS = (
    "retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
)


@ERRORS.fact("unknown-id", "An id that does not exist is answered 404 RESOURCE_NOT_FOUND", "a run that does not exist")
def unknown_id(reader: ApiReader) -> Finding:
    response = reader.refusal("runs", "0" * 32)
    if response.status == 403:
        samples.run_alone(reader)  # ends this where no run may be seen by itself
    code = code_of(response)
    return found(response.status == 404 and code == "RESOURCE_NOT_FOUND", status=response.status, code=code)


@ERRORS.fact("unknown-path", "A path that does not exist is answered 404 ENDPOINT_NOT_FOUND", "such a path")
def unknown_path(reader: ApiReader) -> Finding:
    response = reader.refusal(samples.UNKNOWN)
    if response.status == 403 and len(reader.forbidden) > 1:
        return not_allowed("The user of the connection may not see everything (403).", status=403)
    code = code_of(response)
    return found(response.status == 404 and code == ENDPOINT_NOT_FOUND, status=response.status, code=code)


@ERRORS.fact("error-body", "Errors are JSON objects with words in message, error or errors", "the same as unknown-id")
def error_body(reader: ApiReader) -> Finding:
    response = reader.response("runs", "0" * 32)
    if response.status < 400:
        return cannot_tell("It needs a refusal; Tallyfy refused nothing.", status=response.status)
    payload = response.payload
    error = type_of(payload.get("error")) if isinstance(payload, dict) else None
    return found(has_words(response), body=type_of(payload), words=has_words(response), error=error)


@ERRORS.fact("validation", "A value that is refused is answered 422, with errors by field", "the feed, by wrong values")
def validation(reader: ApiReader) -> Finding:
    response = refused_feed(reader)
    if response.status == 403:
        return not_allowed("The user of the connection may not see the activity feed (403).", status=403)
    if response.is_success:
        return cannot_tell("It needs a refusal; the activity feed takes unknown verbs.", status=response.status)
    if not is_feed_readable(reader):
        return cannot_tell("It needs the activity feed.", status=response.status)
    payload = response.payload if isinstance(response.payload, dict) else {}
    errors = payload.get("errors")
    return found(
        response.status == 422 and isinstance(errors, dict) and bool(errors),
        status=response.status,
        errors=type_of(errors),
    )


def is_feed_readable(reader: ApiReader) -> bool:
    """Tell whether a page of the feed is given where nothing is wrong with what is asked for."""
    return reader.response("activity-feeds", params=samples.FEED).is_success


def refused_feed(reader: ApiReader) -> Response:
    """Return what the feed answers to values that it cannot know."""
    params = {
        "verb": samples.UNKNOWN,
        "entity_type": samples.UNKNOWN,
        "created_before": samples.UNKNOWN,
        "per_page": "1",
        "page": "1",
    }
    return reader.refusal("activity-feeds", params=params)


@ERRORS.fact("request-id", "Each answer has an X-Request-Id", "any")
def request_id(reader: ApiReader) -> Finding:
    response = reader.response("runs", params=samples.OLDEST)
    return found(response.request_id is not None, request_id=response.request_id is not None)


@ERRORS.fact("rate-limit", "Who asks too often is answered 429 with Retry-After", "all that was asked before")
def rate_limit(reader: ApiReader) -> Finding:
    reader.response("runs", params=samples.OLDEST)
    seen = [name for name in RATE_LIMIT_HEADERS if name in reader.header_names]
    if not reader.refusals:
        return holds("Nothing was refused.", refused=0, headers=seen)
    with_pause = sum("retry-after" in refusal.headers and bool(refusal.retry_after) for refusal in reader.refusals)
    return found(with_pause == len(reader.refusals), refused=len(reader.refusals), with_pause=with_pause, headers=seen)
