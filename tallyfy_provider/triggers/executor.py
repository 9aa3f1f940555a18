"""One thread with one client for each connection, so that HTTP does not block the triggerer's event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.http.budget import Priority
from tallyfy_provider.client.http.request_kind import request_priority
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyConfigurationError,
    TallyfyConnectionError,
    TallyfyError,
    error_from_dict,
)
from tallyfy_provider.hooks.tallyfy import TallyfyHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

log = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

#: Seconds after which the connection is looked up again: a wait takes days, and somebody may change it meanwhile.
_CONNECTION_LIFETIME = 600.0


class ConnectionExecutor:
    """
    Calls blocking functions with a connection's client, one after the other, in a thread.

    One thread keeps the number of simultaneous requests to Tallyfy at one, applies a pause that Tallyfy asks for to all
    who share the connection, and keeps a slow Tallyfy from using up the threads that other triggers share.

    :param tallyfy_conn_id: The Airflow connection.
    """

    def __init__(self, tallyfy_conn_id: str) -> None:
        self.users = 0
        self._hook = TallyfyHook(tallyfy_conn_id)
        self._loop = asyncio.get_running_loop()
        self._client: TallyfyClient | None = None
        self._fields: tuple[Any, ...] = ()
        self._looked_up_at = float("-inf")
        self._pause_until = float("-inf")
        self._pause: TallyfyError | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"tallyfy-{tallyfy_conn_id}")

    async def call(
        self,
        function: Callable[Concatenate[TallyfyClient, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """
        Call a function whose first argument is the client.

        During a pause that Tallyfy asked for, nothing is requested, whoever calls. When a token is refused, it is
        looked up in the connection once more before the error is raised.

        :return: What the function returns.
        :raises TallyfyError: What the function raises, the pause, or that there is no usable connection.
        """
        self._raise_during_pause()
        try:
            client = await self._connected()
            try:
                return await self._in_thread(lambda: function(client, *args, **kwargs))
            except TallyfyAuthError:
                client = await self._connected(again=True)
            return await self._in_thread(lambda: function(client, *args, **kwargs))
        except TallyfyError as error:
            self._record_pause(error)
            raise

    def _raise_during_pause(self) -> None:
        left = self._pause_until - self._loop.time()
        if self._pause is not None and left > 0:
            raise error_from_dict({**self._pause.to_dict(), "retry_after": left})

    def _record_pause(self, error: TallyfyError) -> None:
        if not error.retry_after:
            return
        until = self._loop.time() + error.retry_after
        if until > self._pause_until:
            log.warning(
                "Tallyfy asks for a pause of %.0f s; it applies to all waits on the connection.", error.retry_after
            )
        self._pause_until, self._pause = max(until, self._pause_until), error

    async def _connected(self, *, again: bool = False) -> TallyfyClient:
        """Return the client for the connection as it is now."""
        fresh = self._loop.time() - self._looked_up_at < _CONNECTION_LIFETIME
        if self._client is not None and fresh and not again:
            return self._client
        try:
            connection = await get_async_connection(self._hook.tallyfy_conn_id, self._hook)
        except AirflowNotFoundException as error:
            name = self._hook.tallyfy_conn_id
            raise TallyfyConfigurationError(f"There is no connection {name!r}: {error}") from None
        except Exception as error:
            if self._client is not None and not again:
                return self._client
            # Whatever keeps Airflow from returning the connection may be transient, as an error of Tallyfy's may.
            name = self._hook.tallyfy_conn_id
            raise TallyfyConnectionError(f"Airflow cannot look up the connection {name!r} now: {error}") from None
        return await self._client_for(connection)

    async def _client_for(self, connection: Connection) -> TallyfyClient:
        self._looked_up_at = self._loop.time()
        fields = _fields_of(connection)
        if self._client is None or fields != self._fields:
            previous, self._client = self._client, await self._in_thread(lambda: self._hook.client_from(connection))
            self._fields = fields
            if previous is not None:
                previous.close()
        return self._client

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        # By way of asgiref, whose threads know the loop they came from: Airflow 3.1 masks secrets by talking to its
        # supervisor, and from any other thread that would start a second event loop on the same connection.
        from asgiref.sync import sync_to_async

        call: Callable[[], Any] = sync_to_async(
            request_priority(Priority.WAIT)(function), thread_sensitive=False, executor=self._executor
        )
        result: Result = await call()
        return result

    def close(self) -> None:
        """End; a request that is under way ends by itself, and no other follows."""
        if self._client is not None:
            self._client.close()
        self._executor.shutdown(wait=False, cancel_futures=True)


def _fields_of(connection: Connection) -> tuple[Any, ...]:
    return tuple(getattr(connection, name) for name in ("host", "port", "schema", "login", "password", "extra"))


_executors: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, ConnectionExecutor]] = WeakKeyDictionary()


@asynccontextmanager
async def executor_for(tallyfy_conn_id: str) -> AsyncIterator[ConnectionExecutor]:
    """Share a connection's executor; it ends with its last user."""
    executors = _executors.setdefault(asyncio.get_running_loop(), {})
    executor = executors.get(tallyfy_conn_id)
    if executor is None:
        executor = executors[tallyfy_conn_id] = ConnectionExecutor(tallyfy_conn_id)
    executor.users += 1
    try:
        yield executor
    finally:
        executor.users -= 1
        if not executor.users:
            del executors[tallyfy_conn_id]
            executor.close()
