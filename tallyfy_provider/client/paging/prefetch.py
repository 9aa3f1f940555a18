"""Fetch the pages that a paginator needs, several at a time, and yield its rows as they come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from typing import Literal

from tallyfy_provider.client.paging.base import Fetch, Paginator
from tallyfy_provider.client.paging.page import Page, PageRequest, Row
from tallyfy_provider.client.paging.progress import Progress
from tallyfy_provider.exceptions import TallyfyIncompleteListError

log = logging.getLogger(__name__)

#: What to do where rows may be missing.
OnIncomplete = Literal["warn", "fail"]
#: Reads a page; the event cancels it.
ReadPage = Callable[[PageRequest, threading.Event], Page]


def read_rows(
    paginator: Paginator,
    read: ReadPage,
    *,
    progress: Progress,
    concurrency: int = 1,
    on_incomplete: OnIncomplete = "warn",
) -> Generator[Row]:
    """
    Do what a paginator wants, and yield its rows; log at the end what it warns of.

    With a concurrency of 1 there are no threads, and each page is read when the paginator needs it.

    :param paginator: The paginator.
    :param read: Reads a page; called from several threads.
    :param progress: Told of pages and rows.
    :param concurrency: Pages read at the same time at most.
    :param on_incomplete: ``fail`` raises where rows may be missing; ``warn`` logs it.
    :return: The rows. Closing it ends the reading and cancels the pages that are under way.
    :raises TallyfyIncompleteListError: Rows may be missing, and ``on_incomplete`` is ``fail``.
    """
    with closing(_Reader(read, concurrency, progress)) as reader:
        for rows in _read_pages(paginator, reader):
            for row in rows:
                progress.count_row()
                yield row
    for warning in paginator.warnings:
        log.warning(warning)
    if paginator.doubts and on_incomplete == "fail":
        raise TallyfyIncompleteListError(_incompleteness(paginator))


def read_pages(paginator: Paginator, read: ReadPage, *, progress: Progress) -> Generator[list[Row]]:
    """Do what a paginator wants, one page at a time, and yield its rows page by page; without warnings at the end."""
    with closing(_Reader(read, 1, progress)) as reader:
        yield from _read_pages(paginator, reader)


def _read_pages(paginator: Paginator, reader: _Reader) -> Generator[list[Row]]:
    with closing(paginator.steps()) as steps:
        page: Page | None = None
        while True:
            try:
                step = steps.send(page)
            except StopIteration:
                return
            page = None
            if isinstance(step, Fetch):
                page = reader.fetch(step)
            else:
                yield step


def _incompleteness(paginator: Paginator) -> str:
    places = "1 place" if paginator.doubts == 1 else f"{paginator.doubts} places"
    reasons = " ".join(paginator.warnings)
    return (
        f"The list may be incomplete: at {places} it cannot be proven that no row was missed. Try again when fewer "
        f"rows change, or set on_incomplete='warn' to take what was found. {reasons}"
    ).strip()


class _Reader:
    """Reads pages, some of them ahead of time."""

    def __init__(self, read: ReadPage, concurrency: int, progress: Progress) -> None:
        self._read = read
        self._concurrency = concurrency
        self._progress = progress
        self._cancelled = threading.Event()
        self._executor: ThreadPoolExecutor | None = None
        self._had: dict[PageRequest, Page] = {}
        self._under_way: dict[PageRequest, Future[Page]] = {}

    def fetch(self, step: Fetch) -> Page:
        if self._concurrency == 1 or (self._executor is None and len(step.order) == 1):
            return self._fetch_here(step)
        self._forget_all_but(step.order)
        for request in step.order:
            if request not in self._under_way:
                self._under_way[request] = self._threads.submit(copy_context().run, self._one, request)
        return self._under_way.pop(step.request).result()

    def _fetch_here(self, step: Fetch) -> Page:
        self._had = {request: page for request, page in self._had.items() if request in step.order}
        for request in step.order:
            if request not in self._had:
                self._had[request] = self._one(request)
            if request == step.request:
                break
        return self._had.pop(step.request)

    def _forget_all_but(self, order: Sequence[PageRequest]) -> None:
        """Drop pages that are not needed any more; those that wait behind them are submitted anew, in their order."""
        plan_has_changed = any(request not in order for request in self._under_way)
        for request, future in list(self._under_way.items()):
            if request not in order or (plan_has_changed and not future.done() and future.cancel()):
                future.cancel()
                del self._under_way[request]

    def _one(self, request: PageRequest) -> Page:
        page = self._read(request, self._cancelled)
        self._progress.count_page(page)
        return page

    @property
    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._concurrency, thread_name_prefix="tallyfy-pages")
        return self._executor

    def close(self) -> None:
        self._cancelled.set()
        if self._executor is not None:
            # Without waiting: a page that Tallyfy never gives must not hold up an error or a timeout.
            self._executor.shutdown(wait=False, cancel_futures=True)
