"""Who gets a token, for how long, and what it opens."""

from __future__ import annotations

import pytest
import requests

from tallyfy_emulator import Emulator, ManualClock


def ask_token(emulator: Emulator, base: str = "", **form: Any) -> requests.Response:
    return requests.post(f"{emulator.base_url}{base}/oauth/token", data=form, timeout=5)


@pytest.fixture
def password_form(emulator, application_form) -> dict[str, str]:
    return application_form | {
        "grant_type": "password",
        "username": emulator.username,
        "password": emulator.user_password,
    }


@pytest.fixture
def exchange(emulator, caller_with, application_token) -> Callable[..., requests.Response]:
    """Asks for a token of a user, as the application."""

    def ask(email: str, organization: str | None = None) -> requests.Response:
        path = f"/applications/{organization or emulator.organization_id}/users/{email}/token"
        answer: requests.Response = caller_with(emulator, application_token()).ask("POST", path)
        return answer

    return ask


@pytest.mark.parametrize("base", ["", "/api"])
def test_client_credentials_give_a_week_and_no_refresh_token(emulator, caller_with, base, application_form):
    answer = ask_token(emulator, base, **application_form)

    granted = answer.json()
    assert answer.status_code == 200
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 604800
    assert "refresh_token" not in granted
    caller = caller_with(emulator, granted["access_token"])
    assert caller.get(caller.runs_path).status_code == 200


def test_an_application_is_not_a_user(emulator, caller_with, application_token):
    caller = caller_with(emulator, application_token())

    assert caller.get("/me").status_code == 401
    assert caller.get("/me/organizations").status_code == 401
    assert caller.get(caller.organization).status_code == 200


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
def test_a_wrong_request_for_a_token_is_refused(emulator, password_form, wrong, status, error):
    answer = ask_token(emulator, **{**password_form, "grant_type": "client_credentials", **wrong})

    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert (answer.json() == {"error": error}) is (status == 401)


def test_a_password_gives_a_user_token(emulator, caller_with, password_form):
    granted = ask_token(emulator, **password_form).json()

    me = caller_with(emulator, granted["access_token"]).get("/me").json()["data"]
    assert me["email"] == emulator.username
    assert isinstance(me["id"], int)
    assert granted["refresh_token"]


def test_refreshing_gives_new_tokens_and_ends_the_old_ones(emulator, caller_with, application_form, password_form):
    first = ask_token(emulator, **password_form).json()
    refresh = application_form | {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}

    second = ask_token(emulator, **refresh).json()

    assert second["refresh_token"] != first["refresh_token"]
    assert caller_with(emulator, second["access_token"]).get("/me").status_code == 200
    assert caller_with(emulator, first["access_token"]).get("/me").status_code == 401
    assert ask_token(emulator, **refresh).status_code == 401


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


def test_a_token_expires_by_the_clock(emulator: Emulator, clock: ManualClock, caller_with, application_form):
    emulator.token_lifetime = 3
    granted = ask_token(emulator, **application_form).json()
    caller = caller_with(emulator, granted["access_token"])
    assert granted["expires_in"] == 3
    assert caller.get(caller.runs_path).status_code == 200

    clock.advance(3)

    assert caller.get(caller.runs_path).status_code == 401


def test_a_personal_token_lasts_half_a_year(clock, caller):
    clock.advance(180 * 86400)
    assert caller.get("/me").status_code == 200

    clock.advance(4 * 86400)
    assert caller.get("/me").status_code == 401


def test_a_revoked_token_is_refused(emulator, caller):
    emulator.revoke(emulator.token)

    answer = caller.get("/me")
    assert answer.status_code == 401
    assert answer.json() == {"error": True, "message": "unauthenticated"}


def test_revoking_an_unknown_token_says_so(emulator):
    with pytest.raises(ValueError, match="no such token"):
        emulator.revoke("unknown")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "{token}"])
def test_without_a_valid_token_nothing_is_told(emulator, caller, authorization):
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
