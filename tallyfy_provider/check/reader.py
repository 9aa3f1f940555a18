"""Send the requests of a check: each once, at most so many, and none after Tallyfy cannot be asked any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tallyfy_provider.check.finding import Unanswered, cannot_tell, not_allowed
from tallyfy_provider.client.http.request_kind import Priority, request_priority
from tallyfy_provider.client.http.responses import Failure, Response
from tallyfy_provider.client.http.transport import Request
from tallyfy_provider.client.http.urls import build_path
from tallyfy_provider.client.paging.page import read_page
from tallyfy_provider.exceptions import TallyfyError, TallyfyRateLimitError, TallyfyResponseError

if TYPE_CHECKING:
    from tallyfy_provider.client.client import TallyfyClient

#: Requests of a check that only reads.
MAX_REQUESTS = 60
#: Seconds after which no more is asked, without those of the pauses that Tallyfy asks for.
MAX_SECONDS = 50.0
#: Seconds after which a request that is under way ends.
_END = 58.0
#: Requests in a row without any response after which Tallyfy counts as out of reach.
_MOST_FAILURES = 2
#: Statuses by which Tallyfy refuses what it is asked for, whoever asks.
REFUSED = frozenset({400, 404, 405, 410, 422})

Row = dict[str, Any]


class Changes(Protocol):
    """What was tried on a marked run."""

    def prepare(self) -> None:
        """Try all parts, unless that was done."""

    def result(self, part: str) -> Any:
        """Return what came of a part."""

    def error(self, part: str) -> Exception | None:
        """Return why a part was not possible."""


@dataclass(frozen=True)
class ListPage:
    """
    One page of a list.

    :param rows: Its rows.
    :param pagination: ``meta.pagination``; empty where there is none.
    :param total: Rows in the whole list, where Tallyfy says so.
    """

    rows: list[Row]
    pagination: Mapping[str, Any] = field(default_factory=dict)
    total: int | None = None

    @property
    def ids(self) -> list[str]:
        """The ids of the rows, in order."""
        return [str(row["id"]) for row in self.rows]


@dataclass
class PauseClock:
    """Waits for pauses, and counts their seconds."""

    seconds: float = 0.0

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.seconds += seconds
        time.sleep(seconds)


class ApiReader:
    """
    Ask one organization. Each response is kept, so that facts share requests.

    :param client: The client to ask with.
    :param pauses: Counts the seconds of the pauses that the client makes.
    :param trial: The marked run that facts which write ask for; None if nothing may be written.
    :param on_request: Called with the number of requests before each one.
    """

    def __init__(
        self,
        client: TallyfyClient,
        *,
        pauses: PauseClock | None = None,
        trial: Changes | None = None,
        on_request: Callable[[int], None] | None = None,
    ) -> None:
        self.client = client
        self.trial = trial
        #: Requests so far, each attempt counted.
        self.requests = 0
        #: Names of the headers of all responses.
        self.header_names: set[str] = set()
        #: Responses that refused a request for its rate.
        self.refusals: list[Response] = []
        #: Requests that were answered 403: this user may not see everything.
        self.forbidden: set[Any] = set()
        #: What facts share: results of :mod:`.samples` by their names.
        self.samples: dict[str, Any] = {}
        self._pauses = pauses or PauseClock()
        self._on_request = on_request
        self._started = time.monotonic()
        self._kept: dict[Any, Response | Failure] = {}
        self._is_spent = threading.Event()
        self._is_bounded = False
        self._failures = 0
        self._last_refusal: Response | None = None
        client.session.transport.on_outcome = self._note

    @property
    def organization_id(self) -> str:
        """The organization's id."""
        return self.client.organization_id

    @property
    def seconds(self) -> float:
        """Seconds since the start, without the pauses that Tallyfy asked for."""
        return time.monotonic() - self._started - self._pauses.seconds

    def response(
        self,
        *path: object,
        root: bool = False,
        params: Mapping[str, str] | None = None,
        query: str = "",
        headers: Mapping[str, str | None] | None = None,
        with_token: bool = True,
    ) -> Response:
        """
        Get what Tallyfy answers, whatever its status.

        :param path: Below the organization; from the API's root if ``root`` is set.
        :param params: The query.
        :param query: A query that is sent exactly as it is, instead of ``params``.
        :param headers: Headers that differ from the usual ones.
        :param with_token: Whether the token is sent.
        :raises Unanswered: There was no response, or no more may be asked.
        """
        segments = path if root else ("organizations", self.organization_id, *path)
        key = (segments, tuple(sorted((params or {}).items())), query, tuple((headers or {}).items()), with_token)
        if key not in self._kept:
            url = self.client.session.base_url + build_path(segments) + (f"?{query}" if query else "")
            request = Request("GET", url, params=params, headers=headers, cancelled=self._is_spent)
            self._kept[key] = self._send(request, with_token)
        outcome = self._kept[key]
        if isinstance(outcome, Failure):
            raise Unanswered(cannot_tell(f"There was no response that can be read: {outcome.reason}."))
        status = outcome.status
        if status == 403:
            self.forbidden.add(key)
        if status >= 500 or 300 <= status < 400:
            raise Unanswered(cannot_tell(f"Tallyfy answered {status}: check again later.", status=status))
        if status == 401 and with_token and not headers:
            refuse(outcome)
        return outcome

    def refusal(self, *path: object, params: Mapping[str, str] | None = None) -> Response:
        """
        Get what Tallyfy answers where it should refuse.

        :raises Unanswered: There was no such response; a page of a proxy, or of a maintenance, is none.
        """
        response = self.response(*path, params=params)
        if response.is_success and response.payload is None and response.body:
            raise Unanswered(cannot_tell("There was no JSON in the response: check again later."))
        return response

    def item(self, *path: object, root: bool = False, params: Mapping[str, str] | None = None) -> Row:
        """Get the object under ``data``; an answer without one ends the fact."""
        return object_of(self.response(*path, root=root, params=params))

    def page(self, *path: object, root: bool = False, params: Mapping[str, str] | None = None) -> ListPage:
        """Get a page of a list; an answer that is none ends the fact."""
        return page_of(self.response(*path, root=root, params=params))

    def runs(self, **params: str | int) -> ListPage:
        """Get a page of runs."""
        return self.page("runs", params={name: str(value) for name, value in params.items()})

    def first_accepted(self, *path: object, variants: Sequence[Mapping[str, str]]) -> tuple[Response, int]:
        """
        Get the answer to the first of several queries that is not refused, and its number; if all are, the first.

        :param variants: Queries, from the one that asks for most.
        """
        for number, params in enumerate(variants):
            response = self.response(*path, params=params)
            if response.status not in REFUSED:
                return response, number
        return self.response(*path, params=variants[0]), 0

    def _send(self, request: Request, with_token: bool) -> Response | Failure:
        self._check_budget()
        try:
            # Not as the pages of a list, which wait as long as Tallyfy wants.
            with request_priority(Priority.CALL), self._bounds():
                outcome = self._outcome(request, with_token)
        except TallyfyError as error:  # no token could be had, or a pause is longer than a check waits
            if isinstance(error, TallyfyRateLimitError) and self.refusals:
                self._last_refusal = self.refusals[-1]
            self._check_bounds()
            raise Unanswered(cannot_tell(str(error))) from None
        if isinstance(outcome, Failure):
            self._failures += 1
            return outcome
        self._failures = 0
        self._last_refusal = outcome if outcome.is_rate_limited else None
        return outcome

    def _note(self, outcome: Response | Failure) -> None:
        """Count an attempt, also one of those that the client makes again."""
        self.requests += 1
        if self._on_request:
            self._on_request(self.requests)
        self._limit()
        if isinstance(outcome, Response):
            self.header_names |= set(outcome.headers)
            if outcome.is_rate_limited:
                self.refusals.append(outcome)

    @contextmanager
    def _bounds(self) -> Iterator[None]:
        """Let no attempt exceed the bounds, also not one that the client makes again; changes have none."""
        transport = self.client.session.transport
        usual, self._is_bounded = transport.response_timeout, True
        try:
            self._limit()
            yield
        finally:
            transport.response_timeout, self._is_bounded = usual, False

    def _limit(self) -> None:
        if not self._is_bounded:
            return
        if self.requests >= MAX_REQUESTS or self.seconds > MAX_SECONDS:
            self._is_spent.set()
        transport = self.client.session.transport
        transport.response_timeout = min(transport.response_timeout, max(1.0, _END - self.seconds))

    def _outcome(self, request: Request, with_token: bool) -> Response | Failure:
        session = self.client.session
        if not with_token:
            return session.transport.get_outcome(request)
        token = session.tokens.token()
        outcome = session.transport.get_outcome(request, token)
        if isinstance(outcome, Response) and outcome.status == 401 and session.tokens.renew(token):
            return session.transport.get_outcome(request, session.tokens.token())
        return outcome

    def _check_budget(self) -> None:
        if self._last_refusal is not None:
            wait = self._last_refusal.retry_after
            after = f" after {wait:.0f} s" if wait else ""
            raise Unanswered(cannot_tell(f"Tallyfy refuses requests for their rate (429): check again{after}."))
        if self._failures >= _MOST_FAILURES:
            raise Unanswered(cannot_tell("Tallyfy cannot be reached any more: check again later."))
        self._check_bounds()

    def _check_bounds(self) -> None:
        if self.requests >= MAX_REQUESTS:
            raise Unanswered(cannot_tell(f"A check sends at most {MAX_REQUESTS} requests: ask with --only."))
        if self.seconds > MAX_SECONDS:
            raise Unanswered(cannot_tell(f"A check asks for at most {MAX_SECONDS:.0f} s: ask with --only."))


