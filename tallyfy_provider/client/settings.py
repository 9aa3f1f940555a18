"""What a client needs to know, and how it is put together from that."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.http.auth import (
    ActingAsUser,
    ClientCredentials,
    FixedToken,
    PasswordGrant,
    TokenSource,
)
from tallyfy_provider.client.http.retry import RetryPolicy
from tallyfy_provider.client.http.session import TallyfySession
from tallyfy_provider.client.http.transport import Transport
from tallyfy_provider.client.http.urls import DEFAULT_BASE_URL
from tallyfy_provider.client.redaction import Secrets
from tallyfy_provider.client.runs.filters import LARGEST_PAGE


@dataclass(frozen=True)
class ClientSettings:
    """
    What a client needs to know.

    :param organization_id: The organization.
    :param secret: The access token; or the client secret, when ``client_id`` is set.
    :param base_url: Tallyfy's address, without a slash at its end.
    :param client_id: An application's numeric id.
    :param token_url: Where tokens are given; ``{base_url}/oauth/token`` where empty.
    :param username: A person's user name, for the password grant.
    :param user_password: That person's password.
    :param act_as_user: Email of the user to act as with an application's token.
    :param timeout: Seconds without a byte from Tallyfy after which an attempt is given up.
    :param max_attempts: Attempts for a request, the first one included.
    :param concurrency: Requests under way to Tallyfy at the same time at most.
    :param page_size: Rows to a page of a list.
    :param where: Where all this came from, for messages.
    """

    organization_id: str
    secret: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL
    client_id: str | None = None
    token_url: str | None = None
    username: str | None = None
    user_password: str | None = field(default=None, repr=False)
    act_as_user: str | None = None
    timeout: float = 60.0
    max_attempts: int = 5
    concurrency: int = 4
    page_size: int = LARGEST_PAGE
    where: str = "the client"


def build_client(
    settings: ClientSettings,
    *,
    on_secret: Callable[[str], None] | None = None,
    sleep: Callable[[float], object] | None = None,
    jitter: Callable[[float, float], float] = random.uniform,
    clock: Callable[[], float] = time.monotonic,
) -> TallyfyClient:
    """
    Put a client together. Nothing is asked of Tallyfy yet.

    :param settings: What it needs to know.
    :param on_secret: Told of each secret, those that Tallyfy gives later included, so that it can be masked in logs.
    :param sleep: Waits so many seconds; by default a wait that ends when the client is closed.
    :param jitter: Draws a number between two bounds.
    :param clock: A clock that only goes forward, in seconds.
    :return: The client.
    """
    secrets = Secrets(on_secret)
    for secret in (settings.secret, settings.user_password):
        secrets.add(secret)
    transport = Transport(
        timeout=settings.timeout,
        retry=RetryPolicy(max_attempts=settings.max_attempts),
        concurrency=settings.concurrency,
        secrets=secrets,
        where=settings.where,
        sleep=sleep,
        jitter=jitter,
    )
    tokens = _tokens(settings, transport, clock)
    session = TallyfySession(base_url=settings.base_url, transport=transport, tokens=tokens)
    return TallyfyClient(
        session, settings.organization_id, page_size=settings.page_size, concurrency=settings.concurrency
    )


def _tokens(settings: ClientSettings, transport: Transport, clock: Callable[[], float]) -> TokenSource:
    source = _own_tokens(settings, transport, clock)
    if not settings.act_as_user:
        return source
    return ActingAsUser(
        transport,
        application=source,
        base_url=settings.base_url,
        organization_id=settings.organization_id,
        email=settings.act_as_user,
        clock=clock,
    )


def _own_tokens(settings: ClientSettings, transport: Transport, clock: Callable[[], float]) -> TokenSource:
    if not settings.client_id:
        return FixedToken(settings.secret)
    token_url = settings.token_url or f"{settings.base_url}/oauth/token"
    if not settings.username:
        return ClientCredentials(
            transport,
            token_url=token_url,
            client_id=settings.client_id,
            client_secret=settings.secret,
            clock=clock,
        )
    return PasswordGrant(
        transport,
        token_url=token_url,
        client_id=settings.client_id,
        client_secret=settings.secret,
        username=settings.username,
        user_password=settings.user_password or "",
        clock=clock,
    )
