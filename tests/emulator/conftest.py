"""Fixtures of the emulator's tests: a running emulator and a client that sends valid requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tallyfy_emulator import Emulator, ManualClock

NOON = 1_793_620_800.0  # 2026-11-02 12:00:00 UTC


class Caller:
    """A client that sends every header the API requires."""

    def __init__(self, emulator: Emulator, token: str | None = None) -> None:
        self.emulator = emulator
        self.headers = {
            "Authorization": f"Bearer {token or emulator.token}",
            "Accept": "application/json",
            "X-Tallyfy-Client": "APIClient",
        }
        self.organization = f"/organizations/{emulator.organization_id}"
        self.runs_path = f"{self.organization}/runs"

    def ask(self, method: str, path: str, query: str = "", *, timeout: float = 5, **options: Any) -> requests.Response:
        options.setdefault("headers", self.headers)
        url = self.emulator.base_url + path + (f"?{query}" if query else "")
        return requests.request(method, url, timeout=timeout, allow_redirects=False, **options)

    def get(self, path: str, query: str = "", **options: Any) -> requests.Response:
        return self.ask("GET", path, query, **options)

    def listed(self, query: str = "") -> dict[str, Any]:
        answer = self.get(self.runs_path, query)
        assert answer.status_code == 200, answer.text
        payload: dict[str, Any] = answer.json()
        return payload

    def names(self, query: str = "") -> list[str]:
        """Return the names of all runs that match a query."""
        rows = self.listed(f"{query}&without_pagination=true")["data"]
        return [row["name"] for row in rows]

    def send(self, method: str, path: str, body: object = None) -> requests.Response:
        """Send a request below the organization, with a JSON body unless it is None."""
        return self.ask(method, self.organization + path, json=body)

    def data(self, method: str, path: str, body: object = None) -> Any:
        """Return the data of a request that must succeed."""
        answer = self.send(method, path, body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["data"]

    def refused(self, method: str, path: str, body: object = None) -> Any:
        """Return the errors of a request that must fail with 422."""
        answer = self.send(method, path, body)
        assert answer.status_code == 422, answer.text
        return answer.json()["errors"]

    def run(self, run_id: str, query: str = "") -> requests.Response:
        return self.get(f"{self.runs_path}/{run_id}", query)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def emulator(clock: ManualClock) -> Iterator[Emulator]:
    """An emulator without runs, whose time stands still."""
    with Emulator(seed=False, clock=clock) as running:
        yield running


@pytest.fixture
def caller(emulator: Emulator) -> Caller:
    return Caller(emulator)


@pytest.fixture(scope="session")
def caller_with() -> Callable[..., Caller]:
    """Build a caller of an emulator, optionally with another token."""
    return Caller


@pytest.fixture
def application_form(emulator: Emulator) -> dict[str, str]:
    """The token request of the application."""
    return {
        "grant_type": "client_credentials",
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
    }


@pytest.fixture
def application_token(emulator: Emulator, application_form: dict[str, str]) -> Callable[[], str]:
    """Request a new token of the application."""

    def ask() -> str:
        answer = requests.post(f"{emulator.base_url}/oauth/token", data=application_form, timeout=5)
        return str(answer.json()["access_token"])

    return ask


@pytest.fixture(scope="module")
def seeded() -> Iterator[Caller]:
    """A caller of an emulator with seeded runs, shared by read-only tests."""
    with Emulator(clock=ManualClock(NOON)) as running:
        yield Caller(running)


@pytest.fixture
def discount(emulator: Emulator) -> dict[str, Any]:
    """A template: an approval that takes a number, then a plain step."""
    percent = {"label": "Percent", "alias": "percent", "required": True}
    region = {"label": "Region", "alias": "region", "field_type": "dropdown", "options": ["North", "South"]}
    return emulator.add_checklist(
        "Discount",
        kickoff=[{"label": "Customer", "alias": "customer", "required": True}, region],
        steps=[
            {"title": "Decide", "task_type": "approval", "form_fields": [percent, {"label": "Why", "alias": "why"}]},
            {"title": "Send the offer", "alias": "send"},
        ],
    )


@pytest.fixture
def decide(emulator: Emulator, launched: dict[str, Any]) -> dict[str, Any]:
    """The approval of the launched run."""
    return emulator.task(launched["id"], "decide")


@pytest.fixture
def events(emulator: Emulator) -> Callable[[], list[str]]:
    """Return the names of all webhook events so far."""
    return lambda: [each["event"] for each in emulator.fired]


@pytest.fixture
def launched(caller: Caller, discount: dict[str, Any]) -> dict[str, Any]:
    """A run of that template, just launched over the API."""
    run: dict[str, Any] = caller.data(
        "POST", "/runs", {"checklist_id": discount["id"], "prerun": {discount["prerun"][0]["id"]: "Acme"}}
    )
    return run
