"""A few threads with one client for each connection, so that HTTP does not block the triggerer's event loop."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.connection import get_async_connection

from tallyfy_provider.client.client import TallyfyClient
from tallyfy_provider.client.http.request_kind import Priority, request_priority
from tallyfy_provider.exceptions import (
    TallyfyAuthError,
    TallyfyError,
    TallyfyRateLimitError,
    TallyfyResponseError,
    error_from_dict,
)
from tallyfy_provider.hooks.tallyfy import TallyfyHook, failed_lookup
from tallyfy_provider.waiting.tolerance import pause_after

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

log = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

#: Seconds after which the connection is looked up again: a wait takes days, and somebody may change it meanwhile.
_CONNECTION_LIFETIME = 600.0


#: Calls at the same time; how many requests are, the connection's ``concurrency`` says.
_MAX_CALLS = 4
#: Seconds after which a call looks whether the event loop that starts its helpers still runs.
_LOOP_CHECK_INTERVAL = 1.0
#: The longest time in seconds that a call lets others go first, before each of its requests.
_LONGEST_STANDING_BACK = 60.0


class ConnectionExecutor:
    """
    Calls blocking functions with a connection's client, in threads.

    Threads of its own keep a slow Tallyfy from using up those that other triggers share, and one client for all applies
    a pause that Tallyfy asks for to all who share the connection. Not more requests are under way than the connection's
    ``concurrency``.

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
        self._logged: set[tuple[Any, ...]] = set()
        self._first_calls = 0
        self._nobody_first = threading.Event()
        self._nobody_first.set()
        name = f"tallyfy-{tallyfy_conn_id}"
        self._threads = ThreadPoolExecutor(max_workers=_MAX_CALLS, thread_name_prefix=name)
        self._first_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{name}-first")
        # Not the threads of the calls: those wait for these.
        self._helpers = ThreadPoolExecutor(thread_name_prefix=f"{name}-more")

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
        :raises TallyfyError: What the function raises, the pause, or that there is no usable connection. Any other
            exception is a transient :class:`~tallyfy_provider.exceptions.TallyfyResponseError`.
        """

        def stand_back_and_call(client: TallyfyClient) -> Result:
            self._nobody_first.wait(_LONGEST_STANDING_BACK)
            return function(client, *args, **kwargs)

        return await self._call(self._threads, stand_back_and_call)

    async def call_first(self, function: Callable[[TallyfyClient], Result]) -> Result:
        """Call a function before the requests that :meth:`in_parallel` has not sent yet."""
        self._first_calls += 1
        self._nobody_first.clear()
        try:
            return await self._call(self._first_thread, function)
        finally:
            self._first_calls -= 1
            if not self._first_calls:
                self._nobody_first.set()

    def in_parallel(self, client: TallyfyClient, function: Callable[[Any], None], items: Iterable[Any]) -> None:
        """
        Call a function for each item, in their order, as many at a time as the connection allows.

        Called in a thread of :meth:`call`, which does its part. Before each item, :meth:`call_first` goes first.

        :raises Exception: The first error; nothing more is begun then, and what is under way has ended.
        """
        self._in_parallel(client, function, items, self._nobody_first)

    def in_parallel_first(self, client: TallyfyClient, function: Callable[[Any], None], items: Iterable[Any]) -> None:
        """Do the same in a thread of :meth:`call_first`."""
        self._in_parallel(client, function, items, None)

    def _in_parallel(
        self,
        client: TallyfyClient,
        function: Callable[[Any], None],
        items: Iterable[Any],
        may_go_on: threading.Event | None,
    ) -> None:
        waiting = list(reversed(list(items)))
        errors: list[Exception] = []

        def work() -> None:
            while not errors:
                if may_go_on is not None:
                    may_go_on.wait(_LONGEST_STANDING_BACK)
                try:
                    item = waiting.pop()
                except IndexError:
                    return
                try:
                    function(item)
                except Exception as error:
                    errors.append(error)

        helpers: list[Future[None]] = [
            asyncio.run_coroutine_threadsafe(self._in_thread(self._helpers, work), self._loop)
            for _ in range(min(client.concurrency, len(waiting)) - 1)
        ]
        work()
        for helper in helpers:
            self._wait_for(helper)
        if errors:
            raise errors[0]

    def _wait_for(self, helper: Future[None]) -> None:
        """Wait until a helper has ended; one whose event loop has ended never begins."""
        while not wait([helper], timeout=_LOOP_CHECK_INTERVAL).done:
            if not self._loop.is_running():
                return
        helper.result()

    def pause_left(self, patience: float = math.inf) -> float:
        """
        Return for how many seconds nothing is requested.

        :param patience: Seconds for which those who wait tolerate an outage: a pause after one is no longer than that,
            whatever Tallyfy asked for, since they would end without having asked it again.
        """
        now = self._loop.time()
        if not isinstance(self._pause, TallyfyRateLimitError):
            self._pause_until = min(self._pause_until, now + patience)
        return max(0.0, self._pause_until - now)

    async def _call(self, threads: ThreadPoolExecutor, function: Callable[[TallyfyClient], Result]) -> Result:
        self._raise_during_pause()
        try:
            client = await self._connected()
            try:
                return await self._in_thread(threads, lambda: function(client))
            except TallyfyAuthError:
                client = await self._connected(again=True)
            return await self._in_thread(threads, lambda: function(client))
        except TallyfyError as error:
            self._record_pause(error)
            raise
        except Exception as error:
            raise self._unexpected(error) from error

    def _raise_during_pause(self) -> None:
        left = self.pause_left()
        if self._pause is not None and left > 0:
            raise error_from_dict({**self._pause.to_dict(), "retry_after": left})

    def _record_pause(self, error: TallyfyError) -> None:
        if not error.retry_after:
            return
        pause = pause_after(error)
        until = self._loop.time() + pause
        if until > self._pause_until:
            log.warning("Tallyfy asks for a pause of %.0f s; it applies to all waits on the connection.", pause)
            self._pause_until, self._pause = until, error

    def _unexpected(self, error: Exception) -> TallyfyError:
        """Return the transient error that any other exception counts as; log it whole once."""
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        key = (type(error), place and (place.tb_frame.f_code, place.tb_lineno))
        if key not in self._logged:
            self._logged.add(key)
            log.error("A call to Tallyfy raised an exception that is none of its errors.", exc_info=error)
        return unexpected_error(error)

    async def _connected(self, *, again: bool = False) -> TallyfyClient:
        """Return the client for the connection as it is now."""
        fresh = self._loop.time() - self._looked_up_at < _CONNECTION_LIFETIME
        if self._client is not None and fresh and not again:
            return self._client
        try:
            connection = await get_async_connection(self._hook.tallyfy_conn_id, self._hook)
        except Exception as error:  # of any kind: each secrets backend has errors of its own
            if self._client is not None and not again:
                return self._client
            raise failed_lookup(self._hook.tallyfy_conn_id, error) from None
        return await self._client_for(connection)

    async def _client_for(self, connection: Connection) -> TallyfyClient:
        self._looked_up_at = self._loop.time()
        fields = _fields_of(connection)
        if self._client is None or fields != self._fields:
            previous, self._client = self._client, await self._in_thread(self._threads, lambda: self._new(connection))
            self._fields = fields
            if previous is not None:
                previous.close()
        return self._client

    def _new(self, connection: Connection) -> TallyfyClient:
        client = self._hook.client_from(connection)
        # A pause after an outage is kept here, where fault_tolerance bounds it, and not by a thread.
        transport = client.session.transport
        transport.retry = replace(transport.retry, max_retry_after=0.0)
        return client

    async def _in_thread(self, threads: ThreadPoolExecutor, function: Callable[[], Result]) -> Result:
        # By way of asgiref, whose threads know the loop they came from: Airflow 3.1 masks secrets by talking to its
        # supervisor, and from any other thread that would start a second event loop on the same connection.
        from asgiref.sync import sync_to_async

        call: Callable[[], Any] = sync_to_async(
            request_priority(Priority.WAIT)(function), thread_sensitive=False, executor=threads
        )
        result: Result = await call()
        return result

    def close(self) -> None:
        """End; a request that is under way ends by itself, and no other follows."""
        if self._client is not None:
            self._client.close()
        self._nobody_first.set()
        for threads in (self._threads, self._first_thread, self._helpers):
            threads.shutdown(wait=False, cancel_futures=True)


def unexpected_error(error: Exception) -> TallyfyResponseError:
    """Return the transient error that an exception counts as which is none of the provider's."""
    return TallyfyResponseError(
        f"A response of Tallyfy's could not be processed ({type(error).__name__}); the triggerer's log has the details."
    )


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
