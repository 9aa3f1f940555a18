"""
Send requests to Tallyfy over one :class:`requests.Session`, bounded in time and size, with retries.

It adds a bearer token where it is given one; :mod:`tallyfy_provider.client.http.session` knows where tokens come from.
"""

from __future__ import annotations

import logging
import math
import platform
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests

from tallyfy_provider import __version__
from tallyfy_provider.client.http.body import ACCEPTED_ENCODING, read_body
from tallyfy_provider.client.http.budget_store import BudgetStore, MemoryStore
from tallyfy_provider.client.http.deadline import Deadline, DeadlineAdapter, PlainSession, deadline_in
from tallyfy_provider.client.http.errors import error_from_failure, error_from_response, indeterminate
from tallyfy_provider.client.http.failures import failure_from_exception
from tallyfy_provider.client.http.rate_limiter import CANCEL_CHECK_INTERVAL, PauseTooLongError, RateLimiter, Wait
from tallyfy_provider.client.http.request_kind import Priority, current_priority, kind_of
from tallyfy_provider.client.http.responses import (
    DEFAULT_MAX_PAUSE,
    Failure,
    Response,
    bounded_headers,
    clock_ahead,
    parse_response,
)
from tallyfy_provider.client.http.retry import IDEMPOTENT_METHODS, RetryPolicy
from tallyfy_provider.client.redaction import Secrets
from tallyfy_provider.exceptions import TallyfyConnectionError, TallyfyError, TallyfyRateLimitError

log = logging.getLogger(__name__)

_MAX_CONNECT_TIMEOUT = 10.0
#: A whole response may take so many times the timeout.
_RESPONSE_TIMEOUTS = 10

#: Longest pause in seconds that a request of a sensor or trigger waits for: they ask again by themselves.
_MAX_PAUSE_OF_WAIT = 30.0

#: Headers of every request. Without ``X-Tallyfy-Client`` Tallyfy answers as if the address did not exist, without
#: ``Accept`` its errors are HTML (docs/tallyfy-api.md, "Base, headers, auth").
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": ACCEPTED_ENCODING,
    "X-Tallyfy-Client": "APIClient",
    "User-Agent": (
        f"airflow-provider-tallyfy/{__version__} requests/{requests.__version__} python/{platform.python_version()}"
    ),
}


@dataclass(frozen=True)
class Request:
    """
    A request to Tallyfy.

    :param method: HTTP method.
    :param url: The whole address without a query.
    :param params: The query; values are sent as they are, spaces as ``%20``.
    :param json: A body to be sent as JSON.
    :param form: A body to be sent form-encoded.
    :param idempotent: Whether sending it twice has the effect of sending it once; None means: as its method says.
    :param cancelled: Cancels further attempts when set.
    :param headers: Headers that differ from those of every request; None leaves one out.
    :param parse_float: Reads numbers with a point in the response; None is ``float``.
    """

    method: str
    url: str
    params: Mapping[str, str] | None = None
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    idempotent: bool | None = None
    cancelled: threading.Event | None = field(default=None, repr=False, compare=False)
    headers: Mapping[str, str | None] | None = None
    parse_float: Callable[[str], float] | None = field(default=None, repr=False, compare=False)

    @property
    def is_idempotent(self) -> bool:
        """Whether sending it twice has the effect of sending it once."""
        return self.method in IDEMPOTENT_METHODS if self.idempotent is None else self.idempotent

    @property
    def is_cancelled(self) -> bool:
        """Whether it must not be sent any more."""
        return self.cancelled is not None and self.cancelled.is_set()

    @property
    def title(self) -> str:
        """The method and the path without the query, for messages."""
        return f"{self.method} {urlsplit(self.url).path or '/'}"

    @property
    def kind(self) -> str:
        """The kind of request, whose limit it shares."""
        return kind_of(self.method, urlsplit(self.url).path)

    @property
    def priority(self) -> Priority:
        """Who goes first; pages of a list come after single requests, unless whoever calls says otherwise."""
        return current_priority(Priority.LIST if self.params and "page" in self.params else Priority.CALL)

    @property
    def full_url(self) -> str:
        """The address with the query; Tallyfy wants a space as ``%20``, not ``+``."""
        return f"{self.url}?{urlencode(self.params, quote_via=quote)}" if self.params else self.url


