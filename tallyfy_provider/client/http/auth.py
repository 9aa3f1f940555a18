"""
Where a bearer token comes from. Facts: docs/tallyfy-api.md, "Base, headers, auth".

Each source gives a token, and is told when Tallyfy refused one; whether a fresh one can be had is its own matter.
All are safe to be shared between threads: a token is fetched once, whoever asks.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tallyfy_provider.client.http.errors import payload_of
from tallyfy_provider.client.http.transport import Request, Transport
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyResponseError,
    TallyfyValidationError,
)

#: A token is renewed this long before its end, in seconds, or at nine tenths of a shorter life.
_EARLY = 60.0
#: What Tallyfy's client credentials live for, where an answer does not say: 7 days.
_USUAL_LIFETIME = 604_800.0


class TokenSource(ABC):
    """Gives bearer tokens."""

    #: Whether the token acts as a person; an application's own token cannot ask ``/me``.
    acts_as_person: bool = True

    @abstractmethod
    def token(self) -> str:
        """
        Give a token that should be good now.

        :return: The token.
        :raises TallyfyError: None could be had.
        """

    @abstractmethod
    def renew(self, refused: str) -> bool:
        """
        Hear that Tallyfy refused a token (401).

        :param refused: The token.
        :return: Whether asking for a token again gives another one.
        """


class FixedToken(TokenSource):
    """
    A personal access token. It ends after about six months, or when its user logs out; there is no other one to get.

    :param token: The token.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """Give the token."""
        return self._token

    def renew(self, refused: str) -> bool:
        """Say no: a person has to make another one."""
        return False


@dataclass(frozen=True)
class Grant:
    """
    What a token endpoint gave.

    :param access_token: The bearer token.
    :param good_until: Clock reading, in seconds, after which it is not used any more.
    :param refresh_token: What can be exchanged for the next one, if anything.
    """

    access_token: str = field(repr=False)
    good_until: float
    refresh_token: str | None = field(default=None, repr=False)


