"""
Budgets that all machines share: one value in Redis for each organization and credential.

The value is read together with Redis's own time, changed here, and written by a script only where nobody has changed it
meanwhile; otherwise that is done again. So all clients, those that share a file too, decide by the same code, and
clocks of machines that disagree do no harm.

Libraries that limit rates were looked at. pyrate-limiter 4 and limits 5 keep to a rate that they are told, in Redis
too, and are good at it; here nobody knows the rate. Neither learns from refusals, shares a pause that a server asked
for, or lets a wait pass an export, which are the subject here; what is left of them would be one counter.
"""

from __future__ import annotations

import json
import random
import time
from importlib import import_module
from typing import Any

from tallyfy_provider.client.http.budget import Budgets
from tallyfy_provider.client.http.budget_store import Change, Result, StoreLostError

#: Returns the value and Redis's time in seconds and microseconds.
_READ = "local t = redis.call('TIME') return {redis.call('GET', KEYS[1]) or '', t[1], t[2]}"
#: Writes a value where the one that was read is still there.
_WRITE = (
    "if (redis.call('GET', KEYS[1]) or '') == ARGV[1] then "
    "redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) return 1 end return 0"
)
#: Seconds after its last use until a budget is forgotten.
_LIFETIME = 7 * 24 * 3600
#: Seconds for connecting to Redis and for each of its answers.
_TIMEOUT = 2.0
#: Tries to change a value that others change at the same time, and the most seconds between two.
_MAX_TRIES, _MAX_PAUSE = 200, 0.02


class RedisStore:
    """
    Keeps budgets in Redis.

    :param name: Name of the value.
    :param url: Address of Redis, such as ``redis://host:6379/0``; ``rediss://`` for TLS.
    """

    def __init__(self, name: str, url: str) -> None:
        self._key = f"tallyfy:budgets:{name}"
        self._url = url
        self._client: Any = None

    def update(self, change: Change[Result]) -> Result:
        """Change the budgets in Redis."""
        try:
            client = self._client = self._client or _connect(self._url)
            for _ in range(_MAX_TRIES):
                before, seconds, microseconds = client.eval(_READ, 1, self._key)
                budgets = _parse(before)
                result = change(budgets, int(seconds) + int(microseconds) / 1e6)
                after = json.dumps(budgets.to_json(), separators=(",", ":"))
                if client.eval(_WRITE, 1, self._key, before, after, _LIFETIME):
                    return result
                time.sleep(random.uniform(0, _MAX_PAUSE))  # noqa: S311
        except StoreLostError:
            raise
        except Exception as error:  # whatever the driver raises, of many kinds; its text may quote the password
            raise StoreLostError(f"Redis cannot be used ({type(error).__name__})") from None
        raise StoreLostError("Redis is changed by too many at a time")


def _connect(url: str) -> Any:
    try:
        redis = import_module("redis")
    except ImportError:
        raise StoreLostError(
            "'budget_url' needs the package redis: pip install 'airflow-provider-tallyfy[redis]'"
        ) from None
    return redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)


def _parse(value: bytes) -> Budgets:
    try:
        return Budgets.from_json(json.loads(value))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Budgets()
