"""What the client's tests of endpoints share: a client that does not wait, and who asked for what."""

from __future__ import annotations

import json

import pytest

from tallyfy_provider.client.settings import ClientSettings, build_client


@pytest.fixture
def client(emulator):
    """A client of the emulator that makes three attempts and does not wait between them."""
    settings = ClientSettings(
        organization_id=emulator.organization_id,
        secret=emulator.token,
        base_url=emulator.base_url,
        max_attempts=3,
        where="connection 'x'",
    )
    return build_client(settings, sleep=lambda seconds: None, jitter=lambda low, high: low)


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
