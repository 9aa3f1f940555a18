"""Requests beyond the limit are refused until the window is over."""

from __future__ import annotations

import pytest

from tallyfy_emulator import Emulator, RateLimit


def test_requests_beyond_the_limit_are_refused_until_the_next_window(emulator, clock, caller):
    emulator.rate_limit = "2/60"
    remaining = [caller.get("/me").headers["X-RateLimit-Remaining"] for _ in range(2)]
    assert remaining == ["1", "0"]
    clock.advance(15)

    refused = caller.get("/me")
    assert refused.status_code == 429
    assert refused.json()["code"] == "RATE_LIMIT_EXCEEDED"
    assert refused.json()["message"]
    assert refused.headers["Retry-After"] == "45"
    assert refused.headers["X-RateLimit-Remaining"] == "0"

    clock.advance(45)
    assert caller.get("/me").status_code == 200


def test_token_requests_and_unknown_paths_count_until_the_limit_is_removed(emulator, caller):
    emulator.rate_limit = RateLimit(2, 60)
    caller.get("/nothing")
    caller.ask("POST", "/oauth/token")
    assert caller.get("/me").status_code == 429

    emulator.rate_limit = None

    answer = caller.get("/me")
    assert answer.status_code == 200
    assert "X-RateLimit-Remaining" not in answer.headers


def test_a_limit_from_the_start():
    assert Emulator(seed=False, rate_limit="100/10").rate_limit == RateLimit(100, 10.0)


@pytest.mark.parametrize("text", ["100", "0/60", "10/0", "ten/60", "1.5/60", "10/", "10/inf"])
def test_an_invalid_limit_is_refused(text):
    with pytest.raises(ValueError, match=f"'{text}' is no rate limit"):
        RateLimit.parse(text)


@pytest.mark.parametrize(("kind", "accepted"), [("fixed", 4), ("sliding", 4), ("token", 4), ("leaky", 1)])
def test_limits_of_each_kind_allow_their_burst(emulator, caller, clock, kind, accepted):
    emulator.rate_limit = f"4/60:{kind}"
    assert [caller.get("/me").status_code for _ in range(6)] == [200] * accepted + [429] * (6 - accepted)
    clock.advance(60)
    assert caller.get("/me").status_code == 200


@pytest.mark.parametrize(
    ("hints", "names"),
    [
        ("seconds", {"retry-after", "x-ratelimit-remaining"}),
        ("date", {"retry-after"}),
        ("headers", {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}),
        ("none", set()),
    ],
)
def test_a_refusal_says_what_it_is_told_to(emulator, caller, hints, names):
    emulator.rate_limit = f"1/60:fixed:{hints}"
    caller.get("/me")
    headers = {name.lower() for name in caller.get("/me").headers}
    assert {name for name in headers if "retry" in name or "ratelimit" in name} == names
