"""
Lists under a rate limit in real time: real processes, an emulator of its own for each measurement, four threads a list.

Beside the provider: an older checkout of it (``--before FOLDER``), a loop written by hand with tenacity, and the same
with pyrate-limiter, which is told the true rate (both with ``--python``, the interpreter of an environment that has
them). The clients of the last cell are on two "machines" that share a Redis, where redis-server is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emulator_process import EmulatorProcess, emulator_with

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "limit-real.json"
PAGE_SIZE = 10
#: What each cell is about: limit, clients, pages of each list, whether through Redis.
CELLS = (
    ("1/1:leaky:seconds", 1, 52, False),
    ("10/1:leaky:seconds", 1, 200, False),
    ("10/1:fixed:seconds", 16, 26, False),
    ("100/10:fixed:none", 1, 300, False),
    ("10/1:fixed:date", 1, 200, False),
    ("100/10:sliding:seconds", 20, 26, True),
)
#: Seconds after which a list counts as failed.
PATIENCE = 150


@contextmanager
def redis_server(folder: str) -> Iterator[str]:
    """Run a Redis, and give its address."""
    socket = f"{folder}/redis.sock"
    arguments = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
    with subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL) as server:
        try:
            while not Path(socket).exists():
                time.sleep(0.05)
            yield f"unix://{socket}"
        finally:
            server.terminate()


def measure(way: str, cell: tuple[str, int, int, bool], options: argparse.Namespace) -> dict[str, Any]:
    """Let the clients of a cell list, and return what the emulator saw."""
    limit, clients, pages, shares = cell
    with tempfile.TemporaryDirectory() as folder, emulator_with(pages * PAGE_SIZE) as emulator:
        emulator.limit(limit)
        if shares and way == "provider":
            with redis_server(folder) as url:
                failed = _let_list(way, cell, emulator, options, folder, url)
        else:
            failed = _let_list(way, cell, emulator, options, folder, "")
        asked = sorted(emulator.requests())
    requests, seconds = (float(number) for number in limit.split(":")[0].split("/"))
    accepted = sum(status == 200 for _, status in asked)
    took = asked[-1][0] - asked[0][0]
    return {
        "way": way,
        "limit": limit,
        "clients": clients,
        "share": round(accepted / took / (requests / seconds), 3),
        "refused": round(1 - accepted / len(asked), 4),
        "failed": failed,
        "seconds": round(took, 1),
    }


def _let_list(
    way: str,
    cell: tuple[str, int, int, bool],
    emulator: EmulatorProcess,
    options: argparse.Namespace,
    folder: str,
    redis: str,
) -> int:
    limit, clients, pages, _ = cell
    requests, seconds = limit.split(":")[0].split("/")
    about = {"way": way, "url": emulator.base_url, "organization": emulator.organization_id, "token": emulator.token}
    about |= {"concurrency": 4, "page_size": PAGE_SIZE, "pages": pages, "redis": redis, "clients": clients}
    about |= {"requests": int(requests), "seconds": float(seconds)}
    path = str(options.before if way == "before" else HERE.parent)
    python = sys.executable if way in {"provider", "before"} else options.python
    started = [
        subprocess.Popen(
            [python, str(HERE / "limit_client.py"), json.dumps(about)],
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": path,
                "TALLYFY_BUDGET_FOLDER": f"{folder}/machine-{number % 2 if redis else 0}",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for number in range(clients)
    ]
    for client in started:
        assert client.stdout
        client.stdout.readline()
    emulator.forget()
    for client in started:
        assert client.stdin
        client.stdin.write("go\n")
        client.stdin.flush()
    return sum(not _has_listed(client, pages * PAGE_SIZE) for client in started)


def _has_listed(client: subprocess.Popen[str], rows: int) -> bool:
    try:
        told, _ = client.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        client.kill()
        client.communicate()
        return False
    return client.returncode == 0 and json.loads(told.splitlines()[-1])["rows"] == rows


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="an older checkout")
    parser.add_argument("--python", help="an interpreter with requests, tenacity and pyrate-limiter")
    parser.add_argument("--ways", default="provider,before,tenacity,pyrate-limiter")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8"))["results"] if RESULTS.exists() else []
    for way in options.ways.split(","):
        if (way == "before" and not options.before) or (way in {"tenacity", "pyrate-limiter"} and not options.python):
            continue
        results = [each for each in results if each["way"] != way]
        for cell in CELLS:
            if cell[3] and way == "provider" and not shutil.which("redis-server"):
                continue
            each = measure(way, cell, options)
            results.append(each)
            print(
                f"{way:15}{each['limit']:24}{each['clients']:3} clients {each['share']:5.0%}"
                f"{each['refused']:7.1%} refused {each['failed']:3} failed {each['seconds']:6.1f} s",
                flush=True,
            )
    measured = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    RESULTS.write_text(json.dumps({"measured": measured, "results": results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
