"""Runs, the processes of Tallyfy."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from http import HTTPStatus
from itertools import islice
from threading import Event
from typing import Any, get_args

from tallyfy_provider.client.forms.merge import merge_form
from tallyfy_provider.client.http.errors import ENDPOINT_NOT_FOUND
from tallyfy_provider.client.paging.base import Paginator
from tallyfy_provider.client.paging.calm import CalmPaginator
from tallyfy_provider.client.paging.lossless import LosslessPaginator
from tallyfy_provider.client.paging.order import Range
from tallyfy_provider.client.paging.page import Page, PageRequest, page_behind_the_end, read_page
from tallyfy_provider.client.paging.prefetch import OnIncomplete, read_rows
from tallyfy_provider.client.paging.progress import Progress
from tallyfy_provider.client.paging.sequential import SequentialPaginator
from tallyfy_provider.client.paging.weighed import FEWEST, WeighedPaginator
from tallyfy_provider.client.resource import Resource, assigned_to_keep, included, item_of
from tallyfy_provider.client.runs.filter_check import FilterCheck, is_archived
from tallyfy_provider.client.runs.filters import Query, encode
from tallyfy_provider.exceptions import (
    TallyfyError,
    TallyfyInputError,
    TallyfyNotFoundError,
    TallyfyResponseError,
    TallyfyServerError,
    TallyfyValidationError,
)
from tallyfy_provider.utils.arguments import choice, mapping, timestamp, whole_number

#: What ``PUT`` on a run empties where it is left out.
_EMPTIED_UNLESS_SENT = ("users", "groups")
#: What an answer says about the rules that were applied.
RULES_REPORT = ("tasks_changed_by_rules", "rules_evaluated")
#: Archived runs that are searched at most, the newest first.
MAX_ARCHIVED = 10_000

log = logging.getLogger(__name__)

#: Oldest first: what is launched while the list is read lands at its end, and pages that were read do not shift.
STABLE_SORT = "created_at"
_BY_CREATION = (STABLE_SORT, f"-{STABLE_SORT}")


#: Pages with includes that are requested ahead of the one that is needed: they are large.
_HEAVY_PAGES_AHEAD = 1


class Includes:
    """What to get along with the runs of a list (Tallyfy's ``with``), as long as Tallyfy gives it there."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        #: Why they are not asked for in lists any more, where that is so.
        self.reason: str | None = None

    @property
    def params(self) -> dict[str, str]:
        """The part of the query that asks for them."""
        return included(self.names) if self.names and self.reason is None else {}

    def drop(self, reason: str) -> None:
        """Ask for them in lists no more."""
        if self.reason is None:
            self.reason = reason


class RunsResource(Resource):
    """Runs: get, list, count, launch and change them."""

    def get(self, run_id: str | int, include: Iterable[str] = ()) -> dict[str, Any]:
        """
        Get a run (``GET /organizations/{org}/runs/{id}``).

        :param run_id: The run's id.
        :param include: What to get along with it (Tallyfy's ``with``), such as ``tasks`` or ``checklist``.
        :return: The run exactly as the API gave it.
        :raises TallyfyNotFoundError: There is no such run in this organization, or it is archived: Tallyfy's response
            for an archived run is not documented (docs/tallyfy-api.md, "Run status").
        :raises TallyfyResponseError: The response cannot be read, or is about another run.
        """
        payload = self._send("GET", self._path("runs", run_id), params=included(include) or None)
        return item_of(payload, f"run {run_id}", run_id)

    def find(self, run_id: str) -> dict[str, Any]:
        """
        Get a run even if it is archived.

        Tallyfy's response to ``GET`` for an archived run is not documented, so after a 404 the list of archived runs is
        searched (docs/tallyfy-api.md, "Run status").

        :param run_id: The run's id.
        :return: The run exactly as the API gave it.
        :raises TallyfyNotFoundError: It is neither among the live runs nor among the archived ones.
        """
        try:
            return self.get(run_id)
        except TallyfyNotFoundError as error:
            if error.code == ENDPOINT_NOT_FOUND:
                raise
            missing = error
        found, searched = self.find_archived({run_id})
        return found[run_id] if run_id in found else self.get_again(run_id, missing, searched)

    def find_archived(self, run_ids: Collection[str]) -> tuple[dict[str, dict[str, Any]], str]:
        """Search the archived runs, the newest first, until all ids are found."""
        found: dict[str, dict[str, Any]] = {}
        searched = 0
        try:
            for run in self.list({"archived": "only", "sort": "-created_at"}, max_runs=MAX_ARCHIVED):
                searched += 1
                if str(run["id"]) in run_ids and is_archived(run):
                    found[str(run["id"])] = run
                if len(found) == len(run_ids):
                    break
        except TallyfyError as error:
            if error.transient:
                raise
            log.warning("The archived runs cannot be searched: %s", error)
            return found, "its archived runs could not be searched"
        return found, f"nor is it among its {searched} newest archived runs"

    def get_again(self, run_id: str, missing: TallyfyNotFoundError, searched: str) -> dict[str, Any]:
        """Get a run that is not archived: it may have left the archive just before the search."""
        try:
            return self.get(run_id)
        except TallyfyNotFoundError:
            raise TallyfyNotFoundError(
                f"There is no run {run_id!r} in organization {self.organization_id!r} ({searched}): it was deleted, "
                "never existed, belongs to another organization, or the user of the connection may not see it.",
                status=missing.status,
                request=missing.request,
                request_id=missing.request_id,
                code=missing.code,
            ) from None

    def list(
        self,
        filters: Mapping[str, Any] | None = None,
        *,
        max_runs: int | None = None,
        created_after: datetime | date | str | None = None,
        created_before: datetime | date | str | None = None,
        on_incomplete: OnIncomplete = "warn",
    ) -> Generator[dict[str, Any]]:
        """
        List runs page by page (``GET /organizations/{org}/runs``), each once, as they arrive.

        All pages are read, unless ``filters`` names a ``page``. Without a ``sort`` the oldest come first. Sorted by
        ``created_at``, either way, no run is missed that matches from beginning to end, whatever leaves, arrives or
        comes back meanwhile (:mod:`tallyfy_provider.client.paging.lossless` has the proof and its limits).

        :param filters: The API's own names to values; see :class:`~tallyfy_provider.client.runs.filters.RunFilters`.
        :param max_runs: Stop after so many runs.
        :param created_after: Only runs created at this time or later: a datetime, a date, or text such as
            ``2026-10-31T09:00:00Z``; in UTC without a time zone.
        :param created_before: Only runs created before this time; as ``created_after``.
        :param on_incomplete: Where it cannot be proven that no run was missed: ``warn`` logs at how many places,
            ``fail`` raises. ``fail`` also proves each boundary between two pages of a long list in which nothing seems
            to move, which takes 14 % more requests.
        :return: Runs exactly as the API gave them. Closing the iterator cancels requests under way.
        :raises TallyfyIncompleteListError: Runs may be missing, and ``on_incomplete`` is ``fail``.
        :raises TallyfyInputError: A filter is wrong; nothing was sent.
        :raises TallyfyResponseError: A page cannot be read, or the list has no end.
        """
        query = encode(filters)
        for note in query.notes:
            log.info(note)
        rows = self.list_encoded(
            query,
            max_runs=max_runs,
            created_after=created_after,
            created_before=created_before,
            on_incomplete=on_incomplete,
        )
        return _checked(rows, query)

    def list_encoded(
        self,
        query: Query,
        *,
        max_runs: int | None = None,
        created_after: datetime | date | str | None = None,
        created_before: datetime | date | str | None = None,
        on_incomplete: OnIncomplete = "warn",
    ) -> Generator[dict[str, Any]]:
        """List runs for encoded filters, without checking the runs against them."""
        max_runs = whole_number("max_runs", max_runs, least=0)
        choice("on_incomplete", on_incomplete, get_args(OnIncomplete))
        wanted = Range(max_runs, _seconds("created_after", created_after), _seconds("created_before", created_before))
        if wanted.after is not None and wanted.before is not None and wanted.after >= wanted.before:
            raise TallyfyInputError(
                f"No run can be created from {created_after} on (created_after) and before {created_before} "
                "(created_before): give a later created_before."
            )
        if query.page is not None:
            return self._one_page(query, query.page, wanted)
        return self._all_runs(query, wanted, on_incomplete)

    def count(self, query: Query, *, strict: bool = False) -> int:
        """
        Count the runs that match, by asking for one row and reading the total.

        :param query: The result of :func:`~tallyfy_provider.client.runs.filters.encode`; its page is ignored.
        :param strict: Raise, rather than warn, when the filters do not allow the row.
        :return: The number of runs (``meta.pagination.total``).
        :raises TallyfyResponseError: The response has no total, or Tallyfy ignored a filter.
        """
        page = self._page_of_runs(query.params, 1, per_page=1)
        if page.total is None:
            raise TallyfyResponseError("Tallyfy does not say how many runs match: meta.pagination.total is missing.")
        check = FilterCheck(query.asked)
        for row in page.rows:
            check.check(row)
        for mismatch in check.mismatches:
            message = f"The number cannot be trusted: {mismatch}"
            if strict:
                raise TallyfyResponseError(message)
            log.warning(message)
        return page.total

    def get_page(self, filters: Mapping[str, Any], number: int, *, per_page: int) -> Page:
        """Get one page of a list of runs, oldest runs first unless ``filters`` sorts them otherwise."""
        return self._page_of_runs({"sort": STABLE_SORT, **encode(filters).params}, number, per_page=per_page)

    def list_weighed(
        self,
        query: Query,
        includes: Includes,
        *,
        wanted: Range,
        progress: Progress,
        on_incomplete: OnIncomplete = "warn",
    ) -> Generator[dict[str, Any]]:
        """
        List runs with what is got along with them, in pages of about the same weight, in the order of ``created_at``.

        Where Tallyfy refuses the includes, or cannot answer with them even for a few runs, the list goes on without.
        """
        params = {"sort": STABLE_SORT, **query.params}
        paginator = WeighedPaginator(
            "runs",
            per_page=query.per_page or self.page_size,
            wanted=wanted,
            newest_first=params["sort"].startswith("-"),
            read_ahead=_HEAVY_PAGES_AHEAD,
            is_light=not includes.params,
        )

        def read(request: PageRequest, cancelled: Event) -> Page:
            return page_behind_the_end(request, lambda: self._page_with(includes, params, request, cancelled))

        concurrency = min(self.concurrency, 1 + _HEAVY_PAGES_AHEAD)
        yield from read_rows(paginator, read, progress=progress, concurrency=concurrency, on_incomplete=on_incomplete)

    def _page_with(self, includes: Includes, params: Mapping[str, str], request: PageRequest, cancelled: Event) -> Page:
        sent = includes.params

        def read(more: Mapping[str, str]) -> Page:
            number, size = request.number, request.per_page
            return self._page_of_runs({**params, **more}, number, per_page=size, cancelled=cancelled)

        try:
            return read(sent)
        except (TallyfyValidationError, TallyfyServerError, TallyfyResponseError) as error:
            if not sent or error.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            if not isinstance(error, TallyfyValidationError) and request.per_page > FEWEST:
                return Page([], is_too_heavy=True)
            refusal = error
        page = read({})
        includes.drop(f"Tallyfy does not answer with them: {refusal}")
        return page

    def _page_of_runs(
        self, params: Mapping[str, str], number: int, *, per_page: int, cancelled: Event | None = None
    ) -> Page:
        params = {**params, "per_page": str(per_page), "page": str(number)}
        payload, size = self._request_sized("GET", self._path("runs"), params=params, cancelled=cancelled)
        return replace(read_page(payload, number=number, what="runs"), weight=size)

    def _one_page(self, query: Query, number: int, wanted: Range) -> Generator[dict[str, Any]]:
        params = {"sort": STABLE_SORT, **query.params}
        page = self._page_of_runs(params, number, per_page=query.per_page or self.page_size)
        yield from islice(filter(wanted.holds, page.rows), wanted.count)

    def _all_runs(self, query: Query, wanted: Range, on_incomplete: OnIncomplete) -> Generator[dict[str, Any]]:
        # Few rows are asked for where few are wanted, unless where they begin has to be found first.
        fitting = self.page_size if wanted.is_bounded else min(self.page_size, wanted.count or self.page_size)
        params = {"sort": STABLE_SORT, **query.params}
        paginator = self._paginator(params, query.per_page or fitting, wanted, on_incomplete)

        def read(request: PageRequest, cancelled: Event) -> Page:
            return page_behind_the_end(
                request,
                lambda: self._page_of_runs(params, request.number, per_page=request.per_page, cancelled=cancelled),
            )

        progress = Progress("runs", wanted=wanted.count)
        yield from read_rows(
            paginator, read, progress=progress, concurrency=self.concurrency, on_incomplete=on_incomplete
        )

    def _paginator(
        self, params: Mapping[str, str], per_page: int, wanted: Range, on_incomplete: OnIncomplete
    ) -> Paginator:
        """Return the paginator that misses nothing, where the order allows it."""
        if params.get("without_pagination") == "true":
            return SequentialPaginator("runs", per_page=sys.maxsize, wanted=wanted)
        if params["sort"] in _BY_CREATION:
            paginator = LosslessPaginator if on_incomplete == "fail" else CalmPaginator
            return paginator(
                "runs",
                per_page=per_page,
                wanted=wanted,
                newest_first=params["sort"].startswith("-"),
                read_ahead=3 * self.concurrency,
            )
        log.info(
            "Sorted by %r, runs are read page after page: for each one that leaves the list meanwhile, another may "
            "slip past between two pages. Sort by 'created_at' or '-created_at' to miss none.",
            params["sort"].lstrip("-"),
        )
        return SequentialPaginator("runs", per_page=per_page, wanted=wanted)

    def launch(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Launch a run (``POST /organizations/{org}/runs``); sent once, and again only if it cannot have arrived.

        :param body: The API's own names to values: ``checklist_id``, ``name``, ``prerun`` and more
            (docs/tallyfy-api.md, "Endpoints").
        :return: The run exactly as the API gave it.
        :raises TallyfyInputError: ``checklist_id`` is missing, or a value cannot be written as JSON; nothing was sent.
        :raises TallyfyIndeterminateError: The response was lost: look for the run before launching it again.
        :raises TallyfyValidationError: Tallyfy refused it; ``fields`` says what is wrong with each field.
        """
        body = mapping("body", body) or {}
        if not str(body.get("checklist_id") or "").strip():
            raise TallyfyInputError("body['checklist_id'] is missing: it says which checklist (template) to launch.")
        return self._create("runs", body=body, what="the launched run")

    def update(self, run_id: str | int, changes: Mapping[str, Any]) -> dict[str, Any]:
        """
        Change a run (``PUT /organizations/{org}/runs/{id}``) and leave alone what ``changes`` does not name.

        Tallyfy takes a missing ``users`` or ``groups`` for an empty one and unassigns everybody
        (docs/tallyfy-api.md, "Endpoints"), so what the run has is read first and sent along; so are the other values
        of the kick-off form where ``prerun`` gives some. What somebody else changes about these between the two
        requests is lost: the API has no way to lock a run.

        :param run_id: The run's id.
        :param changes: The API's own names to values: ``name``, ``summary``, ``owner_id``, ``starred``,
            ``is_public``, ``users``, ``groups``, ``prerun``.
        :return: The changed run.
        :raises TallyfyInputError: ``changes`` is empty, or a value cannot be written as JSON; nothing was sent.
        :raises TallyfyResponseError: Tallyfy does not say who is assigned to the run; nothing was sent.
        """
        if not changes:
            raise TallyfyInputError(f"changes is empty: it says what to change about run {run_id}.")
        run = self.get(run_id, include=("ko_form_fields",) if "prerun" in changes else ())
        kept = {
            kind: assigned_to_keep(run.get(kind), kind, f"run {run_id}", f"changes[{kind!r}]")
            for kind in _EMPTIED_UNLESS_SENT
            if kind not in changes
        }
        body = {**changes, **kept}
        if "prerun" in changes:
            body["prerun"] = merge_form(
                changes["prerun"], run.get("ko_form_fields"), run.get("prerun"), f"run {run_id}"
            )
        path = self._path("runs", run_id)
        return self._item_or(self._send("PUT", path, json=body), lambda: self.get(run_id), run_id)

    def complete_kickoff(self, run_id: str | int) -> dict[str, Any]:
        """
        Complete the kick-off form of a run (``POST /organizations/{org}/runs/{id}/complete-prerun``).

        Tallyfy applies the template's rules to the answers then. It does nothing where the form is completed.

        :param run_id: The run's id.
        :return: The run, with ``tasks_changed_by_rules`` and ``rules_evaluated`` as far as Tallyfy gave them.
        :raises TallyfyValidationError: A required field is empty; ``fields`` says which.
        """
        return self._kickoff("POST", run_id)

    def reopen_kickoff(self, run_id: str | int) -> dict[str, Any]:
        """
        Reopen the kick-off form of a run (``DELETE /organizations/{org}/runs/{id}/complete-prerun``).

        The run is active again, also where it was complete, and its tasks cannot be completed before the form is.

        :param run_id: The run's id.
        :return: As :meth:`complete_kickoff`.
        """
        return self._kickoff("DELETE", run_id)

    def _kickoff(self, method: str, run_id: str | int) -> dict[str, Any]:
        payload = self._send(method, self._path("runs", run_id, "complete-prerun"))
        run = self._item_or(payload, lambda: self.get(run_id), run_id)
        beside = payload if isinstance(payload, Mapping) else {}
        return {**run, **{name: beside[name] for name in RULES_REPORT if name in beside}}

    def archive(self, run_id: str | int) -> dict[str, Any]:
        """
        Archive a run (``DELETE /organizations/{org}/runs/{id}``); :meth:`activate` undoes it.

        :param run_id: The run's id.
        :return: The archived run, also where it was archived before.
        :raises TallyfyNotFoundError: There is no such run, not among the archived ones either.
        """
        path = self._path("runs", run_id)
        return self._ensure("DELETE", path, run_id, lambda: self.find(str(run_id)), is_archived)

    def activate(self, run_id: str | int) -> dict[str, Any]:
        """
        Bring a run back from the archive (``PUT /organizations/{org}/runs/{id}/activate``).

        :param run_id: The run's id.
        :return: The active run, also where it was not archived.
        :raises TallyfyNotFoundError: There is no such run, not among the archived ones either.
        """
        path = self._path("runs", run_id, "activate")
        return self._ensure("PUT", path, run_id, lambda: self.find(str(run_id)), lambda run: not is_archived(run))


def _seconds(argument: str, time: datetime | date | str | None) -> float | None:
    if not isinstance(time, datetime):
        time = timestamp(argument, time)
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _checked(rows: Generator[dict[str, Any]], query: Query) -> Generator[dict[str, Any]]:
    check = FilterCheck(query.asked)
    with closing(rows):
        yield from check.pass_on(rows)
    for mismatch in check.mismatches:
        log.warning("%s", mismatch)
