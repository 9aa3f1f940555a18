"""ConnectionExecutor: threads that block no event loop, and that end with it."""

from __future__ import annotations

import asyncio
import threading

from tallyfy_provider.triggers.executor import ConnectionExecutor
from tests.virtual_time import VirtualLoop


def test_a_call_in_parallel_ends_though_its_event_loop_has_ended(connect, clock):
    """As when the triggerer stops: a thread that waits for ever would keep its process from ending."""
    connect()
    started, loop_has_ended, done = threading.Event(), threading.Event(), threading.Event()
    asked = []

    def ask(client):
        started.set()
        loop_has_ended.wait(10)
        executor.in_parallel(client, asked.append, range(4))
        done.set()

    async def start():
        executor = ConnectionExecutor("tallyfy_default")
        call = asyncio.create_task(executor.call(ask))
        while not started.is_set():
            await asyncio.sleep(0.01)
        return executor, call

    loop = VirtualLoop(clock)
    executor, call = loop.run_until_complete(start())
    loop_has_ended.set()
    ended = done.wait(20)
    call.cancel()
    loop.run_until_complete(asyncio.gather(call, return_exceptions=True))
    executor.close()
    loop.close()
    assert ended
    assert sorted(asked) == [0, 1, 2, 3]