class Transport:
    """
    Send requests, and repeat them where that is safe.

    :param timeout: Seconds without a byte from Tallyfy; a whole response may take ten times that.
    :param where: Where the credentials came from, for messages.
    :param max_pause: The longest pause in seconds that a response can ask for.
    :param max_rate_limit_wait: Seconds for which refusals (429) may pause a request.
    :param store: Where the limits are kept that are learnt from refusals; by default for this client only.
    :param sleep: Waits so many seconds (a test's own clock); by default a wait that ends when the transport is closed.
    :param jitter: Draws a number between two bounds.
    """

    def __init__(
        self,
        *,
        timeout: float,
        retry: RetryPolicy,
        concurrency: int,
        secrets: Secrets,
        where: str,
        max_pause: float = DEFAULT_MAX_PAUSE,
        max_rate_limit_wait: float = math.inf,
        store: BudgetStore | None = None,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.timeout = timeout
        #: Seconds that a whole response may take.
        self.response_timeout = timeout * _RESPONSE_TIMEOUTS
        self.max_pause = max_pause
        #: Seconds by which this machine's clock is ahead of Tallyfy's, as the last response with a date told.
        self.clock_ahead = 0.0
        self.retry = retry
        self.concurrency = concurrency
        self.secrets = secrets
        self.where = where
        self.max_rate_limit_wait = max_rate_limit_wait
        self.rate_limiter = RateLimiter(concurrency, store or MemoryStore(), jitter=jitter)
        #: Called with the outcome of each attempt.
        self.on_outcome: Callable[[Response | Failure], object] | None = None
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._jitter = jitter
        self._session_lock = threading.Lock()
        self._open_session: requests.Session | None = None

    @property
    def _session(self) -> requests.Session:
        with self._session_lock:
            if self._open_session is None:
                self._open_session = self._new_session()
            return self._open_session

    def _new_session(self) -> requests.Session:
        session = PlainSession()
        session.headers.update(HEADERS)
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = DeadlineAdapter(pool_connections=2, pool_maxsize=self.concurrency)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def close(self) -> None:
        """Close all connections for good: no further request is sent, and waits between attempts end."""
        self._closed.set()
        with self._session_lock:
            session, self._open_session = self._open_session, None
        if session is not None:
            session.close()

    def send(self, request: Request, token: str | None = None) -> Response:
        """
        Send a request until it succeeds or no attempt is left.

        :raises TallyfyIndeterminateError: A change may have reached Tallyfy, and its outcome is unknown.
        :raises TallyfyError: The error of the last response or failure.
        """
        outcome, attempts, in_doubt = self._outcome(request, token)
        if isinstance(outcome, Response) and outcome.is_success:
            return outcome
        raise self._error(request, outcome, attempts, in_doubt)

    def get_outcome(self, request: Request, token: str | None = None) -> Response | Failure:
        """Send a request as :meth:`send` does, and return what came of it, also where that is a refusal."""
        return self._outcome(request, token)[0]

    def _outcome(self, request: Request, token: str | None) -> tuple[Response | Failure, int, bool]:
        """Return the last outcome, the number of attempts, and whether one of them leaves a doubt about a change."""
        in_doubt = False
        attempt, refusals = 1, 0
        wait = self._wait_of(request)
        refusal: Response | Failure | None = None
        while True:
            try:
                outcome, delay = self._attempt(request, token, attempt, wait)
            except PauseTooLongError as too_long:
                sent = attempt - 1 + refusals
                raise self._rate_limit_error(request, refusal, sent, in_doubt, too_long.seconds) from None
            if outcome.is_rate_limited:  # it was not done, and is sent again after the pause
                refusal, refusals = outcome, refusals + 1
                continue
            is_success = isinstance(outcome, Response) and outcome.is_success
            in_doubt = in_doubt or (not is_success and outcome.leaves_doubt)
            if is_success or delay is None:
                return outcome, attempt + refusals, in_doubt
            attempt += 1
            summary = self.secrets.redact(outcome.summary)
            log.info(
                "%s; attempt %d of %d in %.1f s (%s).",
                summary,
                attempt,
                self.retry.max_attempts,
                delay,
                self.secrets.redact(request.title),
            )
            if not outcome.asks_for_pause:  # else the rate limiter holds every request of this kind back
                self._wait(delay, request)

    def _wait_of(self, request: Request) -> Wait:
        """Return how a request waits: lists and exports as long as their task may, waits briefly."""
        longest = {
            Priority.WAIT: min(_MAX_PAUSE_OF_WAIT, self.max_rate_limit_wait),
            Priority.CALL: self.max_rate_limit_wait,
        }
        return Wait(
            request.kind,
            request.priority,
            lambda seconds: self._wait(seconds, request),
            seconds_left=longest.get(request.priority, math.inf if self.max_rate_limit_wait else 0.0),
            is_cancelled=lambda: self._is_cancelled(request),
        )

    def _attempt(
        self, request: Request, token: str | None, attempt: int, wait: Wait
    ) -> tuple[Response | Failure, float | None]:
        """Send a request once when the rate limiter lets it; return the outcome and the delay of the next attempt."""
        outcome: Response | Failure | None = None
        pause: float | None = None
        self.rate_limiter.acquire(wait)
        try:
            if self._is_cancelled(request):
                why = "the client is closed" if self._closed.is_set() else "it was cancelled"
                raise TallyfyConnectionError(f"The request was not sent: {why}.", request=request.title)
            outcome = self._exchange(request, token)
            if self.on_outcome:
                self.on_outcome(outcome)
            delay = self.retry.delay(outcome, attempt=attempt, idempotent=request.is_idempotent, jitter=self._jitter)
            pause = self._pause(outcome, delay)
        finally:
            self.rate_limiter.release(wait, outcome, pause)
        return outcome, delay

    def _pause(self, outcome: Response | Failure, delay: float | None) -> float | None:
        """Return for how long a response wants no requests of this kind; None for a 429, which the limiter reads."""
        if outcome.is_rate_limited or not outcome.asks_for_pause:
            return None
        return delay  # None: the error tells whoever goes on for how long; nobody is to wait for it unheard.

    def _rate_limit_error(
        self, request: Request, refusal: Response | Failure | None, attempts: int, in_doubt: bool, pause: float
    ) -> TallyfyError:
        if refusal is not None:
            error = self._error(request, refusal, attempts, in_doubt)
        else:
            error = TallyfyRateLimitError(
                f"Tallyfy refuses requests of this kind for their rate, for another {pause:.0f} s; this one was not "
                "sent. Try again later, or let it wait longer (max_rate_limit_wait of the connection).",
                request=self.secrets.redact(request.title),
            )
        error.retry_after = error.retry_after or pause
        return error

    def _wait(self, seconds: float, request: Request) -> None:
        if request.cancelled is None:
            self._sleep(seconds)
            return
        while seconds > 0 and not self._is_cancelled(request):
            self._sleep(min(seconds, CANCEL_CHECK_INTERVAL))
            seconds -= CANCEL_CHECK_INTERVAL

    def _is_cancelled(self, request: Request) -> bool:
        return self._closed.is_set() or request.is_cancelled

    def _error(self, request: Request, outcome: Response | Failure, attempts: int, in_doubt: bool) -> TallyfyError:
        redact = self.secrets.redact
        title = redact(request.title)
        if isinstance(outcome, Response):
            error = error_from_response(outcome, title, where=self.where, attempts=attempts, redact=redact)
        else:
            host = "{0.scheme}://{0.netloc}".format(urlsplit(request.url))
            error = error_from_failure(outcome, title, where=self.where, attempts=attempts, host=host)
        if in_doubt and request.method not in {"GET", "HEAD"} and request.idempotent is None:
            error = indeterminate(error, title)
        error.message = redact(error.message)
        error.args = (error.message,)
        return error

    def _exchange(self, request: Request, token: str | None) -> Response | Failure:
        connect_timeout = min(_MAX_CONNECT_TIMEOUT, self.timeout)
        with deadline_in(self.response_timeout) as deadline:
            try:
                return self._receive(request, token, connect_timeout, deadline)
            except Exception as error:  # Whatever a response does to the libraries below, it is a failure.
                # Turned into a plain value and dropped: the exception holds the request, and so the token.
                return failure_from_exception(
                    error, timeout=self.timeout, connect_timeout=connect_timeout, deadline=deadline
                )

    def _receive(
        self, request: Request, token: str | None, connect_timeout: float, deadline: Deadline
    ) -> Response | Failure:
        with self._session.request(
            request.method,
            request.full_url,
            json=request.json,
            data=request.form,
            headers=request.headers,
            auth=_Bearer(token),
            timeout=(connect_timeout, self.timeout),
            allow_redirects=False,
            stream=True,
        ) as response:
            # A header may quote a secret, and goes into messages by itself: the request id, the target of a redirect.
            headers = {name: self.secrets.redact(text) for name, text in bounded_headers(response.headers).items()}
            ahead = clock_ahead(headers, datetime.now(UTC))
            self.clock_ahead = self.clock_ahead if ahead is None else ahead
            body = read_body(response, deadline)
            return parse_response(
                response.status_code, headers, body, max_pause=self.max_pause, parse_float=request.parse_float
            )


class _Bearer(requests.auth.AuthBase):
    """Sets the token on a request. Its presence keeps requests from taking credentials out of a .netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
