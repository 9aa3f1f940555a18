"""What the tests of the check share: a Tallyfy that stands still, and a client whose answers a test can rewrite."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import pytest

from tallyfy_emulator import Emulator, ManualClock, Quirks
from tallyfy_provider.check.facts.registry import FACTS
from tallyfy_provider.check.finding import Finding
from tallyfy_provider.check.reader import ApiReader
from tallyfy_provider.check.runner import Outcome, run
from tallyfy_provider.check.trial import Trial
from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.http.responses import Failure, Response, parse_response
from tallyfy_provider.client.http.transport import Request
from tallyfy_provider.client.settings import ClientSettings, build_client

#: A checklist on which every change can be tried.
TRIED = "Check me"


@dataclass
class Exchange:
    """A request on its way to the emulator, and the answer on its way back; both may be changed."""

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    request: Request
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @cached_property
    def payload(self) -> Any:
        """The JSON of the answer, which may be changed; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def is_read(self) -> bool:
        """Whether anybody asked for the JSON, and so may have changed it."""
        return "payload" in vars(self) and (self.payload is not None or not self.body.startswith(b"<"))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a list, or the object itself as the only one."""
        data = self.payload.get("data") if isinstance(self.payload, dict) else None
        return data if isinstance(data, list) else [data] if isinstance(data, dict) else []


#: Changes a request before it is sent, or an answer; a rewriter is called twice, the second time with a status.
Rewriter = Callable[[Exchange], None]
Recorded = dict[Any, Response | Failure]


def connect(emulator: Emulator, rewrite: Rewriter | None = None, recorded: Recorded | None = None) -> TallyfyClient:
    """Build a client; answers are taken from those that were recorded, where there is one."""
    settings = ClientSettings(emulator.organization_id, emulator.token, base_url=emulator.base_url, max_attempts=2)
    client = build_client(settings, sleep=lambda seconds: None)
    transport: Any = client.session.transport
    send = transport._exchange

    def exchange(request: Request, token: str | None) -> Response | Failure:
        if rewrite is None:
            return through(request, token)
        there = open_exchange(request)
        rewrite(there)
        response = through(replace(request, params=there.query or None), token)
        if isinstance(response, Failure):
            return response
        back = open_exchange(request)
        back.status, back.headers, back.body = response.status, dict(response.headers), response.body
        rewrite(back)
        if back.body != response.body:
            return parse_response(back.status, back.headers, back.body)
        if not back.is_read:
            return replace(response, status=back.status, headers=back.headers)
        return parse_response(back.status, back.headers, json.dumps(back.payload).encode())

    def through(request: Request, token: str | None) -> Response | Failure:
        if recorded is None or request.method != "GET":
            return send(request, token)
        key = (request.full_url, tuple((request.headers or {}).items()), token)
        if key not in recorded:
            recorded[key] = send(request, token)
        return recorded[key]

    transport._exchange = exchange
    return client


def open_exchange(request: Request) -> Exchange:
    parts = [part for part in urlsplit(request.url).path.split("/") if part]
    path = tuple(parts[2:] if parts[:1] == ["organizations"] else ["", *parts])
    return Exchange(request.method, path, dict(request.params or {}), request)


def check(
    client: TallyfyClient, *, checklist_id: str | None = None, only: Collection[str] = (), sleep: Any = None
) -> Outcome:
    """Run a check, with changes if a checklist is named."""
    trial = None if checklist_id is None else Trial(client, checklist_id, sleep=sleep or (lambda seconds: None))
    facts = [fact for fact in FACTS if (trial or not fact.writes) and (not only or fact.id in only)]
    try:
        return run(facts, ApiReader(client, trial=trial))
    finally:
        client.close()


def findings(outcome: Outcome) -> dict[str, Finding]:
    return {fact.id: finding for fact, finding in outcome.findings}


def answered(outcome: Outcome, answer: str) -> set[str]:
    return {fact.id for fact, finding in outcome.findings if finding.answer == answer}


def add_tried_checklist(emulator: Emulator) -> str:
    """Add a checklist on which every change can be tried, and return its id."""
    kickoff = [
        {"label": "Budget", "required": True},
        {"label": "Wishes", "field_type": "textarea"},
        {"label": "Until", "field_type": "date"},
        {"label": "Region", "field_type": "dropdown", "options": ["North", "South"]},
        {"label": "Colours", "field_type": "multiselect", "options": ["Red", "Blue"]},
    ]
    checklist = emulator.add_checklist(TRIED, kickoff=kickoff, steps=[{"title": "Weigh it up"}, {"title": "Decide"}])
    return str(checklist["id"])


@dataclass
class World:
    """An emulator that stands still, and its answers so far."""

    emulator: Emulator
    clock: ManualClock
    checklist_id: str
    recorded: Recorded = field(default_factory=dict)

    def check(self, rewrite: Rewriter | None = None, only: Collection[str] = ()) -> Outcome:
        return check(connect(self.emulator, rewrite, self.recorded), only=only)

    def check_anew(self, quirks: Quirks) -> Outcome:
        """Check what the emulator answers with quirks, which are set back."""
        self.emulator.quirks = quirks
        try:
            return check(connect(self.emulator))
        finally:
            self.emulator.quirks = Quirks()

    def check_with_writes(
        self, rewrite: Rewriter | None = None, quirks: Quirks | None = None, only: Collection[str] = ()
    ) -> Outcome:
        """Check with changes; answers are not recorded, and the quirks are set back."""
        self.emulator.quirks = quirks or Quirks()
        try:
            client = connect(self.emulator, rewrite)
            return check(client, checklist_id=self.checklist_id, only=only, sleep=self.clock.advance)
        finally:
            self.emulator.quirks = Quirks()


def build_world(quirks: Quirks | None = None, *, start: float | None = None) -> World:
    clock = ManualClock(start)
    emulator = Emulator(clock=clock, quirks=quirks)
    return World(emulator, clock, add_tried_checklist(emulator))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The seeded organization, which nothing changes but checks with changes."""
    world = build_world()
    with world.emulator:
        yield world
