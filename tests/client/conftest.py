"""What the client's tests share: clients that do not wait, and what was asked of the emulator."""

from __future__ import annotations

import json
import time

import pytest

from tallyfy_provider.client import ClientSettings, build_client


@pytest.fixture
def client_of(emulator):
    """Build a client of the emulator that makes three attempts, and notes its waits instead of waiting."""

    def build(waits=None, clock=None, **changes):
        settings = {
            "organization_id": emulator.organization_id,
            "secret": emulator.token,
            "base_url": emulator.base_url,
            "max_attempts": 3,
            "where": "connection 'x'",
            **changes,
        }
        waited = [] if waits is None else waits
        now = clock or (lambda: time.monotonic() + sum(waited))
        return build_client(ClientSettings(**settings), sleep=waited.append, jitter=lambda low, high: low, clock=now)

    return build


@pytest.fixture
def client(client_of):
    return client_of()


@pytest.fixture
def asked(emulator):
    """Give what was asked of the emulator so far: ``GET /runs/…``, relative to the organization."""

    def asked(*methods: str) -> list[str]:
        home = f"/organizations/{emulator.organization_id}"
        return [
            f"{each.method} {each.path.removeprefix(home)}"
            for each in emulator.requests
            if not methods or each.method in methods
        ]

    return asked


@pytest.fixture
def sent(emulator):
    """Give the JSON body of the last request that had one."""

    def sent():
        bodies = [each.body for each in emulator.requests if each.body]
        return json.loads(bodies[-1]) if isinstance(bodies[-1], (str, bytes)) else bodies[-1]

    return sent
