"""
HTTP to Tallyfy and nothing else: one :class:`requests.Session`, bounded in time and size, repeated as ``retry`` says.

Knows nothing of tokens but that they are secret; :mod:`tallyfy_provider.client.http.session` adds them.
"""

from __future__ import annotations

import json
import logging
import platform
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from tallyfy_provider import __version__
from tallyfy_provider.client.http.errors import (
    REQUEST_TIMEOUT,
    error_of_answer,
    error_of_failure,
    indeterminate,
    is_success,
)
from tallyfy_provider.client.http.rate_limiter import Gate
from tallyfy_provider.client.http.responses import Answer, Failure, Outcome
from tallyfy_provider.client.http.retry import (
    IDEMPOTENT_METHODS,
    TOO_MANY_REQUESTS,
    RetryPolicy,
    retry_after,
)
from tallyfy_provider.client.redaction import Secrets
from tallyfy_provider.exceptions import TallyfyConnectionError, TallyfyError

log = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 10.0
#: Seconds after which a wait looks whether it is still of any use.
_LONGEST_NAP = 0.5
#: A page of 100 runs with every include is a few MB; no answer of Tallyfy's is anywhere near this.
_LARGEST_BODY = 256 * 1024 * 1024
_READ_SIZE = 64 * 1024
#: Raised before a connection stood, so that the request cannot have reached Tallyfy.
_NEVER_CONNECTED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)

#: A server of plain http, or of another protocol, behind an https address.
_HANDSHAKE_FAILED = re.compile("WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|UNEXPECTED_MESSAGE|HTTP_REQUEST")

USER_AGENT = (
    f"airflow-provider-tallyfy/{__version__} requests/{requests.__version__} python/{platform.python_version()}"
)
#: Without ``X-Tallyfy-Client`` Tallyfy answers as if the address did not exist, without ``Accept`` its errors are HTML
#: (docs/tallyfy-api.md, "Base, headers, auth").
_HEADERS = {"Accept": "application/json", "X-Tallyfy-Client": "APIClient", "User-Agent": USER_AGENT}


