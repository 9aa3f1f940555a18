"""Threads for HTTP, so that nothing blocks the triggerer's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

_executors: dict[str, ThreadPoolExecutor] = {}


async def in_thread_of(tallyfy_conn_id: str, function: Callable[..., Result], *args: object) -> Result:
    """
    Call a blocking function in the one thread that a connection has in this process.

    One thread a connection keeps Tallyfy from being asked many things at once, and keeps a slow Tallyfy from using up
    the threads that other triggers share.

    :param tallyfy_conn_id: The connection.
    :param function: What to call.
    :param args: Its arguments.
    :return: What it returns.
    """
    executor = _executors.get(tallyfy_conn_id)
    if executor is None:
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"tallyfy-{tallyfy_conn_id}")
        _executors[tallyfy_conn_id] = executor
    return await asyncio.get_running_loop().run_in_executor(executor, function, *args)
