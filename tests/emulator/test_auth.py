"""Tokens: the grants, their lifetimes, and what they allow."""

from __future__ import annotations

import pytest
import requests


@pytest.fixture
def ask_token(emulator):
    """Request a token with a form."""

    def ask(base="", **form):
        return requests.post(f"{emulator.base_url}{base}/oauth/token", data=form, timeout=5)

    return ask


@pytest.fixture
def password_form(emulator, application_form):
    user = {"username": emulator.username, "password": emulator.user_password}
    return application_form | {"grant_type": "password"} | user


@pytest.fixture
def exchange(emulator, caller_with, application_token):
    """Request a token of a user, as the application."""

    def ask(email, organization=emulator.organization_id):
        path = f"/applications/{organization}/users/{email}/token"
        return caller_with(emulator, application_token()).ask("POST", path)

    return ask


@pytest.fixture
def status(emulator, caller_with):
    """Return the status of a GET with a token."""
    return lambda token, path="/me": caller_with(emulator, token).get(path).status_code


@pytest.mark.parametrize("base", ["", "/api"])
def test_client_credentials_last_a_week_and_are_not_a_user(caller, ask_token, status, base, application_form):
    answer = ask_token(base, **application_form)

    granted = answer.json()
    token = granted["access_token"]
    assert answer.status_code == 200
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 604800
    assert "refresh_token" not in granted
    assert status(token, caller.runs_path) == status(token, caller.organization) == 200
    assert status(token, "/me") == status(token, "/me/organizations") == 401


def test_parameters_sent_as_json_are_refused(emulator, application_form):
    answer = requests.post(f"{emulator.base_url}/oauth/token", json=application_form, timeout=5)

    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"client_id": "my-app"}, 401, "invalid_client"),
        ({"client_id": "1"}, 401, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "nobody@example.com"}, 400, "invalid_grant"),
        ({"grant_type": "password", "password": "wrong"}, 400, "invalid_grant"),
    ],
)
def test_a_wrong_token_request_is_refused(ask_token, password_form, wrong, status, error):
    answer = ask_token(**{**password_form, "grant_type": "client_credentials", **wrong})

    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert (answer.json() == {"error": error}) is (status == 401)


def test_the_password_grant_returns_a_user_token(emulator, ask_token, caller_with, password_form):
    granted = ask_token(**password_form).json()

    me = caller_with(emulator, granted["access_token"]).get("/me").json()["data"]
    assert me["email"] == emulator.username
    assert isinstance(me["id"], int)
    assert granted["refresh_token"]


def test_a_refresh_replaces_both_tokens(ask_token, status, application_form, password_form):
    first = ask_token(**password_form).json()
    refresh = application_form | {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}

    second = ask_token(**refresh).json()

    assert second["refresh_token"] != first["refresh_token"]
    assert status(second["access_token"]) == 200
    assert status(first["access_token"]) == 401
    assert ask_token(**refresh).status_code == 401


def test_an_application_acts_as_a_user_for_three_months(emulator, caller_with, exchange):
    email = list(emulator.people)[2]

    granted = exchange(email.replace("@", "%40")).json()

    assert granted["expires_in"] == 7776000
    assert caller_with(emulator, granted["access_token"]).get("/me").json()["data"]["email"] == email


def test_acting_as_an_unknown_user_is_a_404_and_elsewhere_forbidden(emulator, exchange):
    answer = exchange("nobody@example.com")

    assert answer.status_code == 404
    assert answer.json()["code"] == "RESOURCE_NOT_FOUND"
    assert exchange(emulator.username, "0" * 32).status_code == 403


def test_a_user_may_not_act_as_another(emulator, caller):
    path = f"/applications/{emulator.organization_id}/users/{emulator.username}/token"

    assert caller.ask("POST", path).status_code == 403


def test_a_token_expires_by_the_clock(emulator, clock, caller, ask_token, status, application_form):
    emulator.token_lifetime = 3
    granted = ask_token(**application_form).json()
    assert granted["expires_in"] == 3
    assert status(granted["access_token"], caller.runs_path) == 200

    clock.advance(3)

    assert status(granted["access_token"], caller.runs_path) == 401


def test_a_personal_token_lasts_half_a_year(emulator, clock, status):
    clock.advance(180 * 86400)
    assert status(emulator.token) == 200

    clock.advance(4 * 86400)
    assert status(emulator.token) == 401


def test_a_token_can_be_revoked(emulator, caller):
    emulator.revoke(emulator.token)

    answer = caller.get("/me")
    assert answer.status_code == 401
    assert answer.json() == {"error": True, "message": "unauthenticated"}
    with pytest.raises(ValueError, match="no such token"):
        emulator.revoke("unknown")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "{token}"])
def test_a_missing_or_invalid_token_is_a_401(emulator, caller, authorization):
    if authorization is None:
        del caller.headers["Authorization"]
    else:
        caller.headers["Authorization"] = authorization.format(token=emulator.token)

    for path in ("/me", caller.organization, caller.runs_path):
        answer = caller.get(path)
        assert answer.status_code == 401
        assert answer.json() == {"error": True, "message": "unauthenticated"}


def test_the_organizations_of_a_user(emulator, caller):
    payload = caller.get("/me/organizations").json()

    assert [each["id"] for each in payload["data"]] == [emulator.organization_id]
    assert payload["meta"]["pagination"]["total"] == 1
