"""The settings of a client, their defaults, and the client that is built from them."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.filtering import MAX_PAGE_SIZE
from tallyfy_provider.client.http.auth import ActingAsUser, ClientCredentials, FixedToken, PasswordGrant, TokenSource
from tallyfy_provider.client.http.budget import VERSION as BUDGETS_VERSION
from tallyfy_provider.client.http.budget_store import FileStore, MemoryStore, RedisStore, SharedStore
from tallyfy_provider.client.http.responses import DEFAULT_MAX_PAUSE
from tallyfy_provider.client.http.retry import RetryPolicy
from tallyfy_provider.client.http.session import TallyfySession
from tallyfy_provider.client.http.transport import Transport
from tallyfy_provider.client.http.urls import DEFAULT_BASE_URL
from tallyfy_provider.client.redaction import Secrets


@dataclass(frozen=True)
class ClientSettings:
    """
    Settings of a client. Their defaults are those of the Airflow connection, too.

    :param organization_id: The organization.
    :param secret: The access token; or the client secret, when ``client_id`` is set.
    :param base_url: Tallyfy's address, without a slash at its end.
    :param client_id: An application's numeric id.
    :param token_url: The token endpoint; ``{base_url}/oauth/token`` where empty.
    :param username: A person's user name, for the password grant.
    :param user_password: That person's password.
    :param act_as_user: Email of the user to act as with an application's token.
    :param timeout: Seconds without a byte from Tallyfy after which an attempt ends.
    :param max_attempts: Attempts for a request, the first one included.
    :param max_pause: The longest pause in seconds that a response of Tallyfy's can ask for.
    :param concurrency: Upper bound of the requests under way at the same time.
    :param page_size: Rows on a page of a list, at most 100.
    :param max_rate_limit_wait: Seconds that a request may wait where Tallyfy refuses requests for their rate (429);
        lists and exports wait as long as their task may. With 0 nothing waits.
    :param budget_url: Address of a Redis through which all machines share the limits that were learnt.
    :param where: Where the settings came from, for messages.
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
    max_pause: float = DEFAULT_MAX_PAUSE
    concurrency: int = 4
    page_size: int = MAX_PAGE_SIZE
    max_rate_limit_wait: float = 300.0
    budget_url: str | None = field(default=None, repr=False)
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
    Build a client. No request is sent yet.

    :param settings: The settings.
    :param on_secret: Called with each secret, including those that Tallyfy issues later, so that it can be masked.
    :param sleep: Waits so many seconds; by default a wait that ends when the client is closed. With another one, limits
        that were learnt are not shared with other processes, whose clock is not this one.
    :param jitter: Draws a number between two bounds.
    :param clock: A monotonic clock, in seconds.
    :return: The client.
    """
    secrets = Secrets(on_secret)
    for secret in (
        settings.secret,
        settings.user_password,
        settings.budget_url and urlsplit(settings.budget_url).password,
    ):
        secrets.add(secret)
    transport = Transport(
        timeout=settings.timeout,
        retry=RetryPolicy(max_attempts=settings.max_attempts),
        max_pause=settings.max_pause,
        concurrency=settings.concurrency,
        secrets=secrets,
        where=settings.where,
        max_rate_limit_wait=settings.max_rate_limit_wait,
        store=MemoryStore(clock) if sleep else _shared_store(settings),
        sleep=sleep,
        jitter=jitter,
    )
    tokens = _token_source(settings, transport, clock)
    session = TallyfySession(base_url=settings.base_url, transport=transport, tokens=tokens)
    return TallyfyClient(
        session, settings.organization_id, page_size=settings.page_size, concurrency=settings.concurrency
    )


def _shared_store(settings: ClientSettings) -> SharedStore:
    """Return where all clients of the account share what they learn; its name tells nothing about them."""
    account = (settings.organization_id, settings.client_id, settings.username, settings.act_as_user)
    # With the version: during an upgrade two of them run, and neither is to wipe what the other learns.
    name = hashlib.sha256(repr((BUDGETS_VERSION, settings.base_url, *account)).encode()).hexdigest()[:32]
    return SharedStore(RedisStore(name, settings.budget_url) if settings.budget_url else FileStore(name))


def _token_source(settings: ClientSettings, transport: Transport, clock: Callable[[], float]) -> TokenSource:
    source = _own_token_source(settings, transport, clock)
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


def _own_token_source(settings: ClientSettings, transport: Transport, clock: Callable[[], float]) -> TokenSource:
    if not settings.client_id:
        return FixedToken(settings.secret)
    token_url = settings.token_url or f"{settings.base_url}/oauth/token"
    application = {"token_url": token_url, "client_id": settings.client_id, "client_secret": settings.secret}
    if not settings.username:
        return ClientCredentials(transport, clock=clock, **application)
    return PasswordGrant(
        transport,
        username=settings.username,
        user_password=settings.user_password or "",
        clock=clock,
        **application,
    )
