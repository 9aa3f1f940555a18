"""A client of bench_limit.py: lists all runs once, in the way that is named, when it is told to go."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import requests


def provider(about: dict[str, Any]) -> int:
    """List with the provider."""
    from tallyfy_provider.client import ClientSettings, build_client

    settings: dict[str, Any] = {"concurrency": about["concurrency"], "page_size": about["page_size"]}
    if about["redis"]:
        settings["budget_url"] = about["redis"]
    client = build_client(
        ClientSettings(about["organization"], about["token"], base_url=about["url"], **settings),
    )
    return sum(1 for _ in client.runs.list())


def by_hand(about: dict[str, Any], acquire: Any = lambda: None) -> int:
    """List with a loop and tenacity: five attempts, waiting as Retry-After says, or exponentially with jitter."""
    tenacity = import_module("tenacity")
    backoff = tenacity.wait_random_exponential(multiplier=1, max=60)

    def wait(state: Any) -> float:
        header = state.outcome.exception().response.headers.get("retry-after", "")
        return float(header) if header.isdigit() else float(backoff(state))

    @tenacity.retry(stop=tenacity.stop_after_attempt(5), wait=wait, reraise=True)  # type: ignore[untyped-decorator]
    def page(number: int) -> int:
        acquire()
        response = session.get(
            f"{about['url']}/organizations/{about['organization']}/runs",
            params={"page": number, "per_page": about["page_size"]},
            timeout=60,
        )
        response.raise_for_status()
        return len(response.json()["data"])

    session = requests.Session()
    session.headers.update(
        {"Authorization": f"Bearer {about['token']}", "X-Tallyfy-Client": "APIClient", "Accept": "application/json"}
    )
    with ThreadPoolExecutor(about["concurrency"]) as threads:
        return sum(threads.map(page, range(1, about["pages"] + 1)))


def with_pyrate(about: dict[str, Any]) -> int:
    """List in the same way, with pyrate-limiter that is told this client's part of the true rate."""
    pyrate = import_module("pyrate_limiter")
    limiter = pyrate.Limiter(pyrate.Rate(max(1, about["requests"] // about["clients"]), int(about["seconds"] * 1000)))
    return by_hand(about, lambda: limiter.try_acquire("list", blocking=True))


WAYS = {"provider": provider, "before": provider, "tenacity": by_hand, "pyrate-limiter": with_pyrate}


def main() -> None:
    """List, and tell how many runs there were."""
    about = json.loads(sys.argv[1])
    if about["way"] in {"provider", "before"}:
        import_module("tallyfy_provider.client")
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.time()
    rows = WAYS[about["way"]](about)
    print(json.dumps({"rows": rows, "seconds": time.time() - began}), flush=True)


if __name__ == "__main__":
    main()
