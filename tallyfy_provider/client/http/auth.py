"""
Obtain bearer tokens. Facts: docs/tallyfy-api.md, "Base, headers, auth".

Each source gives a token and is told when Tallyfy refused one; whether it can get another one is its own matter.
All sources may be shared between threads: a token is fetched once, whoever asks.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from tallyfy_provider.client.http.errors import payload_of
from tallyfy_provider.client.http.responses import Response
from tallyfy_provider.client.http.transport import Request, Transport
from tallyfy_provider.client.http.urls import build_path
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyError,
    TallyfyNotFoundError,
    TallyfyPermissionError,
    TallyfyResponseError,
    TallyfyValidationError,
)

#: A token is renewed so many seconds before it expires, or at nine tenths of a shorter lifetime.
_RENEW_BEFORE_EXPIRY = 60.0
#: Lifetime of Tallyfy's client credentials in seconds, where a response does not say: 7 days.
_DEFAULT_LIFETIME = 604_800.0

#: No server takes longer headers.
_MAX_TOKEN_LENGTH = 16_384

Clock = Callable[[], float]


class TokenSource(ABC):
    """Source of bearer tokens."""

    #: Whether the token acts as a person; an application's own token cannot ask ``/me``.
    acts_as_person: bool = True

    @property
    def lifetime(self) -> float | None:
        """Seconds for which Tallyfy issued the current token (``expires_in``); None where it did not say."""
        return None

    @abstractmethod
    def token(self) -> str:
        """Return a token that should be valid now."""

    @abstractmethod
    def renew(self, refused: str) -> bool:
        """Drop a token that Tallyfy refused (401); return whether another one can be had."""

    def authorize(self, transport: Transport, request: Request) -> Response:
        """Send a request with a token, and once more with a new one where the first is refused."""
        token = self.token()
        try:
            return transport.send(request, token)
        except TallyfyAuthError:
            if not self.renew(token):
                raise
        return transport.send(request, self.token())


class FixedToken(TokenSource):
    """A personal access token. It ends after about six months, or when its user logs out; no other one can be had."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """Return the token."""
        return self._token

    def renew(self, refused: str) -> bool:
        """Return False: a person has to make another token."""
        return False


@dataclass(frozen=True)
class Grant:
    """A token as a token endpoint issued it, valid until some reading of the clock."""

    access_token: str = field(repr=False)
    valid_until: float
    refresh_token: str | None = field(default=None, repr=False)
    lifetime: float | None = None


class ExchangedToken(TokenSource):
    """A token that is issued in exchange for other credentials, and again before it expires."""

    def __init__(self, transport: Transport, clock: Clock = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        self._grant: Grant | None = None

    @property
    def lifetime(self) -> float | None:
        """Seconds for which Tallyfy issued the current token."""
        return self._grant.lifetime if self._grant else None

    def token(self) -> str:
        """Return the current token, or fetch one."""
        with self._lock:
            if self._grant is None or self._clock() >= self._grant.valid_until:
                self._grant = self._fetch(self._grant)
                self._transport.secrets.add(self._grant.access_token)
                self._transport.secrets.add(self._grant.refresh_token)
            return self._grant.access_token

    def renew(self, refused: str) -> bool:
        """Drop the refused token, unless another thread already has."""
        with self._lock:
            if self._grant is not None and self._grant.access_token == refused:
                self._grant = replace(self._grant, access_token="", valid_until=0.0)
        return True

    @abstractmethod
    def _fetch(self, previous: Grant | None) -> Grant:
        """Fetch a token; ``previous`` may hold a refresh token."""

    def _grant_from(self, response: Response, request: Request) -> Grant:
        payload = payload_of(response, request.title)
        grant = payload.get("data", payload) if isinstance(payload, Mapping) else None
        access_token = grant.get("access_token") or grant.get("token") if isinstance(grant, Mapping) else None
        if not isinstance(grant, Mapping) or not _is_token(access_token):
            raise TallyfyResponseError("Tallyfy's response holds no access_token.", request=request.title)
        issued_for = _lifetime(grant.get("expires_in"))
        lifetime = _DEFAULT_LIFETIME if issued_for is None else issued_for
        refresh_token = grant.get("refresh_token")
        return Grant(
            access_token=access_token,
            valid_until=self._clock() + lifetime - min(_RENEW_BEFORE_EXPIRY, lifetime / 10),
            refresh_token=refresh_token if _is_token(refresh_token) else None,
            lifetime=issued_for,
        )


class ClientCredentials(ExchangedToken):
    """
    An application's own token (``grant_type=client_credentials``): 7 days, no refresh token, simply fetched again.

    :param token_url: The token endpoint; Tallyfy's pages name three addresses.
    :param client_id: The application's numeric id, from Tallyfy's support.
    """

    acts_as_person = False

    def __init__(
        self,
        transport: Transport,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(transport, clock)
        self._token_url = token_url
        self._client = {"client_id": client_id, "client_secret": client_secret}

    def _fetch(self, previous: Grant | None) -> Grant:
        return self._exchange(grant_type="client_credentials", scope="*")

    def _exchange(self, **credentials: str) -> Grant:
        # Form-encoded: Tallyfy answers 400 to JSON here. A second token does no harm, so the request is idempotent.
        request = Request("POST", self._token_url, form={**credentials, **self._client}, idempotent=True)
        try:
            response = self._transport.send(request)
        except (
            TallyfyAuthError,
            TallyfyValidationError,
            TallyfyNotFoundError,
            TallyfyPermissionError,
        ) as error:
            raise _refused_credentials(error, self._transport.where) from None
        return self._grant_from(response, request)


class PasswordGrant(ClientCredentials):
    """A person's token for a user name (an email address) and a password, renewed by its refresh token."""

    acts_as_person = True

    def __init__(self, transport: Transport, *, username: str, user_password: str, **options: Any) -> None:
        super().__init__(transport, **options)
        self._person = {"username": username, "password": user_password}

    def _fetch(self, previous: Grant | None) -> Grant:
        if previous and previous.refresh_token:
            try:
                return self._refresh(previous.refresh_token)
            except TallyfyAuthError:
                pass  # A refresh token works once, and the response to it may have been lost: use the password.
        return self._exchange(grant_type="password", scope="*", **self._person)

    def _refresh(self, refresh_token: str) -> Grant:
        grant = self._exchange(grant_type="refresh_token", refresh_token=refresh_token)
        return grant if grant.refresh_token else replace(grant, refresh_token=refresh_token)


