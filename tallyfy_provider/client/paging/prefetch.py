"""Reads the pages that a walk wants, several at a time, and hands its rows on as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from tallyfy_provider.client.paging.base import Step, Steps
from tallyfy_provider.client.paging.order import Row
from tallyfy_provider.client.paging.page import Page
from tallyfy_provider.client.paging.progress import Progress


@dataclass(frozen=True)
class PageRequest:
    """
    A page that is to be read.

    :param number: Which page, from 1.
    :param newest_first: Whether pages are counted from the newest run.
    :param given_up: Set when nobody waits for the page any more.
    """

    number: int
    newest_first: bool
    given_up: threading.Event


ReadPage = Callable[[PageRequest], Page]


def read_ahead(steps: Steps, read: ReadPage, *, concurrency: int, progress: Progress) -> Generator[Row]:
    """
    Do what a walk wants, and hand its rows on.

    A single page is read by the caller's own thread; several are read by a few more, which go on while rows are handed
    on. With a concurrency of 1 there are no threads, and each page is read when the walk looks at it.

    :param steps: The walk's steps.
    :param read: Reads a page; called from several threads.
    :param concurrency: Pages read at the same time at most.
    :param progress: Told of pages and rows.
    :return: The rows. Closing it ends the walk: pages that are under way are given up.
    """
    with closing(steps), closing(_Reader(read, concurrency, progress)) as reader:
        step = next(steps, None)
        while step is not None:
            pages = reader.pages(step)
            for row in step.rows:
                progress.count_row()
                yield row
            step = _next(steps, pages)


def _next(steps: Steps, pages: Mapping[int, Page]) -> Step | None:
    try:
        return steps.send(pages)
    except StopIteration:
        return None


class _Reader:
    """Reads pages, and keeps the threads for it."""

    def __init__(self, read: ReadPage, concurrency: int, progress: Progress) -> None:
        self._read = read
        self._concurrency = concurrency
        self._progress = progress
        self._given_up = threading.Event()
        self._executor: ThreadPoolExecutor | None = None
        self._under_way: list[Future[Page]] = []

    def pages(self, step: Step) -> Mapping[int, Page]:
        if step.gives_up:
            for future in self._under_way:
                future.cancel()
        if not step.read:
            return {}
        if self._concurrency == 1 or len(step.read) == 1:
            return _Pages(step.read, lambda number: self._one(number, step.newest_first))
        futures = {number: self._threads.submit(self._one, number, step.newest_first) for number in step.read}
        self._under_way = [*(future for future in self._under_way if not future.done()), *futures.values()]
        return _Pages(step.read, lambda number: futures[number].result())

    def _one(self, number: int, newest_first: bool) -> Page:
        page = self._read(PageRequest(number, newest_first, self._given_up))
        self._progress.count_page(page)
        return page

    @property
    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._concurrency, thread_name_prefix="tallyfy-pages")
        return self._executor

    def close(self) -> None:
        self._given_up.set()
        if self._executor is not None:
            # Without waiting: a page that Tallyfy never gives must not hold up an error or a timeout.
            self._executor.shutdown(wait=False, cancel_futures=True)


class _Pages(Mapping[int, Page]):
    """Pages that are had when they are asked for, each once."""

    def __init__(self, numbers: Sequence[int], have: Callable[[int], Page]) -> None:
        self._numbers = numbers
        self._have = have
        self._had: dict[int, Page] = {}

    def __getitem__(self, number: int) -> Page:
        if number not in self._numbers:
            raise KeyError(number)
        if number not in self._had:
            self._had[number] = self._have(number)
        return self._had[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)
