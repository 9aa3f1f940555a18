"""Issue tokens: client credentials, password, refresh token, and acting as a user."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from tallyfy_emulator.api import responses
from tallyfy_emulator.api.request import Endpoint, RequestContext, organization_of
from tallyfy_emulator.api.responses import json_response
from tallyfy_emulator.store.organization import Organization
from tallyfy_emulator.store.tokens import APPLICATION_LIFETIME, PASSWORD_LIFETIME, USER_LIFETIME, same

_NO_STORE = {"Cache-Control": "no-store"}


async def issue_token(request: Request) -> Response:
    """Answer ``POST /oauth/token``, which needs none of the API's headers; its errors are OAuth's, always JSON."""
    return await _TokenEndpoint(organization_of(request)).answer(request)


class _TokenEndpoint:
    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def answer(self, request: Request) -> Response:
        """Issue a token for one of the grants."""
        if "application/x-www-form-urlencoded" not in request.headers.get("content-type", "").lower():
            return _refuse(400, "invalid_request", "The parameters must be sent form-urlencoded.")
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        grant = form.get("grant_type", "")
        if grant not in ("client_credentials", "password", "refresh_token"):
            return _refuse(400, "unsupported_grant_type", f"The grant type {grant!r} is not supported.")
        if not self._is_our_client(form):
            return _refuse(401, "invalid_client")
        if grant == "client_credentials":
            return self._application_token()
        return self._with_password(form) if grant == "password" else self._with_refresh_token(form)

    def _is_our_client(self, form: Mapping[str, str]) -> bool:
        known = self._organization.credentials
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        return client_id.isdigit() and client_id == known.client_id and same(secret, known.client_secret)

    def _application_token(self) -> Response:
        token, seconds = self._organization.tokens.issue(None, APPLICATION_LIFETIME)
        return _grant(token.value, seconds)

    def _with_password(self, form: Mapping[str, str]) -> Response:
        known = self._organization.credentials
        person = self._organization.catalog.person(form.get("username", ""))
        is_known = person is not None and person.email == known.username
        if person is None or not is_known or not same(form.get("password", ""), known.user_password):
            return _refuse(400, "invalid_grant", "The user credentials were incorrect.")
        return self._person_token(person.id)

    def _with_refresh_token(self, form: Mapping[str, str]) -> Response:
        person_id = self._organization.tokens.use_refresh(form.get("refresh_token", ""))
        if person_id is None:
            return _refuse(401, "invalid_request", "The refresh token is invalid.")
        return self._person_token(person_id)

    def _person_token(self, person_id: int) -> Response:
        token, seconds = self._organization.tokens.issue(person_id, PASSWORD_LIFETIME)
        refresh_token = self._organization.tokens.issue_refresh(person_id, token.value)
        return _grant(token.value, seconds, refresh_token)


async def _act_as(context: RequestContext) -> Response:
    """Issue an application a token of a member."""
    if context.token.holder != "application":
        raise responses.forbidden("Only an application may act as a user.")
    person = context.organization.catalog.person(context.parameter("email"))
    if person is None:
        raise responses.resource_not_found("User")
    token, seconds = context.organization.tokens.issue(person.id, USER_LIFETIME)
    return _grant(token.value, seconds)


def _grant(access_token: str, seconds: float, refresh_token: str | None = None) -> Response:
    payload = {"token_type": "Bearer", "expires_in": int(seconds), "access_token": access_token}
    if refresh_token is not None:
        payload["refresh_token"] = refresh_token
    return json_response(payload, headers=_NO_STORE)


def _refuse(status: int, error: str, description: str = "") -> Response:
    payload = {"error": error}
    if description:
        payload |= {"error_description": description, "message": description}
    return json_response(payload, status, _NO_STORE)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/users/{email}/token",
        _act_as,
        base="/applications/{organization}",
        wrong_organization=responses.forbidden("This application may not act for that organization."),
    ),
)