class ActingAsUser(ExchangedToken):
    """
    A person's token obtained by an application (``POST /applications/{org}/users/{email}/token``): 3 months.

    The person must be a member of the organization.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        application: TokenSource,
        base_url: str,
        organization_id: str,
        email: str,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(transport, clock)
        self._application = application
        self._url = base_url + build_path(("applications", organization_id, "users", email, "token"))
        self._email = email

    def _fetch(self, previous: Grant | None) -> Grant:
        request = Request("POST", self._url, idempotent=True)
        try:
            response = self._application.authorize(self._transport, request)
        except (TallyfyNotFoundError, TallyfyPermissionError, TallyfyValidationError) as error:
            raise _refused_user(error, self._email, self._transport.where) from None
        return self._grant_from(response, request)


def _refused_credentials(error: TallyfyError, where: str) -> TallyfyAuthError:
    return _auth_error(
        error,
        f"No token for {where}",
        "Check client_id (a number) and the client secret in the password, username and user_password where they are "
        "used, and token_url: Tallyfy's pages name https://go.tallyfy.com/oauth/token, "
        "https://account.tallyfy.com/oauth/token and https://go.tallyfy.com/api/oauth/token.",
    )


def _refused_user(error: TallyfyError, email: str, where: str) -> TallyfyAuthError:
    return _auth_error(
        error,
        f"{where[0].upper()}{where[1:]} cannot act as {email!r}",
        "The user must be a member of the organization named in the login, and the application must be allowed to act "
        "for it.",
    )


def _auth_error(error: TallyfyError, problem: str, advice: str) -> TallyfyAuthError:
    return TallyfyAuthError(
        f"{problem}: {error.message.split('. ')[0]}. {advice}",
        status=error.status,
        request=error.request,
        request_id=error.request_id,
        code=error.code,
    )


def _is_token(value: Any) -> TypeGuard[str]:
    """Whether a value can be sent in a header."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_TOKEN_LENGTH and value.isascii() and value.isprintable()


def _lifetime(expires_in: Any) -> float | None:
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < float("inf") else None