@dataclass(frozen=True)
class Request:
    """
    What is asked of Tallyfy.

    :param method: HTTP method.
    :param url: The whole address without a query.
    :param params: The query; values are sent as they are, spaces as ``%20``.
    :param json: A body to be sent as JSON.
    :param form: A body to be sent form-encoded.
    :param replayable: Whether sending it twice is as good as once; None means: as its method says.
    :param given_up: Set when nobody waits for the answer any more: then it is not sent again.
    """

    method: str
    url: str
    params: Mapping[str, str] | None = None
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    replayable: bool | None = None
    given_up: threading.Event | None = field(default=None, repr=False, compare=False)

    @property
    def may_be_replayed(self) -> bool:
        """Whether sending it twice is as good as once."""
        return self.method in IDEMPOTENT_METHODS if self.replayable is None else self.replayable

    @property
    def is_given_up(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.given_up is not None and self.given_up.is_set()

    @property
    def title(self) -> str:
        """Name the request in messages: the method and the path, without the query."""
        return f"{self.method} {urlsplit(self.url).path or '/'}"

    @property
    def full_url(self) -> str:
        """Give the address with the query; Tallyfy wants a space as ``%20``, not ``+``."""
        return f"{self.url}?{urlencode(self.params, quote_via=quote)}" if self.params else self.url


class Transport:
    """
    Sends requests and repeats them where that is safe.

    :param timeout: Seconds without a byte from Tallyfy, and for a whole answer ten times that.
    :param retry: When a request is sent again.
    :param concurrency: Requests under way at the same time at most.
    :param secrets: What must not be said aloud.
    :param where: Where the credentials came from, for messages.
    :param sleep: Waits so many seconds (a test's own clock); by default a wait that ends when the transport is closed.
    :param jitter: Draws a number between two bounds.
    """

    def __init__(
        self,
        *,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        concurrency: int = 4,
        secrets: Secrets | None = None,
        where: str = "the client",
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.timeout = timeout
        self.retry = retry or RetryPolicy()
        self.concurrency = concurrency
        self.secrets = secrets or Secrets()
        self.where = where
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._jitter = jitter
        self.gate = Gate(concurrency, sleep=self._sleep)
        self._session_lock = threading.Lock()
        self._open_session: requests.Session | None = None

    @property
    def _session(self) -> requests.Session:
        with self._session_lock:
            if self._open_session is None:
                self._open_session = self._new_session()
            return self._open_session

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update(_HEADERS)
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=self.concurrency)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def close(self) -> None:
        """Close every open connection for good: no further request is sent, and no wait between two goes on."""
        self._closed.set()
        with self._session_lock:
            session, self._open_session = self._open_session, None
        if session is not None:
            session.close()

    def send(self, request: Request, token: str | None = None) -> Answer:
        """
        Send a request until it is answered or no attempt is left.

        :param request: What is asked.
        :param token: The bearer token to send, if any.
        :return: A 2xx answer.
        :raises TallyfyError: Of the kind that fits; :class:`TallyfyIndeterminateError` where a request that changes
            something may have reached Tallyfy and its outcome is unknown.
        """
        in_doubt = False
        attempt = 1
        while True:
            outcome, delay = self._pass_the_gate(request, token, attempt)
            if isinstance(outcome, Answer) and is_success(outcome):
                return outcome
            in_doubt = in_doubt or _leaves_doubt(outcome)
            if delay is None:
                break
            log.info(
                "%s: %s; attempt %d of %d in %.1f s.",
                request.title,
                self.secrets.redact(_summary(outcome)),
                attempt + 1,
                self.retry.max_attempts,
                delay,
            )
            if not _asks_for_a_pause(outcome):
                self._wait(delay, request)
            attempt += 1
        raise self._error(request, outcome, attempt, in_doubt)

    def _pass_the_gate(self, request: Request, token: str | None, attempt: int) -> tuple[Outcome, float | None]:
        """Make an attempt when it is its turn; give what came of it, and the seconds until the next one, if any."""
        outcome: Outcome | None = None
        pause: float | None = None
        nap = float("inf") if request.given_up is None else _LONGEST_NAP
        self.gate.enter(nap=nap, is_useless=lambda: self._is_useless(request))
        try:
            if self._is_useless(request):
                why = "the client is closed" if self._closed.is_set() else "nobody waits for it any more"
                raise TallyfyConnectionError(f"{request.title}: not sent, since {why}.")
            outcome = self._attempt(request, token)
            delay = self.retry.delay(
                attempt=attempt,
                outcome=outcome,
                replayable=request.may_be_replayed,
                jitter=self._jitter,
                now=_now(),
            )
            pause = self._pause(outcome, delay) if _asks_for_a_pause(outcome) else None
        finally:
            self.gate.leave(outcome, pause)
        return outcome, delay

    def _pause(self, outcome: Outcome, delay: float | None) -> float | None:
        """Tell for how long nobody is to ask anything, also where this request is given up."""
        if delay is not None or not isinstance(outcome, Answer):
            return delay
        return min(retry_after(outcome.headers, _now()) or 0.0, self.retry.longest_retry_after)

    def _wait(self, delay: float, request: Request) -> None:
        if request.given_up is None:
            self._sleep(delay)
            return
        while delay > 0 and not self._is_useless(request):
            self._sleep(min(delay, _LONGEST_NAP))
            delay -= _LONGEST_NAP

    def _is_useless(self, request: Request) -> bool:
        return self._closed.is_set() or request.is_given_up

    def _error(self, request: Request, outcome: Outcome, attempts: int, in_doubt: bool) -> TallyfyError:
        if isinstance(outcome, Answer):
            error = error_of_answer(
                outcome, request.title, now=_now(), where=self.where, attempts=attempts, redact=self.secrets.redact
            )
        else:
            host = "{0.scheme}://{0.netloc}".format(urlsplit(request.url))
            error = error_of_failure(outcome, request.title, attempts=attempts, host=host, where=self.where)
        if in_doubt and request.method not in {"GET", "HEAD"} and request.replayable is None:
            error = indeterminate(error, request.title)
        error.message = self.secrets.redact(error.message)
        error.args = (error.message,)
        return error

    def _attempt(self, request: Request, token: str | None) -> Outcome:
        # The exception is turned into a plain value and dropped: it holds the request, and so the token.
        try:
            return self._exchange(request, token)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return _failure(error, self.timeout)

    def _exchange(self, request: Request, token: str | None) -> Outcome:
        with self._session.request(
            request.method,
            request.full_url,
            json=request.json,
            data=request.form,
            auth=_Bearer(token),
            timeout=(min(_CONNECT_TIMEOUT, self.timeout), self.timeout),
            allow_redirects=False,
            stream=True,
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            body = _read(response, self.timeout * 10)
            return _answer(response.status_code, headers, body)


class _Bearer(requests.auth.AuthBase):
    """Sets the token on the request; being there at all keeps requests from taking credentials out of a .netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _UnboundedAnswerError(ValueError):
    """An answer that is too long, in time or in bytes."""


def _read(response: requests.Response, longest: float) -> bytes:
    """Read a body that may be cut off, never end, or come a byte at a time."""
    until = time.monotonic() + longest
    parts: list[bytes] = []
    size = 0
    for part in _parts(response):
        parts.append(part)
        size += len(part)
        if size > _LARGEST_BODY:
            raise _UnboundedAnswerError(f"the answer is longer than {_LARGEST_BODY // 1024**2} MiB")
        if time.monotonic() > until:
            raise _UnboundedAnswerError(f"the answer was still coming in after {longest:.0f} s")
    return b"".join(parts)


def _parts(response: requests.Response) -> Iterator[bytes]:
    read1 = getattr(response.raw, "read1", None)
    if read1 is None:  # urllib3 1.x
        yield from response.iter_content(_READ_SIZE)
        return
    while part := read1(_READ_SIZE, decode_content=True):
        yield part


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    if not body.strip():
        return Answer(status, headers, body)
    try:
        return Answer(status, headers, body, json.loads(body))
    except (ValueError, RecursionError):
        answer = Answer(status, headers, body)
    if is_success(answer) and "json" in headers.get("content-type", ""):
        # It says that it is JSON and is not: most likely cut off on the way. An HTML page would come again.
        return Failure(
            f"Tallyfy's answer is no valid JSON ({len(body)} bytes)",
            sent=True,
            garbled=True,
            request_id=answer.request_id,
        )
    return answer


def _failure(error: Exception, timeout: float) -> Failure:
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in text:
        return Failure(
            "the server's certificate is not trusted; set REQUESTS_CA_BUNDLE to the certificates of your network",
            sent=False,
            permanent=True,
        )
    if isinstance(error, requests.exceptions.SSLError) and _HANDSHAKE_FAILED.search(text):
        return Failure(
            "the server does not speak https here; a local emulator is asked with http://", sent=False, permanent=True
        )
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Failure(f"no connection within {min(_CONNECT_TIMEOUT, timeout):g} s", sent=False)
    if isinstance(error, (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        return Failure(f"no answer within {timeout:g} s", sent=True)
    if isinstance(error, _UnboundedAnswerError):
        return Failure(text, sent=True, garbled=True)
    cause = _root(error)
    if isinstance(cause, _NEVER_CONNECTED):
        return Failure(f"no connection could be made ({_innermost(cause)})", sent=False)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, UnicodeError)):
        return Failure(f"the request cannot be sent ({type(error).__name__})", sent=False, permanent=True)
    if isinstance(cause, (urllib3.exceptions.IncompleteRead, urllib3.exceptions.DecodeError)):
        return Failure("Tallyfy's answer was cut off", sent=True, garbled=True)
    return Failure(f"the connection broke before the answer was complete ({_innermost(cause)})", sent=True)


def _root(error: BaseException) -> BaseException:
    """Find what lies under the wrappings of requests and urllib3."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if isinstance(inner, BaseException):
            error = inner
        elif len(error.args) > 1 and isinstance(error.args[1], urllib3.exceptions.HTTPError):
            error = error.args[1]
        else:
            return error


def _innermost(error: BaseException) -> str:
    """Name the operating system's reason, which is the part of urllib3's long texts that helps."""
    for candidate in (error.__cause__, error.__context__, *error.args):
        if isinstance(candidate, OSError) and candidate.strerror:
            return candidate.strerror
    return type(error).__name__


def _leaves_doubt(outcome: Outcome) -> bool:
    """Whether a request that changes something may have had its effect without an answer that says so."""
    if isinstance(outcome, Failure):
        return outcome.sent
    return outcome.status >= 500 or outcome.status == REQUEST_TIMEOUT


def _summary(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, Failure) else f"Tallyfy answered {outcome.status}"


def _now() -> datetime:
    return datetime.now(UTC)


def _asks_for_a_pause(outcome: Outcome) -> bool:
    """Whether Tallyfy wants nothing to be asked for a while, not this request alone."""
    return isinstance(outcome, Answer) and (outcome.status == TOO_MANY_REQUESTS or "retry-after" in outcome.headers)
