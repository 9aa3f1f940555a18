"""Lists of runs that change between any two requests, as a server sorts and cuts them, for tests of paginators."""

from __future__ import annotations

import math
import random
from collections import deque
from datetime import UTC, datetime
from typing import Any

from tallyfy_provider.client.paging.base import Fetch, Paginator
from tallyfy_provider.client.paging.page import Page, PageRequest, read_page

EPOCH = 1_760_000_000

#: What happens between two requests.
KINDS = [
    "nothing",
    "leaving",
    "arriving",
    "coming back",
    "leaving and coming back",
    "everything",
    "one comes back",
    "one comes back and one leaves",
    "exchange",
]


class World:
    """
    A list of runs in which something happens between any two requests.

    :param seed: Of all chance in it.
    :param size: Runs at first; where runs come back, one in six of these has left before the first request.
    :param kind: What happens between two requests, one of ``KINDS``.
    :param rate: How much of it.
    :param cap: The server's largest page.
    :param ties: Whether many runs are created in the same second.
    :param stale: How many states an answer may be behind the newest one; every other answer is.
    :param newest_first: Whether the newest run comes first.
    """

    def __init__(
        self,
        seed: int,
        *,
        size: int,
        kind: str = "nothing",
        rate: float = 0.3,
        cap: int = 100,
        ties: bool = False,
        stale: int = 0,
        newest_first: bool = False,
    ) -> None:
        self._described = f"World({seed}, {size=}, {kind=}, {rate=}, {cap=}, {ties=}, {stale=}, {newest_first=})"
        self.random = random.Random(seed)
        self.cap = cap
        self.newest_first = newest_first
        self.requests: list[PageRequest] = []
        self._kind = kind
        self.rate = rate
        self._gaps = (0, 0, 1) if ties else (1, 60)
        self._stale = stale
        self._next = 0
        self.second = EPOCH
        self.runs: list[dict[str, Any]] = []
        self._gone: list[dict[str, Any]] = []
        self._left: set[int] = set()
        for _ in range(size):
            self.launch()
        for _ in range(0 if kind in ("nothing", "leaving", "arriving") else size // 6):
            self.leave()
        self.start()
        pages = self.pages
        self._moments = self.random.randint(1, pages), self.random.randint(1, pages)

    def start(self) -> None:
        """Take what the list is now for what it is at the first request."""
        self.at_first = ids_of(self.runs)
        self._left.clear()
        self._states = deque([list(self.runs)], maxlen=self._stale + 1)

    def __repr__(self) -> str:
        return self._described

    @property
    def stayed(self) -> set[int]:
        """Ids of the runs that were in the list from the first request on."""
        return set(self.at_first) - self._left

    @property
    def pages(self) -> int:
        """How many full pages the list had at first."""
        return max(1, -(-len(self.at_first) // self.cap))

    def launch(self) -> None:
        """Let a run arrive at the end of the list."""
        self.second += self.random.choice(self._gaps)
        self.runs.append({"id": self._next, "created_at": moment_of(self.second)})
        self._next += 1

    def leave(self, place: int | None = None) -> None:
        """Let a run leave, any one or that at a place."""
        if self.runs:
            self._gone.append(self.runs.pop(self.random.randrange(len(self.runs)) if place is None else place))
            self._left.add(self._gone[-1]["id"])

    def come_back(self) -> None:
        """Let any run that has left come back to its place."""
        if self._gone:
            self.runs.append(self._gone.pop(self.random.randrange(len(self._gone))))
            self.runs.sort(key=lambda run: run["id"])

    def happen(self) -> None:
        """Let something happen, as it does between two requests."""
        made = len(self.requests)
        if self._kind == "exchange":
            self.leave()
            self.come_back()
        elif self._kind.startswith("one comes back"):
            if made == self._moments[0]:
                self.come_back()
            if made == self._moments[1] and self._kind.endswith("leaves"):
                self.leave()
        elif self._kind != "nothing":
            changes = {
                "leaving": [self.leave],
                "arriving": [self.launch],
                "coming back": [self.come_back],
                "leaving and coming back": [self.leave, self.come_back],
                "everything": [self.leave, self.come_back, self.launch],
            }[self._kind]
            while self.random.random() < self.rate:
                self.random.choice(changes)()

    def page(self, request: PageRequest) -> Page:
        """Answer a request."""
        self.requests.append(request)
        rows = self._state()
        if self.newest_first:
            rows = rows[::-1]
        page = self.answer(request, rows)
        self.happen()
        self._states.append(list(self.runs))
        return page

    def answer(self, request: PageRequest, rows: list[dict[str, Any]]) -> Page:
        """Cut a page out of the list, as the documentation says; servers of other habits do otherwise."""
        size = min(request.per_page, self.cap)
        start = (request.number - 1) * size
        pages = max(1, math.ceil(len(rows) / size))
        found = rows[start : start + size]
        return page_of(found, request, meta_of(found, len(rows), size, request.number, pages))

    def _state(self) -> list[dict[str, Any]]:
        if self._stale and self.random.random() < 0.5:
            return self.random.choice(self._states)
        return self._states[-1]


def meta_of(found: list[dict[str, Any]], total: int, size: int, number: int, pages: int) -> dict[str, Any]:
    """Build what Tallyfy says about a page."""
    return {
        "total": total,
        "count": len(found),
        "per_page": size,
        "current_page": number,
        "total_pages": pages,
        "links": {"next": f"https://elsewhere.example/?page={number + 1}"} if number < pages else [],
    }


def page_of(found: list[dict[str, Any]], request: PageRequest, meta: Any) -> Page:
    """Build an answer and read it."""
    return read_page({"data": found, "meta": {"pagination": meta}}, number=request.number, what="runs")


def read(paginator: Paginator, world: World, concurrency: int = 1) -> list[dict[str, Any]]:
    """Read a list to its end, answering in any order among so many requests under way."""
    rows: list[dict[str, Any]] = []
    had: dict[PageRequest, Page] = {}
    steps = paginator.steps()
    page: Page | None = None
    while True:
        try:
            step = steps.send(page)
        except StopIteration:
            return rows
        page = None
        if isinstance(step, Fetch):
            page = _fetch(step, world, concurrency, had)
        else:
            rows += step


def _fetch(step: Fetch, world: World, concurrency: int, had: dict[PageRequest, Page]) -> Page:
    for request in [request for request in had if request not in step.order]:
        del had[request]

    def read_one_of(most: int) -> None:
        waiting = [request for request in step.order if request not in had][:most]
        if waiting:
            request = world.random.choice(waiting)
            had[request] = world.page(request)

    while step.request not in had:
        read_one_of(concurrency)
    for _ in range(world.random.randrange(concurrency)):
        read_one_of(concurrency - 1)
    return had.pop(step.request)


def ids_of(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


def second_of(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row["created_at"]).timestamp()


def moment_of(second: int) -> str:
    """Write a moment as Tallyfy does; ``strftime`` takes four times as long."""
    return f"{datetime.fromtimestamp(second, UTC).isoformat()[:19]}Z"
