"""Threads for HTTP, so that nothing blocks the triggerer's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import AirflowException

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.errors import TallyfyAuthError, TallyfyConfigurationError, TallyfyError
from tallyfy_provider.hooks.tallyfy import TallyfyHook

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class ConnectionThread:
    """
    The one thread that a connection has in a triggerer, with the one client.

    One thread keeps Tallyfy from being asked many things at once, makes a pause that Tallyfy asks for hold for all who
    share the connection, and keeps a slow Tallyfy from using up the threads that other triggers share.

    :param tallyfy_conn_id: The Airflow connection.
    """

    def __init__(self, tallyfy_conn_id: str) -> None:
        self.users = 0
        self._conn_id = tallyfy_conn_id
        self._client: TallyfyClient | None = None
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"tallyfy-{tallyfy_conn_id}")

    async def call(
        self,
        function: Callable[Concatenate[TallyfyClient, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """
        Call a blocking function with the client.

        A token that is refused is looked up in the connection once more: a wait takes days, and somebody may have
        replaced the token meanwhile.

        :param function: What to call; its first argument is the client.
        :return: What it returns.
        :raises TallyfyError: What it raises, or that there is no usable connection.
        """
        client = self._client or await self._connect()
        try:
            return await self._in_thread(lambda: function(client, *args, **kwargs))
        except TallyfyAuthError:
            client = await self._connect()
        return await self._in_thread(lambda: function(client, *args, **kwargs))

    async def _connect(self) -> TallyfyClient:
        hook = TallyfyHook(self._conn_id)
        try:
            connection = await get_async_connection(self._conn_id, hook)
            self._client = await self._in_thread(lambda: hook.client_from(connection))
        except TallyfyError:
            raise
        except AirflowException as error:
            raise TallyfyConfigurationError(f"There is no connection {self._conn_id!r}: {error}") from None
        return self._client

    async def _in_thread(self, function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    def close(self) -> None:
        """Let the thread end when the request that is under way has."""
        self._executor.shutdown(wait=False, cancel_futures=True)


_threads: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, ConnectionThread]] = WeakKeyDictionary()


@asynccontextmanager
async def thread_of(tallyfy_conn_id: str) -> AsyncIterator[ConnectionThread]:
    """
    Share a connection's thread; it ends with its last user.

    :param tallyfy_conn_id: The Airflow connection.
    :return: The thread.
    """
    threads = _threads.setdefault(asyncio.get_running_loop(), {})
    thread = threads.get(tallyfy_conn_id)
    if thread is None:
        thread = threads[tallyfy_conn_id] = ConnectionThread(tallyfy_conn_id)
    thread.users += 1
    try:
        yield thread
    finally:
        thread.users -= 1
        if not thread.users:
            del threads[tallyfy_conn_id]
            thread.close()