def refuse(response: Response) -> None:
    """End a fact for whose answer a response has the wrong status."""
    status = response.status
    if response.is_success:
        return
    if status == 401:
        raise Unanswered(not_allowed("Tallyfy does not accept this token here (401).", status=status))
    if status == 403:
        raise Unanswered(not_allowed("The user of the connection may not see this (403).", status=status))
    if status in REFUSED:
        raise Unanswered(cannot_tell(f"Tallyfy refuses this with {status}.", status=status), is_answer=True)
    raise Unanswered(cannot_tell(f"Tallyfy answered {status}: check again later.", status=status))


def page_of(response: Response) -> ListPage:
    """Read a response as a page; one that is none ends the fact."""
    refuse(response)
    try:
        page = read_page(response.payload, number=1, what="rows")
    except TallyfyResponseError as error:
        unread = cannot_tell(f"A list cannot be read: {error.message}", status=response.status)
        # What is neither JSON nor empty is the page of a proxy, or of a maintenance.
        raise Unanswered(unread, is_answer=response.payload is not None or not response.body) from None
    meta = response.payload.get("meta")
    pagination = meta.get("pagination") if isinstance(meta, Mapping) else None
    # One that is smaller than the page itself says nothing.
    total = page.total if page.total is not None and page.total >= len(page.rows) else None
    return ListPage(page.rows, pagination if isinstance(pagination, Mapping) else {}, total)


def object_of(response: Response) -> Row:
    """Read a response as one object; one that is none ends the fact."""
    refuse(response)
    if response.payload is None and response.body:
        raise Unanswered(cannot_tell("There was no JSON in the response: check again later."))
    data = response.payload.get("data") if isinstance(response.payload, Mapping) else None
    if not isinstance(data, dict) or not data:
        needed = cannot_tell("There is no object under data.", status=response.status)
        raise Unanswered(needed, is_answer=True)
    return data
