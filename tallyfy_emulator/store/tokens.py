"""Access tokens and refresh tokens."""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass
from typing import Literal

from tallyfy_emulator.store.clock import Clock

APPLICATION_LIFETIME = 604_800.0
USER_LIFETIME = 7_776_000.0
PASSWORD_LIFETIME = 3_600.0
PERSONAL_LIFETIME = 15_778_800.0

Holder = Literal["person", "application"]


@dataclass(frozen=True)
class Token:
    """An access token: ``person_id`` is None for one that belongs to the application, not to a person."""

    value: str
    person_id: int | None
    expires_at: float

    @property
    def holder(self) -> Holder:
        """Whether it belongs to a person or to the application."""
        return "application" if self.person_id is None else "person"


@dataclass(frozen=True)
class _Refresh:
    person_id: int
    access_token: str


class TokenStore:
    """All tokens. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}
        self._refresh: dict[str, _Refresh] = {}
        self.lifetime: float | None = None

    def keep(self, value: str, person_id: int | None, lifetime: float) -> Token:
        """Make a given text a valid token."""
        token = Token(value, person_id, self._clock.now() + lifetime)
        with self._lock:
            self._tokens[value] = token
        return token

    def issue(self, person_id: int | None, lifetime: float) -> tuple[Token, float]:
        """Issue an access token."""
        seconds = lifetime if self.lifetime is None else self.lifetime
        return self.keep(f"tfy-{secrets.token_hex(24)}", person_id, seconds), seconds

    def issue_refresh(self, person_id: int, access_token: str) -> str:
        """Issue a refresh token, which can be used once."""
        value = f"tfyr-{secrets.token_hex(24)}"
        with self._lock:
            self._refresh[value] = _Refresh(person_id, access_token)
        return value

    def use_refresh(self, value: str) -> int | None:
        """Use a refresh token, and revoke the access token that came with it."""
        with self._lock:
            found = self._refresh.pop(value, None)
            if found is None:
                return None
            self._tokens.pop(found.access_token, None)
            return found.person_id

    def find(self, value: str) -> Token | None:
        """Look up a token."""
        with self._lock:
            token = self._tokens.get(value)
        return token if token is not None and token.expires_at > self._clock.now() else None

    def revoke(self, value: str) -> bool:
        """Revoke an access token or a refresh token."""
        with self._lock:
            known = value in self._tokens or value in self._refresh
            self._tokens.pop(value, None)
            self._refresh.pop(value, None)
            return known


def same(left: str, right: str) -> bool:
    """Compare two secrets."""
    return hmac.compare_digest(left.encode(), right.encode())


def bearer_token(authorization: str) -> str:
    """Parse the token that a request carries."""
    scheme, _, value = authorization.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""