class ExchangedToken(TokenSource):
    """
    A token that is got for something else, and got again before it ends.

    :param transport: Sends the request for it.
    :param clock: A clock that only goes forward, in seconds.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        self._grant: Grant | None = None

    def token(self) -> str:
        """Give the current token, or get one."""
        with self._lock:
            if self._grant is None or self._clock() >= self._grant.good_until:
                self._grant = self._fetch(self._grant)
                self._transport.secrets.add(self._grant.access_token)
                self._transport.secrets.add(self._grant.refresh_token)
            return self._grant.access_token

    def renew(self, refused: str) -> bool:
        """Drop the refused token, unless another thread already has."""
        with self._lock:
            if self._grant is not None and self._grant.access_token == refused:
                self._grant = Grant(access_token="", good_until=0.0, refresh_token=self._grant.refresh_token)
        return True

    @abstractmethod
    def _fetch(self, previous: Grant | None) -> Grant:
        """Get a token; ``previous`` may hold a refresh token."""

    def _read(self, payload: Any, request: Request) -> Grant:
        grant = payload.get("data", payload) if isinstance(payload, Mapping) else None
        access_token = grant.get("access_token") or grant.get("token") if isinstance(grant, Mapping) else None
        if not isinstance(grant, Mapping) or not isinstance(access_token, str) or not access_token:
            raise TallyfyResponseError(f"{request.title}: the answer holds no access_token.")
        lifetime = _seconds(grant.get("expires_in"))
        refresh_token = grant.get("refresh_token")
        return Grant(
            access_token=access_token,
            good_until=self._clock() + lifetime - min(_EARLY, lifetime / 10),
            refresh_token=refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        )


class ClientCredentials(ExchangedToken):
    """
    An application's own token (``grant_type=client_credentials``): 7 days, no refresh token, simply asked for again.

    :param transport: Sends the request for it.
    :param token_url: Where tokens are given; Tallyfy's pages name three addresses.
    :param client_id: The application's numeric id, from Tallyfy's support.
    :param client_secret: Its secret.
    :param clock: A clock that only goes forward, in seconds.
    """

    acts_as_person = False

    def __init__(
        self,
        transport: Transport,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(transport, clock)
        self._token_url = token_url
        self._client = {"client_id": client_id, "client_secret": client_secret}

    def _fetch(self, previous: Grant | None) -> Grant:
        return self._ask({"grant_type": "client_credentials", **self._client, "scope": "*"})

    def _ask(self, form: Mapping[str, str]) -> Grant:
        # Form-encoded: Tallyfy answers 400 to JSON here. A second token does no harm, so it may be asked for twice.
        request = Request("POST", self._token_url, form=form, replayable=True)
        try:
            answer = self._transport.send(request)
        except (
            TallyfyAuthError,
            TallyfyValidationError,
            TallyfyNotFoundError,
            TallyfyPermissionError,
        ) as error:
            raise _refused(error, self._transport.where) from None
        return self._read(payload_of(answer, request.title), request)


class PasswordGrant(ClientCredentials):
    """
    A person's token for a user name and password, kept alive by its refresh token.

    :param transport: Sends the request for it.
    :param token_url: Where tokens are given.
    :param client_id: The application's numeric id.
    :param client_secret: Its secret.
    :param username: The person's user name in Tallyfy, an email address.
    :param user_password: The person's password.
    :param clock: A clock that only goes forward, in seconds.
    """

    acts_as_person = True

    def __init__(
        self,
        transport: Transport,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        username: str,
        user_password: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(transport, token_url=token_url, client_id=client_id, client_secret=client_secret, clock=clock)
        self._person = {"username": username, "password": user_password}

    def _fetch(self, previous: Grant | None) -> Grant:
        if previous and previous.refresh_token:
            try:
                return self._refresh(previous.refresh_token)
            except TallyfyAuthError:
                pass  # A refresh token is good once, and its answer may have been lost: begin anew.
        return self._ask({"grant_type": "password", **self._client, **self._person, "scope": "*"})

    def _refresh(self, refresh_token: str) -> Grant:
        grant = self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token, **self._client})
        if grant.refresh_token:
            return grant
        return Grant(grant.access_token, grant.good_until, refresh_token)


class ActingAsUser(ExchangedToken):
    """
    A person's token got with an application's (``POST /applications/{org}/users/{email}/token``): 3 months.

    :param transport: Sends the request for it.
    :param application: Where the application's token comes from.
    :param base_url: Tallyfy's address.
    :param organization_id: The organization.
    :param email: Whom to act as; the person must be a member of the organization.
    :param clock: A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        application: TokenSource,
        base_url: str,
        organization_id: str,
        email: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(transport, clock)
        self._application = application
        self._url = f"{base_url}/applications/{quote(organization_id, safe='')}/users/{quote(email, safe='')}/token"
        self._email = email

    def _fetch(self, previous: Grant | None) -> Grant:
        request = Request("POST", self._url, replayable=True)
        token = self._application.token()
        try:
            answer = self._transport.send(request, token)
        except TallyfyAuthError:
            if not self._application.renew(token):
                raise
            answer = self._transport.send(request, self._application.token())
        except (TallyfyNotFoundError, TallyfyPermissionError, TallyfyValidationError) as error:
            raise _not_that_user(error, self._email, self._transport.where) from None
        return self._read(payload_of(answer, request.title), request)


def _refused(error: TallyfyError, where: str) -> TallyfyAuthError:
    return TallyfyAuthError(
        f"No token for {where}: {error.message.split('. ')[0]}. Check client_id (a number) and the client secret in "
        "the password, username and user_password where they are used, and token_url: Tallyfy's pages name "
        "https://go.tallyfy.com/oauth/token, https://account.tallyfy.com/oauth/token and "
        "https://go.tallyfy.com/api/oauth/token.",
        status=error.status,
        request_id=error.request_id,
        code=error.code,
    )


def _not_that_user(error: TallyfyError, email: str, where: str) -> TallyfyAuthError:
    return TallyfyAuthError(
        f"{where} cannot act as {email!r}: {error.message.split('. ')[0]}. The user must be a member of the "
        "organization named in the login, and the application must be allowed to act for it.",
        status=error.status,
        request_id=error.request_id,
        code=error.code,
    )


def _seconds(expires_in: Any) -> float:
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError):
        return _USUAL_LIFETIME
    return seconds if 0 < seconds < float("inf") else _USUAL_LIFETIME
