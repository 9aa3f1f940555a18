"""Where tokens come from, and when another one is fetched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tallyfy_emulator import Emulator, Fault, ManualClock
from tallyfy_provider.exceptions import TallyfyAuthError, TallyfyConnectionError


class Clock:
    """A monotonic clock that a test moves together with the emulator's."""

    def __init__(self) -> None:
        self.emulator = ManualClock()
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.emulator.advance(seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def emulator(clock):
    with Emulator(seed=False, clock=clock.emulator) as emulator:
        yield emulator


@pytest.fixture
def app_of(emulator, client_of, clock):
    """Build a client with the credentials of an application."""
    application = {"client_id": emulator.client_id, "secret": emulator.client_secret}
    return lambda **changes: client_of(clock=clock, **{**application, **changes})


@pytest.fixture
def app(app_of):
    return app_of()


@pytest.fixture
def person(emulator, app_of):
    emulator.token_lifetime = 3600
    return app_of(username=emulator.username, user_password=emulator.user_password)


@pytest.fixture
def acting_as_user(emulator, app_of):
    return app_of(act_as_user=emulator.username)


def paths(emulator):
    return [request.path.replace(emulator.organization_id, "ORG") for request in emulator.requests]


def grants(emulator):
    return [
        request.body.decode().split("&")[0].removeprefix("grant_type=")
        for request in emulator.requests
        if request.path == "/oauth/token"
    ]


def test_client_credentials_are_sent_form_encoded_and_only_once(emulator, app):
    assert list(app.runs.list()) == []
    assert list(app.runs.list()) == []
    assert paths(emulator) == ["/oauth/token", "/organizations/ORG/runs", "/organizations/ORG/runs"]
    assert emulator.requests[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in emulator.requests[0].headers


def test_a_token_is_renewed_before_it_ends(emulator, clock, app):
    list(app.runs.list())
    clock.advance(604_800 - 61)
    list(app.runs.list())
    assert grants(emulator) == ["client_credentials"]
    clock.advance(2)
    list(app.runs.list())
    assert grants(emulator) == ["client_credentials", "client_credentials"]
    assert all(request.status == 200 for request in emulator.requests)


def test_a_token_that_is_refused_is_renewed_once(emulator, app):
    list(app.runs.list())
    emulator.order(Fault(kind="expired_token", path="/runs", times=1))
    assert list(app.runs.list()) == []
    assert [request.status for request in emulator.requests][-3:] == [401, 200, 200]


def test_a_401_that_stays_is_an_error_after_one_renewal(emulator, app):
    emulator.order(Fault(kind="status", status=401, path="/runs"))
    with pytest.raises(TallyfyAuthError):
        list(app.runs.list())
    assert paths(emulator).count("/oauth/token") == 2
    assert paths(emulator).count("/organizations/ORG/runs") == 2


def test_many_threads_share_one_token_and_one_renewal(emulator, app):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: list(app.runs.list()), range(16)))
    assert grants(emulator) == ["client_credentials"]


def test_the_password_grant_is_kept_alive_by_its_refresh_token(emulator, clock, person):
    for _ in range(3):
        assert person.organization.get_me()["email"] == emulator.username
        clock.advance(3600)
    assert grants(emulator) == ["password", "refresh_token", "refresh_token"]


def test_a_refresh_token_that_is_used_up_falls_back_to_the_password(emulator, clock, person):
    person.organization.get_me()
    clock.advance(3600)
    emulator.order(Fault(kind="reset", when="after", path="/oauth/token", times=1))
    assert person.organization.get_me()["email"] == emulator.username
    assert grants(emulator) == ["password", "refresh_token", "refresh_token", "password"]


def test_acting_as_a_user_exchanges_the_applications_token(emulator, acting_as_user):
    assert acting_as_user.organization.get_me()["email"] == emulator.username
    assert paths(emulator) == [
        "/oauth/token",
        f"/applications/ORG/users/{emulator.username}/token",
        "/me",
    ]


def test_acting_as_a_user_gets_over_an_application_token_that_ended(emulator, acting_as_user):
    emulator.order(Fault(kind="expired_token", path="/applications/", times=1))
    assert acting_as_user.organization.get_me()["email"] == emulator.username


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret": "not-the-secret"}, "No token for connection 'x'"),
        ({"client_id": "abc"}, "client_id (a number)"),
        ({"username": "jo@example.com", "user_password": "wrong-word"}, "username and user_password"),
        ({"act_as_user": "nobody@example.com"}, "cannot act as 'nobody@example.com'"),
    ],
)
def test_credentials_that_are_not_accepted_say_what_to_check(emulator, app_of, changes, words):
    with pytest.raises(TallyfyAuthError) as raised:
        app_of(**changes).organization.get()
    assert words in str(raised.value)
    for secret in ("not-the-secret", "wrong-word", emulator.client_secret):
        assert secret not in str(raised.value)


def test_a_token_endpoint_out_of_reach_is_a_connection_error_not_a_refusal(emulator, app):
    emulator.order(Fault(kind="reset", path="/oauth/token"))
    with pytest.raises(TallyfyConnectionError):
        app.organization.get()


def test_a_personal_token_that_ended_cannot_be_renewed(emulator, app_of):
    person = app_of(client_id=None, secret=emulator.token)
    emulator.revoke(emulator.token)
    with pytest.raises(TallyfyAuthError, match="its user logs out of Tallyfy"):
        person.organization.get_me()
    assert paths(emulator) == ["/me"]
