"""Run the emulator from the command line: ``python -m tallyfy_emulator``."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tallyfy_emulator.emulator import Emulator
from tallyfy_emulator.middleware.rate_limit import RateLimit
from tallyfy_emulator.middleware.recorder import RequestRecord
from tallyfy_emulator.model.likeness import Likeness, likeness_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until SIGINT or SIGTERM."""
    options = _parser().parse_args(arguments)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        likeness = None if options.like is None else _likeness(options.like)
        emulator = Emulator(
            port=options.port,
            seed=not options.no_seed,
            colleagues=options.colleagues,
            rate_limit=options.rate_limit,
            quirks=None if likeness is None else likeness.quirks,
            host=options.host,
            allow_remote=options.allow_remote,
        )
        if options.generate:
            emulator.add_generated_runs(options.generate)
        emulator.start()
    except (OSError, ValueError) as error:
        print(f"The Tallyfy emulator can't start: {error}", file=sys.stderr)
        return 1
    try:
        if options.verbose:
            emulator.listen(_print_request)  # before the address is printed
        print(_welcome(emulator), flush=True)
        if likeness is not None:
            print(_describe(likeness, options.like), flush=True)
        stopping.wait()
    finally:
        emulator.stop()
    print("The Tallyfy emulator has stopped.", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tallyfy_emulator",
        description="A Tallyfy on this machine, in memory, to try Dags against without an account.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=0, help="TCP port; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--rate-limit",
        type=_rate_limit,
        metavar="N/SECONDS",
        help="answer 429 beyond N requests in so many seconds, such as 100/60 (default: no limit)",
    )
    parser.add_argument("--no-seed", action="store_true", help="begin without runs")
    parser.add_argument(
        "--colleagues",
        action="store_true",
        help="let people launch processes and do their steps, in minutes, for as long as it runs",
    )
    parser.add_argument(
        "--generate",
        type=int,
        metavar="N",
        help="add N active runs that exist only as a formula, a million if you like",
    )
    parser.add_argument(
        "--like",
        metavar="FILE",
        help="behave as a report of python -m tallyfy_provider check says, wherever a quirk exists for it",
    )
    parser.add_argument("--verbose", action="store_true", help="print a line for each request")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="permit a --host that other machines can reach; nothing is protected then",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _rate_limit(text: str) -> RateLimit:
    try:
        return RateLimit.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _likeness(name: str) -> Likeness:
    try:
        report = json.loads(Path(name).read_text(encoding="utf-8"))
    except ValueError:
        report = None
    try:
        return likeness_of(report)
    except ValueError as error:
        raise ValueError(f"--like {name}: {error}") from error


def _describe(likeness: Likeness, name: str) -> str:
    changed = ", ".join(f"{quirk}={value!r}" for quirk, value in likeness.changed.items())
    lines = [f"It behaves as {name} says: {changed or 'as it does by itself'}."]
    if likeness.left_out:
        lines.append(f"No quirk is known for: {', '.join(likeness.left_out)}.")
    return "\n".join(lines)


def _welcome(emulator: Emulator) -> str:
    rows = {
        "Address": f"{emulator.base_url}   (also with /api behind it)",
        "Organization id": emulator.organization_id,
        "Access token": emulator.token,
        "Client id": emulator.client_id,
        "Client secret": emulator.client_secret,
        "User name": emulator.username,
        "Password": emulator.user_password,
        "Controls": f"{emulator.base_url}/_emulator",
        "Processes": f"{emulator.tracker_url}   (pages for people: open it in a browser)",
    }
    table = "\n".join(f"  {name:<16} {value}" for name, value in rows.items())
    export = f"export AIRFLOW_CONN_TALLYFY_DEFAULT={shlex.quote(emulator.connection_json())}"
    return (
        f"The Tallyfy emulator is running.\n\n{table}\n\n"
        f"For Airflow:\n\n{export}\n\n"
        "Nothing is kept: what you change is gone when it stops. Stop it with Ctrl+C."
    )


def _print_request(record: RequestRecord) -> None:
    status = "no answer" if record.status is None else record.status
    query = "&".join(f"{name}={value}" for name, value in record.query.items())
    print(f"{record.method} {record.path}{'?' if query else ''}{query} -> {status}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
